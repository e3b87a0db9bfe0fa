"""The only module that knows `deliveries` documents and the accounts' running state."""

from collections.abc import Sequence

from pymongo.database import Database

from consumers.delivery.policy import State
from consumers.ledger.accounts import AccountStates, Adopted
from consumers.ledger.arrivals import Arrival, Opened
from consumers.ledger.buckets import BUCKETS, bucket_of
from consumers.ledger.canary import CanaryRuns, CanaryStatus, Result, Run, recording_id
from consumers.ledger.deliveries import Deliveries
from consumers.ledger.endings import CRASH_LOOP
from consumers.ledger.load import Load, Loads
from consumers.ledger.pending import Blame, Relief
from consumers.ledger.records import (
    Claim,
    Claimant,
    Counts,
    CrashLoop,
    Document,
    Glance,
    LastError,
    Routing,
    RunState,
    Status,
    Totals,
    Waiting,
    shown_state,
    trace_of,
)
from consumers.ledger.view import NO_FILES, Selection

__all__ = [
    "ACCOUNT_STATES",
    "BUCKETS",
    "CRASH_LOOP",
    "NO_FILES",
    "Adopted",
    "Arrival",
    "Blame",
    "CanaryRuns",
    "CanaryStatus",
    "Claim",
    "Claimant",
    "Counts",
    "CrashLoop",
    "Document",
    "Glance",
    "LastError",
    "Ledger",
    "Load",
    "Opened",
    "Relief",
    "Result",
    "Routing",
    "Run",
    "RunState",
    "Selection",
    "Status",
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
    """The rows of the recordings (`files`), the running state of the accounts (`accounts`), and of
    the `canary`."""

    def __init__(self, database: Database[Document]) -> None:
        self.files = Deliveries(database)
        self.accounts = AccountStates(database)
        self.canary = CanaryRuns(database)
        self._loads = Loads(database)

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self.files.ensure_indexes()
        self.accounts.ensure_indexes()

    def totals(self) -> Totals:
        """What there is, by one look at the accounts and a few counts."""
        states = self._loads.states()
        waiting = self.files.waiting()
        return Totals(
            accounts={state: states[state] for state in ACCOUNT_STATES},
            queued=waiting.files,
            dead_letters=self.files.dead_letters(),
            oldest_queued_seconds=waiting.oldest_seconds,
            broken_queues=len(self.accounts.broken_queues()),
        )

    def load(self, ages: Sequence[float], late: float) -> Load:
        """What there is to do; `ages` in seconds, rising; after `late` seconds a file is overdue.

        What can wait for nobody but us counts as overdue alone.
        """
        return self._loads.read(ages, late)
