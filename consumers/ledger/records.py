"""What the ledger hands out: frozen views of its documents."""

import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from config.text import shortened
from consumers.trace import TraceContext
from transports.diagnosis import Entry, advice_for_customers, by_code
from transports.diagnosis.ours import STORE_AWAY, STORE_REFUSES
from transports.errors import Kind, Speaker, TransferError, is_platforms
from transports.job import Intent
from transports.names import join, part_name

Document = dict[str, Any]


class Status(StrEnum):
    """Where a recording is on its route (`deliveries.status`)."""

    QUEUED = "queued"
    UPLOADING = "uploading"
    DELIVERED = "delivered"
    DEAD_LETTERED = "dead_lettered"
    SKIPPED = "skipped"
    DISCARDED = "discarded"


WAITING = (Status.QUEUED.value, Status.UPLOADING.value)
"""Statuses of files that are on their way; all others are final."""
GONE = (Status.DEAD_LETTERED.value, Status.DISCARDED.value)
"""Statuses of files that are not tried (any more), and may have left something at the customer."""
WITHOUT_CAUSE = {
    Kind.SOURCE.value: "The platform could not read the recording.",
    Kind.OURS.value: "The platform has failed.",
}
"""What is wrong by the kind, of the platform's own failures whose cause was not stored."""

STORE_CAUSES = (STORE_AWAY.code, STORE_REFUSES.code)
"""While one of them lasts a file waits for the recordings' own store, and no try is counted."""


@dataclass(frozen=True)
class LastError:
    """The last failure, in the server's words, with advice for whoever has to mend it."""

    kind: str
    words: str
    advice: str
    said_by: str = ""
    """Whose words they are, a Speaker; empty: not known, as of failures from before it was."""
    cause: str = ""
    """The code of its cause in the catalogue; empty where it is not known, as above."""

    @classmethod
    def of(cls, failure: TransferError, kind: Kind | None = None) -> "LastError":
        """`kind`: what it counts as, where that is not its own."""
        return cls(
            (kind or failure.kind).value,
            shortened(str(failure.words)),
            failure.advice,
            failure.said_by.value,
            failure.diagnosis.code,
        )

    @classmethod
    def ours(cls, words: str, entry: Entry) -> "LastError":
        """A failure of the platform's own, in its own words."""
        advice, said_by = entry.next_step, Speaker.COURIER.value
        return cls(Kind.OURS.value, shortened(words), advice, said_by, entry.code)

    def for_customers(self) -> "LastError":
        """The same for the account's own people: the cause in place of what was said of a failure
        of the platform's own."""
        advice = advice_for_customers(self.cause, self.advice)
        if not self.is_ours:
            return replace(self, advice=advice)
        cause = self.diagnosis.cause if self.diagnosis else WITHOUT_CAUSE[self.kind]
        return replace(self, words=cause, said_by=Speaker.COURIER.value, advice=advice)

    @classmethod
    def stored(cls, document: Document) -> "LastError":
        """As MongoDB has it, be it from before all of its fields were there."""
        return cls(
            document["kind"],
            document["words"],
            document["advice"],
            document.get("said_by", ""),
            document.get("cause", ""),
        )

    @property
    def diagnosis(self) -> Entry | None:
        """Its cause; None where it is not known."""
        return by_code(self.cause)

    @property
    def is_ours(self) -> bool:
        """Whether the platform is to blame, or its recordings, and the customer's server is not."""
        return is_platforms(self.kind, self.cause)

    @property
    def is_stores(self) -> bool:
        """Whether the recordings' own store keeps the file."""
        return self.cause in STORE_CAUSES


def failure_now(error: LastError) -> Document:
    """How a failure is stored that is written down at this moment."""
    cause = error.diagnosis
    whose = {} if cause is None else {"whose": cause.whose.value}  # by which people find it
    return {"$mergeObjects": [{"$literal": {**asdict(error), **whose}}, {"at": "$$NOW"}]}


@dataclass(frozen=True)
class Claimant:
    """Who claims: a worker, one of its account sessions, and the epoch of its ownership."""

    worker: str
    session: str
    epoch: int
    until: datetime | None = None
    """The database's time until which files may be begun, somewhat before the ownership ends; None:
    it does not end."""
    exclusive: bool = False
    """What it begins is all that its process uploads: it may take files with a lost start."""


@dataclass(frozen=True)
class Routing:
    """What it takes to publish a recording to its account's queue."""

    recording_id: str
    account_id: str
    generation: int
    body: bytes
    trace: TraceContext | None = None
    """None: its row is from before traces were kept."""


@dataclass(frozen=True)
class CrashLoop:
    """A file that each process has died of which tried it alone, as often as is endured."""

    routing: Routing
    tries: int
    from_outage: bool
    """It is dead-lettered already, by an outage."""


@dataclass(frozen=True)
class Facts:
    """What the name of a recording may tell of it, as its row has it."""

    recording_id: str
    account_id: str
    file_name: str
    """As its event wants it."""
    number: str | None
    recorded_at: str | None
    """RFC 3339, as the event says it."""
    created_at: datetime
    counter: int | None = None
    """Its number among its account's recordings; None: it was given none yet."""

    @classmethod
    def of(cls, row: Document) -> "Facts":
        return cls(
            recording_id=row["_id"],
            account_id=row["account_id"],
            file_name=row["file_name"],
            number=row.get("number"),
            recorded_at=row.get("recorded_at"),
            created_at=row["created_at"],
            counter=row.get("counter"),
        )


