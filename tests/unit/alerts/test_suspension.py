"""What the alert says, and that no field can make it say anything else."""

from dataclasses import fields
from datetime import timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.facts import from_document, to_document
from alerts.message import duration, one_line, usable
from alerts.suspension import Suspension, compose
from tests.unit.alerts.facts import EXAMPLE, PLATFORM, SENDER, suspension

BEGINNING = """\
There have been 10 failures sending files via FTP from the Advanced Services Platform to \
ftp.customer.example with username acme

FTP has been suspended for 15 minutes for your account and it will be retried once this timer has \
expired, please note that your FTP requests are being queued up.

Last error message from your server: 530 Login incorrect.
"""
HEADERS = {
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "auto-submitted",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
}
HOSTILE = "x\r\nBcc: spy@evil.example\r\n\r\nHello\u2028\x85\x00\x1b[2J\ud800"


def composed(suspension: Suspension = EXAMPLE) -> EmailMessage:
    return compose(suspension, sender=SENDER, platform=PLATFORM)


def on_the_wire(message: EmailMessage) -> EmailMessage:
    return message_from_bytes(message.as_bytes(), policy=SMTP)


def text(message: EmailMessage) -> str:
    content = message.get_content()
    assert isinstance(content, str)
    return content


def test_the_text_begins_to_the_letter_as_the_product_says() -> None:
    assert text(on_the_wire(composed())).replace("\r\n", "\n").startswith(BEGINNING)


def test_an_ascii_text_can_be_read_in_the_raw_message() -> None:
    assert BEGINNING.replace("\n", "\r\n").encode() in composed().as_bytes()


def test_the_headers_are_those_of_the_contract() -> None:
    message = on_the_wire(composed())
    assert message["Subject"] == "FTP Suspension Alert"
    assert message["From"] == SENDER
    assert message["To"] == "it@customer.example, ops@customer.example"
    assert message["Date"] == "Mon, 23 Nov 2026 15:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"


def test_the_reader_is_told_what_waits_what_comes_next_and_what_to_check() -> None:
    body = text(composed())
    assert "Account: acme\n" in body
    assert "Files waiting: 12, the oldest since 2026-11-23 14:05:00 UTC\n" in body
    assert "Next try: 2026-11-23 15:15:00 UTC, with the oldest file.\n" in body
    assert f"Cause: {EXAMPLE.cause} (login-refused)\nWho can mend it: the customer\n" in body
    assert f"What to check: {EXAMPLE.advice}\n" in body
    assert "Nothing is lost" in body


def test_an_account_without_waiting_files_has_no_oldest() -> None:
    assert "Files waiting: 0\n" in text(composed(suspension(queued=0, oldest=None)))


def test_of_an_outage_that_is_told_once_the_reader_learns_when_to_hear_again() -> None:
    once = text(composed(suspension(outage_since=EXAMPLE.at)))
    since = "Outage since: 2026-11-23 15:00:00 UTC; this e-mail is repeated once a day while it"
    assert once.startswith(BEGINNING)
    assert f"not locked.\n{since} lasts.\n\nNothing is lost" in once
    assert "Outage since" not in text(composed())


def test_of_a_dormant_account_the_reader_learns_what_that_is_and_what_ends_it() -> None:
    dormant = text(composed(suspension(dormant_since=EXAMPLE.at, seconds=21_600)))
    assert dormant.startswith(BEGINNING.replace("15 minutes", "360 minutes"))
    assert "Dormant since: 2026-11-23 15:00:00 UTC; the outage lasts for days, so your" in dormant
    assert "tried every 6 hours. New FTP settings or 'Try now' end that at once" in dormant
    assert "Dormant" not in text(composed())


def test_facts_of_a_later_version_are_read() -> None:
    document = {**to_document(EXAMPLE), "of_tomorrow": 1}
    assert from_document(Suspension, document) == EXAMPLE


def test_facts_stored_before_outages_were_known_are_read() -> None:
    document = to_document(EXAMPLE)
    for name in ("outage_since", "repeated", "dormant_since"):
        del document[name]
    assert from_document(Suspension, document) == EXAMPLE


def test_facts_stored_before_causes_were_known_are_read_and_told() -> None:
    document = to_document(EXAMPLE)
    for name in ("cause", "code", "whose"):
        del document[name]
    body = text(composed(from_document(Suspension, document)))
    assert "Cause: (not known)\nWho can mend it: (not known)\n" in body


