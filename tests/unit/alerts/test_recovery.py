"""What the e-mail at the end of an outage says, and that no field can make it say more."""

from dataclasses import fields, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import suspension
from alerts.facts import from_document, to_document
from alerts.message import span
from alerts.recovery import Recovery, compose
from tests.unit.alerts.facts import EXAMPLE, PLATFORM, RECOVERY, SENDER

BODY = """\
Sending files via FTP from the Advanced Services Platform to ftp.customer.example with username \
acme works again

FTP had been suspended for your account for 2 hours 15 minutes, from 2026-11-23 15:00:00 UTC to \
2026-11-23 17:15:00 UTC. A file has been delivered, please note that the FTP requests that were \
queued up are being sent now.

Last error message from your server before that: 530 Login incorrect.

Account: acme
Suspensions: 9
Files that waited: 13, of which 1 is delivered and 12 are being sent now, the oldest first.
Files that return: 3, given up during the outage only because of it.

Nothing is lost, and there is nothing that you have to do.
"""


def composed(recovery: Recovery = RECOVERY, platform: str = PLATFORM) -> EmailMessage:
    message = compose(recovery, sender=SENDER, platform=platform)
    return message_from_bytes(message.as_bytes(), policy=SMTP)


def text(message: EmailMessage) -> str:
    content = message.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_it_tells_how_long_it_lasted_and_what_becomes_of_the_files() -> None:
    assert text(composed()) == BODY


def test_one_file_that_waits_is_one() -> None:
    only = replace(RECOVERY, queued=1, returning=0)
    assert "waited: 2, of which 1 is delivered and 1 is being sent" in text(composed(only))
    none = replace(RECOVERY, queued=0, returning=0)
    assert "waited: 1, of which 1 is delivered and 0 are being sent" in text(composed(none))


def test_its_headers_are_those_of_the_alert_with_a_subject_of_its_own() -> None:
    message = composed()
    assert message["Subject"] == "FTP Suspension Ended"
    assert message["From"] == SENDER
    assert message["To"] == "it@customer.example, ops@customer.example"
    assert message["Date"] == "Mon, 23 Nov 2026 17:15:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_repeat_is_the_same_message_and_no_alert_has_its_id() -> None:
    assert composed()["Message-ID"] == composed()["Message-ID"]
    alert = suspension.compose(
        replace(EXAMPLE, number=RECOVERY.number, at=RECOVERY.at), sender=SENDER, platform=PLATFORM
    )
    assert composed()["Message-ID"] != alert["Message-ID"]


@pytest.mark.parametrize(
    "changes",
    [{"number": 12}, {"account_id": "acme2"}, {"at": RECOVERY.at + timedelta(days=1)}],
    ids=["number", "account", "account created again"],
)
def test_another_recovery_is_another_message(changes: dict[str, Any]) -> None:
    assert composed(replace(RECOVERY, **changes))["Message-ID"] != composed()["Message-ID"]


@pytest.mark.parametrize(
    ("said_by", "line"),
    [
        ("", ""),
        ("server", ""),
        (
            "system",
            "(These are the words of the platform's operating system: your server gave none.)\n",
        ),
        ("courier", "(These are the platform's own words for what it has seen.)\n"),
    ],
)
def test_below_the_last_words_stands_who_said_them_where_it_was_not_the_server(
    said_by: str, line: str
) -> None:
    mail = text(composed(replace(RECOVERY, words="Connection refused", said_by=said_by)))
    last = "Last error message from your server before that: Connection refused\n"
    assert f"{last}{line}\nAccount: acme\n" in mail


def test_a_recovery_stored_before_that_was_known_is_still_read() -> None:
    document = to_document(RECOVERY)
    del document["said_by"]
    assert from_document(Recovery, document).said_by == ""


def test_stored_facts_are_read_back_as_they_were() -> None:
    assert from_document(Recovery, to_document(RECOVERY)) == RECOVERY


TEXT_FIELDS = [
    field.name for field in fields(Recovery) if isinstance(getattr(RECOVERY, field.name), str)
]


@given(
    name=st.sampled_from([*TEXT_FIELDS, "platform"]),
    value=st.one_of(
        st.just("x\r\nBcc: spy@evil.example\r\n\r\nHello\u2028\x85\x00\ud800"),
        st.text(st.characters(codec=None), max_size=60),
    ),
)
def test_no_field_adds_a_header_or_a_line(name: str, value: str) -> None:
    changes: dict[str, Any] = {} if name == "platform" else {name: value}
    hostile = replace(RECOVERY, **changes)
    message = composed(hostile, value if name == "platform" else PLATFORM)
    assert set(message.keys()) == set(composed().keys())
    assert len(text(message).splitlines()) == len(BODY.splitlines())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (61, "1 minute 1 second"),
        (900, "15 minutes"),
        (8100, "2 hours 15 minutes"),
        (8101, "2 hours 15 minutes"),
        (90_000, "1 day 1 hour"),
        (259_260, "3 days 1 minute"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words
