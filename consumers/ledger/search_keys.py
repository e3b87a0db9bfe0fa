"""What rows keep so that people find them: the digits of the number, the time of the call. Pure.

Digits are kept backwards: whoever knows the end of a number has then the beginning of what is
stored, which an index finds. The trunk prefix (0) and the international one (00) are left out, so
that +44 1632 960001, 0044 1632 960001 and 01632 960001 are found by one another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from transports.diagnosis import by_code

LEAST_DIGITS = 4
"""Fewer are at the end of too many numbers."""
MOST_DIGITS = 40
"""An event's number has 64 characters; the longest that is dialled has 15 digits (E.164)."""
_COUNTRY = 3
"""Digits of a country code, at most (E.164)."""
_WITH_COUNTRY = 9
"""A number of fewer digits is not taken for one that begins with its country's."""
_WHOLE = 7
"""So many digits, prefixes left out, are taken for a whole number."""
_TRUNK = re.compile(r"(\+\d+)\s*\(0\)", re.ASCII)
_EXTENSION = re.compile(r"[;x#]|ext", re.IGNORECASE)
_INTERNATIONAL = re.compile(r"\s*(?:tel:)?\s*(?:\+|00)", re.IGNORECASE)
_NO_DIGIT = re.compile(r"[^0-9]")


@dataclass(frozen=True)
class Tails:
    """The stored digits that a number may stand for, each an index's beginning or all of it."""

    whole: tuple[str, ...]
    begins: str | None
    """None: the number was typed with its country, so that nothing stands before it."""


def digits_of(number: str | None) -> str | None:
    """The number's digits backwards, as they are stored; None where it has none."""
    if number is None:
        return None
    return _digits(number).lstrip("0")[:MOST_DIGITS][::-1] or None


def tails_of(number: str) -> Tails | None:
    """What to look for, as a person types it; None where it has too few digits."""
    typed = _digits(number)[::-1]
    found = digits_of(number) or ""
    if number.lstrip().startswith("+") or len(found) >= _WHOLE:
        is_whole = _INTERNATIONAL.match(number) is not None
        enough = len(found) >= LEAST_DIGITS
        spelled = tuple(dict.fromkeys(_spellings(found)))
        return Tails(spelled, None if is_whole else found) if enough else None
    # So few digits are the end of a number: its noughts are no prefix.
    return Tails((typed,), typed) if len(typed) >= LEAST_DIGITS else None


def keys_of(number: str | None, recorded_at: str | None, created_at: datetime) -> dict[str, Any]:
    """What a row is found by, for the row."""
    digits = digits_of(number)
    keys: dict[str, Any] = {"recorded": _call_time(recorded_at, created_at)}
    return keys if digits is None else {**keys, "digits": digits}


def whose_fault(cause: str) -> str | None:
    """Who can mend a cause by its code in the catalogue; None where that is not known."""
    entry = by_code(cause)
    return None if entry is None else entry.whose.value


def _call_time(recorded_at: str | None, created_at: datetime) -> datetime:
    """When the call was: as its event says, or when that arrived."""
    if recorded_at is None:
        return created_at
    try:
        return datetime.fromisoformat(recorded_at.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # before the year 1 in UTC, or of an older rule
        return created_at


def _digits(number: str) -> str:
    bare = _EXTENSION.split(_TRUNK.sub(r"\1", number), maxsplit=1)[0]
    return _NO_DIGIT.sub("", bare)


def _spellings(found: str) -> Iterator[str]:
    """With all its digits; and as it may be stored without its country's."""
    yield found
    if len(found) >= _WITH_COUNTRY:
        for country in range(1, _COUNTRY + 1):
            yield found[: len(found) - country].rstrip("0")
