"""A recording arrives: its row is opened and its way into the account's queue noted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from bson import ObjectId
from pymongo import ReturnDocument

from consumers.events import RecordingReady
from consumers.ledger.records import Document, Routing, Status
from consumers.ledger.rows import OLDEST_FIRST, Rows, later, routing


@dataclass(frozen=True)
class Opened:
    """The row of an event: `new`, `again` (a duplicate) or in `conflict` with an earlier one."""

    outcome: Literal["new", "again", "conflict"]
    routed: bool
    status: Status


class Arrivals(Rows):
    """From the event to the queue."""

    def open(self, event: RecordingReady, body: bytes, *, skipped: bool) -> Opened:
        """Insert the event's row, or tell what the row that stands means for it."""
        fresh = {
            "$mergeObjects": [
                {"$literal": _new_row(event, body, skipped=skipped)},
                {"created_at": "$$NOW", "unrouted_at": "$$NOW"},
            ]
        }
        missing = {"$eq": [{"$type": "$account_id"}, "missing"]}
        row = self._rows.find_one_and_update(
            {"_id": event.recording_id},
            [{"$replaceWith": {"$cond": [missing, fresh, "$$ROOT"]}}],
            upsert=True,
            return_document=ReturnDocument.BEFORE,
        )
        if row is None:
            status = Status.SKIPPED if skipped else Status.QUEUED
            return Opened("new", routed=False, status=status)
        same = (row["account_id"], row["file_url"]) == (event.account_id, event.file_url)
        return Opened(
            "again" if same else "conflict",
            routed=row["routed_at"] is not None,
            status=Status(row["status"]),
        )

    def next_turn(self, recording_id: str) -> Routing | None:
        """Raise the turn of a queued row for one more publish; None where it is not queued."""
        row = self._rows.find_one_and_update(
            {"_id": recording_id, "status": Status.QUEUED},
            {"$inc": {"turn": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else routing(row)

    def routed(self, recording_id: str, turn: int) -> None:
        """The broker has confirmed this turn's message."""
        self._rows.update_one(
            {"_id": recording_id, "turn": turn}, [{"$set": {"routed_at": "$$NOW"}}]
        )

    def unrouted(self, age: timedelta, limit: int) -> list[Routing]:
        """Queued rows whose publish did not come to its end, with their turn as it stands."""
        query = {
            "status": Status.QUEUED,
            "routed_at": None,
            "$expr": {"$lt": ["$unrouted_at", later(-age.total_seconds())]},
        }
        return [routing(row) for row in self._rows.find(query).sort(OLDEST_FIRST).limit(limit)]

    def routed_of(self, account_id: str, limit: int) -> list[Routing]:
        """The account's queued rows that were routed, oldest first."""
        query = {
            "account_id": account_id,
            "status": Status.QUEUED,
            "routed_at": {"$ne": None},
        }
        return [routing(row) for row in self._rows.find(query).sort(OLDEST_FIRST).limit(limit)]


def _new_row(event: RecordingReady, body: bytes, *, skipped: bool) -> Document:
    return {
        "_id": event.recording_id,
        "account_id": event.account_id,
        "number": event.number,
        "file_url": event.file_url,
        "file_name": event.target_name,
        "size": event.size,
        "size_given": event.size is not None,
        "sha256": event.sha256.lower() if event.sha256 else None,
        "sha256_given": event.sha256 is not None,
        "recorded_at": event.recorded_at,
        "event": body.decode(),
        "arrival": ObjectId(),
        "status": (Status.SKIPPED if skipped else Status.QUEUED).value,
        "tries": 0,
        "account_tries": 0,
        "starts": 0,
        "turn": 0,
        "epoch": 0,
        "claim": None,
        "parts": [],
        "not_before": None,
        "routed_at": None,
        "unrouted_at": None,
        "last_error": None,
        "delivered_at": None,
        "dead_at": None,
        "reason": None,
        "verified": None,
    }
