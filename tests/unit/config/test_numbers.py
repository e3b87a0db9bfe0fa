"""Telephone numbers: one spelling of each, whoever typed it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.accounts import DeliveryMethod
from config.errors import NumberError
from config.numbers import behind_country, check_number, normalised, spellings


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("+441632960001", "+441632960001"),
        (" +44 1632 960001 ", "+441632960001"),
        ("+44 (0)1632 960-001", "+441632960001"),
        ("+4401632960001", "+441632960001"),
        ("+1-202.555/0143", "+12025550143"),
        ("+39 06 1234 5678", "+390612345678"),
        ("\u202a+44\u00a01632\u2011960001\u202c", "+441632960001"),
    ],
)
def test_a_number_is_stored_in_e164(typed: str, stored: str) -> None:
    assert check_number(typed) == stored
    assert check_number(stored) == stored


@pytest.mark.parametrize("typed", ["(01632) 960001", "0044 1632 960001", "+44 1632 960001"])
def test_with_a_country_its_own_numbers_need_no_code(typed: str) -> None:
    assert check_number(typed, "GB") == "+441632960001"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("100", "100"),
        ("84433", "84433"),
        ("(01632) 960001", "01632960001"),
        ("+441632960001;ext=12", "+441632960001;ext=12"),
        ("+44 1632 960001 x12", "+441632960001;ext=12"),
        ("01632 960001 ext. 12", "01632960001;ext=12"),
    ],
)
def test_short_codes_and_extensions_are_stored_as_dialled_where_that_is_meant(
    typed: str, stored: str
) -> None:
    assert check_number(typed, allow_short=True) == stored
    assert check_number(stored, allow_short=True) == stored
    with pytest.raises(NumberError, match="allow"):
        check_number(typed)


@pytest.mark.parametrize("typed", ["84433", "12345", "99123", "+4484433"])
def test_a_short_code_is_no_number_of_the_country_whose_area_code_it_lacks(typed: str) -> None:
    with pytest.raises(NumberError, match=r"area code is missing.*allow it as a short code"):
        check_number(typed, "GB")
    assert check_number(typed, "GB", allow_short=True) == typed


@pytest.mark.parametrize(("event", "stored"), [("84433", "+4484433"), ("+4484433", "84433")])
def test_an_event_finds_a_short_code_with_and_without_the_country(event: str, stored: str) -> None:
    assert spellings(event, "GB") == (event, stored)
    assert spellings("844 33", "GB") == ("844 33", "84433", "+4484433")


@pytest.mark.parametrize(
    ("typed", "country", "stored"),
    [
        ("844 33", "GB", "+4484433"),
        ("253-0000", "US", "+12530000"),
        ("0044 84433", "GB", None),
        ("+44 84433", "GB", None),
        ("84433", None, None),
        ("01632 960001", "GB", None),
        ("anna", "GB", None),
    ],
)
def test_a_short_code_stood_behind_the_country_only_where_that_was_not_dialled(
    typed: str, country: str | None, stored: str | None
) -> None:
    assert behind_country(typed, country) == stored


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("+44163", "too short"),
        ("+44163296000111", "too long"),
        ("+999123456789", "no country"),
        ("01632960001", "no country code"),
    ],
)
def test_what_is_refused_is_told_why(typed: str, why: str) -> None:
    with pytest.raises(NumberError, match=why):
        check_number(typed)


def test_an_event_in_e164_finds_a_national_number_that_was_stored_earlier() -> None:
    assert "01632960001" in spellings("+441632960001", "GB")
    assert "+441632960001" in spellings("01632 960001", "GB")
    assert spellings("+33142685300", "GB") == ("+33142685300",)


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
