"""What the on-call is told: suspensions in digests."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alerts import relay, smtp
from alerts.outbox import DIGEST_SECONDS, Outbox
from alerts.smtp import Refusal
from config.tls import Endpoint
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import ONCALL, Open
from tests.unit.alerts.facts import EXAMPLE, RECOVERY, suspension


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


def test_the_oncall_is_told_of_suspensions_that_their_account_is_not_and_of_no_recovery(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(*ONCALL)
    desk.outbox.store(suspension(recipients=(), outage_since=EXAMPLE.at))
    desk.outbox.store(replace(RECOVERY, recipients=()))
    assert desk.outbox.send_due() == 1
    (mail,) = smtp_sink.messages
    assert mail.message["Subject"] == "FTP Suspension Digest: 1 account"
