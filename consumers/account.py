"""One due account: its files are tried until nothing is left to do now, several at once over one
login where that pays.

The session decides nothing itself. The ledger says what may be claimed, the policy what follows
from a try; the session begins it (`attempt`), and acknowledges once its end is written down.
"""

import contextlib
import math
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from pymongo.errors import PyMongoError

from config.accounts import Account, FtpSettings
from config.errors import ConfigError
from consumers import topology
from consumers.attempt import OURS_DELAY, Attempt, Failures, Surroundings
from consumers.broker import BrokerAway, NotRouted
from consumers.ledger import Claim, Claimant, RunState, Status
from consumers.login import MOST_UPLOADS, Login, most_at_once
from consumers.means import Means
from consumers.observe import Trouble
from consumers.policy import State
from consumers.reconciler import route_stranded
from consumers.slots import ALONE_SECONDS
from consumers.uploads import Ended, Uploads
from consumers.window import Held, NoQueue, Window
from transports.errors import TransferError

LINGER = 3.0
"""Seconds a session waits for more before it ends: the login is kept for what comes next."""
SETTLE = 0.2
"""The same where others wait for the slot: the first messages need a moment to arrive."""
TURN_SECONDS = 30.0
"""After this time a session makes room, where other accounts wait for a slot."""
HOLD_LIMIT = 600.0
"""A message is not held longer than this: RabbitMQ closes a channel that is held for 30 minutes
(`consumer_timeout`), with everything on it."""
RECHECK = 30.0
"""An account whose files are on their way into its queue is looked at again."""
CONFIG_DELAY = 30.0
"""What somebody has to mend first, a missing key for one, is not tried every second."""
POLL = 0.5
JUST_NOW = 0.05
"""Seconds for which one reading of the account serves several claims: somebody who pauses it at
this moment could not have been quicker."""
AWAY = (BrokerAway, NotRouted, PyMongoError, OSError)
"""The broker or the database cannot be reached at this moment."""
TO_BE_MENDED = (*AWAY, ConfigError)
"""What is no fault of the program."""


@dataclass(frozen=True)
class Rest:
    """Why there is nothing to do now: due again after `wait` seconds, at `until`, or on arrival."""

    wait: float | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Pause:
    """Nothing can be begun for so many seconds, unless a message arrives or an upload ends."""

    seconds: float


NOTHING_TO_DO = Rest()
Next = Rest | Pause | None
"""How a session goes on: it ends, it waits, or it looks again at once."""


