"""What rows are found by: digits backwards, the time of the call."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.ledger.search_keys import Tails, digits_of, keys_of, tails_of, whose_fault

ARRIVED = datetime(2026, 11, 23, 14, 7, tzinfo=UTC)


def is_found(typed: str, stored: str) -> bool:
    """Whether the one finds the other, as the index would."""
    tails, digits = tails_of(typed), digits_of(stored)
    assert tails is not None
    assert digits is not None
    begins = tails.begins is not None and digits.startswith(tails.begins)
    return digits in tails.whole or begins


@pytest.mark.parametrize(
    "typed",
    [
        "+441632960001",
        "+44 1632 960001",
        "+44 (0)1632 960001",
        "00441632960001",
        "0044 1632 960 001",
        "01632 960001",
        "(01632) 960-001",
        "1632960001",
        "960001",
        "tel:+44-1632-960001",
    ],
)
@pytest.mark.parametrize("stored", ["+441632960001", "00441632960001", "+44 1632 960001;ext=12"])
def test_a_number_is_found_as_it_is_typed(typed: str, stored: str) -> None:
    assert is_found(typed, stored)


@pytest.mark.parametrize("typed", ["+441632960001", "0044 1632960001", "441632960001", "960001"])
def test_a_number_that_was_stored_without_its_country_is_found_with_it(typed: str) -> None:
    assert is_found(typed, "01632 960001")


@pytest.mark.parametrize("typed", ["+4416329600010", "960002", "+431632960001", "+1960001"])
def test_another_number_is_not_found(typed: str) -> None:
    assert not is_found(typed, "+441632960001")


def test_noughts_at_the_beginning_of_an_end_are_of_the_number() -> None:
    assert is_found("0001", "+441632960001")
    assert is_found("00 01", "+441632960001")
    assert not is_found("0001", "+441632961001")


def test_a_number_with_its_country_is_no_others_end() -> None:
    assert not is_found("+960001", "+441632960001")
    assert tails_of("+960001") == Tails(("100069",), None)


@pytest.mark.parametrize("typed", ["", "960", "x12", "anonymous", "000", "+"])
def test_what_has_too_few_digits_is_no_number(typed: str) -> None:
    assert tails_of(typed) is None


def test_what_has_no_digits_is_not_stored() -> None:
    assert digits_of("anonymous") is None
    assert digits_of(None) is None
    assert keys_of("anonymous", None, ARRIVED) == {"recorded": ARRIVED}


@given(st.text(max_size=64))
def test_no_text_fails(text: str) -> None:
    assert set(digits_of(text) or "") <= set("0123456789")
    tails_of(text)


@given(st.from_regex(r"[1-9][0-9]{7,12}", fullmatch=True))
def test_any_number_finds_itself_and_by_its_end(number: str) -> None:
    assert is_found(f"+{number}", f"+{number}")
    assert is_found(f"00{number}", number)
    assert is_found(number[-6:], f"+{number}")
    assert is_found(number[-4:], f"+{number}")


@pytest.mark.parametrize(
    ("recorded_at", "call"),
    [
        ("2026-11-23T14:05:00Z", datetime(2026, 11, 23, 14, 5, tzinfo=UTC)),
        ("2026-11-23t15:05:00.123456789+01:00", datetime(2026, 11, 23, 14, 5, 0, 123456, UTC)),
        (None, ARRIVED),
        ("0001-01-01T00:00:00+23:00", ARRIVED),
        ("yesterday", ARRIVED),
    ],
)
def test_a_call_was_when_its_event_says_or_when_that_came(
    recorded_at: str | None, call: datetime
) -> None:
    assert keys_of(None, recorded_at, ARRIVED)["recorded"] == call


def test_a_cause_tells_whose_fault_it_was() -> None:
    assert whose_fault("no-such-cause") is None
    assert whose_fault("login-refused") == "customer"
