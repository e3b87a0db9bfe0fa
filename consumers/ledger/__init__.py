"""The only module that knows `deliveries` documents and the accounts' running state."""

from pymongo.database import Database

from consumers.delivery.policy import State
from consumers.ledger.accounts import AccountStates, FencedAccount
from consumers.ledger.arrivals import Arrival, Arrivals, Opened
from consumers.ledger.canary import CanaryRuns, CanaryStatus, Result, Run, recording_id
from consumers.ledger.claims import Claims
from consumers.ledger.dead_letters import CRASH_LOOP, DeadLetters
from consumers.ledger.load import Load, Loads
from consumers.ledger.outcomes import Outcomes
from consumers.ledger.pending import RecoveryAlert, SuspensionAlert
from consumers.ledger.queries import NO_FILES, Queries, Selection
from consumers.ledger.records import (
    Claim,
    Claimant,
    Counts,
    CrashLoop,
    Document,
    FailedTry,
    LastError,
    Routing,
    RowSummary,
    RunState,
    Status,
    Totals,
    Waiting,
    shown_state,
    trace_of,
)
from consumers.ledger.remote_paths import RemotePaths
from consumers.ledger.retention import Retention
from consumers.ledger.rows import ensure_indexes
from consumers.ledger.states import BUCKETS, bucket_of
from consumers.ledger.writer import GroupCommit

__all__ = [
    "ACCOUNT_STATES",
    "BUCKETS",
    "CRASH_LOOP",
    "NO_FILES",
    "Arrival",
    "CanaryRuns",
    "CanaryStatus",
    "Claim",
    "Claimant",
    "Counts",
    "CrashLoop",
    "Document",
    "FailedTry",
    "FencedAccount",
    "LastError",
    "Ledger",
    "Load",
    "Opened",
    "RecoveryAlert",
    "Result",
    "Routing",
    "RowSummary",
    "Run",
    "RunState",
    "Selection",
    "Status",
    "SuspensionAlert",
    "Totals",
    "Waiting",
    "bucket_of",
    "recording_id",
    "shown_state",
    "trace_of",
]

ACCOUNT_STATES = (*(state.value for state in State), "paused", "disabled")
"""As people see them: a pause and a switch that is off hide the running state."""


class Ledger:
    """The rows of the recordings, a part for each step of their story; the accounts' running state.

    Raises pymongo's errors where MongoDB is away.
    """

    def __init__(self, database: Database[Document]) -> None:
        rows = database["deliveries"]
        commit = GroupCommit(rows)
        self.arrivals = Arrivals(rows, commit)
        self.claims = Claims(rows, commit)
        self.remote_paths = RemotePaths(rows, commit)
        self.outcomes = Outcomes(rows, commit)
        self.dead_letters = DeadLetters(rows, commit)
        self.retention = Retention(rows, commit)
        self.queries = Queries(rows, commit)
        self.accounts = AccountStates(database)
        self.canary = CanaryRuns(database)
        self.loads = Loads(database)
        self._rows = rows

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        ensure_indexes(self._rows)
        self.accounts.ensure_indexes()

    def totals(self) -> Totals:
        """What there is, by one look at the accounts and a few counts."""
        states = self.loads.states()
        waiting = self.queries.waiting()
        return Totals(
            accounts={state: states[state] for state in ACCOUNT_STATES},
            queued=waiting.files,
            dead_letters=self.queries.dead_letters(),
            oldest_queued_seconds=waiting.oldest_seconds,
            broken_queues=len(self.accounts.broken_queues()),
        )
