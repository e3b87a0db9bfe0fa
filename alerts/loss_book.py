"""Counts the recordings lost by our own fault until the on-call is told of them (`alerts`).

| `_id`                           | what it is                                                    |
|---------------------------------|---------------------------------------------------------------|
| `acme:losses:recording-missing` | an account's losses by one cause: all, and how many were told |
| `:losses`                       | the page of losses that are being counted, and its number     |

A recording store that is away for a day loses very many recordings by one cause: they are one
document. Each loss counts once, whatever crashes: a page is written down before it is counted, each
count remembers the last page in it, and the losses leave the ledger's list before the page is
closed. Only then is the list read for the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from alerts.loss import NAMED, Loss, Losses, grouped
from config.text import shortened

MAX_GROUPS = 2000
"""Most accounts and causes in one digest; the others follow in the next."""
_MAX_WORDS = 160
_BOOK = ":losses"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Document = dict[str, Any]


@dataclass(frozen=True)
class LossPage:
    """Losses that are counted together."""

    number: int
    recordings: tuple[str, ...] = ()
    until: datetime = _LONG_AGO
    """When the latest of them was lost."""
    groups: tuple[Losses, ...] = ()


@dataclass(frozen=True)
class LossBook:
    """Raises pymongo's errors where MongoDB is away. Any number of processes may count at once."""

    alerts: Collection[Document]
    is_read: bool
    """Whether there is an on-call; without one nothing is counted."""

    def ensure_indexes(self) -> None:
        """Create the index of what is not told yet."""
        self.alerts.create_index("untold", sparse=True)

    # --- counting -------------------------------------------------------------------------------

    def page(self) -> LossPage:
        """The last page; without recordings once it is closed."""
        return _page(self.alerts.find_one({"_id": _BOOK}) or {"number": 0})

    def turn(self, closed: LossPage, losses: Sequence[Loss]) -> LossPage:
        """Write down the losses, which were read after the closed page was.

        Returns a page without recordings where another process was first, or there are none.
        """
        if not losses:
            return closed
        values = {
            "recordings": [each.recording_id for each in losses],
            "until": max(each.at for each in losses),
            "groups": [_short(each).to_document() for each in grouped(losses)],
        }
        try:
            book = self.alerts.find_one_and_update(
                {"_id": _BOOK, "number": closed.number},
                {"$set": values, "$inc": {"number": 1}},
                upsert=closed.number == 0,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            book = None
        return closed if book is None else _page(book)

    def count(self, page: LossPage) -> None:
        """Count the page's losses. Doing it again, or twice at once, changes nothing."""
        for group in page.groups if self.is_read else ():
            self._count(page.number, group)

    def close(self, page: LossPage) -> None:
        """The page's losses are counted, and nobody reads them as new ones any more."""
        done: Document = {"recordings": [], "groups": []}
        self.alerts.update_one({"_id": _BOOK, "number": page.number}, {"$set": done})

    def _count(self, number: int, group: Losses) -> None:
        count, told = {"$ifNull": ["$count", 0]}, {"$ifNull": ["$told", 0]}
        is_all_told = {"$eq": [count, told]}
        examples = {"$literal": list(group.examples)}
        values = {
            "kind": "losses",
            "facts": {"$literal": {"account_id": group.account_id, "at": group.at}},
            "losses": {"$literal": group.to_document()},
            "examples": {
                "$cond": [
                    is_all_told,
                    examples,
                    {"$slice": [{"$concatArrays": ["$examples", examples]}, NAMED]},
                ]
            },
            "at": {"$cond": [is_all_told, "$$NOW", "$at"]},
            "count": {"$add": [count, group.count]},
            "told": told,
            "untold": True,
            "page": number,
            "state": "unaddressed",
            "to": [],
            "finished": "$$NOW",
        }
        counted_before = {"_id": _id(group), "page": {"$lt": number}}
        try:
            self.alerts.update_one(counted_before, [{"$set": values}], upsert=True)
        except DuplicateKeyError:
            return  # this page is in it already

    # --- telling --------------------------------------------------------------------------------

    def untold(self) -> list[Document]:
        """What the next digest is to tell, as `digest` and `told` read it."""
        found = self.alerts.find({"untold": True}).sort("at", 1).limit(MAX_GROUPS)
        return [_snapshot(document) for document in found]

    def told(self, snapshots: Sequence[Document]) -> None:
        """The snapshots are in a digest. Doing it again changes nothing."""
        for each in snapshots:
            has_more = {"$gt": ["$count", each["through"]]}
            values = {
                "told": each["through"],
                "untold": {"$cond": [has_more, True, "$$REMOVE"]},
            }
            self.alerts.update_one(
                {"_id": each["_id"], "told": {"$lt": each["through"]}}, [{"$set": values}]
            )


def _page(book: Document) -> LossPage:
    if not book.get("recordings"):
        return LossPage(book["number"])
    groups = tuple(Losses.of(each) for each in book["groups"])
    return LossPage(book["number"], tuple(book["recordings"]), book["until"], groups)


def _snapshot(document: Document) -> Document:
    """How many are new, of how many; later ones do not change what a digest tells."""
    new = {"count": document["count"] - document["told"], "examples": document["examples"]}
    losses = {**document["losses"], **new}
    return {"_id": document["_id"], "through": document["count"], "losses": losses}


def _short(losses: Losses) -> Losses:
    return replace(losses, words=shortened(losses.words, _MAX_WORDS))


def _id(losses: Losses) -> str:
    return f"{losses.account_id}:losses:{losses.cause}"
