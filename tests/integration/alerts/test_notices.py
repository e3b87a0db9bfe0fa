"""That settings were changed is told to everybody, later where a flood of alerts came before it."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from alerts.history import Addressed, AlertHistory
from alerts.relay import PATIENCE_SECONDS
from config.alert_addresses import (
    FAIR_SECONDS,
    MAX_EACH,
    AlertAddresses,
)
from config.mail_links import Recipient
from config.notices import SettingsNotice
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import Desk, Open
from tests.integration.alerts.readers import CONSOLE, VICTIM, age, alert, got


def change_settings(desk: Desk, key: str, *to: str) -> None:
    """The notice of one change of the account's settings, and a round of the outbox."""
    before, after = {"Host": f"before-{key}"}, {"Host": f"after-{key}"}
    at = datetime.now(UTC)
    desk.outbox.store(SettingsNotice("acme", key, "eve", before, after, to or (VICTIM,), at))
    desk.outbox.send_due()


def flood(desk: Desk, *to: str) -> None:
    """As many e-mails to the addresses as they may get in an hour."""
    for number in range(MAX_EACH):
        alert(desk, "acme", number, *to)


def told(sink: SmtpSink, address: str = VICTIM) -> list[str]:
    """The keys of the changes that the address was told, in their order."""
    texts = [mail.get_content() for mail in got(sink, address)]
    return [found[1] for text in texts if (found := re.search("after-([a-z]+)", text))]


def test_a_change_of_the_settings_is_told_later_where_a_flood_came_before_it(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(console_url=CONSOLE)
    flood(desk)
    alert(desk, "acme", 100)
    change_settings(desk, "diverted")
    desk.send_again()
    assert told(smtp_sink) == []
    assert desk.document("acme:settings:diverted")["state"] == "waiting"

    age(desk, FAIR_SECONDS)
    desk.send_again()
    desk.send_again()

    assert told(smtp_sink) == ["diverted"]
    assert desk.document("acme:settings:diverted")["state"] == "sent"
    assert "1 e-mail was left out" in got(smtp_sink)[-1].get_content()


def test_it_is_sent_as_soon_as_one_more_always_fits(open_desk: Open) -> None:
    desk = open_desk()
    flood(desk)
    change_settings(desk, "diverted")

    [known] = desk.database["alert_addresses"].find({"address": VICTIM})
    due = desk.document("acme:settings:diverted")["due"]
    assert due == max(known["sent"]) + timedelta(seconds=FAIR_SECONDS)


def test_a_flood_that_goes_on_never_comes_before_it(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    flood(desk)
    change_settings(desk, "diverted")
    for number in range(3):
        age(desk, FAIR_SECONDS)
        desk.age("due", FAIR_SECONDS)
        alert(desk, "acme", 100 + number)

    assert told(smtp_sink) == ["diverted"]
    assert desk.document("acme:100")["state"] == "left-out"


def test_several_changes_are_told_the_oldest_first_and_each_once(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    flood(desk)
    for key in ("one", "two", "three"):
        change_settings(desk, key)
    desk.age("due", 3600, {"_id": "acme:settings:three"})  # it is looked at first
    for _ in range(3):
        age(desk, FAIR_SECONDS)
        desk.send_again()

    assert told(smtp_sink) == ["one", "two", "three"]


@pytest.mark.parametrize("console_url", [CONSOLE, None])
def test_who_has_room_is_told_at_once_and_nobody_twice(
    open_desk: Open, smtp_sink: SmtpSink, console_url: str | None
) -> None:
    desk = open_desk(console_url=console_url)
    flood(desk)
    change_settings(desk, "diverted", "it@x.example", VICTIM, "ops@x.example")
    for _ in range(3):
        desk.send_again()
    assert told(smtp_sink, "it@x.example") == told(smtp_sink, "ops@x.example") == ["diverted"]
    assert told(smtp_sink) == []
    assert desk.document(f"acme:settings:diverted:{VICTIM}")["state"] == "waiting"

    for _ in range(3):
        age(desk, FAIR_SECONDS)
        desk.send_again()

    assert told(smtp_sink, "it@x.example") == told(smtp_sink, "ops@x.example") == ["diverted"]
    assert told(smtp_sink) == ["diverted"]
    assert desk.document(f"acme:settings:diverted:{VICTIM}")["state"] == "sent"


def test_what_the_limits_hold_is_no_sign_of_a_mail_server_that_is_away(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    flood(desk)
    change_settings(desk, "diverted")
    assert desk.outbox.waiting() == 0
    smtp_sink.stop()

    age(desk, FAIR_SECONDS)
    desk.send_again()

    assert desk.outbox.waiting() == 1


def test_nobody_gets_more_in_an_hour_for_it(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    for number in range(MAX_EACH + 10):
        change_settings(desk, chr(ord("a") + number))
    for _ in range(5):
        desk.send_again()

    assert len(got(smtp_sink)) == MAX_EACH


def test_who_has_stopped_them_meanwhile_does_not_get_it(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    flood(desk)
    change_settings(desk, "diverted")
    AlertAddresses(desk.database).stop(Recipient("acme", VICTIM))
    age(desk, FAIR_SECONDS)
    desk.send_again()

    assert told(smtp_sink) == []
    document = desk.document("acme:settings:diverted")
    assert document["left_out"] == [{"address": VICTIM, "why": "stopped"}]


def test_it_is_given_up_after_days_and_counted_then(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk(console_url=CONSOLE)
    flood(desk)
    change_settings(desk, "diverted")
    desk.age("at", PATIENCE_SECONDS - 3600)
    desk.send_again()
    assert desk.document("acme:settings:diverted")["state"] == "waiting"

    desk.age("at", 3600)
    desk.send_again()

    document = desk.document("acme:settings:diverted")
    assert document["state"] == "left-out"
    assert document["left_out"] == [{"address": VICTIM, "why": "limited"}]
    age(desk, FAIR_SECONDS)
    alert(desk, "acme", 100)
    assert "1 e-mail was left out" in got(smtp_sink)[-1].get_content()


def test_who_gets_an_email_later_has_an_entry_of_its_own_in_the_history(open_desk: Open) -> None:
    desk = open_desk(console_url=CONSOLE)
    flood(desk)
    change_settings(desk, "k", VICTIM, "it@acme.example")
    found = {mail.alert_id: mail for mail in AlertHistory(desk.database).list("acme", 2)}
    assert found["acme:settings:k"].recipients == (
        Addressed(VICTIM, "later"),
        Addressed("it@acme.example", "sent"),
    )
    assert found[f"acme:settings:k:{VICTIM}"].recipients == (Addressed(VICTIM, "waiting"),)
