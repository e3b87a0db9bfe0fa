"""Telephone numbers: their accounts, and where their recordings go. Pure."""

import re
from dataclasses import dataclass

from config.accounts import DeliveryMethod
from config.errors import NumberError

MAX_NUMBER = 64
_TRUNK_PREFIX = re.compile(r"^(\+\d+)\s*\(0\)")
"""`+44 (0)1632 960001`: the nought is dialled within the country only."""
_SEPARATORS = re.compile(r"[\s().\[\]/\u00ad\u2010-\u2015\u2212\u200e\u200f\u202a-\u202e-]")
_EXTENSION = re.compile(r"(?:;ext=|ext\.?|x|#)(\d{1,10})$", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"(\+[1-9]\d{1,14}|\d{2,15})(;ext=\d{1,10})?", re.ASCII)
"""International numbers (E.164), national ones and short codes, with an extension (RFC 3966)."""


@dataclass(frozen=True)
class Number:
    """A telephone number, the account it belongs to, and where its recordings go."""

    number: str
    account_id: str
    method: DeliveryMethod


def normalised(number: str) -> str | None:
    """The number in the one spelling that is stored; None where it is no telephone number.

    Blanks, dashes, dots, slashes and brackets go; an extension is written `;ext=12`.
    """
    bare = _SEPARATORS.sub("", _TRUNK_PREFIX.sub(r"\1", number.strip()))
    spelled = _EXTENSION.sub(r";ext=\1", bare)
    return spelled if _NUMBER.fullmatch(spelled) else None


def check_number(number: str) -> str:
    """The number in the spelling that is stored; raises NumberError where it is none."""
    spelled = normalised(number)
    if spelled is None:
        raise NumberError(
            "A number has 2 to 15 digits, with + before them where it is international, such as "
            "+441632960001; an extension follows as ;ext=12."
        )
    return spelled


def spellings(number: str) -> tuple[str, ...]:
    """How the number of an event may be stored, the likeliest first.

    The event's own spelling comes first: earlier versions stored numbers as they were typed.
    """
    spelled = normalised(number)
    return (number,) if spelled in {None, number} else (number, spelled)