@dataclass(frozen=True)
class Claim:
    """One start of one recording, exclusively this session's until it is settled."""

    recording_id: str
    account_id: str
    session: str
    start: int
    generation: int
    tries: int
    account_tries: int
    from_outage: bool
    exclusive: bool
    """Its flight is all that its process uploads."""
    file_url: str
    file_name: str
    size: int | None
    sha256: str | None
    part: str
    parts: tuple[Document, ...]
    """Of earlier starts: what each may have left at the customer."""
    intent: Intent | None
    copy: int | None
    """Which `name (copy).ext` the intent reserved."""
    was_dead: bool
    """It lay as a dead letter until somebody, or the end of an outage, brought it back."""
    suspected: int
    """How often it has failed by the account, at a server that had taken the login, where others
    had to wait for it: as a probe for one."""
    created_at: datetime
    body: bytes
    number: str | None = None
    recorded_at: str | None = None
    counter: int | None = None
    trace: TraceContext | None = None
    flight: str = ""
    """Of the files that were claimed together; a file that was claimed alone has one too."""
    waited: float = 0.0
    """Seconds between its arrival and the claim, by the database's clock."""
    since: float = field(default=0.0, compare=False)
    """Local monotonic time at which it was asked for."""

    @property
    def age(self) -> float:
        """Seconds since the file's arrival, to some milliseconds: nothing is asked for it.

        They are rather too many than too few, by the time that the claim was on its way.
        """
        return self.waited + time.monotonic() - self.since

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Paths of temporary files that earlier starts may have left."""
        return tuple(part_path(self.recording_id, part) for part in self.parts)

    def still_there(self, paths: Collection[str]) -> list[Document]:
        """Those of `parts` whose files have these paths."""
        return [part for part in self.parts if part_path(self.recording_id, part) in paths]

    @property
    def facts(self) -> Facts:
        """What its name may tell."""
        return Facts(
            self.recording_id,
            self.account_id,
            self.file_name,
            self.number,
            self.recorded_at,
            self.created_at,
            self.counter,
        )

    @property
    def routing(self) -> Routing:
        """What a message of the recording is made from."""
        return Routing(self.recording_id, self.account_id, self.generation, self.body, self.trace)

    @classmethod
    def of(cls, row: Document, claimant: Claimant, since: float) -> "Claim":
        recording_id, start = row["_id"], row["starts"]
        return cls(
            recording_id=recording_id,
            account_id=row["account_id"],
            session=claimant.session,
            start=start,
            generation=row["turn"],
            tries=row["tries"],
            account_tries=row["account_tries"],
            from_outage=row["claim"]["was"] == Status.DEAD_LETTERED,
            exclusive=claimant.exclusive,
            file_url=row["file_url"],
            file_name=row["file_name"],
            size=row["size"] if row["size_given"] else None,
            sha256=row["sha256"] if row["sha256_given"] else None,
            part=part_name(recording_id, start),
            parts=tuple(part for part in row["parts"] if part["start"] != start),
            intent=Intent(**row["intent"]) if row.get("intent") else None,
            copy=row.get("copy"),
            was_dead=row.get("was_dead", False),
            suspected=row.get("suspected", 0),
            created_at=row["created_at"],
            body=row["event"].encode(),
            number=row.get("number"),
            recorded_at=row.get("recorded_at"),
            counter=row.get("counter"),
            trace=trace_of(row),
            flight=row["claim"]["flight"],
            waited=(row["claim"]["at"] - row["created_at"]).total_seconds(),
            since=since,
        )


@dataclass(frozen=True)
class RowSummary:
    """What a session needs to know of a row before it claims it."""

    status: Status
    generation: int
    tries: int
    wait: float
    """Seconds until its next try may begin; 0 or less: now."""
    facts: Facts
    crashed_with: int
    """Workers may die of the file: of how many files the flight was that was lost last; 0: none."""


@dataclass(frozen=True)
class Waiting:
    """The files on their way: how many, since when the oldest, and its age in seconds."""

    files: int
    oldest: datetime | None
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Counts:
    """An account's files that somebody waits for."""

    queued: int
    """On their way."""
    dead_letters: int
    oldest: datetime | None
    """Since when the oldest of those on their way waits."""


@dataclass(frozen=True)
class Totals:
    """The gauges: accounts by state, files waiting, dead letters, the oldest one's age."""

    accounts: dict[str, int]
    queued: int
    dead_letters: int
    oldest_queued_seconds: float
    broken_queues: int = 0
    """Accounts whose queue at the broker cannot be used."""


def trace_of(row: Document) -> TraceContext | None:
    """The trace of a row; None for one from before traces were kept."""
    return TraceContext.read(row.get("traceparent"), row.get("tracestate"))


def part_path(recording_id: str, part: Document) -> str:
    """Where a start's temporary file stands at the customer: noted where it is not usual."""
    usual = join(part["folder"], part_name(recording_id, part["start"]))
    return str(part.get("path", usual))
