"""An alert that makes the program fail holds up none of the others."""

import pytest

from alerts.outbox import Outbox
from alerts.suspension import Suspension
from deploy.local.customers import SmtpSink
from tests.integration.faked import Places
from tests.integration.platform import MakeCourier, running
from tests.servers.fake import Place
from transports.errors import LoginRefused


def test_an_alert_that_cannot_be_stored_holds_up_none_of_the_others(
    make_courier: MakeCourier,
    places: Places,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Outbox.store

    def broken(outbox: Outbox, alert: Suspension) -> None:
        if alert.account_id == "a-poison":
            raise KeyError("recipients")
        store(outbox, alert)

    def fails(step: str, _path: str) -> None:
        if step == "connect":
            raise LoginRefused("530 No")

    monkeypatch.setattr(Outbox, "store", broken)
    courier = make_courier(suspend_after=1)
    for name in ("a-poison", "b", "c"):
        places.account(courier, name, Place(fails), email_alerts=(f"it@{name}.example",))
    with running(courier):
        for name in ("a-poison", "b", "c"):
            courier.publish_many(name, [f"{name}.wav"])
        for name in ("a-poison", "b", "c"):
            courier.wait_state(name, "suspended")
        smtp_sink.wait_for(2)
    to = {str(mail.message["To"]) for mail in smtp_sink.messages}
    assert to == {"it@b.example", "it@c.example"}
