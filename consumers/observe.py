"""Observations: frozen records of what happened, for the log, the metrics and the spans."""

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
    """A try of a file ended; `kind`, `cause`, `words` and `advice` belong to its failure, if it
    failed. `cause` is the code of the catalogue.

    `purpose` is set where other files wait for the try: a suspended account's probe, or a file that
    an outage has dead-lettered.
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
    cause: str | None = None
    words: str | None = None
    advice: str | None = None
    left: str | None = None
    """Paths of our files that the server did not let us remove."""
    host: str | None = None
    port: int | None = None
    purpose: Literal["probe", "casualty"] | None = None
    trace: TraceContext | None = None


@dataclass(frozen=True)
class FileEnded:
    """A file was delivered, became a dead letter, or was replayed.

    `delivery_seconds` is the time from the event's arrival, for delivered files.
    """

    outcome: Literal["delivered", "dead_lettered", "replayed"]
    account_id: str
    recording_id: str
    delivery_seconds: float | None = None
    reason: str | None = None
    was_well: bool = False
    """Only Courier can have delayed the file: it counts for the service level."""
    came_back: bool = False
    """It was given up or delivered before, and brought back: its age says nothing of its way."""
    trace: TraceContext | None = None
    brought_by: TryEnded | None = None
    """The try that brought it to its place: the log tells both in one line."""


LoginResult = Literal["accepted", "refused", "failed"]
"""`failed`: the server was not reached, so that it was not asked."""


@dataclass(frozen=True)
class LoggedIn:
    """An account session tried to log in at its server, for all of its uploads."""

    account_id: str
    result: LoginResult


@dataclass(frozen=True)
class AccountChanged:
    """An account's running state changed; `kind` and `cause` are those of a suspension's failure.

    `trace` belongs to the recording whose try changed the account.
    """

    account_id: str
    state: Literal["active", "suspended", "probing"]
    failures: int
    kind: Kind | None = None
    cause: str | None = None
    """The code of the catalogue."""
    words: str | None = None
    trace: TraceContext | None = None


Change = Literal["delivery", "failed_try", "taken_back_try", "failure", "recovery"]
"""What a try changes: the first three the file's row, the others its account."""


@dataclass(frozen=True)
class RaceLost:
    """The file or its account is another session's by now: what a try changes is not written."""

    change: Change
    account_id: str
    recording_id: str
    trace: TraceContext | None = None


@dataclass(frozen=True)
class FilesDiscarded:
    """Files were given up because their account was removed while their events were taken."""

    account_id: str
    files: int


@dataclass(frozen=True)
class CanaryEnded:
    """A run of the canary was counted; `seconds` since right before its event was published."""

    account_id: str
    recording_id: str
    result: Result
    seconds: float
    words: str | None = None


OUTGOING = "outgoing"
"""Where the trouble is, if the platform's own way out to customers' servers is closed."""
ACTIVE_MODE = "active_mode"
"""Where it is, if that concerns accounts in Active Mode alone."""


@dataclass(frozen=True)
class Trouble:
    """Something of our own did not work and is tried again, such as the broker or the database."""

    where: str
    words: str


@dataclass(frozen=True)
class ProgramFailed:
    """An unforeseen error was caught. The log has its traceback.

    `where`: the phase of a try, or the part of the program. It has few values.
    """

    where: str
    fault: BaseException
    account_id: str | None = None
    recording_id: str | None = None
    trace: TraceContext | None = None


@dataclass(frozen=True)
class Received:
    """Several events were taken together. Each has an EventTaken of its own too."""

    seconds: float
    traces: Sequence[TraceContext]


@dataclass(frozen=True)
class Sent:
    """Files were published into their accounts' queues together."""

    seconds: float
    routings: Sequence[Routing]


Observation = (
    EventTaken
    | TryEnded
    | FileEnded
    | LoggedIn
    | AccountChanged
    | RaceLost
    | FilesDiscarded
    | CanaryEnded
    | Trouble
    | ProgramFailed
)
Observer = Callable[[Observation], None]
BatchObserver = Callable[[Received | Sent], None]
"""Hears of batches, which only spans tell. There is none where no spans are sent."""
