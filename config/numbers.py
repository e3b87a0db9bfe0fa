"""Telephone numbers: their accounts, and where their recordings go. Pure."""

import re
from functools import lru_cache
from typing import NamedTuple, Protocol

from config.accounts import DeliveryMethod
from config.errors import NumberError

MAX_NUMBER = 64
_TRUNK_PREFIX = re.compile(r"^(\+\d+)\s*\(0\)")
"""`+44 (0)1632 960001`: the nought is dialled within the country only."""
_SEPARATORS = re.compile(r"[\s().\[\]/\u00ad\u2010-\u2015\u2212\u200e\u200f\u202a-\u202e-]")
_EXTENSION = re.compile(r"(?:;ext=|ext\.?|x|#)(\d{1,10})$", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"(\+[1-9]\d{1,14}|\d{2,15})(;ext=\d{1,10})?", re.ASCII)
"""International numbers (E.164), national ones and short codes, with an extension (RFC 3966)."""
_REMEMBERED = 10_000


class Number(NamedTuple):
    """A telephone number, the account it belongs to, and where its recordings go."""

    number: str
    account_id: str
    method: DeliveryMethod


def normalised(number: str) -> str | None:
    """The number as it is dialled, in one spelling; None where it is no telephone number.

    Blanks, dashes, dots, slashes and brackets go; an extension is written `;ext=12`.
    """
    bare = _SEPARATORS.sub("", _TRUNK_PREFIX.sub(r"\1", number.strip()))
    spelled = _EXTENSION.sub(r";ext=\1", bare)
    return spelled if _NUMBER.fullmatch(spelled) else None


def check_number(number: str, country: str | None = None, *, allow_short: bool = False) -> str:
    """The number as it is stored: in E.164, such as +441632960001.

    `country`: the one whose numbers may be given without a country code, such as GB; None: a number
    without one is refused. `allow_short`: short codes, extensions, and what else is no number of
    any country, are stored as they are dialled. Raises NumberError.
    """
    spelled = normalised(number)
    if spelled is None:
        raise NumberError(
            "A number has 2 to 15 digits, with + before them where it is international, such as "
            "+441632960001; an extension follows as ;ext=12."
        )
    full = _plans().international(spelled, country)
    if full is None and not allow_short:
        raise NumberError(_refusal(spelled, country))
    return full or spelled


@lru_cache(_REMEMBERED)
def spellings(number: str, country: str | None = None) -> tuple[str, ...]:
    """How the number of an event may be stored, the likeliest first.

    The event's own spelling comes first: earlier versions stored numbers as they were typed, and
    later ones as they were dialled, or short codes behind the country's code.
    """
    spelled = normalised(number)
    if spelled is None:
        return (number,)
    full = _plans().international(spelled, country)
    short = _plans().without_area(spelled, country)
    all_of_them = (number, full, spelled, _national(full or short, country), short)
    return tuple(dict.fromkeys(each for each in all_of_them if each is not None))


def behind_country(number: str, country: str | None) -> str | None:
    """A short code as earlier versions stored it, behind the country's code; None for what is no
    short code, or is given with a code of its own, be it as 00 and the country's."""
    spelled = normalised(number)
    stored = None if spelled is None else _plans().without_area(spelled, country)
    return stored if _national(stored, country) == spelled else None


class _Plans(Protocol):
    """What is asked of `config.numbering`."""

    def international(self, number: str, country: str | None) -> str | None: ...

    def without_area(self, number: str, country: str | None) -> str | None: ...

    def national(self, number: str, country: str) -> str | None: ...

    def why_not(self, number: str, country: str | None) -> str: ...


def _plans() -> _Plans:
    from config import numbering  # noqa: PLC0415 - its tables are large, and most starts need none

    return numbering


def _national(full: str | None, country: str | None) -> str | None:
    if full is None or country is None:
        return None
    told = _plans().national(full, country)
    return None if told is None else normalised(told)


def _refusal(spelled: str, country: str | None) -> str:
    """Why it is not stored as it is."""
    if ";ext=" in spelled:
        return f"{spelled} has an extension: allow that, if the platform knows it by this."
    if country is None and not spelled.startswith("+"):
        return (
            f"{spelled} has no country code: write it as +441632960001, or allow it as a short "
            "code, if the platform knows it by this."
        )
    why = _plans().why_not(spelled, country)
    return f"{spelled} is no telephone number: {why}. Correct it, or allow it as a short code."
