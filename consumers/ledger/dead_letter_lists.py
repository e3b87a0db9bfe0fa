"""Dead letters as people look at them: by cause and fault, and a page or a step at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pymongo import DESCENDING

from consumers.ledger.dead_letter_causes import (
    DeadCause,
    Fault,
    cause_of,
    fault_of,
    of_cause,
    of_fault,
)
from consumers.ledger.records import Document, Status
from consumers.ledger.rows import DEAD_LETTERS, OLDEST_FIRST, Part, count

MOST_GROUPED = 100_000
"""Most dead letters that are grouped: MongoDB takes half a second of a processor for so many."""
_NEWEST_FIRST = [("created_at", DESCENDING), ("arrival", DESCENDING)]


@dataclass(frozen=True)
class DeadLetterFilter:
    """Which dead letters; None means any."""

    account_id: str | None = None
    cause: str | None = None
    fault: Fault | None = None
    reason: str | None = None
    """The kind of failure, or `crash-loop`."""
    since: datetime | None = None
    """Arrived at or after."""
    until: datetime | None = None
    """Arrived before."""
    recording_ids: tuple[str, ...] | None = None
    died_by: datetime | None = None
    """Given up at this moment at the latest: what dies during a bulk action is none of its own."""

    def query(self) -> Document:
        """As MongoDB takes it."""
        parts: list[Document] = [{"status": Status.DEAD_LETTERED.value}]
        if self.account_id is not None:
            parts.append({"account_id": self.account_id})
        if self.cause is not None:
            parts.append(of_cause(self.cause))
        if self.fault is not None:
            parts.append(of_fault(self.fault))
        if self.reason is not None:
            parts.append({"reason": self.reason})
        arrived = {"$gte": self.since, "$lt": self.until}
        parts += [{"created_at": {key: moment}} for key, moment in arrived.items() if moment]
        if self.recording_ids is not None:
            parts.append({"_id": {"$in": list(self.recording_ids)}})
        if self.died_by is not None:
            parts.append({"dead_at": {"$not": {"$gt": self.died_by}}})
        return {"$and": parts}

    def own(self, recording_id: str) -> Document:
        """A recording of the account that is asked for, dead or not, as MongoDB takes it."""
        account = {} if self.account_id is None else {"account_id": self.account_id}
        return {"_id": recording_id, **account}

    def stored(self) -> Document:
        """As a bulk action keeps it: only what is given."""
        values: Document = dict(vars(self))
        if self.recording_ids is not None:
            values["recording_ids"] = list(self.recording_ids)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def read(cls, stored: Document) -> "DeadLetterFilter":
        """The filter that `stored` gave."""
        fault, ids = stored.get("fault"), stored.get("recording_ids")
        chosen = cls(**{**stored, "fault": None, "recording_ids": None})
        return replace(
            chosen,
            fault=None if fault is None else Fault(fault),
            recording_ids=None if ids is None else tuple(ids),
        )


@dataclass(frozen=True)
class DeadGroup:
    """The dead letters of one cause."""

    cause: DeadCause
    files: int
    accounts: int
    oldest: datetime
    """When the first of them arrived."""
    newest: datetime


_Kind = tuple[str | None, str | None]
"""The reason of dead letters, and the code of their cause."""
Position = tuple[datetime, Any]
"""Where a dead letter stands in the order of arrival."""


class DeadLetterLists(Part):
    """Changes nothing."""

    def groups(self, chosen: DeadLetterFilter) -> list[DeadGroup]:
        """Those that match by cause, most files first; MOST_GROUPED files at most are looked at."""
        last = {
            "files": {"$sum": 1},
            "oldest": {"$min": "$created_at"},
            "newest": {"$max": "$created_at"},
        }
        of_account = {"reason": "$reason", "code": "$last_error.cause", "account": "$account_id"}
        together = {
            "files": {"$sum": "$files"},
            "accounts": {"$sum": 1},
            "oldest": {"$min": "$oldest"},
            "newest": {"$max": "$newest"},
        }
        pipeline: list[Document] = [
            {"$match": chosen.query()},
            {"$limit": MOST_GROUPED},
            {"$group": {"_id": of_account, **last}},
            {"$group": {"_id": {"reason": "$_id.reason", "code": "$_id.code"}, **together}},
        ]
        found = [_group(row) for row in self._rows.aggregate(pipeline)]
        return sorted(_merged(found), key=lambda group: (-group.files, group.cause.code))

    def count(self, chosen: DeadLetterFilter) -> int:
        """How many match."""
        return count(self._rows, chosen.query())

    def page(
        self, chosen: DeadLetterFilter, limit: int, before: str | None = None
    ) -> list[Document]:
        """Those that match, the newest first; `before`: only those behind this recording.

        An unknown recording has none behind it, and so has one of another account.
        """
        return self._page(chosen, limit, before, self._kinds(chosen))

    def page_and_count(
        self, chosen: DeadLetterFilter, limit: int, before: str | None, most: int
    ) -> tuple[list[Document], int]:
        """A page, and how many match; where they are more than `most`, that and one. What both
        rest on is looked at once."""
        kinds = self._kinds(chosen)
        rows = self._page(chosen, limit, before, kinds)
        return rows, self._count_up_to(most, chosen, kinds)

    def _count_up_to(
        self, most: int, chosen: DeadLetterFilter, kinds: Mapping[_Kind, int] | None
    ) -> int:
        if kinds is not None:
            return min(sum(kinds.values()), most + 1)
        return count(self._rows, chosen.query(), limit=most + 1)

    def _page(
        self,
        chosen: DeadLetterFilter,
        limit: int,
        before: str | None,
        kinds: Mapping[_Kind, int] | None,
    ) -> list[Document]:
        query = chosen.query()
        if before is not None:
            row = self._rows.find_one(chosen.own(before), {"created_at": 1, "arrival": 1})
            if row is None:
                return []
            query["$and"].append(_beyond("$lt", (row["created_at"], row.get("arrival"))))
        if kinds is not None:
            if not kinds:
                return []
            query["$and"] += _narrowing(kinds)
        return list(self._rows.find(query).sort(_NEWEST_FIRST).limit(limit))

    def _kinds(self, chosen: DeadLetterFilter) -> dict[_Kind, int] | None:
        """How many match by reason and cause, where a fault or a reason is asked for, which no
        index begins with: by the keys of the index of dead letters alone. None where neither is, or
        there are too many.
        """
        is_asked = chosen.fault is not None or chosen.reason is not None
        if not is_asked or chosen.recording_ids is not None or chosen.died_by is not None:
            return None
        group = {"_id": {"reason": "$reason", "code": "$last_error.cause"}, "files": {"$sum": 1}}
        pipeline: list[Document] = [
            {"$match": replace(chosen, fault=None, reason=None).query()},
            {"$limit": MOST_GROUPED},
            {"$group": group},
        ]
        found = {
            (row["_id"].get("reason"), row["_id"].get("code")): row["files"]
            for row in self._grouped(pipeline, chosen)
        }
        if sum(found.values()) >= MOST_GROUPED:
            return None
        return {
            (reason, code): files
            for (reason, code), files in found.items()
            if chosen.fault in {None, fault_of(reason, code)} and chosen.reason in {None, reason}
        }

    def _grouped(self, pipeline: list[Document], chosen: DeadLetterFilter) -> list[Document]:
        """An account's are found by it, be they few among many: MongoDB chooses how."""
        if chosen.account_id is not None:
            return self._rows.aggregate(pipeline).to_list()
        return self._in_index(pipeline, DEAD_LETTERS)

    def oldest(
        self, chosen: DeadLetterFilter, limit: int, after: Position | None = None
    ) -> list[Document]:
        """The oldest that match, behind a position: what a step of a bulk action needs of them."""
        query = chosen.query()
        if after is not None:
            query["$and"].append(_beyond("$gt", after))
        wanted = {"account_id": 1, "created_at": 1, "arrival": 1}
        return list(self._rows.find(query, wanted).sort(OLDEST_FIRST).limit(limit))


