"""What the on-call is told: suspensions in digests."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from alerts import relay, smtp
from alerts.loss_book import LossPage
from alerts.outbox import DIGEST_SECONDS, UNSETTLED_SECONDS, Outbox
from alerts.smtp import Refusal
from config.tls import Endpoint
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import ONCALL, Desk, Open
from tests.unit.alerts.facts import EXAMPLE, RECOVERY, suspension
from tests.unit.alerts.test_digest import ONE_LOSS


def test_the_oncall_is_told_at_once_and_then_at_most_every_interval(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(*ONCALL)
    desk.outbox.store(suspension(recipients=()))
    assert desk.outbox.send_due() == 1
    for account_id in ("globex", "initech"):
        desk.outbox.store(suspension(account_id=account_id, recipients=()))
        assert desk.outbox.send_due() == 0
    desk.age("reached", DIGEST_SECONDS - 30)
    assert desk.outbox.send_due() == 0
    desk.age("reached", 30)
    assert desk.outbox.send_due() == 1
    assert desk.send_again() == 0
    first, second = smtp_sink.messages
    assert first.recipients == ONCALL
    assert first.message["Subject"] == "FTP Suspension Digest: 1 account"
    assert second.message["Subject"] == "FTP Suspension Digest: 2 accounts"
    assert "globex" in second.message.get_content()
    assert "acme " not in second.message.get_content()


def test_an_outage_of_the_mail_server_ends_with_one_digest(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(*ONCALL)
    smtp_sink.stop()
    for number in range(3):
        desk.outbox.store(suspension(number=number, recipients=()))
        desk.send_again()
        desk.age("at", DIGEST_SECONDS)
    smtp_sink.start()
    desk.age("until", 60)
    assert desk.outbox.send_due() == 1
    desk.age("reached", DIGEST_SECONDS)
    assert desk.outbox.send_due() == 1


def test_an_oncall_that_is_refused_does_not_keep_digests_from_the_others(
    open_desk: Open, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_to_first(message: Any, server: Endpoint, recipients: list[str]) -> Any:
        smtp.send(message, server, recipients[:1])
        return tuple(Refusal(one, "450 later", permanent=False) for one in recipients[1:])

    monkeypatch.setattr(relay, "send", send_to_first)
    desk = open_desk(*ONCALL, "away@platform.example")
    desk.outbox.store(suspension(recipients=()))
    assert desk.outbox.send_due() == 1
    assert desk.document(":digest:1")["remaining"] == ["away@platform.example"]
    desk.outbox.store(suspension(account_id="globex", recipients=()))
    assert desk.outbox.send_due() == 0
    desk.age("reached", DIGEST_SECONDS)
    assert desk.outbox.send_due() == 1
    assert [mail.recipients for mail in smtp_sink.messages] == [ONCALL, ONCALL]


def test_a_new_oncall_does_not_wait_for_one_that_is_refused(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk("gone@platform.example")
    desk.outbox.store(suspension(recipients=()))
    smtp_sink.refuse("550 5.1.1 no such user")
    assert desk.outbox.send_due() == 0
    smtp_sink.accept()
    desk.outbox.store(suspension(account_id="globex", recipients=()))
    assert desk.outbox.send_due() == 0
    assert open_desk(*ONCALL).outbox.send_due() == 1


@pytest.mark.parametrize("step", ["_turn_page", "_write_digest", "_insert"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_a_digest_is_written_neither_loses_nor_repeats_anything(
    open_desk: Open,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    when: str,
) -> None:
    desk = open_desk(*ONCALL)
    desk.outbox.store(suspension(recipients=()))
    with monkeypatch.context() as patched:
        patched.setattr(Outbox, step, crashing(getattr(Outbox, step), when))
        with pytest.raises(KeyboardInterrupt):
            desk.outbox.send_due()
    next_one = open_desk(*ONCALL)
    next_one.outbox.send_due()
    next_one.age("reached", DIGEST_SECONDS)
    next_one.send_again()
    [mail] = smtp_sink.messages
    assert mail.message["Subject"] == "FTP Suspension Digest: 1 account"
    assert next_one.database["alerts"].count_documents({"undigested": True}) == 0


def crashing(method: Callable[..., Any], when: str) -> Callable[..., Any]:
    def crash(*arguments: Any) -> Any:
        if when == "after":
            method(*arguments)
        raise KeyboardInterrupt

    return crash


def test_without_an_oncall_there_is_no_digest_later_either(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    open_desk().outbox.store(suspension(recipients=()))
    assert open_desk(*ONCALL).outbox.send_due() == 0
    assert smtp_sink.messages == []


def test_an_account_that_is_called_like_a_digest_is_no_digest(open_desk: Open) -> None:
    desk = open_desk(*ONCALL)
    for account_id in ("digest", "digests", "server"):
        desk.outbox.store(suspension(account_id=account_id, number=1))
    assert desk.outbox.send_due() == 4


def test_the_oncall_is_told_of_suspensions_and_recoveries_that_their_account_is_not(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(*ONCALL, console_url="https://courier.example")
    desk.outbox.store(suspension(recipients=(), outage_since=EXAMPLE.at, repeated=1))
    ended = replace(RECOVERY, account_id="globex", recipients=())
    desk.outbox.store(ended)
    assert desk.outbox.send_due() == 1
    (mail,) = smtp_sink.messages
    assert mail.message["Subject"] == "FTP Suspension Digest: 1 account, 1 ended"
    text = mail.message.get_content()
    assert "ENDED: 1 account delivers again" in text
    assert "The console: https://courier.example" in text
    desk.outbox.store(ended)
    desk.age("reached", DIGEST_SECONDS)
    assert desk.outbox.send_due() == 0, "each is told once"


def test_a_mass_outage_is_waited_for_until_its_first_figure_is_true(
    open_desk: Open, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.outbox.UNSETTLED_SECONDS", 2 * 3600)
    desk = open_desk(*ONCALL, settled_seconds=3600)
    for number in range(34):
        desk.outbox.store(suspension(account_id=f"a{number}", recipients=()))
        assert desk.outbox.send_due() == 0

    desk.age("at", 3600)

    assert desk.outbox.send_due() == 1
    (mail,) = smtp_sink.messages
    assert mail.message["Subject"] == "FTP Suspension Digest: 34 accounts"


def test_events_without_end_do_not_hold_the_digest_up(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk(*ONCALL, settled_seconds=3600)
    desk.outbox.store(suspension(recipients=()))
    desk.age("at", UNSETTLED_SECONDS)
    desk.outbox.store(suspension(account_id="globex", recipients=()))
    assert desk.outbox.send_due() == 1
    (mail,) = smtp_sink.messages
    assert mail.message["Subject"] == "FTP Suspension Digest: 2 accounts"


def test_a_loss_is_told_to_the_oncall_alone_and_once(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk(*ONCALL)
    page = counted(desk)
    assert desk.outbox.send_due() == 1
    desk.outbox.losses.count(page)
    desk.age("reached", DIGEST_SECONDS)
    assert desk.outbox.send_due() == 0
    (mail,) = smtp_sink.messages
    assert mail.recipients == ONCALL
    assert mail.message["Subject"] == "FTP Suspension Digest: 1 recording lost"
    assert "r-1" in mail.message.get_content()


def test_without_an_oncall_nothing_is_kept_of_a_loss(open_desk: Open) -> None:
    desk = open_desk()
    counted(desk)
    assert desk.database["alerts"].count_documents({"_id": {"$ne": ":losses"}}) == 0


def counted(desk: Desk) -> LossPage:
    book = desk.outbox.losses
    page = book.turn(book.page(), [ONE_LOSS])
    book.count(page)
    return page


def test_suspensions_come_before_losses_that_an_earlier_version_stored_one_by_one(
    open_desk: Open, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.outbox.DIGEST_EVENTS", 2)
    desk = open_desk(*ONCALL)
    facts = {**asdict(ONE_LOSS), "at": EXAMPLE.at - timedelta(hours=1), "recipients": []}
    former = {"kind": "loss", "facts": facts, "undigested": True, "at": EXAMPLE.at}
    desk.database["alerts"].insert_many(
        [{"_id": f"acme:loss:r-{number}", **former} for number in range(5)]
    )
    desk.outbox.store(suspension(recipients=()))
    assert desk.outbox.send_due() == 1
    (mail,) = smtp_sink.messages
    assert mail.message["Subject"] == "FTP Suspension Digest: 1 account, 1 recording lost"
