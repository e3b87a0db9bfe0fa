"""A recording arrives: its row is opened and its way into the account's queue noted."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from config.documents import clock
from config.moments import later
from consumers.ledger.records import Document, Routing, Status, trace_of
from consumers.ledger.rows import OLDEST_FIRST, Part, routing
from consumers.ledger.search_keys import keys_of
from consumers.ledger.writer import DUPLICATE_KEY
from consumers.trace import TraceContext

if TYPE_CHECKING:
    from consumers.intake.events import RecordingReady

FIRST_GENERATION = 1


@dataclass(frozen=True)
class Arrival:
    """An event that may be taken, and its body as it is to be kept."""

    event: "RecordingReady"
    body: bytes
    skipped: bool
    trace: TraceContext = field(default_factory=TraceContext.begun)


@dataclass(frozen=True)
class Opened:
    """The row of an event: `new`, `again` (a duplicate) or in `conflict` with an earlier one."""

    outcome: Literal["new", "again", "conflict"]
    routed: bool
    status: Status
    routing: Routing | None = None
    """What it takes to publish a new row."""
    trace: TraceContext | None = None
    """That of the row, whatever the event says of it now."""

    @property
    def is_to_be_routed(self) -> bool:
        """Whether it is new, or its first publish came to no end."""
        queued = self.status is Status.QUEUED and not self.routed
        return queued and self.outcome != "conflict"


class Arrivals(Part):
    """From the event to the queue."""

    def open(self, arrivals: Sequence[Arrival]) -> list[Opened]:
        """Insert the events' rows, or tell what the rows that stand mean for them.

        Of several events of one recording the first one is new. A new row has the turn of its
        first publish, which is to follow.
        """
        now = self._now()
        firsts: dict[str, Arrival] = {}
        for arrival in arrivals:
            firsts.setdefault(arrival.event.recording_id, arrival)
        rows = {name: _new_row(arrival, now) for name, arrival in firsts.items()}
        standing = self._standing(self._insert(rows.values()))
        opened = []
        for arrival in arrivals:
            name = arrival.event.recording_id
            is_new = name not in standing and firsts[name] is arrival
            row = standing.get(name, rows[name])
            opened.append(_new(row) if is_new else _again(arrival.event, row))
        return opened

    def next_generation(self, recording_id: str) -> Routing | None:
        """Raise the turn of a queued row for one more publish; None where it is not queued."""
        row = self._rows.find_one_and_update(
            {"_id": recording_id, "status": Status.QUEUED},
            {"$inc": {"turn": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else routing(row)

    def next_generations(self, recording_ids: Sequence[str]) -> list[Routing]:
        """Raise the turns of those that are queued, and return what it takes to publish them.

        From the last one to the first: a session that meets messages of the turns before in the
        meantime finds the later ones outdated, so that none of them goes before an earlier one.
        """
        raised = [self.next_generation(each) for each in reversed(recording_ids)]
        return [each for each in reversed(raised) if each is not None]

    def routed(self, routings: Iterable[Routing]) -> None:
        """The broker has confirmed the messages of these turns."""
        generations: defaultdict[int, list[str]] = defaultdict(list)
        for each in routings:
            generations[each.generation].append(each.recording_id)
        for generation, names in generations.items():
            self._rows.update_many(
                {"_id": {"$in": names}, "turn": generation}, [{"$set": {"routed_at": "$$NOW"}}]
            )

    def unrouted(self, age: timedelta, limit: int) -> list[Routing]:
        """Queued rows whose publish did not come to its end, with their turn as it stands."""
        query = {
            "status": Status.QUEUED,
            "routed_at": None,
            "$expr": {"$lt": ["$unrouted_at", later(-age.total_seconds())]},
        }
        return [routing(row) for row in self._rows.find(query).sort(OLDEST_FIRST).limit(limit)]

    def postpone(self, recording_ids: Iterable[str]) -> None:
        """Their publish has failed: they stand behind the others that are not routed."""
        names = list(recording_ids)
        if names:
            self._rows.update_many(
                {"_id": {"$in": names}, "routed_at": None}, [{"$set": {"unrouted_at": "$$NOW"}}]
            )

    def routed_of(self, account_id: str, limit: int) -> list[Routing]:
        """The account's queued rows that were routed, oldest first."""
        query = {
            "account_id": account_id,
            "status": Status.QUEUED,
            "routed_at": {"$ne": None},
        }
        return [routing(row) for row in self._rows.find(query).sort(OLDEST_FIRST).limit(limit)]

    def _now(self) -> datetime:
        """The database's time: an insert, unlike an update, cannot ask for it itself."""
        return clock(self._rows.database)

    def _insert(self, rows: Collection[Document]) -> list[str]:
        """Insert all that are new; the ids that stand already."""
        if not rows:
            return []
        try:
            self._rows.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            known = all(each["code"] == DUPLICATE_KEY for each in failures)
            if not known or error.details["writeConcernErrors"]:
                raise
            return [each["op"]["_id"] for each in failures]
        return []

    def _standing(self, recording_ids: Sequence[str]) -> dict[str, Document]:
        """These rows as they durably are: by them events are acknowledged."""
        if not recording_ids:
            return {}
        durable = self._rows.with_options(read_concern=ReadConcern("majority"))
        return {row["_id"]: row for row in durable.find({"_id": {"$in": list(recording_ids)}})}


def _new(row: Document) -> Opened:
    status = Status(row["status"])
    return Opened(
        "new",
        routed=False,
        status=status,
        routing=routing(row) if status is Status.QUEUED else None,
        trace=trace_of(row),
    )


def _again(event: "RecordingReady", row: Document) -> Opened:
    same = (row["account_id"], row["file_url"]) == (event.account_id, event.file_url)
    return Opened(
        "again" if same else "conflict",
        routed=row["routed_at"] is not None,
        status=Status(row["status"]),
        trace=trace_of(row),
    )


def _new_row(arrival: Arrival, now: datetime) -> Document:
    event = arrival.event
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
        "event": arrival.body.decode(),
        "traceparent": arrival.trace.traceparent,
        "tracestate": arrival.trace.state or None,
        "arrival": ObjectId(),
        "status": (Status.SKIPPED if arrival.skipped else Status.QUEUED).value,
        "tries": 0,
        "account_tries": 0,
        "starts": 0,
        "turn": 0 if arrival.skipped else FIRST_GENERATION,
        "epoch": 0,
        "claim": None,
        "parts": [],
        "created_at": now,
        "not_before": None,
        "routed_at": None,
        "unrouted_at": now,
        "last_error": None,
        "delivered_at": None,
        "dead_at": None,
        "reason": None,
        "verified": None,
        **keys_of(event.number, event.recorded_at, now),
    }
