"""Hosts in other alphabets: taken where they are one name, refused where they only look like it."""

# ruff: noqa: RUF001 - letters that look like others are the subject

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.hosts import check_host


@pytest.mark.parametrize(
    ("host", "stored"),
    [
        ("läufer.example", "xn--lufer-gra.example"),
        ("Ärger.Example", "xn--rger-koa.example"),
        ("a\u0308rger.example", "xn--rger-koa.example"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("日本語カナ.jp", "xn--lck2c295sncbk91h.jp"),
        ("xn--lufer-gra.example", "xn--lufer-gra.example"),
    ],
)
def test_a_name_of_another_alphabet_is_stored_in_its_ascii_form(host: str, stored: str) -> None:
    assert check_host(host) == stored


@pytest.mark.parametrize("host", ["аpple.example", "ftp.gοοgle.example", "pаypal.example"])
def test_letters_of_different_alphabets_in_one_label_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="look alike"):
        check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "ｆｔｐ.example",
        "faß.example",
        "ﬁle.example",
        "a。b",
        "１０.0.0.1",
        "ftp\u200b.example",
        "ⅷ.x",
    ],
)
def test_what_would_become_another_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="type the host name anew"):
        check_host(host)


@pytest.mark.parametrize(
    "host", ["läu fer.example", "-ä.example", "ä..example", "ä:21", "ä/b", "\u202eä", "ä" * 64]
)
def test_other_alphabets_change_nothing_in_the_rules(host: str) -> None:
    with pytest.raises(ValueError, match=r"must be|anew"):
        check_host(host)


@given(st.text(max_size=300))
def test_what_is_stored_is_ascii_and_stays_as_it_is(host: str) -> None:
    try:
        stored = check_host(host)
    except ValueError:
        return
    assert stored.isascii()
    assert len(stored) <= 253
    assert check_host(stored) == stored
