"""The indexes by which people find recordings, and what fills them for rows of earlier versions.

None of them has a status: a row is put into them when it arrives, and stays where it is. Those of
failures hold failed files alone.
"""

from typing import Any

import pymongo
from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import OperationFailure

from consumers.ledger.records import Document, Status
from consumers.ledger.rows import DEAD_LETTERS, Part
from consumers.ledger.search_keys import keys_of, whose_fault

ID = "_id_"
STATUS = "status_1_created_at_1_arrival_1"
RECORDED = "recorded"
ACCOUNT_RECORDED = "account_recorded"
NUMBER = "number"
NAME = "name"
FAULT = "fault"
ACCOUNT_FAULT = "account_fault"
BUILD_SECONDS = 6 * 3600.0
"""Longest building of an index: of ten million rows it takes minutes."""
FEW = 100_000
"""So many rows have their indexes within seconds."""
_DEAD_LETTERS_KEY = (
    "status",
    "last_error.cause",
    "created_at",
    "arrival",
    "reason",
    "account_id",
)
"""The fields of the index of dead letters, in its order."""
_SUPERSEDED = "created_at_-1"
"""The index of an earlier version, whose place those with a status have taken."""
_NOT_FOUND = frozenset({26, 27})
"""MongoDB's codes for a collection, and an index, that is not there."""


def _index(name: str, *fields: str, only: str | None = None) -> IndexModel:
    partial: dict[str, Any] = (
        {} if only is None else {"partialFilterExpression": {only: {"$exists": True}}}
    )
    return IndexModel([(field, ASCENDING) for field in fields], name=name, **partial)


_MOMENT = ("recorded", "arrival")
_WHOSE = "last_error.whose"
INDEXES = (
    _index(RECORDED, *_MOMENT),
    _index(ACCOUNT_RECORDED, "account_id", *_MOMENT),
    _index(NUMBER, "digits", "account_id", *_MOMENT, only="digits"),
    _index(NAME, "file_name"),
    _index(FAULT, _WHOSE, *_MOMENT, only=_WHOSE),
    _index(ACCOUNT_FAULT, "account_id", _WHOSE, *_MOMENT, only=_WHOSE),
)


class SearchIndexes(Part):
    """Makes rows findable. Raises pymongo's errors where MongoDB is away."""

    def ensure(self) -> None:
        """Create the indexes, which takes minutes where there are millions of rows; what standing
        ones have superseded is dropped."""
        with pymongo.timeout(BUILD_SECONDS):
            self._rows.create_indexes([*INDEXES])
        try:
            self._rows.drop_index(_SUPERSEDED)
        except OperationFailure as error:
            if error.code not in _NOT_FOUND:
                raise

    def ensure_of_few(self) -> None:
        """The same where that takes no time; otherwise nothing."""
        if self._rows.estimated_document_count() <= FEW:
            self.ensure()

    def fill(self, limit: int) -> int:
        """Give up to so many rows of an earlier version what they are found by; how many."""
        asked = {"number": 1, "recorded_at": 1, "created_at": 1, "last_error.cause": 1}
        with self._rows.find({"recorded": None}, asked).hint(RECORDED).limit(limit) as cursor:
            updates = [_filled(row) for row in cursor]
        if updates:
            self._rows.bulk_write(updates, ordered=False)
        return len(updates)

    def fill_faults(self, place: Document | None, limit: int) -> Document | None:
        """Give dead letters whose fault they are where a worker of an earlier version has given
        them up after they were filled in; a file that waits gets it with its next failure.

        Looks at `limit` of them from the place on, from the first for None, and returns the place
        to go on from; None at the end.
        """
        query: Document = {"status": Status.DEAD_LETTERED.value}
        asked = dict.fromkeys((*_DEAD_LETTERS_KEY, _WHOSE), 1)
        found = self._rows.find(query, asked).hint(DEAD_LETTERS).limit(limit + 1)
        if place is not None:
            found = found.min([*place.items()])
        with found as cursor:
            rows = list(cursor)
        updates = [update for row in rows[:limit] if (update := _told_whose(row)) is not None]
        if updates:
            self._rows.bulk_write(updates, ordered=False)
        return _place_of(rows[limit]) if len(rows) > limit else None

    def is_filled(self) -> bool:
        """Whether no row of an earlier version is left that a search may miss."""
        query: Document = {"recorded": None}
        return self._rows.find_one(query, {"_id": 1}, hint=RECORDED) is None


def _filled(row: Document) -> UpdateOne:
    query: Document = {"_id": row["_id"], "recorded": None}
    keys = keys_of(row.get("number"), row.get("recorded_at"), row["created_at"])
    cause = (row.get("last_error") or {}).get("cause")
    whose = whose_fault(cause) if cause else None
    if whose is not None:
        query["last_error.cause"] = cause
        keys["last_error.whose"] = whose
    return UpdateOne(query, {"$set": keys})


def _told_whose(row: Document) -> UpdateOne | None:
    """None where it says so already, or nobody knows."""
    error = row.get("last_error") or {}
    whose = whose_fault(error["cause"]) if error.get("cause") and "whose" not in error else None
    if whose is None:
        return None
    query: Document = {
        "_id": row["_id"],
        "status": Status.DEAD_LETTERED.value,
        "last_error.cause": error["cause"],
        _WHOSE: {"$exists": False},
    }
    return UpdateOne(query, {"$set": {_WHOSE: whose}})


def _place_of(row: Document) -> Document:
    """Where the row stands in the index of dead letters."""
    cause = (row.get("last_error") or {}).get("cause")
    return {**{field: row.get(field) for field in _DEAD_LETTERS_KEY}, "last_error.cause": cause}
