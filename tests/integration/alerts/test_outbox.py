"""Each alert is stored once and sent once, whatever the mail server and the process do."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from typing import Any

import pytest

from alerts import delivery, relay, smtp
from alerts.relay import CLAIM_SECONDS, DAY
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import LATER, ONCALL, Desk, Open
from tests.unit.alerts.facts import EXAMPLE, suspension


def test_the_same_suspension_is_stored_once(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    desk.outbox.store(EXAMPLE)
    desk.outbox.send_due()
    desk.outbox.store(EXAMPLE)
    assert desk.send_again() == 0
    assert len(smtp_sink.messages) == 1


def test_every_suspension_is_told(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    desk.outbox.store(suspension(number=4, at=LATER))
    assert desk.outbox.send_due() == 2
    assert len({mail.message["Message-ID"] for mail in smtp_sink.messages}) == 2


def test_an_account_created_again_is_told_of_its_first_suspension(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    desk.outbox.send_due()
    desk.outbox.store(suspension(at=LATER))
    assert desk.outbox.send_due() == 1
    assert len({mail.message["Message-ID"] for mail in smtp_sink.messages}) == 2


def test_an_alert_outlives_an_outage_of_the_mail_server_and_arrives_once(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    smtp_sink.stop()
    desk.outbox.store(EXAMPLE)
    for _ in range(3):
        assert desk.send_again() == 0
    assert desk.outbox.waiting() == 1
    assert {tried.outcome for tried in desk.tried} == {"failed"}
    assert desk.tried[0].words == f"127.0.0.1:{smtp_sink.port}: Connection refused"
    smtp_sink.start()
    desk.age("until", 60)
    assert desk.outbox.send_due() == 1
    assert desk.send_again() == 0
    assert len(smtp_sink.messages) == 1


def test_it_is_sent_by_itself_soon_after_a_short_outage(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    smtp_sink.stop()
    desk.outbox.store(EXAMPLE)
    assert desk.outbox.send_due() == 0
    smtp_sink.start()
    deadline = time.monotonic() + 30
    while not desk.outbox.send_due():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(smtp_sink.messages) == 1


def test_a_mail_server_that_is_away_is_asked_once_whatever_waits(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    smtp_sink.stop()
    for number in range(20):
        to = (f"it@customer-{number}.example",)
        desk.outbox.store(suspension(account_id=f"customer-{number}", recipients=to))
    desk.outbox.send_due()
    desk.outbox.send_due()
    assert len(desk.tried) == 1
    smtp_sink.start()
    assert desk.send_again() == 20


def test_a_mail_server_is_never_left_alone_for_more_than_a_minute(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    smtp_sink.stop()
    desk.outbox.store(EXAMPLE)
    for _ in range(15):
        desk.send_again()
    query = {"_id": ":server", "$expr": {"$gt": ["$until", {"$add": ["$$NOW", 60_000]}]}}
    assert desk.document(":server")["failures"] == 15
    assert desk.database["alerts"].find_one(query) is None


def test_an_email_that_makes_the_program_fail_holds_up_none_of_the_others_and_is_given_up(
    open_desk: Open, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk()
    compose = relay.Relay._compose

    def broken(sending: relay.Relay, document: dict[str, Any]) -> EmailMessage:
        if document["facts"]["account_id"] == "poison":
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return compose(sending, document)

    monkeypatch.setattr(relay.Relay, "_compose", broken)
    for name in ("poison", "a", "b"):
        desk.outbox.store(suspension(account_id=name, recipients=(f"it@{name}.example",)))
    with pytest.raises(UnicodeEncodeError):
        desk.outbox.send_due()
    assert len(smtp_sink.messages) == 2
    assert desk.outbox.send_due() == 0
    assert [tried.outcome for tried in desk.tried].count("failed") == 1
    assert "fault of the program" in str(desk.document("poison:3")["last_error"])


@pytest.mark.parametrize(("round_count"), [1, 5])
def test_two_outboxes_send_one_mail_each(
    open_desk: Open, smtp_sink: SmtpSink, round_count: int
) -> None:
    desks = [open_desk(*ONCALL) for _ in range(4)]
    for number in range(round_count):
        desks[0].outbox.store(suspension(number=number))
    start = threading.Barrier(len(desks))

    def work(desk: Desk) -> int:
        start.wait(10)
        return sum(desk.outbox.send_due() for _ in range(3))

    with ThreadPoolExecutor(len(desks)) as pool:
        sent = sum(pool.map(work, desks))
    assert sent == round_count + 1
    assert len({mail.message["Message-ID"] for mail in smtp_sink.messages}) == round_count + 1
    assert len(smtp_sink.messages) == round_count + 1


def test_what_a_dead_process_was_sending_is_sent_again_under_the_same_id(
    open_desk: Open, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "send", killed_after_sending)
        with pytest.raises(KeyboardInterrupt):
            desk.outbox.send_due()
    assert desk.outbox.send_due() == 0
    desk.age("due", CLAIM_SECONDS)
    assert desk.outbox.send_due() == 1
    first, second = smtp_sink.messages
    assert first.raw == second.raw


def killed_after_sending(*arguments: Any) -> None:
    smtp.send(*arguments)
    raise KeyboardInterrupt


def test_an_alert_without_recipients_is_done(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    desk.outbox.store(suspension(recipients=()))
    assert desk.outbox.waiting() == 0
    assert desk.outbox.send_due() == 0
    assert smtp_sink.messages == []
    assert desk.document()["state"] == "unaddressed"


def test_recipients_refused_for_now_are_tried_again(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    smtp_sink.refuse("451 4.3.0 try again later")
    for _ in range(3):
        assert desk.send_again() == 0
    assert "451 4.3.0 try again later" in desk.document()["last_error"]
    smtp_sink.accept()
    assert desk.send_again() == 1
    assert len(smtp_sink.messages) == 1


def test_recipients_refused_for_good_are_tried_rarely_and_given_up_after_a_day(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    smtp_sink.refuse("550 5.1.1 no such user")
    desk.outbox.send_due()
    desk.age("due", 3000)
    assert desk.outbox.send_due() == 0
    assert len(desk.tried) == 1
    desk.age("refused_at", DAY)
    desk.send_again()
    assert desk.document()["state"] == "failed"
    assert desk.outbox.waiting() == 0
    smtp_sink.accept()
    assert desk.send_again() == 0


def test_a_refused_alert_does_not_hold_up_the_others(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    smtp_sink.refuse("550 5.1.1 no such user")
    desk.outbox.send_due()
    smtp_sink.accept()
    desk.outbox.store(suspension(account_id="globex"))
    assert desk.outbox.send_due() == 1


def test_a_round_ends_so_that_a_worker_can_stop(
    open_desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "ROUND", 2)
    desk = open_desk()
    for number in range(3):
        desk.outbox.store(suspension(number=number))
    assert desk.outbox.send_due() == 2
    assert desk.outbox.send_due() == 1


def test_the_indexes_can_be_created_again(open_desk: Open) -> None:
    desk = open_desk()
    desk.outbox.ensure_indexes()
    before = desk.database["alerts"].index_information()
    desk.outbox.ensure_indexes()
    assert desk.database["alerts"].index_information() == before
    assert {"state_1_due_1", "finished_1", "gone_1", "untold_1"} <= set(before)
