"""Looking at rows: for people, and for the gauges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import DESCENDING

from consumers.ledger.records import (
    GONE,
    WAITING,
    Counts,
    Document,
    Facts,
    RowSummary,
    Status,
    Waiting,
)
from consumers.ledger.rows import ACCOUNT_STATUS, OLDEST_FIRST, Part, count

MOST_ENDED = 10_000
"""Files that have ended are counted so far."""
_NONE: Document = {"files": 0, "oldest": None}
_ENDED = (Status.DELIVERED, Status.DEAD_LETTERED, Status.DISCARDED, Status.SKIPPED)


@dataclass(frozen=True)
class Selection:
    """Which rows a person asked for; None and empty mean any."""

    account_id: str | None = None
    recording_id: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None

    def query(self) -> Document:
        query: Document = {
            "account_id": self.account_id,
            "_id": self.recording_id,
            # All are named, for the indexes that have the rows in order begin with the status.
            "status": self.status.value if self.status else {"$in": [*Status]},
            "reason": self.reason,
        }
        times = {"$gte": self.since, "$lt": self.until}
        moments = {key: moment for key, moment in times.items() if moment}
        query["created_at"] = moments or None
        return {key: value for key, value in query.items() if value is not None}


class Queries(Part):
    """Changes nothing."""

    def row(self, recording_id: str) -> Document | None:
        """The whole row, for showing, with its story."""
        return self._rows.find_one({"_id": recording_id})

    def rows(self, recording_ids: Sequence[str]) -> dict[str, Document]:
        """The whole rows, by recording id; ids without a row are left out."""
        found = self._rows.find({"_id": {"$in": list(recording_ids)}})
        return {row["_id"]: row for row in found}

    def summaries(self, recording_ids: Sequence[str]) -> dict[str, RowSummary]:
        """What stands in these rows, by recording id; ids without a row are left out."""
        projection = {
            "status": 1,
            "turn": 1,
            "tries": 1,
            "account_id": 1,
            "file_name": 1,
            "number": 1,
            "recorded_at": 1,
            "created_at": 1,
            "counter": 1,
            "lost": 1,
            "wait": {"$subtract": ["$not_before", "$$NOW"]},
        }
        rows = self._rows.find({"_id": {"$in": list(recording_ids)}}, projection)
        return {
            row["_id"]: RowSummary(
                Status(row["status"]),
                row["turn"],
                row["tries"],
                (row["wait"] or 0) / 1000,
                Facts.of(row),
                row["lost"].get("files", 1) if "lost" in row else 0,
            )
            for row in rows
        }

    def select(self, selection: Selection, limit: int = 0) -> Iterator[Document]:
        """The rows asked for, newest first, without their stories; 0 means no limit."""
        newest = [("created_at", DESCENDING), ("arrival", DESCENDING)]
        with self._rows.find(selection.query(), {"events": 0}).sort(newest).limit(limit) as cursor:
            yield from cursor

    def oldest(self, account_id: str) -> Document | None:
        """The row of the account's file that is on its way for longest, without its story."""
        query = {"account_id": account_id, "status": {"$in": WAITING}}
        first: list[Document] = [{"$sort": dict(OLDEST_FIRST)}, {"$limit": 1}, {"$unset": "events"}]
        return next(iter(self._in_index([{"$match": query}, *first], ACCOUNT_STATUS)), None)

    def counts(self, account_id: str) -> Counts:
        """How many files an account has on their way and dead-lettered."""
        return self.counts_of([account_id]).get(account_id, NO_FILES)

    def counts_of(self, account_ids: Sequence[str]) -> dict[str, Counts]:
        """The same of these accounts, in the index of accounts alone: no row is read. Those that
        have no such files are left out.

        Each kind by a look of its own: with a condition in the sums MongoDB takes twice as long.
        """
        if not account_ids:
            return {}
        waiting = self._sums(account_ids, WAITING, {"oldest": {"$min": "$created_at"}})
        dead = self._sums(account_ids, [Status.DEAD_LETTERED.value], {})
        found = {}
        for each in waiting.keys() | dead.keys():
            queued = waiting.get(each, _NONE)
            lost = dead.get(each, _NONE)
            found[each] = Counts(queued["files"], lost["files"], queued["oldest"])
        return found

    def ended(self, account_id: str) -> dict[Status, int]:
        """How many files of the account have ended in each way, MOST_ENDED + 1 for all that are
        more; ways in which none has are left out."""
        found = {
            status: count(
                self._rows,
                {"account_id": account_id, "status": status.value},
                limit=MOST_ENDED + 1,
            )
            for status in _ENDED
        }
        return {status: files for status, files in found.items() if files}

    def waiting(self, account_id: str | None = None, without: Sequence[str] = ()) -> Waiting:
        """The files that wait, of one account or of all `without` some."""
        query: Document = {"status": {"$in": WAITING}}
        if account_id is not None:
            query["account_id"] = account_id
        elif without:
            query["account_id"] = {"$nin": list(without)}
        age = {"$subtract": ["$$NOW", "$created_at"]}
        oldest = self._rows.find_one(query, {"created_at": 1, "age": age}, sort=OLDEST_FIRST)
        if oldest is None:
            return Waiting(0, None, 0.0)
        return Waiting(count(self._rows, query), oldest["created_at"], oldest["age"] / 1000)

    def has_loose_ends(self, account_id: str) -> bool:
        """Whether any of the account's files is on its way, or may have left something at the
        customer: one look, for a session that is about to end."""
        left = {"status": {"$in": GONE}, "parts.0": {"$exists": True}}
        query = {"account_id": account_id, "$or": [{"status": {"$in": WAITING}}, left]}
        return self._rows.find_one(query, {"_id": 1}) is not None

    def last_size(self, account_id: str) -> int:
        """Bytes of the newest of the account's files that were delivered; 0 before the first."""
        row = self._rows.find_one(
            {"account_id": account_id, "status": Status.DELIVERED.value},
            {"size": 1},
            sort=[("created_at", DESCENDING), ("arrival", DESCENDING)],
        )
        size: int = row["size"] if row else 0
        return size

    def dead_letters(self) -> int:
        """How many dead letters there are."""
        return count(self._rows, {"status": Status.DEAD_LETTERED.value})

    def _sums(
        self, account_ids: Sequence[str], statuses: Sequence[str], more: Document
    ) -> dict[str, Document]:
        query = {"account_id": {"$in": list(account_ids)}, "status": {"$in": list(statuses)}}
        group = {"_id": "$account_id", "files": {"$sum": 1}, **more}
        found = self._in_index([{"$match": query}, {"$group": group}], ACCOUNT_STATUS)
        return {each["_id"]: each for each in found}


NO_FILES = Counts(0, 0, None)
"""Of an account that never had any."""