def _narrowing(kinds: Iterable[_Kind]) -> list[Document]:
    """What holds for all of these kinds, and for few others, as an index has it."""
    reasons, codes = {reason for reason, _ in kinds}, {code for _, code in kinds}
    return [{"reason": {"$in": [*reasons]}}, {"last_error.cause": {"$in": [*codes]}}]


def position_of(row: Document) -> Position:
    """Where the row stands in the order of arrival."""
    return row["created_at"], row.get("arrival")


def _beyond(comparison: str, position: Position) -> Document:
    moment, arrival = position
    same_moment = {"created_at": moment, "arrival": {comparison: arrival}}
    return {"$or": [{"created_at": {comparison: moment}}, same_moment]}


def _group(row: Document) -> DeadGroup:
    cause = cause_of(row["_id"].get("reason"), row["_id"].get("code"))
    return DeadGroup(cause, row["files"], row["accounts"], row["oldest"], row["newest"])


def _merged(groups: Iterable[DeadGroup]) -> Sequence[DeadGroup]:
    """One for each cause and fault: a cause may have been met as more than one kind of failure."""
    found: dict[tuple[str, Fault], DeadGroup] = {}
    for each in groups:
        key = (each.cause.code, each.cause.fault)
        known = found.get(key)
        found[key] = each if known is None else _together(known, each)
    return [*found.values()]


def _together(one: DeadGroup, other: DeadGroup) -> DeadGroup:
    """The number of accounts is that of the larger part at least: they may be the same ones."""
    return DeadGroup(
        one.cause,
        one.files + other.files,
        max(one.accounts, other.accounts),
        min(one.oldest, other.oldest),
        max(one.newest, other.newest),
    )
