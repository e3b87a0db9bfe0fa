"""What the ledger hands out: frozen views of its documents."""

import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from config.accounts import Account
from consumers.delivery.policy import AccountView, State, recovers
from consumers.trace import TraceContext
from transports.errors import Kind, TransferError
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


@dataclass(frozen=True)
class LastError:
    """The last failure, in the server's words, with advice for whoever has to mend it."""

    kind: str
    words: str
    advice: str
    said_by: str = ""
    """Whose words they are, a Speaker; empty: not known, as of failures from before it was."""

    @classmethod
    def of(cls, failure: TransferError, kind: Kind | None = None) -> "LastError":
        """`kind`: what it counts as, where that is not its own."""
        return cls(
            (kind or failure.kind).value, str(failure.words), failure.advice, failure.said_by.value
        )

    @classmethod
    def stored(cls, document: Document) -> "LastError":
        """As MongoDB has it, be it from before all of its fields were there."""
        return cls(
            document["kind"], document["words"], document["advice"], document.get("said_by", "")
        )


@dataclass(frozen=True)
class FailedTry:
    """What a row keeps of a try that has failed."""

    error: LastError
    part_left: bool
    """Its temporary file may stand at the customer."""
    counted: bool = False
    by_account: bool = False
    suspected: bool = False
    """It failed where others had to wait for it (`Claim.suspected`)."""


def failure_now(error: LastError) -> Document:
    """How a failure is stored that is written down at this moment."""
    return {"$mergeObjects": [{"$literal": asdict(error)}, {"at": "$$NOW"}]}


@dataclass(frozen=True)
class Claimant:
    """Who claims: a worker, one of its account sessions, and the epoch of its ownership."""

    worker: str
    session: str
    epoch: int
    until: datetime | None = None
    """The database's time at which the ownership ends; None: it does not."""
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
    file_name: str
    crashed_with: int
    """Workers may die of the file: of how many files the flight was that was lost last; 0: none."""


@dataclass(frozen=True)
class Waiting:
    """The files on their way: how many, since when the oldest, and its age in seconds."""

    files: int
    oldest: datetime | None
    oldest_seconds: float


@dataclass(frozen=True)
class Counts:
    """An account's files by status, and since when the oldest of those on their way waits."""

    files: Mapping[Status, int]
    oldest: datetime | None


@dataclass(frozen=True)
class RunState:
    """An account's running state. `now` is the database's time of the reading."""

    state: State
    paused: bool
    failures: int
    outage_id: int
    """Counts the account's recoveries: what died since the last one, died in this outage."""
    suspensions: int
    suspended_until: datetime | None
    outage_retry_due: datetime | None
    last_error: LastError | None
    """What is to be mended first: the account's queue at the broker, or what its server said."""
    server_error: LastError | None
    change: int
    """Rises with each change of state: a failure from before it is told by it."""
    routed: int
    """Rises with each file that is published to the account's queue."""
    outage_since: datetime | None
    """The first suspension since the account has last delivered."""
    epoch: int
    """Of the ownership that has last worked it."""
    well_since: datetime | None
    """Since when it has been at work without a break; None: always."""
    now: datetime

    @property
    def recovers(self) -> bool:
        """Whether a delivered file changes it."""
        has_outage_dead_letters = self.outage_retry_due is not None
        return recovers(
            AccountView(self.state, self.failures, has_outage_dead_letters=has_outage_dead_letters)
        )

    @property
    def is_well(self) -> bool:
        """Whether it delivers, and has nothing to recover from."""
        return self.state is State.ACTIVE and not self.recovers

    def was_well(self, claim: Claim) -> bool:
        """Whether nothing but us can have kept the file waiting: its account has been at work
        without a failure since it arrived, and no try of it has failed."""
        unbroken = self.well_since is None or self.well_since <= claim.created_at
        was_tried = claim.tries or claim.was_dead or claim.from_outage
        return unbroken and not (self.failures or was_tried)

    def seconds_until(self, moment: datetime | None) -> float:
        """From the reading until the moment; 0 where it has passed or there is none."""
        return max(0.0, (moment - self.now).total_seconds()) if moment else 0.0


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
    """Where a start's temporary file stands at the customer."""
    return join(part["folder"], part_name(recording_id, part["start"]))


def shown_state(account: Account, run: RunState, *, permitted: bool) -> str:
    """The state as people see it: a switch that is off hides the running state."""
    if account.settings is None or not account.enabled or not permitted:
        return "disabled"
    return "paused" if run.paused else run.state.value
