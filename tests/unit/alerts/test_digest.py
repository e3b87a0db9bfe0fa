"""What the on-call reads: how many, which cause, what is new; and no field adds a line to it."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.digest import MANY, ROWS, compose
from alerts.kinds import Digested
from alerts.loss import Loss, grouped
from alerts.suspension import Suspension
from tests.unit.alerts.facts import EXAMPLE, PLATFORM, RECOVERY, SENDER, suspension

ONE_LOSS = Loss(
    account_id="acme",
    recording_id="r-1",
    reason="source",
    words="No such file: /recordings/call.wav",
    code="recording-missing",
    at=EXAMPLE.at,
)
(LOSS,) = grouped([ONE_LOSS])
LATER = EXAMPLE.at + timedelta(minutes=15)
HOSTILE = "x\r\nBcc: spy@evil.example\r\n\r\nHello\u2028\x85\x00\x1b[2J\ud800"


def digest(*events: Digested, console_url: str | None = None) -> EmailMessage:
    message = compose(
        events,
        sender=SENDER,
        to=["oncall@platform.example"],
        platform=PLATFORM,
        at=datetime(2026, 11, 23, 15, 1, tzinfo=UTC),
        console_url=console_url,
    )
    return message_from_bytes(message.as_bytes(), policy=SMTP)


def lines(*events: Digested) -> list[str]:
    content = digest(*events).get_content()
    assert isinstance(content, str)
    return content.splitlines()


def of(account: int, **changes: Any) -> Suspension:
    """A suspension of an account of its own, at a server of its own."""
    name = f"a{account:03}"
    return suspension(**{"account_id": name, "host": f"ftp.{name}.example", **changes})


def test_the_on_call_reads_what_was_said_where_the_customer_reads_the_cause() -> None:
    hidden: dict[str, Any] = {
        "words": "The program failed.",
        "operators_words": "A fault at connecting",
    }
    text = "\n".join(lines(of(1, **hidden), replace(RECOVERY, **hidden)))
    assert text.count("A fault at connecting") == 2
    assert "The program failed." not in text


def test_it_has_one_row_an_account_with_its_latest_suspension() -> None:
    events = (
        suspension(number=4, failures=11, at=LATER, words="421 Try\r\nlater", code="busy"),
        EXAMPLE,
        suspension(account_id="globex-north", queued=7, words="Connection refused", code="no"),
    )
    assert digest(*events)["Subject"] == "FTP Suspension Digest: 2 accounts"
    assert digest(*events)["To"] == "oncall@platform.example"
    assert lines(*events)[2:6] == [
        "NEW: 2 accounts",
        "ACCOUNT       FAILURES  WAITING  NEXT TRY                 LAST ERROR",
        "acme          11        12       2026-11-23 15:15:00 UTC  421 Try later",
        "globex-north  10        7        2026-11-23 15:15:00 UTC  Connection refused",
    ]


def test_a_dormant_account_is_marked_where_its_next_try_is_told() -> None:
    rare = of(2, dormant_since=EXAMPLE.at, until=EXAMPLE.at + timedelta(hours=6))
    first, second = (line for line in lines(of(1), rare) if line.startswith("a0"))
    assert "2026-11-23 15:15:00 UTC  " in first
    assert "dormant" not in first
    assert "2026-11-23 21:00:00 UTC, dormant  " in second


def test_one_of_one_says_so() -> None:
    message = digest(EXAMPLE)
    assert message["Subject"] == "FTP Suspension Digest: 1 account"
    assert message["Auto-Submitted"] == "auto-generated"


def test_what_began_what_goes_on_and_what_ended_are_told_apart() -> None:
    events = (
        of(1, repeated=1),
        of(2, repeated=7),
        replace(RECOVERY, account_id="a003"),
        of(4, repeated=9),
        replace(RECOVERY, account_id="a004", at=LATER),
        replace(RECOVERY, account_id="a005", at=EXAMPLE.at - timedelta(minutes=1)),
        of(5, repeated=1),
        of(6, repeated=1, number=1),
        of(6, repeated=2, number=2, at=LATER),
    )
    told = lines(*events)
    assert digest(*events)["Subject"] == (
        "FTP Suspension Digest: 4 accounts (3 new, 1 continuing), 2 ended"
    )
    new, continuing, ended = (
        next(at for at, line in enumerate(told) if line.startswith(word))
        for word in ("NEW: 3 accounts", "CONTINUING: 1 account", "ENDED: 2 accounts deliver again")
    )
    assert sorted(line[:4] for line in told[new:continuing] if line[:2] == "a0") == [
        "a001",
        "a005",
        "a006",
    ]
    assert [line[:4] for line in told[continuing:ended] if line[:2] == "a0"] == ["a002"]
    assert sorted(line[:4] for line in told[ended:] if line[:2] == "a0") == ["a003", "a004"]


def test_those_that_end_alone_are_told_without_an_alarm() -> None:
    message = digest(RECOVERY)
    assert message["Subject"] == "FTP Suspension Digest: 1 ended"
    told = lines(RECOVERY)
    assert told[0].startswith("No further account of the Advanced Services Platform has been")
    assert "ENDED: 1 account delivers again" in told
    assert " ".join(told[4].split()) == "acme 2 hours 15 minutes 12 530 Login incorrect."


def test_a_mass_outage_is_one_line_that_says_where_to_look_first() -> None:
    refused = {"words": "Connection refused", "code": "connection-refused"}
    many = [of(number, **refused) for number in range(34)]
    told = lines(*many, of(99), of(98))
    assert told[2:5] == [
        "NEW: 36 accounts",
        "34 x Connection refused: look at our side first",
        "2 x 530 Login incorrect",
    ]
    going_on = lines(*[replace(each, repeated=5) for each in many])
    assert going_on[3] == "34 x Connection refused"


def test_many_accounts_of_one_server_are_said_to_be_there() -> None:
    told = lines(*[of(number, host="FTP.one.example") for number in range(MANY + 1)])
    assert told[3] == f"{MANY + 1} x 530 Login incorrect: all at ftp.one.example"


def test_a_few_that_fail_alike_do_not_accuse_us() -> None:
    assert lines(*[of(number) for number in range(MANY - 1)])[3] == (
        f"{MANY - 1} x 530 Login incorrect"
    )


def test_servers_that_word_one_cause_differently_are_one_group() -> None:
    words = ("530 Login incorrect.", "530 Login incorrect.", "530 Nope")
    told = lines(*[of(number, words=said) for number, said in enumerate(words)])
    assert told[3] == "3 x 530 Login incorrect"


def test_what_is_lost_by_our_own_fault_is_told_with_what_to_do() -> None:
    alike = [
        replace(ONE_LOSS, recording_id=f"r-{number}", at=LATER + timedelta(seconds=number))
        for number in range(5)
    ]
    other = replace(ONE_LOSS, account_id="globex", reason="crash-loop", words="", code="")
    losses = grouped([other, *alike])
    message = digest(*losses)
    assert message["Subject"] == "FTP Suspension Digest: 6 recordings lost"
    told = lines(*losses)
    assert told[2] == (
        "LOST BY OUR OWN FAULT: 6 recordings. Mend the cause, then replay them: "
        "'courier dead-letters replay'."
    )
    assert told[4].split() == [
        *("acme", "5", "No", "such", "file:", "/recordings/call.wav", "r-0,", "r-1,", "r-2")
    ]
    assert told[5].split() == ["globex", "1", "crash-loop", "r-1"]


def test_one_of_very_many_says_how_many_it_leaves_out() -> None:
    told = lines(*[of(number) for number in range(ROWS + 7)])
    assert told[-1] == "and 7 more"
    assert len(told) == ROWS + 6


def test_it_leads_to_the_console_where_there_is_one() -> None:
    message = digest(EXAMPLE, console_url="https://courier.example")
    assert message.get_content().splitlines()[-1] == "The console: https://courier.example"


def test_the_same_digest_is_the_same_message_in_whatever_order() -> None:
    two = [EXAMPLE, suspension(account_id="globex", at=EXAMPLE.at + timedelta(seconds=1))]
    assert digest(*two)["Message-ID"] == digest(*two[::-1])["Message-ID"]
    assert digest(*two)["Message-ID"] != digest(*two[:1])["Message-ID"]
    assert (
        digest(EXAMPLE)["Message-ID"]
        != digest(replace(RECOVERY, number=3, at=EXAMPLE.at))["Message-ID"]
    )


@pytest.mark.parametrize("event", [EXAMPLE, RECOVERY, LOSS])
@given(
    value=st.one_of(
        st.just(HOSTILE), st.text(st.characters(codec=None), max_size=60), st.text("\r\n :ab")
    )
)
def test_no_field_adds_a_header_or_a_line(event: Digested, value: str) -> None:
    usual = digest(event)
    for field in fields(event):
        if isinstance(getattr(event, field.name), str):
            change: dict[str, Any] = {field.name: value}
            changed = digest(replace(event, **change))
            assert changed.keys() == usual.keys()
            told = changed.get_content().splitlines()
            assert len(told) == len(usual.get_content().splitlines())
