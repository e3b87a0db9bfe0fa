"""One due account: its files are tried one after another over one login, until nothing is left
to do now.

The session decides nothing itself. The ledger says what may be claimed, the policy what follows
from a try; the session writes it down, the file's part before the account's, and then
acknowledges.
"""

import contextlib
import math
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pymongo.errors import PyMongoError

from config.accounts import Account, FtpSettings
from config.errors import ConfigError
from consumers import topology
from consumers.broker import BrokerAway, NotRouted
from consumers.journal import LedgerJournal
from consumers.ledger import Claim, Claimant, LastError, RunState, Status
from consumers.login import Login
from consumers.means import Means
from consumers.observe import Trouble, TryEnded
from consumers.policy import State
from consumers.reconciler import route_stranded
from consumers.settlement import Settlement
from consumers.window import Held, NoQueue, Window
from transports.errors import Interrupted, Kind, NameInUse, TransferError
from transports.sources import open_source
from transports.upload import Uploaded, upload

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
OURS_DELAY = 1.0
CONFIG_DELAY = 30.0
"""What somebody has to mend first, a missing key for one, is not tried every second."""
IN_USE_DELAY = 2.0
"""Seconds a recording waits for another of its name, whose file it overwrites, to be delivered."""
POLL = 0.5


@dataclass(frozen=True)
class Rest:
    """Why there is nothing to do now: due again after `wait` seconds, at `until`, or on arrival."""

    wait: float | None = None
    until: datetime | None = None


NOTHING_TO_DO = Rest()


