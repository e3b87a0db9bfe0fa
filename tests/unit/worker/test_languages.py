"""The files of languages are complete, and say what the console says."""

import re
from collections.abc import Iterator

import pytest
from babel.messages.catalog import Catalog, Message

from tests.languages.messages import LANGUAGES, stored, used
from worker.console.language import languages

PLACE = re.compile(r"%\(\w+\)[sd]")
TAG = re.compile(r"</?[a-z]+[^>]*>")
CODES = sorted(file.stem for file in LANGUAGES.glob("*.po"))


@pytest.fixture(scope="module")
def now() -> Catalog:
    return used()


def pairs(catalog: Catalog) -> Iterator[tuple[Message, tuple[str, ...], tuple[str, ...]]]:
    """Each message with its English and its translated forms."""
    for message in catalog:
        if message.id:
            yield message, _forms(message.id), _forms(message.string)


def _forms(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text or ""),)


@pytest.mark.parametrize("code", CODES)
def test_every_text_is_translated_and_nothing_else_is(code: str, now: Catalog) -> None:
    wanted = {english for _, english, _ in pairs(now)}
    there = {english for _, english, told in pairs(stored(code)) if all(told)}
    assert sorted(wanted - there) == [], "without a translation: `python -m tests.languages`"
    assert sorted(there - wanted) == [], "used by nothing: `python -m tests.languages`"


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_places_and_the_markup_of_its_text(code: str) -> None:
    faults = []
    for _, english, told in pairs(stored(code)):
        whole = english[-1]
        for each in filter(None, told):
            # The form for one may leave the number out, as the English one does.
            places = set(PLACE.findall(each))
            if not places <= set(PLACE.findall(whole)) or (
                len(english) == 1 and places != set(PLACE.findall(whole))
            ):
                faults.append(f"other places: {each}")
            if sorted(TAG.findall(each)) != sorted(TAG.findall(whole)):
                faults.append(f"other markup: {each}")
            if '"' not in whole and '"' in TAG.sub("", each):
                faults.append(f"a double quote, which would end an attribute: {each}")
            if len(PLACE.sub("", each)) > 1.6 * len(PLACE.sub("", whole)) + 25:
                faults.append(f"much longer than its text: {each}")
    assert faults == []


@pytest.mark.parametrize("code", CODES)
def test_a_language_has_its_plural_forms(code: str) -> None:
    catalog = stored(code)
    for _, english, told in pairs(catalog):
        if len(english) > 1:
            assert len(told) == catalog.num_plurals, english


def test_each_file_is_a_language_that_is_offered_by_its_own_name() -> None:
    assert list(languages()) == ["en", *CODES]
    assert languages()["de"] == "Deutsch"