@dataclass
class AccountSession:
    """`crowded` tells whether other accounts wait for a slot, `stopping` whether to end."""

    account_id: str
    means: Means
    crowded: Callable[[], bool]
    stopping: threading.Event
    _id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _began: float = field(default_factory=time.monotonic)
    _stirred: threading.Event = field(default_factory=threading.Event)
    _failures: Failures = field(default_factory=Failures)
    _alone: Claim | None = None
    _seen: tuple[Account, RunState] | None = None
    _looked_at: float = 0.0
    _failures_seen: int = 0
    _window: Window | None = None
    _busy_at: float = field(default_factory=time.monotonic)
    _passed: list[str] = field(default_factory=list)
    _settled_streak: int | None = None
    _routed: int = 0
    _epoch: int = 0

    def __post_init__(self) -> None:
        self._login = Login(self.means, self.account_id, self._stirred)
        self._uploads = Uploads(MOST_UPLOADS, self.means.slots, self._stirred)

    def run(self, epoch: int) -> None:
        """Work the account in this epoch; what is ours to mend is observed, and it is due again."""
        self._epoch = epoch
        try:
            if self.means.ledger.accounts.adopt(self.account_id, self._epoch):
                rest = self._work()
                self._close()
                self._park(rest)
        except AWAY as error:
            self._park_after_trouble(error, OURS_DELAY)
        except ConfigError as error:
            self._park_after_trouble(error, CONFIG_DELAY)
        finally:
            self._close()

    def interrupt(self) -> None:
        """Cut the uploads that run, from another thread: the worker cannot wait for them."""
        self._login.interrupt()

    # --- what is to be done -----------------------------------------------------------------

    def _work(self) -> Rest:
        self.means.ledger.files.free_claims(self.account_id, self._claimant)
        self.means.dead_letters.bury_crash_loops(self.account_id, self._epoch)
        try:
            return self._tend()
        finally:
            self._let_uploads_end()

    def _tend(self) -> Rest:
        while not self._must_yield():
            self._stirred.clear()
            if self._uploads.is_alone_for(ALONE_SECONDS):
                self._share()
            step = self._collect() or self._wait_for_room() or self._look()
            if isinstance(step, Rest):
                return step
            if step is not None:
                self._stirred.wait(step.seconds)
        return Rest(wait=0)

    def _wait_for_room(self) -> Pause | None:
        """Where all uploads run that may, what else there is to do can wait for a while."""
        seconds = self._looked_at + POLL - time.monotonic()
        if self._seen is None or seconds <= 0 or len(self._uploads) < self._most(*self._seen):
            return None
        return Pause(seconds)

    def _look(self) -> Next:
        """Nothing is begun on a state that a failure changes meanwhile."""
        with self._failures.lock:
            account, run = self._read()
            if account is None or not self._may_work(account, run):
                return NOTHING_TO_DO
            return self._go_on(account, run)

    def _read(self) -> tuple[Account | None, RunState]:
        """State, permission and settings as they are, or of an account that is well as just now."""
        if self._seen is not None and self._is_still_well(self._seen[1]):
            return self._seen
        account, run = self.means.ledger.accounts.look(self.account_id)
        self._routed, self._looked_at = run.routed, time.monotonic()
        self._failures_seen = self._failures.count
        self._seen = None if account is None else (account, run)
        return account, run

    def _is_still_well(self, run: RunState) -> bool:
        just_now = time.monotonic() - self._looked_at < JUST_NOW
        failed = self._failures.count != self._failures_seen
        return just_now and run.state is State.ACTIVE and not (failed or run.recovers)

    def _go_on(self, account: Account, run: RunState) -> Next:
        self._bring_back_casualties(run)
        try:
            return self._step(account, run)
        except NoQueue:
            return self._at_end(run)

    def _must_yield(self) -> bool:
        ours = self.means.ownership.epoch(self.account_id) == self._epoch
        if self.stopping.is_set() or not ours:
            return True
        if self._alone is not None:
            return False
        return time.monotonic() - self._began > TURN_SECONDS and self.crowded()

    def _may_work(self, account: Account, run: RunState) -> bool:
        on = account.settings is not None and account.enabled and not run.paused
        return on and self.means.directory.may_use_ftp(account)

    def _bring_back_casualties(self, run: RunState) -> None:
        """What an outage dead-lettered returns once the account has delivered again."""
        if run.streak == self._settled_streak:
            return
        over = self.means.ledger.files.casualties_before(self.account_id, run.streak)
        for recording_id in over:
            if self._must_yield():
                return
            self.means.dead_letters.replay(recording_id)
        if over:
            self.means.dead_letters.sweep(self.account_id)
        self._settled_streak = run.streak

    def _step(self, account: Account, run: RunState) -> Next:
        if run.state is State.ACTIVE:
            return self._deliver_next(account, run)
        self._login.dismiss()
        self._give_back()
        if len(self._uploads):  # the probe, or what was begun before the suspension
            return Pause(POLL)
        if run.state is State.SUSPENDED:
            return self._begin_probe(run)
        return self._probe(account, run)

    # --- suspended and probing --------------------------------------------------------------

    def _begin_probe(self, run: RunState) -> Rest | None:
        accounts, files = self.means.ledger.accounts, self.means.ledger.files
        if run.seconds_until(run.suspended_until) > 0:
            return Rest(until=run.suspended_until)
        if not files.has_candidate(self.account_id, run.streak):
            return NOTHING_TO_DO
        self._passed.clear()
        if accounts.begin_probe(self.account_id, self._epoch, run):
            self._around.settlement.changed(State.PROBING, run.failures)
        return None

    def _probe(self, account: Account, run: RunState) -> Next:
        """One file alone, the oldest; its message is acknowledged when it is met later."""
        files = self.means.ledger.files
        alone = files.probe_lost_start(self.account_id, run.streak, self._passed)
        with self._uploads.room(1, alone=alone) as is_room:
            if not is_room:
                return Pause(POLL)
            claim = files.claim_probe(
                self.account_id,
                run.streak,
                self._claims(alone=alone),
                _folder(account),
                self._passed,
            )
            if claim is not None:
                self._begin(account, run, claim)
                return None
        return self._end_probe(run)

    def _end_probe(self, run: RunState) -> Rest:
        self.means.ledger.accounts.end_probe(self.account_id, self._epoch, run)
        retry = self.means.ledger.files.next_retry(self.account_id) if self._passed else None
        return Rest(until=retry)

    # --- active -------------------------------------------------------------------------------

    def _deliver_next(self, account: Account, run: RunState) -> Next:
        window = self._open_window(account)
        if window.take_in():
            self._busy_at = time.monotonic()
        held = self._next_ready(window)
        if held is not None and held.lost_start:
            return self._deliver_alone(account, run, window, held)
        return self._deliver(account, run, window, held)

    def _deliver_alone(self, account: Account, run: RunState, window: Window, held: Held) -> Next:
        """A file of which a worker has died waits to be the only upload; others may go before."""
        with self._uploads.room(1, alone=True) as is_room:
            if is_room:
                self._claim_held(account, run, window, held)
                return None
        other = window.next_ready(self._uploads.file_names(), lost_starts=False)
        return Pause(POLL) if other is None else self._deliver(account, run, window, other)

    def _deliver(self, account: Account, run: RunState, window: Window, held: Held | None) -> Next:
        if held is not None or window.is_full():
            with self._uploads.room(self._most(account, run)) as is_room:
                if not is_room:
                    return Pause(POLL)
                if self._claim_next(account, run, window, held):
                    return None
        return self._idle(account, run, window)

    def _claim_next(
        self, account: Account, run: RunState, window: Window, held: Held | None
    ) -> bool:
        """False where there is nothing to claim."""
        claim = self._claim_overtaking(account, window, held)
        if claim is not None:
            self._begin(account, run, claim)
        elif held is not None:
            self._claim_held(account, run, window, held)
        return claim is not None or held is not None

    def _most(self, account: Account, run: RunState) -> int:
        """Uploads at once: one until a login stands, and after a failure until a success."""
        if run.failures or self.crowded():
            return 1
        return self._login.begun_at_once(_settings(account))

    def _claim_held(self, account: Account, run: RunState, window: Window, held: Held) -> None:
        claim = self.means.ledger.files.claim(
            held.recording_id, held.turn, self._claims(alone=held.lost_start), _folder(account)
        )
        if claim is None:
            self._look_at(window, [held])
            return
        held.in_work = True
        self._begin(account, run, claim)

    def _claim_overtaking(
        self, account: Account, window: Window, held: Held | None
    ) -> Claim | None:
        """A file from behind a window full of failed ones, which yield to it (DESIGN 3, rule 3).

        Like a probe it is uploaded without its message, which is acknowledged when it is met.
        """
        tries = held.tries if held is not None else math.inf
        if not tries or not window.is_full():
            return None
        return self.means.ledger.files.claim_overtaking(
            self.account_id, tries, self._claimant, _folder(account), self._uploads.file_names()
        )

    def _idle(self, account: Account, run: RunState, window: Window) -> Next:
        """Nothing is ready: wait for more, try a casualty, or end."""
        now = time.monotonic()
        next_at = window.next_at(self._uploads.file_names())
        soon = Pause(min(POLL, max(0.01, (next_at or now + POLL) - now)))
        if len(self._uploads):
            return soon
        if self._casualty_is_due(run, window):
            return self._try_casualty(account, run)
        idle_for = SETTLE if self.crowded() else LINGER
        if now - self._busy_at < idle_for or (next_at is not None and next_at - now < idle_for):
            return soon
        if next_at is not None:
            retry = self.means.ledger.files.next_retry(self.account_id)
            return Rest(until=retry) if retry else Rest(wait=next_at - time.monotonic())
        if not window.is_drained():
            return Pause(POLL)
        return self._at_end(run)

    def _at_end(self, run: RunState) -> Rest | None:
        """The queue holds nothing more: due again on arrival, or for what the ledger knows of."""
        files = self.means.ledger.files
        if route_stranded(self.means.ledger, self.means.router, self.account_id):
            return None
        self._remove_leftovers()
        if files.waiting(self.account_id).files:
            return Rest(wait=RECHECK)
        if files.has_casualty(self.account_id, run.streak):
            return Rest(until=run.casualties_due)
        return NOTHING_TO_DO

    def _remove_leftovers(self) -> None:
        """What tries that were cut have left at the customer, of files that are not tried again."""
        leftovers = self.means.ledger.files.leftovers(self.account_id)
        if not leftovers:
            return
        with contextlib.suppress(TransferError):  # the next session tries again
            for recording_id, paths in leftovers:
                if not self._login.remove(paths):
                    return
                self.means.ledger.files.cleaned(recording_id)

    def _casualty_is_due(self, run: RunState, window: Window) -> bool:
        if run.casualties_due is None or run.seconds_until(run.casualties_due) > 0:
            return False
        return window.next_at(()) is None and window.is_drained()

    def _try_casualty(self, account: Account, run: RunState) -> Next:
        """An account with too few files to be suspended is tried with those it has lost."""
        files = self.means.ledger.files
        alone = files.casualty_lost_start(self.account_id, run.streak)
        with self._uploads.room(1, alone=alone) as is_room:
            if not is_room:
                return Pause(POLL)
            claim = files.claim_casualty(
                self.account_id, run.streak, self._claims(alone=alone), _folder(account)
            )
            if claim is None:
                return NOTHING_TO_DO
            self._begin(account, run, claim)
            return None

    def _open_window(self, account: Account) -> Window:
        window = self._window
        if window is not None and not window.alive:
            raise BrokerAway("the channel was closed")
        if window is not None and _held_too_long(window):
            self._give_back()
            window = None
        if window is None:
            uploads = most_at_once(_settings(account))
            window = Window(self.means.broker, self.account_id, uploads, self._stirred)
            self._window = window
            self._busy_at = time.monotonic()
        return window

    def _next_ready(self, window: Window) -> Held | None:
        """Rows are looked at together, once nothing untried is left of those looked at before."""
        names_in_use = self._uploads.file_names()
        held = window.next_ready(names_in_use)
        unseen = window.unseen()
        if not unseen or (held is not None and not held.tries):
            return held
        self._look_at(window, unseen)
        return window.next_ready(names_in_use)

    def _look_at(self, window: Window, messages: list[Held]) -> None:
        """Acknowledge what is final or outdated; the rest waits for its next try.

        A message of a file that is being uploaded is settled with that upload.
        """
        for held in messages:
            held.seen, held.in_work = True, held.recording_id in self._uploads
        messages = [held for held in messages if not held.in_work]
        rows = self.means.ledger.files.glance([held.recording_id for held in messages])
        now = time.monotonic()
        for held in messages:
            row = rows.get(held.recording_id)
            if row is None:
                self._reject(held)
                window.ack(held)
            elif row.turn > held.turn or row.status not in {Status.QUEUED, Status.UPLOADING}:
                window.ack(held)
            else:
                held.tries, held.file_name = row.tries, row.file_name
                held.lost_start = row.lost_start
                held.ready_at = now + max(row.wait, 0 if row.status is Status.QUEUED else 1)

    def _reject(self, held: Held) -> None:
        """A message that no event brought here: kept where unusable events are kept."""
        reason = f"unknown-recording: in {topology.account_queue_name(self.account_id)}"
        headers = {topology.REASON_HEADER: reason}
        self.means.publisher.publish("", topology.INVALID.name, held.body, headers)

    # --- the uploads -----------------------------------------------------------------------------

    def _begin(self, account: Account, run: RunState, claim: Claim) -> None:
        before = self._failures.count
        attempt = Attempt(self._around, account, _settings(account), run, before, claim)
        self._alone = claim if claim.alone else None
        self._uploads.begin(claim, attempt.run)

    def _share(self) -> None:
        """Others may begin beside the upload that is alone.

        Its row says so before: what ends the process then is not put down to this file alone.
        """
        if self._alone is not None:
            self.means.ledger.files.shares_process(self._alone)
            self._uploads.share()
            self._alone = None

    def _collect(self) -> Rest | None:
        """Acknowledge what has ended. Raises what is ours to mend."""
        all_ended = self._uploads.ended()
        for ended in all_ended:
            self._busy_at = time.monotonic()
            if ended.claim.alone:
                self._alone = None
            if ended.passes:
                self._passed.append(ended.claim.recording_id)
            if ended.trouble is None:
                self._settle_messages(ended)
        troubles = [ended.trouble for ended in all_ended if ended.trouble is not None]
        for trouble in troubles[1:]:
            self._tell(trouble)
        if troubles:
            raise troubles[0]
        rests = [ended.rests for ended in all_ended if ended.rests is not None]
        return Rest(wait=max(rests)) if rests else None

    def _settle_messages(self, ended: Ended) -> None:
        window = self._window
        if window is None:
            return  # they are back in the queue, and their row tells when they are met again
        messages = [held for held in window if held.recording_id == ended.claim.recording_id]
        if not ended.delivered:
            self._look_at(window, messages)
            return
        for held in messages:
            window.ack(held)

    def _let_uploads_end(self) -> None:
        """What still runs is written down before the account is given up."""
        self._login.dismiss()
        with contextlib.suppress(PyMongoError):  # the others wait until it has ended then
            self._share()
        for ended in self._uploads.close():
            if ended.trouble is not None:
                self._tell(ended.trouble)
            elif ended.delivered:
                self._settle_messages(ended)

    # --- the end --------------------------------------------------------------------------------

    def _park(self, rest: Rest) -> None:
        self.means.ledger.accounts.park(
            self.account_id, self._epoch, routed=self._routed, wait=rest.wait, until=rest.until
        )

    def _park_after_trouble(self, trouble: Exception, wait: float) -> None:
        """Where the database is away too, the account simply stays due."""
        self._tell(trouble)
        self._close()
        try:
            self._park(Rest(wait=wait))
        except PyMongoError as error:
            self.means.observe(Trouble("mongodb", str(error)))

    def _tell(self, trouble: Exception) -> None:
        words, fault = str(trouble), None
        if not isinstance(trouble, TO_BE_MENDED):
            words, fault = repr(trouble), trouble
        self.means.observe(Trouble("session", f"{self.account_id}: {words}", fault))

    def _close(self) -> None:
        self._give_back()
        self._login.close()

    def _give_back(self) -> None:
        if self._window is not None:
            self._window.close()
            self._window = None

    @property
    def _claimant(self) -> Claimant:
        until = self.means.ownership.until(self.account_id, self._epoch)
        return Claimant(self.means.worker, self._id, self._epoch, until)

    def _claims(self, *, alone: bool) -> Claimant:
        return replace(self._claimant, alone=alone)

    @property
    def _around(self) -> Surroundings:
        return Surroundings(
            self.account_id, self._epoch, self.means, self._login, self.stopping, self._failures
        )


def _settings(account: Account) -> FtpSettings:
    assert account.settings is not None, "an account without settings is never worked"  # noqa: S101
    return account.settings


def _folder(account: Account) -> str:
    return _settings(account).path


def _held_too_long(window: Window) -> bool:
    since = window.oldest_since()
    return since is not None and time.monotonic() - since > HOLD_LIMIT
