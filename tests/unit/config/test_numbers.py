"""Telephone numbers, as events spell them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.accounts import DeliveryMethod
from config.errors import AccountError
from config.numbers import check_number


@pytest.mark.parametrize("number", ["+441632960001", "100", "sip:anna@x.example", "0" * 64, "1 2"])
def test_a_number_is_taken_as_it_is(number: str) -> None:
    assert check_number(number) == number


@pytest.mark.parametrize("number", ["", "0" * 65, "1\n", "1\r\n2", "١٢٣", "1\x7f", "\ud800"])
def test_what_no_event_could_name_is_refused(number: str) -> None:
    with pytest.raises(AccountError, match=r"1 to 64 printable ASCII characters.*\.$"):
        check_number(number)


@given(st.text(max_size=80))
def test_what_is_taken_is_printable_ascii(number: str) -> None:
    try:
        assert check_number(number).isascii()
    except AccountError:
        return
    assert number.isprintable()


def test_methods_read_as_in_the_settings_text() -> None:
    assert [method.label for method in DeliveryMethod] == ["FTP", "FTP & Email", "Email"]
