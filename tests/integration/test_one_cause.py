"""One failure has one cause wherever it is shown: log, ledger, alert, page, API, commands."""

import html
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.accounts import Protocol
from consumers.observe import AccountChanged, TryEnded
from deploy.local.customers import SmtpSink
from tests.integration.console import commands_reach, serving
from tests.integration.platform import MakeCourier, running, until
from tests.servers import Vsftpd
from transports.diagnosis import Whose
from transports.diagnosis.refused_logins import ANONYMOUS_ONLY
from worker.cli import app


def test_the_cause_of_one_failure_is_the_same_in_every_place(
    make_courier: MakeCourier,
    smtp_sink: SmtpSink,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[object] = []
    monkeypatch.setattr("worker.service.LogObserver", lambda: seen.append)
    courier = make_courier(suspend_after=1, retry_delays=(0.0,))
    commands_reach(courier, monkeypatch)
    lines = ["anonymous_enable=YES", "local_enable=NO"]
    with Vsftpd(tmp_path / "vsftpd", extra=lines) as server:
        courier.account("acme", server.customer, Protocol.FTP, email_alerts=("it@x.example",))
        with serving(courier) as console, running(courier):
            (recording_id,) = courier.publish_many("acme", ["call.wav"])
            courier.wait_state("acme", "suspended")
            until(lambda: smtp_sink.messages, "the alert")
            console.user("provider", None)
            page = html.unescape(console.browser("provider").get("/accounts/acme").text)
            shown = console.program(None).get("/accounts/acme").json()
            delivery = console.program(None).get(f"/deliveries/{recording_id}").json()
            tested = CliRunner().invoke(app, ["accounts", "test", "acme"])
            as_json = CliRunner().invoke(app, ["accounts", "test", "acme", "--json"])
            account = CliRunner().invoke(app, ["accounts", "show", "acme"])
            row = CliRunner().invoke(app, ["deliveries", "show", recording_id])

    code, cause = ANONYMOUS_ONLY.code, ANONYMOUS_ONLY.cause
    assert {each.cause for each in seen if isinstance(each, TryEnded)} == {code}
    assert [
        each.cause
        for each in seen
        if isinstance(each, AccountChanged) and each.state == "suspended"
    ] == [code]
    mail = smtp_sink.messages[0].message.get_content()
    assert f"Cause: {cause} ({code})" in mail.replace("\r\n", "\n")
    assert f"Who can mend it: {Whose.CUSTOMER.label}" in mail
    assert ANONYMOUS_ONLY.next_step in mail
    for text in (page, account.stdout, row.stdout, tested.stdout):
        assert cause in text
        assert code in text
        assert Whose.CUSTOMER.label in text
    for shape in (shown, delivery):
        assert (shape["last_error_cause"], shape["last_error_whose"]) == (code, "customer")
    last = json.loads(as_json.stdout)[-1]
    assert (last["cause"], last["whose"]) == (code, "customer")
    assert tested.exit_code == 1
