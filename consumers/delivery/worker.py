"""One due account: its files are tried until nothing is left to do now, several at once over one
login where that pays.

The account worker decides nothing itself. The ledger says what may be claimed, the policy what
follows from a try; the worker has it begun (`dispatch`), and acknowledges once its end is written
down.
One life of it is a *session*: it begins when the account is due, and ends when nothing is left.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import pymongo
from pymongo.errors import PyMongoError

from config.accounts import Account
from config.errors import ConfigError
from consumers.delivery.connection_pool import ConnectionPool
from consumers.delivery.context import Context, Failures
from consumers.delivery.dead_letters import UNBURIED_SECONDS
from consumers.delivery.deps import Deps
from consumers.delivery.dispatch import NOTHING_TO_DO, POLL, Dispatch, Next, Pause, Rest
from consumers.delivery.flights import Flights
from consumers.delivery.leftovers import remove_leftovers
from consumers.delivery.listening import Listening
from consumers.delivery.login import Known
from consumers.delivery.messages import Messages, NoQueue
from consumers.delivery.policy import State
from consumers.delivery.session_end import SessionEnd
from consumers.delivery.window import rest_for_window
from consumers.ledger import FencedAccount, RunState
from consumers.sharding.revocation import Revocation
from consumers.upkeep.reconciler import route_stranded
from transports.base import MOST_AT_ONCE

LINGER = 3.0
"""Seconds a session waits for more before it ends: the login is kept for what comes next."""
SETTLE = 0.2
"""The same where others wait for the slot: the first messages need a moment to arrive. While events
wait to be taken in it is LINGER all the same: the account's next one may be among them."""
TURN_SECONDS = 30.0
"""After this time a session makes room, where other accounts wait for a slot."""
RECHECK = 30.0
"""An account whose files are on their way into its queue is looked at again."""
LOOK_SECONDS = 2.0
"""Longest wait for the database while uploads end: it is asked again."""
CUT_SECONDS = 2.0
"""For so long uploads of a revoked account may end by themselves, and by their source's end."""
JUST_NOW = 0.05
"""Seconds for which one reading of the account serves several claims."""


