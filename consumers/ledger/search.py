"""Finds recordings for people, in a time that does not grow with the ledger.

A search names what is known of a recording: its number, a name, an account, times, a status, whose
fault its last failure was. Each of these that has an index is a *path* to the rows, with bounds in
that index. Of the paths that lead to MOST rows at most the first is taken: those rows are read, the
rest of the search is asked of each, and what is left is sorted. Where all paths lead to more, one
is walked that has its rows in the order asked for, MOST rows a page at most. Where nothing but the
path's own bounds is asked, that is a page's rows. Otherwise the page may end early: it says how
far it has looked, and the next one goes on from there.

So whatever is asked, a page reads a bounded number of rows, and no search reads the collection.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from config.documents import in_time
from config.errors import FieldRefused, SearchUnavailable
from consumers.ledger import search_indexes as indexes
from consumers.ledger.records import Document, Status
from consumers.ledger.rows import ACCOUNT_STATUS, Part, count
from consumers.ledger.search_keys import Tails
from consumers.ledger.writer import GroupCommit
from transports.diagnosis import Whose

MOST = 10_000
"""Rows that a page looks at, and that are counted, at most."""
MOST_NUMBERS = 10
"""Numbers, and accounts that have them, which the end of one may stand for."""
_MANY_NUMBERS = f"More than {MOST_NUMBERS} numbers end so: type more of it."
_MANY_ACCOUNTS = f"More than {MOST_NUMBERS} accounts have recordings of it: name one as well."
SECONDS = 1.5
"""A search is ended after it, wherever it is."""
_TOO_LONG = (
    "The search took too long and was ended: name an account, a number, the beginning of a file "
    "name or a shorter time as well."
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_BAD_VALUE = 2
"""MongoDB's code for a hint that is no index."""
_ALL: Document = {"$in": [status.value for status in Status]}


class Time(StrEnum):
    """Which of a recording's times a search is about, and sorted by."""

    RECORDED = "recorded"
    ARRIVED = "arrived"

    @property
    def field(self) -> str:
        """The rows' own name for it."""
        return "recorded" if self is Time.RECORDED else "created_at"


@dataclass(frozen=True)
class Place:
    """Where a page ends: the next begins behind it."""

    moment: datetime
    arrival: ObjectId

    @classmethod
    def read(cls, text: str) -> "Place":
        """From its text. Raises ValueError where that is none."""
        milliseconds, _, arrival = text.partition("_")
        if not (milliseconds.lstrip("-").isascii() and milliseconds.lstrip("-").isdigit()):
            raise ValueError("no time")
        if not ObjectId.is_valid(arrival):
            raise ValueError("no place")
        try:
            return cls(_EPOCH + timedelta(milliseconds=int(milliseconds)), ObjectId(arrival))
        except OverflowError:
            raise ValueError("no time") from None

    def __str__(self) -> str:
        return f"{(self.moment - _EPOCH) // timedelta(milliseconds=1)}_{self.arrival}"


@dataclass(frozen=True)
class Search:
    """What is known of the recordings wanted; None means any."""

    account_id: str | None = None
    recording_id: str | None = None
    number: Tails | None = None
    name_begins: str | None = None
    name_has: str | None = None
    """Some part of the file's name, whatever its letters' case."""
    status: Status | None = None
    whose: Whose | None = None
    by: Time = Time.ARRIVED
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = True

    @property
    def sort(self) -> list[tuple[str, int]]:
        """The order of its rows."""
        direction = DESCENDING if self.newest_first else ASCENDING
        return [(self.by.field, direction), ("arrival", direction)]


@dataclass(frozen=True)
class Found:
    """A page of rows."""

    rows: Sequence[Document]
    next: Place | None = None
    looked_until: datetime | None = None
    """The page ends early: what lies beyond this time has not been looked at."""


@dataclass(frozen=True)
class _Path:
    """A way to the rows: bounds in an index, and what is to be asked of the rows found there."""

    index: str
    bounds: Document
    rest: Document
    is_sorted: bool
    is_short: bool = False
    """It leads to MOST rows at most."""

    @property
    def query(self) -> Document:
        return {**self.rest, **self.bounds}

    @property
    def is_all(self) -> bool:
        """Whether it leads to the rows wanted and no others, in their order."""
        return self.is_sorted and not self.rest


