"""What happened, as frozen records: one stream feeds the log and the metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from config.accounts import Protocol
from consumers.ledger.canary import Result
from consumers.ledger.records import Routing
from consumers.trace import TraceContext
from transports.errors import Kind


@dataclass(frozen=True)
class EventTaken:
    """An event left the intake queue, `seconds` after its batch was begun."""

    outcome: Literal["routed", "duplicate", "invalid", "skipped"]
    account_id: str | None
    recording_id: str | None
    reason: str | None = None
    seconds: float | None = None
    trace: TraceContext | None = None


@dataclass(frozen=True)
class TryEnded:
    """A try of a file ended; `kind`, `words` and `advice` are of its failure, if any.

    `purpose` is of a try that others wait for: the probe of a suspended account, or a file that an
    outage has dead-lettered.
    """

    account_id: str
    recording_id: str
    protocol: Protocol
    number: int
    seconds: float
    size: int = 0
    remote_path: str | None = None
    verified: str | None = None
    kind: Kind | None = None
    words: str | None = None
    advice: str | None = None
    left: str | None = None
    """Paths of files of ours that the server did not let be removed."""
    host: str | None = None
    port: int | None = None
    purpose: Literal["probe", "casualty"] | None = None
    trace: TraceContext | None = None


@dataclass(frozen=True)
class FileEnded:
    """A file reached its place, its dead letter, or came back from there.

    `delivery_seconds` is the time from the event's arrival, for delivered files.
    """

    outcome: Literal["delivered", "dead_lettered", "replayed"]
    account_id: str
    recording_id: str
    delivery_seconds: float | None = None
    reason: str | None = None
    was_well: bool = False
    """Nothing but us can have kept it waiting: it tells how soon we deliver."""
    trace: TraceContext | None = None
    brought_by: TryEnded | None = None
    """The try that brought it to its place: the log tells both in one line."""


@dataclass(frozen=True)
class LoggedIn:
    """An account session has asked its server to be let in, for itself and those beside it."""

    account_id: str
    result: Literal["accepted", "refused", "failed"]
    """Failed: the server was not reached, or not asked."""


@dataclass(frozen=True)
class AccountChanged:
    """An account's running state changed; `cause` is the kind of failure of a suspension.

    `trace` is that of the recording whose try has changed it.
    """

    account_id: str
    state: Literal["active", "suspended", "probing"]
    failures: int
    cause: Kind | None = None
    words: str | None = None
    trace: TraceContext | None = None


@dataclass(frozen=True)
class FilesDiscarded:
    """Files were given up whose account was removed while their events were taken."""

    account_id: str
    files: int


@dataclass(frozen=True)
class CanaryEnded:
    """A run of the canary was counted; `seconds` from before its event was published."""

    account_id: str
    recording_id: str
    result: Result
    seconds: float
    words: str | None = None


@dataclass(frozen=True)
class Trouble:
    """Something of ours did not work and is tried again: the broker or the database is away."""

    where: str
    words: str


@dataclass(frozen=True)
class ProgramFailed:
    """An error that nobody foresaw was caught: its traceback belongs in the log.

    `where`: the phase of a try, or the part of the program; there are few of them.
    """

    where: str
    fault: BaseException
    account_id: str | None = None
    recording_id: str | None = None
    trace: TraceContext | None = None


@dataclass(frozen=True)
class Received:
    """Several events were taken together; each of them is told by its EventTaken too."""

    seconds: float
    traces: Sequence[TraceContext]


@dataclass(frozen=True)
class Sent:
    """Files were brought into their accounts' queues together."""

    seconds: float
    routings: Sequence[Routing]


Observation = (
    EventTaken
    | TryEnded
    | FileEnded
    | LoggedIn
    | AccountChanged
    | FilesDiscarded
    | CanaryEnded
    | Trouble
    | ProgramFailed
)
Observer = Callable[[Observation], None]
BatchObserver = Callable[[Received | Sent], None]
"""Hears what only spans tell; there is none where no spans are sent."""
