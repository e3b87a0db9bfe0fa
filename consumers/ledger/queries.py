"""Looking at rows: for people, and for the gauges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import DESCENDING

from consumers.ledger.records import GONE, WAITING, Counts, Document, RowSummary, Status, Waiting
from consumers.ledger.rows import OLDEST_FIRST, Part, count


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
            "status": self.status.value if self.status else None,
            "reason": self.reason,
        }
        times = {"$gte": self.since, "$lt": self.until}
        moments = {key: moment for key, moment in times.items() if moment}
        query["created_at"] = moments or None
        return {key: value for key, value in query.items() if value is not None}


class Queries(Part):
    """Changes nothing."""

    def row(self, recording_id: str) -> Document | None:
        """The whole row, for showing."""
        return self._rows.find_one({"_id": recording_id})

    def summaries(self, recording_ids: Sequence[str]) -> dict[str, RowSummary]:
        """What stands in these rows, by recording id; ids without a row are left out."""
        projection = {
            "status": 1,
            "turn": 1,
            "tries": 1,
            "file_name": 1,
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
                row["file_name"],
                row["lost"].get("files", 1) if "lost" in row else 0,
            )
            for row in rows
        }

    def select(self, selection: Selection, limit: int = 0) -> Iterator[Document]:
        """The rows asked for, newest first; 0 means no limit."""
        newest = [("created_at", DESCENDING), ("arrival", DESCENDING)]
        with self._rows.find(selection.query()).sort(newest).limit(limit) as cursor:
            yield from cursor

    def counts(self, account_id: str) -> Counts:
        """How many rows an account has in each status."""
        return self._counts({"account_id": account_id}).get(account_id, NO_FILES)

    def counts_by_account(self) -> dict[str, Counts]:
        """How many rows every account has on their way and dead-lettered; others are left out."""
        return self._counts({"status": {"$in": [*WAITING, Status.DEAD_LETTERED.value]}})

    def waiting(self, account_id: str | None = None) -> Waiting:
        """The files that wait, of one account or of all."""
        query: Document = {"status": {"$in": WAITING}}
        if account_id is not None:
            query["account_id"] = account_id
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

    def _counts(self, query: Document) -> dict[str, Counts]:
        group = {
            "_id": {"account": "$account_id", "status": "$status"},
            "n": {"$sum": 1},
            "oldest": {"$min": "$created_at"},
        }
        found: dict[str, list[Document]] = {}
        for row in self._rows.aggregate([{"$match": query}, {"$group": group}]):
            found.setdefault(row["_id"]["account"], []).append(row)
        return {account_id: _counted(rows) for account_id, rows in found.items()}


def _counted(rows: Sequence[Document]) -> Counts:
    files = {Status(row["_id"]["status"]): row["n"] for row in rows}
    waiting = [row["oldest"] for row in rows if row["_id"]["status"] in WAITING]
    return Counts({status: files.get(status, 0) for status in Status}, min(waiting, default=None))


NO_FILES = _counted(())
"""Of an account that never had any."""