class Searches(Part):
    """Changes nothing. Raises FieldRefused, SearchUnavailable, and pymongo's errors."""

    def __init__(
        self,
        rows: Collection[Document],
        commit: GroupCommit,
        most: int = MOST,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(rows, commit)
        self._most = most
        self._seconds = seconds

    def page(self, search: Search, after: Place | None = None, limit: int = 50) -> Found:
        """Up to so many rows from behind the place, or from the beginning."""
        with _in_time(self._seconds):
            path = self._path(search)
            return Found([]) if path is None else self._page(path, search, after, limit)

    def count(self, search: Search) -> int | None:
        """How many rows it finds, MOST + 1 for all that are more; None where that would be a
        search of its own."""
        with _in_time(self._seconds):
            path = self._path(search)
            if path is None:
                return 0
            if not (path.is_all or path.is_short):
                return None
            return self._count(path.index, path.query)

    def rows(self, search: Search, size: int = 1000) -> Iterator[Document]:
        """All rows."""
        return chain.from_iterable(self.pages(search, size))

    def pages(self, search: Search, size: int = 1000) -> Iterator[Sequence[Document]]:
        """All rows page by page, each a search of its own; a page may have none."""
        after: Place | None = None
        while True:
            found = self.page(search, after, size)
            yield found.rows
            after = found.next
            if after is None:
                return

    # --- which way ----------------------------------------------------------------------------

    def _path(self, search: Search) -> _Path | None:
        """The way to take; None where no number ends as the one that is wanted."""
        numbers = None if search.number is None else self._numbers(search.number, search.account_id)
        if numbers is not None and not numbers["digits"]["$in"]:
            return None
        paths = [*_paths(search, numbers)]
        whole = next((path for path in paths if path.is_all), None)
        if whole is not None:
            return whole
        for path in paths:
            if self._count(path.index, path.bounds) <= self._most:
                return _Path(path.index, path.bounds, path.rest, path.is_sorted, is_short=True)
        return next(path for path in paths if path.is_sorted)

    def _count(self, index: str, query: Document) -> int:
        return count(self._rows, query, limit=self._most + 1, hint=index)

    def _numbers(self, tails: Tails, account_id: str | None) -> Document:
        """The digits stored that end so, and whose they are: points of the index, so that its rows
        have their order. Raises FieldRefused where they are too many."""
        of_account: Document = {} if account_id is None else {"account_id": account_id}
        begins = tails.begins
        wanted: list[Document] = [{"$in": list(tails.whole)}]
        if begins is not None:
            wanted.append({"$gte": begins, "$lt": f"{begins}:"})  # a colon follows the nine
        digits: set[str] = set()
        for each in wanted:
            digits |= self._distinct("digits", each, of_account, _MANY_NUMBERS)
        _check_few(digits, _MANY_NUMBERS)
        if account_id is not None:
            return {"digits": {"$in": sorted(digits)}, "account_id": account_id}
        accounts: set[str] = set()
        for number in digits:
            one = {"digits": number}
            accounts |= self._distinct("account_id", {"$gt": ""}, one, _MANY_ACCOUNTS)
        _check_few(accounts, _MANY_ACCOUNTS)
        return {"digits": {"$in": sorted(digits)}, "account_id": {"$in": sorted(accounts)}}

    def _distinct(self, field: str, wanted: Document, others: Document, many: str) -> set[str]:
        """The values of a field of the index of numbers, each found by one look. Raises
        FieldRefused with the sentence where they are `many`."""
        values: set[str] = set()
        query: Document = {**others, field: wanted}
        while len(values) <= MOST_NUMBERS:
            row = self._rows.find_one(
                query, {"_id": 0, field: 1}, sort=[(field, ASCENDING)], hint=indexes.NUMBER
            )
            if row is None:
                break
            values.add(row[field])
            query[field] = {**wanted, "$gt": row[field]}
        _check_few(values, many)
        return values

    # --- along it -----------------------------------------------------------------------------

    def _page(self, path: _Path, search: Search, after: Place | None, limit: int) -> Found:
        walk = self._sort if path.is_all or path.is_short else self._walk
        rows: list[Document] = []
        for segment in _segments(search, after):
            more, looked = walk(path, search, segment, limit + 1 - len(rows))
            rows += more
            if len(rows) > limit:
                return Found(rows[:limit], _place(rows[limit - 1], search))
            if looked is not None:
                return Found(rows, looked, looked.moment)
        return Found(rows)

    def _sort(
        self, path: _Path, search: Search, segment: Document, limit: int
    ) -> tuple[list[Document], None]:
        query = {**path.query, **segment}
        with (
            self._rows.find(query, {"events": 0})
            .hint(path.index)
            .sort(search.sort)
            .limit(limit) as cursor
        ):
            return list(cursor), None

    def _walk(
        self, path: _Path, search: Search, segment: Document, limit: int
    ) -> tuple[list[Document], Place | None]:
        """The rows, and how far was looked where that was not to the end."""
        bounds = {**path.bounds, **segment}
        pipeline: list[Document] = [
            {"$match": bounds},
            {"$sort": dict(search.sort)},
            {"$limit": self._most},
            {"$match": path.rest},
            {"$limit": limit},
        ]
        rows = list(self._rows.aggregate(pipeline, hint=path.index))
        if len(rows) == limit:
            return rows, None
        asked = {"_id": 0, search.by.field: 1, "arrival": 1}
        last = self._rows.find(bounds, asked).hint(path.index).sort(search.sort)
        end = next(iter(last.skip(self._most - 1).limit(1)), None)
        return rows, None if end is None else _place(end, search)


def _paths(search: Search, numbers: Document | None) -> Iterator[_Path]:
    """All ways to its rows, the shortest first as far as that is known beforehand."""
    wanted = {**_wanted(search), **({} if numbers is None else {"digits": numbers["digits"]})}
    of_account: Document = {k: v for k, v in wanted.items() if k == "account_id"}
    is_recorded = search.by is Time.RECORDED
    recorded: Document = {"recorded": wanted["recorded"]} if is_recorded else {}

    def path(index: str, bounds: Document, *, is_sorted: bool = False) -> _Path:
        rest = {k: v for k, v in wanted.items() if bounds.get(k) != v}
        return _Path(index, bounds, rest, is_sorted)

    if search.recording_id is not None:
        yield path(indexes.ID, {"_id": search.recording_id})
    if numbers is not None:
        yield path(indexes.NUMBER, {**numbers, **recorded}, is_sorted=is_recorded)
    if search.name_begins is not None:
        yield path(indexes.NAME, {"file_name": wanted["file_name"]})
    if search.whose is not None:
        bounds = {**of_account, "last_error.whose": search.whose.value, **recorded}
        index = indexes.ACCOUNT_FAULT if of_account else indexes.FAULT
        yield path(index, bounds, is_sorted=is_recorded)
    if search.status is not None or not is_recorded:
        arrived = {k: v for k, v in wanted.items() if k == "created_at"}
        bounds = {**of_account, "status": wanted.get("status", _ALL), **arrived}
        index = ACCOUNT_STATUS if of_account else indexes.STATUS
        yield path(index, bounds, is_sorted=not is_recorded)
    if is_recorded:
        index = indexes.ACCOUNT_RECORDED if of_account else indexes.RECORDED
        yield path(index, {**of_account, **recorded}, is_sorted=True)


def _wanted(search: Search) -> Document:
    """What each row has to be, its number excepted."""
    times = {"$gte": search.since, "$lt": search.until}
    between: Document = {key: moment for key, moment in times.items() if moment}
    if not between and search.by is Time.RECORDED:
        between = {"$gte": _BEGINNING}  # a row of the version before this one has none yet
    wanted: Document = {
        "_id": search.recording_id,
        "account_id": search.account_id,
        "status": search.status.value if search.status else None,
        "last_error.whose": search.whose.value if search.whose else None,
        "file_name": _name(search),
        search.by.field: between or None,
    }
    return {key: value for key, value in wanted.items() if value is not None}


def _name(search: Search) -> Document | None:
    if search.name_begins is not None:
        return {"$gte": search.name_begins, "$lt": f"{search.name_begins}\U0010ffff"}
    if search.name_has is not None:
        return {"$regex": re.escape(search.name_has), "$options": "i"}
    return None


def _segments(search: Search, after: Place | None) -> Iterator[Document]:
    """What lies behind the place: the rest of its very moment, and what comes then.

    They are asked one after the other, because each has its bounds in the index.
    """
    field = search.by.field
    between = _wanted(search).get(field, {})
    if after is None:
        yield {field: between} if between else {}
        return
    beyond = "$lt" if search.newest_first else "$gt"
    yield {field: {**between, "$eq": after.moment}, "arrival": {beyond: after.arrival}}
    moment = after.moment
    if search.newest_first and search.until is not None:
        moment = min(moment, search.until)
    yield {field: {**between, beyond: moment}}


def _place(row: Document, search: Search) -> Place:
    return Place(row[search.by.field], row["arrival"])


def _check_few(values: set[str], sentence: str) -> None:
    if len(values) > MOST_NUMBERS:
        raise FieldRefused("number", sentence)


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    """Raises SearchUnavailable where the search takes too long, or its index is not there yet."""
    try:
        with in_time(seconds, _TOO_LONG):
            yield
    except OperationFailure as error:
        if error.code == _BAD_VALUE:
            raise SearchUnavailable(
                "The indexes for searching are not there yet: the running service makes them in "
                "the background, which takes minutes where there are millions of recordings."
            ) from None
        raise
