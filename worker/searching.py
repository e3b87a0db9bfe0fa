"""Reads what people type to find recordings: the same for pages, the API and commands."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from config.errors import FieldRefused
from config.numbers import MAX_NUMBER
from consumers.ledger import Place, Search, Status, Time, tails_of
from consumers.ledger.search_keys import LEAST_DIGITS, Tails
from transports.diagnosis import Whose

FIELDS = (
    *("number", "file_name", "recording_id", "account_id", "status", "whose"),
    *("by", "since", "until", "order"),
)
"""What a search may name."""
ANYWHERE = "*"
"""Before a part of a file's name: it may stand anywhere in it."""
LEAST_PART = 3
"""Letters of such a part; fewer are in too many names."""
MAX_TEXT = 300
"""Of what is typed into any field."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)
Choice = TypeVar("Choice", bound=StrEnum)


class Order(StrEnum):
    """Which rows come first."""

    NEWEST = "newest"
    OLDEST = "oldest"


def search_of(
    *,
    account_id: str | None = None,
    recording_id: str | None = None,
    number: str | None = None,
    file_name: str | None = None,
    status: Status | None = None,
    whose: Whose | None = None,
    by: Time = Time.ARRIVED,
    since: datetime | None = None,
    until: datetime | None = None,
    order: Order = Order.NEWEST,
) -> Search:
    """The search for what is given; an empty text is none. Raises FieldRefused."""
    if since is not None and until is not None and until <= since:
        raise FieldRefused("until", "The end must be later than the beginning: change one of them.")
    begins, has = _name(_checked("file_name", file_name))
    return Search(
        account_id=_checked("account_id", account_id),
        recording_id=_checked("recording_id", recording_id),
        number=_number(_checked("number", number)),
        name_begins=begins,
        name_has=has,
        status=status,
        whose=whose,
        by=by,
        since=since,
        until=until,
        newest_first=order is Order.NEWEST,
    )


def read_search(typed: Mapping[str, str], account_id: str | None) -> Search:
    """The search of an address's query; `account_id` where the page is of one account.

    Times without an offset are UTC; a day or a minute includes all of it. Raises FieldRefused.
    """
    texts = {name: text.strip() for name, text in typed.items()}
    return search_of(
        account_id=account_id or texts.get("account_id"),
        recording_id=texts.get("recording_id"),
        number=texts.get("number"),
        file_name=texts.get("file_name"),
        status=_choice("status", Status, texts.get("status")),
        whose=_choice("whose", Whose, texts.get("whose")),
        by=_choice("by", Time, texts.get("by")) or Time.RECORDED,
        since=_moment("since", texts.get("since")),
        until=_moment("until", texts.get("until"), to_its_end=True),
        order=_choice("order", Order, texts.get("order")) or Order.NEWEST,
    )


def read_place(text: str | None) -> Place | None:
    """Where a page begins; None: with the first row. Raises FieldRefused."""
    if not text:
        return None
    try:
        return Place.read(text[:MAX_TEXT])
    except ValueError:
        raise FieldRefused(
            "after", "This is no place in the list: begin with its first page."
        ) from None


def _checked(field: str, text: str | None) -> str | None:
    if not text:
        return None
    if len(text) > MAX_TEXT:
        raise FieldRefused(field, f"This is longer than {MAX_TEXT} characters: shorten it.")
    if _CONTROL.search(text):
        raise FieldRefused(field, "This has characters that cannot be typed: leave them out.")
    return text


def _number(text: str | None) -> Tails | None:
    if text is None:
        return None
    tails = tails_of(text) if len(text) <= MAX_NUMBER else None
    if tails is None:
        raise FieldRefused(
            "number",
            f"Type a number or at least {LEAST_DIGITS} digits of its end: +44 1632 960001, 960001.",
        )
    return tails


def _name(text: str | None) -> tuple[str | None, str | None]:
    """What a file's name begins with, and what it has anywhere."""
    if text is None or not text.startswith(ANYWHERE):
        return text, None
    part = text.strip(ANYWHERE)
    if len(part) < LEAST_PART:
        words = f"Type at least {LEAST_PART} letters of the name after the {ANYWHERE}."
        raise FieldRefused("file_name", words)
    return None, part


def _choice(field: str, choices: type[Choice], text: str | None) -> Choice | None:
    if not text:
        return None
    try:
        return choices(text)
    except ValueError:
        words = f"Choose one of these: {', '.join(each.value for each in choices)}."
        raise FieldRefused(field, words) from None


def _moment(field: str, text: str | None, *, to_its_end: bool = False) -> datetime | None:
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
        aware = given if given.tzinfo else given.replace(tzinfo=UTC)
        return aware.astimezone(UTC) + (_length(text) if to_its_end else timedelta())
    except (ValueError, OverflowError):
        words = "This is no time: type it as 2026-11-23 14:05 or 2026-11-23, in UTC."
        raise FieldRefused(field, words) from None


def _length(text: str) -> timedelta:
    """Of the day, the minute or the second that a text names."""
    if _DAY.fullmatch(text):
        return timedelta(days=1)
    return timedelta(minutes=1) if _MINUTE.fullmatch(text) else timedelta(seconds=1)
