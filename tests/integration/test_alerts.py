"""The outbox on a real MongoDB and a real mail server."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database

from alerts import outbox as outbox_module
from alerts import smtp
from alerts.outbox import CLAIM_SECONDS, DAY, DIGEST_SECONDS, AlertTried, Outbox
from alerts.smtp import Refusal
from alerts.suspension import Suspension, compose
from deploy.local.customers import SmtpSink
from tests.unit.alerts.facts import EXAMPLE, PLATFORM, RECOVERY, SENDER, suspension

ONCALL = ("oncall@platform.example",)
LATER = EXAMPLE.at + timedelta(minutes=15)

BODY = """\
There have been 10 failures sending files via FTP from the Advanced Services Platform to \
ftp.customer.example with username acme

FTP has been suspended for 15 minutes for your account and it will be retried once this timer has \
expired, please note that your FTP requests are being queued up.

Last error message from your server: 530 Login incorrect.

Account: acme
Files waiting: 12, the oldest since 2026-11-23 14:05:00 UTC
Next try: 2026-11-23 15:15:00 UTC, with the oldest file.
What to check: Check username, password and logon type, and that the user is not locked.

Nothing is lost: the files that wait are kept, and they are sent by themselves, the oldest first, \
as soon as your server takes one again.
"""


@dataclass
class Desk:
    """An outbox, what it told its observer, and its collection."""

    outbox: Outbox
    database: Database[dict[str, Any]]
    tried: list[AlertTried] = field(default_factory=list)

    def document(self, alert_id: str = "acme:3") -> dict[str, Any]:
        found = self.database["alerts"].find_one({"_id": alert_id})
        assert found is not None
        return found

    def age(self, name: str, seconds: float, query: dict[str, Any] | None = None) -> None:
        """Let the moment stored under the name be so much longer ago."""
        self.database["alerts"].update_many(
            {**(query or {}), name: {"$exists": True}},
            [{"$set": {name: {"$subtract": [f"${name}", int(seconds * 1000)]}}}],
        )

    def send_again(self) -> int:
        """Another round, once all waits are over."""
        self.age("until", 3600)
        self.age("due", DAY)
        return self.outbox.send_due()


Open = Callable[..., Desk]


@pytest.fixture
def database(mongodb_url: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        yield client.get_default_database()


@pytest.fixture
def open_desk(database: Database[dict[str, Any]], smtp_sink: SmtpSink) -> Open:
    def opened(*oncall: str, url: str = smtp_sink.url) -> Desk:
        tried: list[AlertTried] = []
        outbox = Outbox(
            database,
            sender=SENDER,
            platform=PLATFORM,
            smtp_url=SecretStr(url),
            oncall=oncall,
            observe=tried.append,
        )
        outbox.ensure_indexes()
        return Desk(outbox, database, tried)

    return opened


def test_the_alert_arrives_to_the_letter(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    assert desk.outbox.waiting() == 1
    assert desk.outbox.send_due() == 1
    [mail] = smtp_sink.messages
    assert mail.sender == SENDER
    assert mail.recipients == EXAMPLE.recipients
    assert mail.message["Subject"] == "FTP Suspension Alert"
    assert mail.message["From"] == SENDER
    assert mail.message["To"] == "it@customer.example, ops@customer.example"
    assert mail.message["Date"] == "Mon, 23 Nov 2026 15:00:00 +0000"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message.get_content_type() == "text/plain"
    assert mail.message.get_content().replace("\r\n", "\n") == BODY
    assert desk.tried == [AlertTried("sent", "acme:3")]
    assert desk.outbox.waiting() == 0
    assert desk.send_again() == 0


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
        desk.outbox.store(suspension(number=number))
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
        patched.setattr(outbox_module, "send", killed_after_sending)
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


def test_fields_with_line_breaks_add_neither_header_nor_line(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    hostile = "a\r\nBcc: spy@evil.example\r\n\r\n.\r\nMAIL FROM:<x@y>\r\n"
    desk = open_desk()
    desk.outbox.store(
        suspension(
            account_id="acme",
            host=hostile,
            username=hostile,
            words=hostile,
            advice=hostile,
            recipients=("it@customer.example", f"it@b.example{hostile}"),
        )
    )
    assert desk.outbox.send_due() == 1
    [mail] = smtp_sink.messages
    assert mail.recipients == ("it@customer.example",)
    assert "Bcc" not in mail.message
    lines = mail.message.get_content().replace("\r\n", "\n").split("\n")
    assert len(lines) == len(BODY.split("\n"))


def test_text_that_looks_like_a_query_is_stored_as_text(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    desk.outbox.store(suspension(username="$$NOW", words="$kind", host="$x"))
    assert desk.outbox.send_due() == 1
    assert "to $x with username $$NOW" in smtp_sink.messages[0].message.get_content()


def test_the_password_of_the_mail_server_is_not_stored(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(url=smtp_sink.url.replace("://", "://courier:hunter2@"))
    desk.outbox.store(EXAMPLE)
    assert desk.outbox.send_due() == 0
    assert desk.document()["last_error"]
    assert "hunter2" not in repr(list(desk.database["alerts"].find()))


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
    def send_to_first(message: Any, url: SecretStr, recipients: list[str]) -> Any:
        smtp.send(message, url, recipients[:1])
        return tuple(Refusal(one, "450 later", permanent=False) for one in recipients[1:])

    monkeypatch.setattr(outbox_module, "send", send_to_first)
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


def test_a_round_ends_so_that_a_worker_can_stop(
    open_desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "ROUND", 2)
    desk = open_desk()
    for number in range(3):
        desk.outbox.store(suspension(number=number))
    assert desk.outbox.send_due() == 2
    assert desk.outbox.send_due() == 1


def test_the_end_of_an_outage_is_told_after_its_last_suspension_under_an_id_of_its_own(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    desk.outbox.store(suspension(number=RECOVERY.number))
    for _ in range(2):
        desk.outbox.store(RECOVERY)
    assert desk.outbox.send_due() == 2
    first, second = smtp_sink.messages
    assert first.message["Subject"] == "FTP Suspension Alert"
    assert second.message["Subject"] == "FTP Suspension Ended"
    assert second.recipients == RECOVERY.recipients
    assert desk.document("acme:11:recovery")["state"] == "sent"
    desk.outbox.store(RECOVERY)
    assert desk.send_again() == 0


def test_the_oncall_is_told_of_suspensions_that_their_account_is_not_and_of_no_recovery(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(*ONCALL)
    desk.outbox.store(suspension(recipients=(), outage_since=EXAMPLE.at))
    desk.outbox.store(replace(RECOVERY, recipients=()))
    assert desk.outbox.send_due() == 1
    (mail,) = smtp_sink.messages
    assert mail.message["Subject"] == "FTP Suspension Digest: 1 account"


def test_the_indexes_can_be_created_again(open_desk: Open) -> None:
    desk = open_desk()
    desk.outbox.ensure_indexes()
    assert len(desk.database["alerts"].index_information()) == 4


def test_the_message_sent_is_the_message_composed(open_desk: Open, smtp_sink: SmtpSink) -> None:
    facts: Suspension = suspension(username="läufer", words="530 Пароль неверен")
    desk = open_desk()
    desk.outbox.store(facts)
    desk.outbox.send_due()
    expected = compose(facts, sender=SENDER, platform=PLATFORM)
    assert (
        smtp_sink.messages[0].message.get_content().replace("\r\n", "\n") == expected.get_content()
    )
    assert smtp_sink.messages[0].message["Message-ID"] == expected["Message-ID"]
