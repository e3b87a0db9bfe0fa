"""Who gets an alert: not who has stopped them, not who gets too many, and nobody by surprise."""

import re
from typing import Any

import pytest

from alerts import delivery, smtp
from alerts.history import Addressed, AlertHistory
from alerts.smtp import Refusal
from alerts.trial import TrialMail
from config.alert_addresses import (
    FAIR_SECONDS,
    HOUR,
    MAX_ADDRESS,
    MAX_EACH,
    MAX_NEW,
    AlertAddresses,
)
from config.alert_settings import MAX_EMAIL_ALERTS
from config.mail_links import Recipient
from config.tls import Endpoint
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import Open
from tests.integration.alerts.readers import CONSOLE, VICTIM, age, alert, got
from tests.unit.alerts.facts import EXAMPLE, RECOVERY, suspension


def test_a_flood_of_one_account_ends_after_some_mails_and_says_so(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(console_url=CONSOLE)
    for number in range(MAX_EACH + 5):
        alert(desk, "acme", number)
    assert len(got(smtp_sink)) == MAX_EACH
    left_out = desk.document(f"acme:{MAX_EACH}")
    assert left_out["state"] == "left-out"
    assert left_out["left_out"] == [{"address": VICTIM, "why": "limited"}]
    assert desk.outbox.waiting() == 0

    age(desk, HOUR)
    alert(desk, "acme", 100)
    alert(desk, "acme", 101)

    told, after = got(smtp_sink)[-2:]
    assert "5 e-mails were left out" in told.get_content()
    assert "left out" not in after.get_content()


def test_an_alert_each_fifteen_minutes_always_fits(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    for number in range(12):
        alert(desk, "acme", number)
        age(desk, FAIR_SECONDS + 60)

    assert len(got(smtp_sink)) == 12


def test_no_account_uses_up_anothers(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    for hostile in range(6):
        for number in range(MAX_EACH + 2):
            alert(desk, f"hostile-{hostile}", number)
    assert len(got(smtp_sink)) == 6 + MAX_ADDRESS

    alert(desk, "honest", 1)

    assert len(got(smtp_sink)) == 6 + MAX_ADDRESS + 1
    assert "Account: honest" in got(smtp_sink)[-1].get_content()


def test_an_account_writes_to_few_strangers_in_an_hour(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    for number in range(10):
        strangers = [f"stranger-{number}-{each}@elsewhere.example" for each in range(10)]
        alert(desk, "hostile", number, *strangers)
    reached = {address for mail in smtp_sink.messages for address in mail.recipients}
    assert len(reached) == MAX_NEW

    age(desk, HOUR)
    alert(desk, "hostile", 50, "stranger-9-9@elsewhere.example")

    assert len(got(smtp_sink, "stranger-9-9@elsewhere.example")) == 1


def test_other_mails_of_the_account_count_too(open_desk: Open) -> None:
    desk = open_desk()
    for number in range(MAX_EACH):
        alert(desk, RECOVERY.account_id, number, *RECOVERY.recipients)
    desk.outbox.store(RECOVERY)

    assert desk.outbox.send_due() == 0


def test_tests_use_up_nothing_of_the_alerts(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    people = tuple(f"it-{each}@customer.example" for each in range(MAX_EMAIL_ALERTS))
    for key in ("a", "b", "c"):
        desk.outbox.store(TrialMail("acme", key, "admin", people, EXAMPLE.at))
        desk.outbox.send_due()
    assert len(smtp_sink.messages) == 2, "tests have a limit of their own"
    tested = AlertHistory(desk.database).list("acme", 10)
    assert {each.outcome for mail in tested for each in mail.recipients} == {"sent", "limited"}

    alert(desk, "acme", 1, *people)

    assert set(smtp_sink.messages[-1].recipients) == set(people)
    assert "left out" not in smtp_sink.messages[-1].message.get_content()


def test_a_mail_that_is_tried_again_is_not_one_more(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    smtp_sink.stop()
    alert(desk, "acme", 1)
    for _ in range(MAX_EACH + 1):
        desk.send_again()
    smtp_sink.start()

    assert desk.send_again() == 1
    assert len(got(smtp_sink)) == 1


def test_the_oncall_is_not_limited(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk(VICTIM)
    for number in range(MAX_EACH + 3):
        desk.outbox.store(suspension(number=number, recipients=()))
        desk.age("reached", 3600)
        desk.send_again()

    assert len(got(smtp_sink)) == MAX_EACH + 3


# --- the link -----------------------------------------------------------------------------------


def link_of(mail: Any) -> str:
    [link] = re.findall(rf"{CONSOLE}/alert-mail\?token=\S+", mail.get_content())
    return str(link)


def test_each_reader_has_a_link_of_its_own(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk(console_url=CONSOLE)
    alert(desk, "acme", 1, "a@x.example", "b@x.example")
    first, second = smtp_sink.messages

    assert (first.recipients, second.recipients) == (("a@x.example",), ("b@x.example",))
    for mail in (first.message, second.message):
        assert mail["To"] == "a@x.example, b@x.example"
        assert mail["List-Unsubscribe"] == f"<{link_of(mail)}>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail.get_content().startswith("There have been 10 failures")
    assert link_of(first.message) != link_of(second.message)
    assert first.message["Message-ID"] != second.message["Message-ID"]
    assert desk.document("acme:1")["state"] == "sent"


def test_without_the_consoles_address_the_mail_says_how_to_stop_it(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    alert(desk, "acme", 1, "a@x.example", "b@x.example")

    [mail] = smtp_sink.messages
    assert "To stop these e-mails, have this address taken out" in mail.message.get_content()
    assert mail.message["List-Unsubscribe"] is None


def test_one_reader_that_is_refused_does_not_repeat_the_others_mails(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(console_url=CONSOLE)
    smtp_sink.refuse("450 later")
    alert(desk, "acme", 1, "a@x.example", "b@x.example")
    assert desk.document("acme:1")["remaining"] == ["a@x.example", "b@x.example"]
    smtp_sink.accept()

    assert desk.send_again() == 1
    assert [mail.recipients for mail in smtp_sink.messages] == [("a@x.example",), ("b@x.example",)]


def test_who_has_stopped_them_gets_none_until_it_wants_them_again(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(console_url=CONSOLE)
    addresses = AlertAddresses(desk.database)
    addresses.stop(Recipient("acme", "A@x.example"))
    alert(desk, "acme", 1, "a@x.example", "b@x.example")
    alert(desk, "other", 1, "a@x.example")

    assert [mail.recipients for mail in smtp_sink.messages] == [("b@x.example",), ("a@x.example",)]
    assert desk.document("acme:1")["left_out"] == [{"address": "a@x.example", "why": "stopped"}]
    addresses.resume(Recipient("acme", "a@x.example"))
    alert(desk, "acme", 2, "a@x.example")
    assert len(got(smtp_sink, "a@x.example")) == 2


# --- confirming ---------------------------------------------------------------------------------


def test_an_address_is_asked_once_and_gets_alerts_only_after_it_has_agreed(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(console_url=CONSOLE, must_confirm=True)
    addresses = AlertAddresses(desk.database, must_confirm=True)
    addresses.ask("acme", (VICTIM,))
    for number in range(3):
        alert(desk, "acme", number)
    desk.send_again()

    [question] = got(smtp_sink)
    assert question["Subject"] == "Please confirm FTP alerts"
    assert link_of(question)
    assert desk.document("acme:0")["left_out"] == [{"address": VICTIM, "why": "unconfirmed"}]
    addresses.confirm(Recipient("acme", VICTIM))
    alert(desk, "acme", 5, VICTIM, "silent@x.example")
    told = got(smtp_sink)[-1]
    assert (told["Subject"], told["To"]) == ("FTP Suspension Alert", VICTIM)


def test_who_does_not_agree_is_asked_again_no_sooner_than_the_next_day(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(console_url=CONSOLE, must_confirm=True)
    for number in range(3):
        alert(desk, "acme", number)
        desk.outbox.send_due()
    assert len(got(smtp_sink)) == 1

    age(desk, 25 * HOUR)
    alert(desk, "acme", 5)
    desk.outbox.send_due()

    assert len(got(smtp_sink)) == 2


def test_questions_are_no_way_to_write_to_strangers(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk(console_url=CONSOLE, must_confirm=True)
    addresses = AlertAddresses(desk.database, must_confirm=True)
    addresses.ask("acme", tuple(f"s{number}@elsewhere.example" for number in range(MAX_NEW + 10)))
    desk.outbox.send_due()
    desk.outbox.send_due()

    assert len(smtp_sink.messages) == MAX_NEW


@pytest.mark.parametrize("token", ["", "x", "ü", "gAAAAAB"])
def test_what_is_no_link_of_ours_is_nobodys(open_desk: Open, token: str) -> None:
    links = open_desk(console_url=CONSOLE).outbox._delivery.links

    assert links.read(token) is None
    url = links.url(Recipient("acme", VICTIM))
    assert links.read(url.partition("token=")[2]) == Recipient("acme", VICTIM)


def test_whom_the_server_refuses_while_others_get_it_is_kept_for_the_history(
    open_desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_to_first(message: Any, server: Endpoint, recipients: list[str]) -> Any:
        smtp.send(message, server, recipients[:1])
        return tuple(Refusal(one, "550 no such user", permanent=True) for one in recipients[1:])

    monkeypatch.setattr(delivery, "send", send_to_first)
    desk = open_desk()
    alert(desk, "acme", 1, "a@x.example", "gone@x.example")
    (mail,) = AlertHistory(desk.database).list("acme", 10)
    assert mail.state == "sent"
    assert mail.recipients == (
        Addressed("a@x.example", "sent"),
        Addressed("gone@x.example", "refused", "550 no such user"),
    )
