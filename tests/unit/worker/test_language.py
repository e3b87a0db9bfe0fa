"""The reader's language: which it is, and how sentences from below are told in it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.console.language import (
    _catalogue,
    current,
    gettext,
    ngettext,
    read_by,
    reading,
    translated,
)
from worker.console.language_patterns import LONGEST_PLACE, Pattern, Sentences
from worker.console.numerals import decimal, number
from worker.console.reader import preferred
from worker.console.sentences import PATTERNS


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("DE-at", "de"),
        ("en-GB,de;q=0.5", "en"),
        ("fr,de;q=0.5,en;q=0.7", "en"),
        ("fr;q=1,de;q=0.3", "de"),
        ("de;q=0", "en"),
        ("de;q=nan", "en"),
        ("de;q=much", "en"),
        ("../../etc/passwd", "en"),
        (",;=,;q=,de" * 400, "de"),
        ("*", "en"),
    ],
)
def test_the_browser_asks_for_a_language(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


def test_outside_of_a_request_everything_is_english() -> None:
    assert (current(), gettext("Sign in")) == ("en", "Sign in")
    read_by("de")  # nobody reads
    assert current() == "en"


def test_a_reader_has_his_language_until_the_request_ends() -> None:
    with reading("de"):
        assert gettext("Sign in") == "Anmelden"
        assert ngettext("%(number)s file", "%(number)s files", 1) == "%(number)s Datei"
        assert ngettext("%(number)s file", "%(number)s files", 0) == "%(number)s Dateien"
        assert (number(1234567), decimal(1234.5, 1)) == ("1.234.567", "1.234,5")
    assert (number(1234567), decimal(1234.5, 1)) == ("1,234,567", "1,234.5")
    with reading("xx"):
        assert current() == "en"


def test_a_choice_in_one_thread_of_a_request_is_seen_in_the_next_and_by_no_other() -> None:
    with reading("en"):
        context = copy_context()
        thread = threading.Thread(target=context.run, args=(read_by, "de"))
        thread.start()
        thread.join()
        assert current() == "de"
    with ThreadPoolExecutor(2) as threads:
        assert threads.submit(current).result() == "en"


def test_a_catalogue_is_read_once_however_many_ask_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.console.language._CATALOGUES", {})
    together = threading.Barrier(6)

    def first() -> object:
        together.wait(10)
        return _catalogue("de")

    with ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(first) for _ in range(6)]
        assert len({id(each.result()) for each in asked}) == 1


def known(text: str) -> str:
    """As a catalogue: what it does not know is itself."""
    return {"Port": "Anschluss", "It is away.": "Es ist weg."}.get(text, text)


@pytest.mark.parametrize(
    ("english", "told"),
    [
        ("It is away.", "Es ist weg."),
        ("Port must be 21.", "Anschluss muss 21 sein."),
        ("Port must be Port.", "Anschluss muss Port sein."),
        ("It must be 100%.", "It: 100%!"),
        (
            "Port must be 21. It is away. So it goes.",
            "Anschluss muss 21 sein. Es ist weg. So it goes.",
        ),
        (f"{'x' * (LONGEST_PLACE + 1)} must be 1.", f"{'x' * (LONGEST_PLACE + 1)} must be 1."),
        (" must be .", " must be ."),
        ("%(field)s %s %", "%(field)s %s %"),
        ("", ""),
    ],
)
def test_a_finished_sentence_is_found_again(english: str, told: str) -> None:
    patterns = [
        Pattern.of("%(field)s must be %(what)s.", "%(field)s muss %(what)s sein."),
        Pattern.of("%(name)s must be 100%%.", "%(name)s: 100%%!"),
    ]
    assert Sentences(known, patterns).translated(english) == told


@given(st.text(max_size=400), st.text(max_size=400))
def test_what_stands_at_a_place_is_found_as_it_is(one: str, other: str) -> None:
    pattern = Pattern.of("<%(one)s|%(other)s>", "")
    found = pattern.match(f"<{one}|{other}>")
    if found is not None:
        assert f"<{found['one']}|{found['other']}>" == f"<{one}|{other}>"


def test_no_text_makes_it_slow() -> None:
    hostile = [
        "." * 2000,
        f"{'a. ' * 600}{'.' * 200}",
        "a" * 1990,
        "The account " * 165,
        ". " * 990,
        "must be " * 240,
        "%(field)s " * 190,
    ]
    with reading("de"):
        translated("warm")
        began = time.monotonic()
        for text in hostile:
            translated(text)
        assert translated("x" * 1_000_000) == "x" * 1_000_000
        assert time.monotonic() - began < 1


def test_every_pattern_finds_its_own_sentence() -> None:
    for message in PATTERNS:
        made = Pattern.of(message, message)
        values = dict.fromkeys(made.places, "7")
        assert made.match(message % values) == values, message
