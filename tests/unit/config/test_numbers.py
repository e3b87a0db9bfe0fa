"""Telephone numbers: one spelling of each, whoever typed it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.accounts import DeliveryMethod
from config.errors import NumberError
from config.numbers import check_number, normalised, spellings


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("+441632960001", "+441632960001"),
        (" +44 1632 960001 ", "+441632960001"),
        ("+44 (0)1632 960-001", "+441632960001"),
        ("(01632) 960001", "01632960001"),
        ("+1-202.555/0143", "+12025550143"),
        ("\u202a+44\u00a01632\u2011960001\u202c", "+441632960001"),
        ("100", "100"),
        ("84433", "84433"),
        ("+441632960001;ext=12", "+441632960001;ext=12"),
        ("+44 1632 960001 x12", "+441632960001;ext=12"),
        ("01632 960001 ext. 12", "01632960001;ext=12"),
    ],
)
def test_a_number_is_stored_in_one_spelling(typed: str, stored: str) -> None:
    assert check_number(typed) == stored
    assert check_number(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "not a number",
        "+",
        "1",
        "+0441632",
        "0" * 16,
        "1\n2x",
        "١٢٣",
        "++44",
        "4+4",
        "sip:a@b.c",
    ],
)
def test_what_is_no_telephone_number_is_refused(typed: str) -> None:
    with pytest.raises(NumberError, match=r"2 to 15 digits.*\.$"):
        check_number(typed)


@given(st.text(max_size=80))
def test_what_is_taken_is_digits_and_its_own_spelling(typed: str) -> None:
    spelled = normalised(typed)
    if spelled is not None:
        assert spelled.isascii()
        assert normalised(spelled) == spelled


def test_an_event_finds_the_number_as_it_is_spelled_now_and_as_it_was_stored_earlier() -> None:
    assert spellings("+441632960001") == ("+441632960001",)
    assert spellings("+44 1632 960001") == ("+44 1632 960001", "+441632960001")
    assert spellings("anna") == ("anna",)


def test_methods_read_as_in_the_settings_text() -> None:
    assert [method.label for method in DeliveryMethod] == ["FTP", "FTP & Email", "Email"]
