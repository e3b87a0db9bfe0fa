"""The language of whoever reads a page. English is the source; each other one is a file
`languages/<code>.po`.

A request has its reader in a context variable, set by `worker.console.reader`; the threads of a
request share it. Whatever runs outside a request, and the API, speaks English. Sentences that come
from lower layers are finished English: `translated` finds them in the catalogue as they are shown.
"""

import gettext as catalogues
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from threading import Lock

from worker.console.language_patterns import Pattern, Sentences

ENGLISH = "en"
_FILES = files("worker.console") / "languages"
_MANY_WORDS = 2000
"""A longer text is no sentence of ours: it is shown as it is."""


@dataclass
class Reader:
    """Whose request is answered."""

    language: str


_READER: ContextVar[Reader | None] = ContextVar("reader", default=None)


@dataclass(frozen=True)
class _Catalogue:
    texts: catalogues.NullTranslations
    sentences: Sentences


_CATALOGUES: dict[str, _Catalogue] = {}
_LOADING = Lock()
"""The first requests come together, and reading a catalogue takes a while."""


def mark(message: str) -> str:
    """Name a text for translation that is translated where it is shown."""
    return message


def gettext(message: str) -> str:
    """The text in the reader's language."""
    return _catalogue(current()).texts.gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """The text for so many, in the reader's language."""
    return _catalogue(current()).texts.ngettext(one, many, count)


def translated(sentence: str) -> str:
    """A finished English sentence in the reader's language; itself where it is not known.

    Known are the catalogue's texts as they are, and those with places that match as a whole. Of a
    text of several sentences, those that are known are translated.
    """
    if not sentence or current() == ENGLISH or len(sentence) > _MANY_WORDS:
        return sentence
    return _catalogue(current()).sentences.translated(sentence)


def current() -> str:
    """The code of the reader's language."""
    reader = _READER.get()
    return reader.language if reader else ENGLISH


def read_by(language: str) -> None:
    """Let the rest of this request be told in the language, where there is such a file."""
    reader = _READER.get()
    if reader is not None and language in languages():
        reader.language = language


@contextmanager
def reading(language: str) -> Iterator[None]:
    """What runs within is told in the language."""
    token = _READER.set(Reader(language if language in languages() else ENGLISH))
    try:
        yield
    finally:
        _READER.reset(token)


@lru_cache(maxsize=1)
def languages() -> Mapping[str, str]:
    """The name of each language in itself, by its code; English first."""
    from babel import Locale  # noqa: PLC0415 - large, and commands need none of it

    codes = sorted(each.name[:-3] for each in _FILES.iterdir() if each.name.endswith(".po"))
    return {code: Locale(code).get_language_name(code) or code for code in (ENGLISH, *codes)}


def _catalogue(language: str) -> _Catalogue:
    known = _CATALOGUES.get(language)
    if known is None:
        with _LOADING:
            known = _CATALOGUES.get(language)
            if known is None:
                known = _CATALOGUES[language] = _read(language)
    return known


def _read(language: str) -> _Catalogue:
    if language == ENGLISH:
        return _Catalogue(catalogues.NullTranslations(), Sentences(str, ()))
    from babel.messages.mofile import write_mo  # noqa: PLC0415 - large, and commands need none of it
    from babel.messages.pofile import read_po  # noqa: PLC0415 - large, and commands need none of it

    compiled = BytesIO()
    with (_FILES / f"{language}.po").open("rb") as text:
        write_mo(compiled, read_po(text, locale=language))
    compiled.seek(0)
    texts = catalogues.GNUTranslations(compiled)
    from worker.console.sentences import PATTERNS  # noqa: PLC0415 - it marks with this module

    patterns = [Pattern.of(each, texts.gettext(each)) for each in PATTERNS]
    return _Catalogue(texts, Sentences(texts.gettext, patterns))