def test_times_are_told_in_utc_wherever_they_come_from() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    moved = suspension(until=EXAMPLE.until.astimezone(there), at=EXAMPLE.at.replace(tzinfo=None))
    assert text(composed(moved)) == text(composed())
    assert composed(moved)["Date"] == composed()["Date"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (900, "15 minutes"),
        (900.0, "15 minutes"),
        (60, "1 minute"),
        (3600, "60 minutes"),
        (8, "8 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (0.5, "0.5 seconds"),
        (0, "0 seconds"),
    ],
)
def test_the_time_is_told_in_whole_minutes_or_else_in_seconds(seconds: float, words: str) -> None:
    assert duration(seconds) == words
    assert f"suspended for {words} for" in text(composed(suspension(seconds=seconds)))


def test_other_alphabets_arrive_as_they_were_set() -> None:
    other = suspension(username="läufer-日本", words="530 Пароль неверен")
    message = on_the_wire(composed(other))
    assert "with username läufer-日本\n" in text(message).replace("\r\n", "\n")
    assert "server: 530 Пароль неверен\n" in text(message).replace("\r\n", "\n")
    assert composed(other).as_bytes().isascii()


def test_the_longest_fields_keep_the_first_paragraph_one_line() -> None:
    longest = suspension(username="u" * 256, host="h" * 253, words="w" * 10_000)
    body = text(on_the_wire(composed(longest))).replace("\r\n", "\n")
    first = body.split("\n")[0]
    assert first.endswith(f"to {'h' * 253} with username {'u' * 256}")
    assert max(len(line) for line in composed(longest).as_bytes().split(b"\r\n")) <= 998


def test_a_server_that_said_nothing_is_said_to_have_said_nothing() -> None:
    assert "from your server: (none)\n" in text(composed(suspension(words=" \r\n")))


def test_a_long_address_is_still_an_address_on_the_wire() -> None:
    address = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example"
    message = on_the_wire(composed(suspension(recipients=(address, "it@customer.example"))))
    assert [one.addr_spec for one in message["To"].addresses] == [address, "it@customer.example"]


def test_a_repeat_is_the_same_message() -> None:
    read_back = suspension(at=EXAMPLE.at.replace(microsecond=123_000))
    assert composed(read_back)["Message-ID"] == composed()["Message-ID"]


@pytest.mark.parametrize(
    "other",
    [
        suspension(number=4),
        suspension(account_id="acme2"),
        suspension(at=EXAMPLE.at + timedelta(days=1)),
    ],
    ids=["number", "account", "account created again"],
)
def test_another_suspension_is_another_message(other: Suspension) -> None:
    assert composed(other)["Message-ID"] != composed()["Message-ID"]


def test_recipients_that_are_no_addresses_are_left_out() -> None:
    hostile = (HOSTILE, "a@b\r\nBcc: spy@evil.example", "it@customer.example", "", "a, b@c.example")
    message = on_the_wire(composed(suspension(recipients=hostile)))
    assert message["To"] == "it@customer.example"


def test_an_address_given_twice_is_written_to_once() -> None:
    assert usable(["a@x.example", "b@x.example", "a@x.example"]) == ["a@x.example", "b@x.example"]


def test_a_sender_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="not an address"):
        compose(EXAMPLE, sender="a@b\r\nBcc: c@d", platform=PLATFORM)


TEXT_FIELDS = [
    field.name for field in fields(Suspension) if isinstance(getattr(EXAMPLE, field.name), str)
]


@given(
    name=st.sampled_from([*TEXT_FIELDS, "platform"]),
    value=st.one_of(
        st.just(HOSTILE), st.text(st.characters(codec=None), max_size=60), st.text("\r\n :ab")
    ),
)
def test_no_field_adds_a_header_or_a_line(name: str, value: str) -> None:
    platform = value if name == "platform" else PLATFORM
    facts = EXAMPLE if name == "platform" else suspension(**{name: value})
    message = on_the_wire(compose(facts, sender=SENDER, platform=platform))
    assert {header.lower() for header in message} == HEADERS
    assert len(message.keys()) == len(HEADERS)
    assert not message.is_multipart()
    assert len(text(message).splitlines()) == len(text(composed()).splitlines())


def test_stored_facts_are_read_back_as_they_were() -> None:
    document = to_document(EXAMPLE)
    assert document["recipients"] == ["it@customer.example", "ops@customer.example"]
    assert from_document(Suspension, document) == EXAMPLE


def test_a_limit_cuts_with_a_mark() -> None:
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


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
    mail = compose(
        suspension(words="Connection refused", said_by=said_by), sender=SENDER, platform=PLATFORM
    )
    last = "Last error message from your server: Connection refused\n"
    assert f"{last}{line}\nAccount: acme\n" in mail.get_content()


def test_a_suspension_stored_before_that_was_known_is_still_read() -> None:
    document = to_document(suspension())
    del document["said_by"]
    assert from_document(Suspension, document).said_by == ""