@dataclass
class AccountWorker:
    """Works one due account, in the thread that the scheduler gives it.

    `others_waiting` tells whether other accounts wait for a slot, `has_backlog` whether events wait
    to be taken, `stopping` whether to end.
    """

    account_id: str
    deps: Deps
    others_waiting: threading.Event
    has_backlog: Callable[[], bool]
    stopping: threading.Event
    _started_at: float = field(default_factory=time.monotonic)
    _wakeup: threading.Event = field(default_factory=threading.Event)
    _failures: Failures = field(default_factory=Failures)
    _revocation: Revocation = field(default_factory=Revocation)
    _seen: tuple[Account, RunState] | None = None
    _looked_at: float = 0.0
    _failures_seen: int = 0
    _busy_at: float = field(default_factory=time.monotonic)
    _replayed_outage: int | None = None
    _epoch: int = 0
    _context: Context = field(init=False)
    _flights: Flights = field(init=False)
    _messages: Messages = field(init=False)
    _dispatch: Dispatch = field(init=False)
    _end: SessionEnd = field(init=False)

    def __post_init__(self) -> None:
        # Before `run`: the scheduler may interrupt a worker whose thread has not begun.
        self._pool = ConnectionPool(self.deps, self.account_id, self._wakeup)
        self._listening = Listening(self.deps, self.account_id)

    def run(self, epoch: int) -> None:
        """Work the account in this epoch; what is ours to mend is observed, and it is due again."""
        self._epoch = epoch
        self._context = Context(
            self.account_id,
            epoch,
            self.deps,
            self._pool,
            self.stopping,
            self._failures,
            self._revocation,
            session=uuid.uuid4().hex,
        )
        self._flights = Flights(max(MOST_AT_ONCE.values()), self.deps.slots, self._wakeup)
        self._messages = Messages(self.deps, self.account_id, self._flights, self._wakeup)
        self._dispatch = Dispatch(self._context, self._messages, self._flights, self.others_waiting)
        self._end = SessionEnd(self._context)
        try:
            if fenced := self.deps.ledger.accounts.fence(self.account_id, epoch):
                rest = self._work(fenced)
                # First the messages go back: the next session finds them as soon as it is due.
                self._close()
                self._end.reschedule(rest)
        except BaseException as error:  # noqa: BLE001 - an account must neither spin nor stand still
            self._end.report(error)
            self._close()
            self._end.reschedule_after(error)
        finally:
            self._close()

    def interrupt(self) -> None:
        """Cut the uploads that run, from another thread: the worker cannot wait for them."""
        self._pool.interrupt()

    # --- what is to be done -----------------------------------------------------------------

    def _work(self, fenced: FencedAccount) -> Rest:
        self._note_state(fenced.account, fenced.run)
        self._end.follow(fenced.run)
        if fenced.is_settled:
            self._replayed_outage = fenced.run.outage_id
        else:
            self._dispatch.free_claims()
            buried = self.deps.dead_letters.bury_crash_loops(self.account_id, self._epoch)
            self._end.is_unburied = not buried
        try:
            return self._tend()
        finally:
            self._let_flights_end()

    def _tend(self) -> Rest:
        """Go on, step by step, until there is nothing to do now.

        `clear` comes before the looking, so that no wake-up is lost: what wakes the worker after
        it ends the wait at once, and what woke it before is found by the steps here. The steps are
        asked in turn until one answers. None is no answer; a Rest and a Pause are, for a dataclass
        without `__bool__` is always true.
        """
        while not self._must_yield():
            self._wakeup.clear()
            self._dispatch.share_in_time()
            self._listening.hand_over()
            self._end.note_login()
            step = (
                self._collect()
                or self._wait_for_room()
                or self._wait_for_work()
                or self._load_and_go_on()
            )
            if isinstance(step, Rest):
                return step
            if step is not None:
                self._wakeup.wait(step.seconds)
        return Rest(wait=0)

    def _wait_for_room(self) -> Pause | None:
        """Where all flights run that may, what else there is to do can wait for a while."""
        seconds = self._looked_at + POLL - time.monotonic()
        if self._seen is None or seconds <= 0:
            return None
        is_room = len(self._flights) < self._dispatch.capacity(*self._seen).flights
        return None if is_room else Pause(seconds)

    def _wait_for_work(self) -> Pause | None:
        """While no message waits or comes, MongoDB is not asked about an account that is well; but
        now and then while files fly, which are cut where it may not be worked any more.

        Nothing is begun on what was read before: once a message comes, it is read anew.
        """
        if self._seen is None or not (self._seen[1].is_well and self._messages.is_idle):
            return None
        flies = len(self._flights) > 0
        until = self._looked_at + POLL if flies else self._busy_at + self._idle_for()
        seconds = until - time.monotonic()
        return Pause(min(POLL, seconds)) if seconds > 0 else None

    def _load_and_go_on(self) -> Next:
        """Nothing is begun on a state that a failure changes meanwhile."""
        with self._failures.lock:
            account, run = self._read()
            if account is None or not self._is_permitted(account):
                self._revocation.revoke()
                return NOTHING_TO_DO
            if run.paused:
                return NOTHING_TO_DO
            return rest_for_window(account.settings, run) or self._go_on(account, run)

    def _read(self) -> tuple[Account | None, RunState]:
        """State, permission and settings as they are, or of an account that is well as just now."""
        if self._seen is not None and self._is_still_well(self._seen[1]):
            return self._seen
        return self._note_state(*self.deps.ledger.accounts.load(self.account_id))

    def _note_state(
        self, account: Account | None, run: RunState
    ) -> tuple[Account | None, RunState]:
        self._end.routed, self._looked_at = run.routed, time.monotonic()
        self._end.opens_window = run.opens_window
        self._listening.note(run)
        self._pool.known = Known(run.known_refusal, run.asks_since)
        self._failures_seen = self._failures.count
        # One without settings is only looked at: nothing can be begun with it.
        is_set_up = account is not None and account.settings is not None
        self._seen = (account, run) if account is not None and is_set_up else None
        return account, run

    def _is_still_well(self, run: RunState) -> bool:
        just_now = time.monotonic() - self._looked_at < JUST_NOW
        failed = self._failures.count != self._failures_seen
        return just_now and run.is_well and not failed

    def _go_on(self, account: Account, run: RunState) -> Next:
        self._replay_past_outages(run)
        try:
            return self._step(account, run)
        except NoQueue:
            return self._at_end(account, run)

    def _must_yield(self) -> bool:
        if self.stopping.is_set() or not self._dispatch.is_owned():
            return True
        if self._flights.exclusive:
            return False
        seconds = time.monotonic() - self._started_at
        if self._end.is_unburied and seconds > UNBURIED_SECONDS:
            return True
        return seconds > TURN_SECONDS and self.others_waiting.is_set()

    def _is_permitted(self, account: Account) -> bool:
        on = account.settings is not None and account.enabled
        return on and self.deps.directory.may_use_ftp(account)

    def _replay_past_outages(self, run: RunState) -> None:
        """What an outage dead-lettered returns once the account has delivered again."""
        if run.outage_id != self._replayed_outage and self.deps.dead_letters.replay_past_outages(
            self.account_id, run.outage_id, self._must_yield
        ):
            self._replayed_outage = run.outage_id

    def _step(self, account: Account, run: RunState) -> Next:
        if run.state is State.ACTIVE:
            return self._dispatch.rest(account, run) or self._deliver_next(account, run)
        self._pool.dismiss()
        self._messages.give_back()
        if len(self._flights):  # the probe, or what was begun before the suspension
            return Pause(POLL)
        if run.state is State.SUSPENDED:
            return self._begin_probe(run)
        return self._dispatch.rest(account, run) or self._probe(account, run)

    # --- suspended and probing --------------------------------------------------------------

    def _begin_probe(self, run: RunState) -> Rest | None:
        """It begins before its turn at the server: what others ask since it was due answers it."""
        ledger = self.deps.ledger
        if run.seconds_until(run.suspended_until) > 0:
            return Rest(until=run.suspended_until)
        if not ledger.claims.has_candidate(self.account_id, run.outage_id):
            return NOTHING_TO_DO
        self._dispatch.passed.clear()
        if ledger.accounts.begin_probe(self.account_id, self._epoch, run):
            self._context.outcomes.changed(State.PROBING, run.failures)
        return None

    def _probe(self, account: Account, run: RunState) -> Next:
        result = self._dispatch.probe(account, run)
        return self._end_probe(run) if result is NOTHING_TO_DO else result

    def _end_probe(self, run: RunState) -> Rest:
        self.deps.ledger.accounts.end_probe(self.account_id, self._epoch, run)
        remove_leftovers(self._context)
        retry = (
            self.deps.ledger.claims.next_retry(self.account_id) if self._dispatch.passed else None
        )
        # Outage dead letters whose source was away are due still, and no arrival tells of them.
        return Rest(wait=RECHECK) if self._dispatch.passed and not retry else Rest(until=retry)

    # --- active -------------------------------------------------------------------------------

    def _deliver_next(self, account: Account, run: RunState) -> Next:
        result = self._dispatch.next_flight(account, run)
        self._busy_at = max(self._busy_at, self._messages.arrived_at)
        return self._idle(account, run) if result is NOTHING_TO_DO else result

    def _idle(self, account: Account, run: RunState) -> Next:
        """Nothing is ready: wait for more, try an outage dead letter, or end."""
        now = time.monotonic()
        next_ready_at = self._messages.next_ready_at()
        soon = Pause(min(POLL, max(0.01, (next_ready_at or now + POLL) - now)))
        if len(self._flights):
            return soon
        if self._outage_retry_is_due(run):
            return self._dispatch.outage_dead_letter(account, run)
        idle_for = self._idle_for()
        if now - self._busy_at < idle_for or (
            next_ready_at is not None and next_ready_at - now < idle_for
        ):
            return soon
        if next_ready_at is not None:
            retry = self.deps.ledger.claims.next_retry(self.account_id)
            return Rest(until=retry) if retry else Rest(wait=next_ready_at - time.monotonic())
        if not self._messages.are_drained():
            return Pause(POLL)
        return self._at_end(account, run)

    def _idle_for(self) -> float:
        return SETTLE if self.others_waiting.is_set() and not self.has_backlog() else LINGER

    def _at_end(self, account: Account, run: RunState) -> Rest | None:
        """The queue holds nothing more: due again on arrival, or for what the ledger knows of."""
        ledger = self.deps.ledger
        if ledger.queries.has_loose_ends(self.account_id):
            router, are_drained = self.deps.router, self._messages.are_drained
            if route_stranded(ledger, router, self.account_id, are_drained) != 0:
                return None
            remove_leftovers(self._context, account.settings)
            if ledger.queries.waiting(self.account_id).files:
                return Rest(wait=RECHECK)
        if run.outage_retry_due and ledger.claims.has_outage_dead_letter(
            self.account_id, run.outage_id
        ):
            return Rest(until=run.outage_retry_due)
        return NOTHING_TO_DO

    def _outage_retry_is_due(self, run: RunState) -> bool:
        """An account with too few files to be suspended is tried with those it has lost."""
        if run.outage_retry_due is None or run.seconds_until(run.outage_retry_due) > 0:
            return False
        return self._messages.next_ready_at() is None and self._messages.are_drained()

    # --- the flights -----------------------------------------------------------------------------

    def _collect(self) -> Rest | None:
        """Acknowledge what has ended and is written down. Raises what is ours to mend."""
        all_ended = []
        for flight in self._flights.ended():
            self._messages.acknowledge([ended for ended in flight if ended.error is None])
            self._dispatch.passed += [ended.recording_id for ended in flight if ended.inconclusive]
            all_ended += flight
        if all_ended:
            self._busy_at = time.monotonic()
        errors = [ended.error for ended in all_ended if ended.error is not None]
        for error in errors[1:]:
            self._end.report(error)
        if errors:
            raise errors[0]
        backed_off = [ended for ended in all_ended if ended.backoff is not None]
        if not backed_off:
            return None
        longest = max(backed_off, key=lambda ended: ended.backoff or 0)
        is_held = any(ended.is_held for ended in backed_off)
        return Rest(longest.backoff, is_held=is_held, shown=longest.shown)

    def _let_flights_end(self) -> None:
        """What still runs is written down before the account is given up."""
        self._pool.dismiss()
        with contextlib.suppress(PyMongoError):  # the others wait until it has ended then
            self._dispatch.share()
        while not self._flights.are_over:
            self._wakeup.wait(POLL)
            self._wakeup.clear()
            self._listening.hand_over()
            self._cut_what_is_revoked()
        for flight in self._flights.close():
            for error in [ended.error for ended in flight if ended.error is not None]:
                self._end.report(error)
            self._messages.acknowledge([ended for ended in flight if ended.delivered])

    def _cut_what_is_revoked(self) -> None:
        """An account that is removed, switched off or no longer permitted is not worked at all.

        Its uploads end at their next block and remove what they have written; where none comes
        the source is cut, and then the server.
        """
        if self._revocation.seconds > 2 * CUT_SECONDS:
            self._pool.interrupt()
        elif self._revocation.seconds > CUT_SECONDS:
            self._revocation.cut()
        elif not self._revocation:
            with contextlib.suppress(PyMongoError, ConfigError), pymongo.timeout(LOOK_SECONDS):
                account, _ = self.deps.ledger.accounts.load(self.account_id)
                if account is None or not self._is_permitted(account):
                    self._revocation.revoke()

    # --- the end --------------------------------------------------------------------------------

    def _close(self) -> None:
        self._messages.give_back()
        self._pool.close()
        self._listening.end()