@dataclass
class AccountSession:
    """`crowded` tells whether other accounts wait for a slot, `stopping` whether to end."""

    account_id: str
    means: Means
    crowded: Callable[[], bool]
    stopping: threading.Event
    _id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _began: float = field(default_factory=time.monotonic)
    _window: Window | None = None
    _busy_at: float = field(default_factory=time.monotonic)
    _passed: list[str] = field(default_factory=list)
    _settled_streak: int | None = None
    _routed: int = 0
    _epoch: int = 0

    def __post_init__(self) -> None:
        self._login = Login(self.means, self.account_id)

    def run(self, epoch: int) -> None:
        """Work the account in this epoch; what is ours to mend is observed, and it is due again."""
        self._epoch = epoch
        try:
            if self.means.ledger.accounts.adopt(self.account_id, self._epoch):
                rest = self._work()
                self._close()
                self._park(rest)
        except (BrokerAway, NotRouted, PyMongoError, OSError) as error:
            self._park_after_trouble(error, OURS_DELAY)
        except ConfigError as error:
            self._park_after_trouble(error, CONFIG_DELAY)
        finally:
            self._close()

    def interrupt(self) -> None:
        """Cut the upload that runs, from another thread: the worker cannot wait for it."""
        self._login.interrupt()

    # --- what is to be done -----------------------------------------------------------------

    def _work(self) -> Rest:
        self.means.ledger.files.free_claims(self.account_id, self._claimant)
        while not self._must_yield():
            account = self.means.directory.find(self.account_id)
            run = self.means.ledger.accounts.read(self.account_id)
            self._routed = run.routed
            if account is None or not self._may_work(account, run):
                return NOTHING_TO_DO
            self._bring_back_casualties(run)
            try:
                rest = self._step(account, run)
            except NoQueue:
                rest = self._at_end(run)
            if rest is not None:
                return rest
        return Rest(wait=0)

    def _must_yield(self) -> bool:
        ours = self.means.ownership.epoch(self.account_id) == self._epoch
        if self.stopping.is_set() or not ours:
            return True
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

    def _step(self, account: Account, run: RunState) -> Rest | None:
        match run.state:
            case State.SUSPENDED:
                return self._begin_probe(run)
            case State.PROBING:
                return self._probe(account, run)
            case State.ACTIVE:
                return self._deliver_next(account, run)

    # --- suspended and probing --------------------------------------------------------------

    def _begin_probe(self, run: RunState) -> Rest | None:
        self._give_back()
        accounts, files = self.means.ledger.accounts, self.means.ledger.files
        if run.seconds_until(run.suspended_until) > 0:
            return Rest(until=run.suspended_until)
        if not files.has_candidate(self.account_id, run.streak):
            return NOTHING_TO_DO
        self._passed.clear()
        if accounts.begin_probe(self.account_id, self._epoch, run):
            self._settlement.changed(State.PROBING, run.failures)
        return None

    def _probe(self, account: Account, run: RunState) -> Rest | None:
        """One file alone, the oldest; its message is acknowledged when it is met later."""
        self._give_back()
        claim = self.means.ledger.files.claim_probe(
            self.account_id, run.streak, self._claimant, _folder(account), self._passed
        )
        if claim is None:
            self.means.ledger.accounts.end_probe(self.account_id, self._epoch, run)
            retry = self.means.ledger.files.next_retry(self.account_id) if self._passed else None
            return Rest(until=retry)
        return self._try(account, run, claim)

    # --- active -------------------------------------------------------------------------------

    def _deliver_next(self, account: Account, run: RunState) -> Rest | None:
        window = self._open_window()
        self._take_in(window, patience=0)
        held = window.next_ready()
        claim = self._claim_overtaking(account, window, held)
        if claim is not None:
            return self._try(account, run, claim)
        if held is None:
            return self._idle(account, run, window)
        claim = self.means.ledger.files.claim(
            held.recording_id, held.turn, self._claimant, _folder(account)
        )
        if claim is None:
            self._look_at(window, [held])
            return None
        rest = self._try(account, run, claim)
        self._look_at(window, [held])
        self._busy_at = time.monotonic()
        return rest

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
            self.account_id, tries, self._claimant, _folder(account)
        )

    def _idle(self, account: Account, run: RunState, window: Window) -> Rest | None:
        """Nothing is ready: wait for more, try a casualty, or end."""
        if self._casualty_is_due(run, window):
            return self._try_casualty(account, run)
        now = time.monotonic()
        next_at = window.next_at()
        idle_for = SETTLE if self.crowded() else LINGER
        if now - self._busy_at < idle_for or (next_at is not None and next_at - now < idle_for):
            self._take_in(window, patience=min(POLL, max(0.01, (next_at or now + POLL) - now)))
            return None
        if next_at is not None:
            retry = self.means.ledger.files.next_retry(self.account_id)
            return Rest(until=retry) if retry else Rest(wait=next_at - time.monotonic())
        if not window.is_drained():
            self._take_in(window, patience=POLL)
            return None
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
        server = self._login.server
        if server is None:
            return
        try:
            for recording_id, paths in self.means.ledger.files.leftovers(self.account_id):
                for path in paths:
                    server.remove(path)
                self.means.ledger.files.cleaned(recording_id)
        except TransferError:
            self._login.close()  # the next session tries again

    def _casualty_is_due(self, run: RunState, window: Window) -> bool:
        if run.casualties_due is None or run.seconds_until(run.casualties_due) > 0:
            return False
        return window.next_at() is None and window.is_drained()

    def _try_casualty(self, account: Account, run: RunState) -> Rest | None:
        """An account with too few files to be suspended is tried with those it has lost."""
        claim = self.means.ledger.files.claim_casualty(
            self.account_id, run.streak, self._claimant, _folder(account)
        )
        if claim is None:
            return NOTHING_TO_DO
        return self._try(account, run, claim)

    def _open_window(self) -> Window:
        window = self._window
        if window is not None and not window.alive:
            raise BrokerAway("the channel was closed")
        if window is not None and _held_too_long(window):
            self._give_back()
            window = None
        if window is None:
            window = self._window = Window(self.means.broker, self.account_id, uploads=1)
            self._busy_at = time.monotonic()
        return window

    def _take_in(self, window: Window, patience: float) -> None:
        arrived = window.arrived(patience)
        if arrived:
            self._busy_at = time.monotonic()
            self._look_at(window, arrived)

    def _look_at(self, window: Window, messages: list[Held]) -> None:
        """Acknowledge what is final or outdated; the rest waits for its next try."""
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
                held.tries = row.tries
                held.ready_at = now + max(row.wait, 0 if row.status is Status.QUEUED else 1)

    def _reject(self, held: Held) -> None:
        """A message that no event brought here: kept where unusable events are kept."""
        reason = f"unknown-recording: in {topology.account_queue_name(self.account_id)}"
        headers = {topology.REASON_HEADER: reason}
        self.means.publisher.publish("", topology.INVALID.name, held.body, headers)

    # --- one try ------------------------------------------------------------------------------

    def _try(self, account: Account, run: RunState, claim: Claim) -> Rest | None:
        began = time.monotonic()
        try:
            uploaded = self._upload(account, claim)
        except TransferError as error:
            failure = Interrupted(error.words) if self.stopping.is_set() else error
            failure.part_left = error.part_left
            self._observe_try(account, claim, began, failure=failure)
            return self._after_failure(account, run, claim, failure)
        except BaseException as error:
            self._give_start_back(claim, error)
            raise
        self._observe_try(account, claim, began, uploaded=uploaded)
        self._settlement.delivered(account, claim, uploaded)
        if claim.casualty:
            self.means.dead_letters.sweep(self.account_id)
        return None

    def _give_start_back(self, claim: Claim, error: BaseException) -> None:
        """What is ours to mend ended the try: nothing is counted, nothing is left claimed."""
        never_began = isinstance(error, ConfigError)
        with contextlib.suppress(PyMongoError):  # the next session frees the claim then
            self.means.ledger.files.release(claim, part_left=not never_began)

    def _after_failure(
        self, account: Account, run: RunState, claim: Claim, failure: TransferError
    ) -> Rest | None:
        if isinstance(failure, NameInUse):
            return self._after_clash(run, claim, failure)
        if failure.kind is Kind.OURS:
            self.means.ledger.files.release(claim)
            return Rest(wait=OURS_DELAY)
        if failure.kind is Kind.SOURCE:
            self._passed.append(claim.recording_id)
        self._settlement.failed(account, run, claim, failure)
        return None

    def _after_clash(self, run: RunState, claim: Claim, failure: NameInUse) -> Rest | None:
        """The other one is to be tried first, by a probe too; nothing is counted."""
        self._passed.append(claim.recording_id)
        if claim.casualty:
            self.means.ledger.files.release(claim)
            return None if run.state is State.PROBING else Rest(wait=OURS_DELAY)
        self.means.ledger.files.waits(
            claim,
            delay=IN_USE_DELAY,
            counted=False,
            by_account=False,
            error=LastError.of(failure),
            part_left=failure.part_left,
        )
        return None

    def _upload(self, account: Account, claim: Claim) -> Uploaded:
        settings = _settings(account)
        journal = LedgerJournal(self.means, self._epoch, settings, claim)
        journal.check_name()
        with open_source(
            claim.file_url,
            dirs=self.means.source_dirs,
            egress=self.means.egress,
            limits=self.means.limits,
        ) as source:
            try:
                uploaded = upload(self._login.get(settings), source, journal.job(), journal)
            except BaseException:
                self._login.close()
                raise
        self._login.used()
        return uploaded

    # --- the end --------------------------------------------------------------------------------

    def _park(self, rest: Rest) -> None:
        self.means.ledger.accounts.park(
            self.account_id, self._epoch, routed=self._routed, wait=rest.wait, until=rest.until
        )

    def _park_after_trouble(self, trouble: Exception, wait: float) -> None:
        """Where the database is away too, the account simply stays due."""
        self.means.observe(Trouble("session", f"{self.account_id}: {trouble}"))
        self._close()
        try:
            self._park(Rest(wait=wait))
        except PyMongoError as error:
            self.means.observe(Trouble("mongodb", str(error)))

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

    @property
    def _settlement(self) -> Settlement:
        return Settlement(self.account_id, self._epoch, self.means)

    def _observe_try(
        self,
        account: Account,
        claim: Claim,
        began: float,
        *,
        uploaded: Uploaded | None = None,
        failure: TransferError | None = None,
    ) -> None:
        self.means.observe(
            TryEnded(
                account_id=self.account_id,
                recording_id=claim.recording_id,
                protocol=_settings(account).protocol,
                number=claim.tries + 1,
                seconds=time.monotonic() - began,
                size=uploaded.size if uploaded and uploaded.sent else 0,
                remote_path=uploaded.remote_path if uploaded else None,
                verified=uploaded.verified.value if uploaded else None,
                kind=failure.kind if failure else None,
                words=failure.words if failure else None,
                advice=failure.advice if failure else None,
            )
        )


def _settings(account: Account) -> FtpSettings:
    assert account.settings is not None, "an account without settings is never worked"  # noqa: S101
    return account.settings


def _folder(account: Account) -> str:
    return _settings(account).path


def _held_too_long(window: Window) -> bool:
    since = window.oldest_since()
    return since is not None and time.monotonic() - since > HOLD_LIMIT
