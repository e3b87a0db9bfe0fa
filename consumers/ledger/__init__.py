"""The only module that knows `deliveries`, `servers`, `bulk_actions`, `account_acts`, `try_paces`,
and the accounts' running state."""

from pymongo.database import Database

from consumers.delivery.policy import State
from consumers.ledger.accounts import AccountStates, FencedAccount
from consumers.ledger.arrivals import Arrival, Arrivals, Opened
from consumers.ledger.bulk_actions import BulkActions
from consumers.ledger.canary import CanaryRuns, CanaryStatus, Result, Run, recording_id
from consumers.ledger.claims import Claims
from consumers.ledger.dead_letter_lists import DeadLetterLists
from consumers.ledger.dead_letters import CRASH_LOOP, DeadLetters
from consumers.ledger.hours import ALL, Hours
from consumers.ledger.load import Load, Loads
from consumers.ledger.outcomes import Outcomes
from consumers.ledger.pending import RecoveryAlert, SuspensionAlert
from consumers.ledger.queries import NO_FILES, Queries, Selection
from consumers.ledger.queue_shape import AGES, QueueShape, QueueShapes
from consumers.ledger.records import (
    Claim,
    Claimant,
    Counts,
    CrashLoop,
    Document,
    Facts,
    LastError,
    Routing,
    RowSummary,
    Status,
    Totals,
    Waiting,
    trace_of,
)
from consumers.ledger.redelivery import Redelivery, times_redelivered
from consumers.ledger.remote_paths import Note, RemotePaths
from consumers.ledger.retention import Retention
from consumers.ledger.rows import ensure_indexes
from consumers.ledger.run_state import RunState, shown_state, window_opens_at
from consumers.ledger.search import Found, Place, Search, Searches, Time
from consumers.ledger.search_indexes import SearchIndexes
from consumers.ledger.search_keys import tails_of
from consumers.ledger.servers import Servers
from consumers.ledger.standstills import Standstill
from consumers.ledger.states import BUCKETS, bucket_of
from consumers.ledger.story import By, FailedTry
from consumers.ledger.summaries import (
    DORMANT,
    AccountSummaries,
    AccountSummary,
    Disabled,
    why_disabled,
)
from consumers.ledger.traces import ASKED_SECONDS, TracedLine, TracePiece, Traces
from consumers.ledger.traffic import AccountTraffic, Traffic, TrafficReader
from consumers.ledger.try_paces import TryPaces
from consumers.ledger.writer import GroupCommit

__all__ = [
    "ACCOUNT_STATES",
    "AGES",
    "ALL",
    "ASKED_SECONDS",
    "BUCKETS",
    "CRASH_LOOP",
    "DORMANT",
    "NO_FILES",
    "AccountSummary",
    "AccountTraffic",
    "Arrival",
    "By",
    "CanaryRuns",
    "CanaryStatus",
    "Claim",
    "Claimant",
    "Counts",
    "CrashLoop",
    "Disabled",
    "Document",
    "Facts",
    "FailedTry",
    "FencedAccount",
    "Found",
    "LastError",
    "Ledger",
    "Load",
    "Note",
    "Opened",
    "Place",
    "QueueShape",
    "RecoveryAlert",
    "Result",
    "Routing",
    "RowSummary",
    "Run",
    "RunState",
    "Search",
    "Selection",
    "Standstill",
    "Status",
    "SuspensionAlert",
    "Time",
    "Totals",
    "TracePiece",
    "TracedLine",
    "Traffic",
    "Waiting",
    "bucket_of",
    "recording_id",
    "shown_state",
    "tails_of",
    "times_redelivered",
    "trace_of",
    "why_disabled",
    "window_opens_at",
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
        self.dead_letter_lists = DeadLetterLists(rows, commit)
        self.redelivery = Redelivery(rows, commit)
        self.retention = Retention(rows, commit)
        self.queries = Queries(rows, commit)
        self.searches = Searches(rows, commit)
        self.search_indexes = SearchIndexes(rows, commit)
        self.accounts = AccountStates(database)
        self.summaries = AccountSummaries(database, self.queries)
        self.canary = CanaryRuns(database)
        self.hours = Hours(database)
        self.bulk_actions = BulkActions(database)
        self.loads = Loads(database)
        self.servers = Servers(database)
        self.shapes = QueueShapes(database)
        self.traces = Traces(database)
        self.try_paces = TryPaces(database)
        self.traffic = TrafficReader(database)
        self._rows = rows

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are.

        Those for searching wait where there are many rows: `search_indexes.ensure` makes them.
        """
        ensure_indexes(self._rows)
        self.search_indexes.ensure_of_few()
        self.accounts.ensure_indexes()
        self.servers.ensure_indexes()
        self.hours.ensure_indexes()
        self.bulk_actions.ensure_indexes()
        self.traces.ensure_indexes()
        self.try_paces.ensure_indexes()

    def totals(self) -> Totals:
        """What there is, by one look at the accounts and a few counts."""
        states = self.loads.states()
        waiting = self.queries.waiting()
        held = self.accounts.held() if waiting.files else []
        oldest = self.queries.waiting(without=held).oldest_seconds if held else None
        return Totals(
            accounts={state: states[state] for state in ACCOUNT_STATES},
            queued=waiting.files,
            dead_letters=self.queries.dead_letters(),
            oldest_queued_seconds=waiting.oldest_seconds if oldest is None else oldest,
            broken_queues=len(self.accounts.broken_queues()),
        )
