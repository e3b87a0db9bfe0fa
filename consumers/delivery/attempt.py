"""One try of one file of a flight: its way to the server, what a failure of it is, and its end.

It decides nothing itself: the policy does, and the outcome recorder writes it down.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pymongo.errors import PyMongoError

from config.accounts import Account, FtpSettings
from config.errors import ConfigError
from consumers.delivery.connection_pool import ConnectionPool
from consumers.delivery.deps import Deps
from consumers.delivery.flights import Ended
from consumers.delivery.journal import LedgerJournal
from consumers.delivery.outcome import Arrived, OutcomeRecorder
from consumers.delivery.policy import State, judged
from consumers.delivery.pooled_connection import PooledConnection
from consumers.faults import OURS, GuardedSource, foreseen
from consumers.ledger import Claim, Claimant, LastError, RunState
from consumers.observe import ProgramFailed, TryEnded
from consumers.sharding.revocation import Revocation
from transports.errors import (
    Interrupted,
    Kind,
    NameInUse,
    Phase,
    ProgramFault,
    Progress,
    QuotaExceeded,
    SingledOut,
    TransferError,
    fault_at,
)
from transports.sources.source import Source, open_source
from transports.trial import try_upload
from transports.upload import Transfer, Uploaded

OURS_DELAY = 1.0
SUSPECTED = 2
"""A file that has failed so often where others had to wait for it is told from its server by a test
upload: if that works, the failure is the file's."""
IN_USE_DELAY = 2.0
"""Seconds a recording waits for another of its name, whose file it overwrites, to be delivered."""


@dataclass
class Failures:
    """The failures of one account session, written down one at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while one is written down, over all that this asks of MongoDB, and while the session
    reads its account's state and claims: nothing is claimed on a state that a failure changes."""
    count: int = 0


@dataclass(frozen=True)
class Context:
    """What all flights of one account session share."""

    account_id: str
    epoch: int
    deps: Deps
    pool: ConnectionPool
    stopping: threading.Event
    failures: Failures
    revocation: Revocation
    session: str
    """Its id, which the claims name: the owner's token."""

    def claimant(self, *, exclusive: bool = False) -> Claimant:
        """For whom files are claimed at this moment."""
        until = self.deps.ownership.until(self.account_id, self.epoch)
        return Claimant(self.deps.worker, self.session, self.epoch, until, exclusive)

    @property
    def is_cut(self) -> bool:
        """Whether uploads are cut at this moment: what they fail of is nobody's failure."""
        return self.stopping.is_set() or bool(self.revocation)

    @property
    def outcomes(self) -> OutcomeRecorder:
        """Writes down what becomes of the tries."""
        return OutcomeRecorder(self.account_id, self.epoch, self.deps)


@dataclass
class Attempt:
    """The claim is this session's, `run_at_claim` the account's running state when it was made."""

    context: Context
    account: Account
    settings: FtpSettings
    run_at_claim: RunState
    claim: Claim
    connection: PooledConnection
    """The flight's session at the server."""
    error: BaseException | None = None
    """What it failed of before the server was asked for anything."""
    _started_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._progress = Progress()
        self.journal = self._journal(self._progress)
        self.transfer = Transfer(self._source, self.journal.job(), self.journal)

    @property
    def outcome(self) -> Uploaded | BaseException | None:
        """How it ended; None: it was not begun."""
        return self.error or self.transfer.outcome

    @property
    def uploaded(self) -> Uploaded | None:
        """The file stands in its place; None where it does not, as far as is known."""
        return self.outcome if isinstance(self.outcome, Uploaded) else None

    @property
    def spares_session(self) -> bool:
        """Whether the flight's session can be used on."""
        return self.error is None and self.transfer.spares_session

    def check_name(self) -> None:
        """Find out whether a recording on its way has the place of this one: it goes first."""
        try:
            self.journal.check_name()
        except (NameInUse, PyMongoError) as error:
            self.error = error

    # --- the way ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _source(self) -> Iterator[Source]:
        """The recording; its reading ends once the account is revoked."""
        deps, revocation = self.context.deps, self.context.revocation
        with contextlib.ExitStack() as stack:
            with foreseen(Progress(Phase.OPENING)):
                opened = open_source(
                    self.claim.file_url,
                    dirs=deps.source_dirs,
                    max_bytes=deps.max_source_bytes,
                    egress=deps.egress,
                    limits=deps.limits,
                )
                source = GuardedSource(stack.enter_context(opened), revocation.check)
            with revocation.reading(source):
                yield source

    @contextlib.contextmanager
    def source_opened(self) -> Iterator[None]:
        """Its recording is open, before the server is asked for anything."""
        with self._source() as source:
            self.transfer.open_source = lambda: contextlib.nullcontext(source)
            yield

    def _journal(self, progress: Progress) -> LedgerJournal:
        context = self.context
        return LedgerJournal(
            context.deps, context.epoch, self.settings, self.claim, context.revocation, progress
        )

    # --- the end ------------------------------------------------------------------------------

    def ended_well(self, *, is_written: bool) -> Ended:
        """The file stands in its place; `is_written`: so says its row."""
        if self.claim.from_outage:
            self.context.deps.dead_letters.sweep(self.context.account_id)
        return Ended(self.claim, delivered=is_written)

    def failed(self) -> Ended:
        """It did not come to its place, or was not begun. Never raises: what is ours to mend
        stands in `error`."""
        try:
            return self._after(self.outcome)
        except BaseException as error:  # noqa: BLE001 - a claim that nobody ends is held for ever
            return self.not_written_down(error)

    def not_written_down(self, error: BaseException) -> Ended:
        """The outcome itself could not be written down.

        Where the database is away the claim stands, and the account's next session frees it. Where
        it refuses what it is told, words with half a character for one, that is the file's
        failure then, in words of our own.
        """
        if isinstance(error, OURS):
            return Ended(self.claim, error=error)
        fault = fault_at(Phase.RECORDING)
        fault.__cause__, fault.part_left = error, True
        try:
            self._observe(failure=fault)
            return self._after_failure(fault)
        except Exception as again:  # noqa: BLE001 - the session's thread raises it again
            return Ended(self.claim, error=again)

    def _after(self, outcome: Uploaded | BaseException | None) -> Ended:
        if outcome is None:
            part_left = self.transfer.part_left
            self.context.deps.ledger.outcomes.release(self.claim, part_left=part_left)
            return Ended(self.claim)
        if isinstance(outcome, OURS):
            self._give_start_back(outcome)
            return Ended(self.claim, error=outcome)
        failure = self._judged(self._failure_of(outcome))
        self._observe(failure=failure)
        return self._after_failure(failure)

    def _failure_of(self, outcome: Uploaded | BaseException) -> TransferError:
        """Whatever nobody foresaw is a failure of the phase that it came in."""
        if isinstance(outcome, TransferError):
            failure = outcome
        else:
            failure = fault_at(self._progress.phase)
            failure.__cause__ = outcome if isinstance(outcome, BaseException) else None
        if isinstance(failure, ProgramFault):
            failure.part_left = self._progress.part_left
        return failure

    def _judged(self, error: TransferError) -> TransferError:
        """What the failure is: nobody's where uploads are cut, the file's where it alone fails."""
        failure = error
        if self.context.is_cut:
            failure = Interrupted(error.words)
        elif self._is_suspect(error) and self.claim.suspected + 1 >= SUSPECTED:
            failure = SingledOut(error.words) if self._takes_a_test_file(error) else error
        failure.part_left = error.part_left
        return failure

    def _is_suspect(self, failure: TransferError) -> bool:
        """Whether others have to wait for a file that it may be alone to blame.

        As the probe; and as one that would be an outage's dead letter, which returns by itself.
        """
        waited_for = self.run_at_claim.state is State.PROBING or self.claim.from_outage
        dies = self.claim.tries + 1 >= self.context.deps.rules.max_tries
        by_account = judged(failure.kind, running=1 + self.connection.others) is Kind.ACCOUNT
        is_fault = isinstance(failure, ProgramFault)
        return (
            self.connection.has_logged_in and by_account and (waited_for or dies) and not is_fault
        )

    def _takes_a_test_file(self, failure: TransferError) -> bool:
        """Whether the server takes a test file by the very means of this upload.

        A small text, or where it has no room for this recording as much as the last one that it
        took: a full disk has room for a line.
        """
        needs_room = isinstance(failure, QuotaExceeded)
        size = (
            self.context.deps.ledger.queries.last_size(self.claim.account_id) if needs_room else 0
        )
        connection = PooledConnection(self.context.pool)
        journal = self._journal(Progress())
        try:
            with foreseen(Progress(Phase.WRITING)):
                try_upload(connection.open(self.settings), journal.job(), journal, size)
        except TransferError as refusal:
            connection.discard()
            if isinstance(refusal, ProgramFault):
                self._report(refusal)
            return False
        except BaseException:
            connection.discard()
            raise
        connection.keep()
        return True

    def _give_start_back(self, error: BaseException) -> None:
        """What is ours to mend ended the try: nothing is counted, nothing is left claimed."""
        never_began = isinstance(error, ConfigError)
        with contextlib.suppress(PyMongoError):  # the next session frees the claim then
            self.context.deps.ledger.outcomes.release(self.claim, part_left=not never_began)

    def _after_failure(self, failure: TransferError) -> Ended:
        if isinstance(failure, NameInUse):
            return self._after_clash(failure)
        if failure.kind is Kind.OURS:
            self.context.deps.ledger.outcomes.release(self.claim)
            return Ended(self.claim, backoff=OURS_DELAY)
        is_kept = self._record_failure(failure)
        inconclusive = failure.kind is Kind.SOURCE or isinstance(failure, SingledOut) or not is_kept
        return Ended(self.claim, inconclusive=inconclusive)

    def _record_failure(self, failure: TransferError) -> bool:
        """False where its dead letter could not be kept."""
        others = self.connection.others
        if failure.kind is Kind.BUSY:
            self.context.pool.observe_limit(others)
        is_counted = self.context.pool.is_counted(failure, self.connection.loss_count)
        with self.context.failures.lock:
            self.context.failures.count += 1
            return self.context.outcomes.failed(
                self.account,
                self.run_at_claim,
                self.claim,
                failure,
                running=1 + others + int(is_counted),  # whoever told it first was there as well
                already_counted=is_counted,
                suspected=self._is_suspect(failure),
            )

    def _after_clash(self, failure: NameInUse) -> Ended:
        """The other one is to be tried first, by a probe too; nothing is counted."""
        if self.claim.from_outage:
            self.context.deps.ledger.outcomes.release(self.claim)
            probes = self.run_at_claim.state is State.PROBING
            return Ended(self.claim, inconclusive=True, backoff=None if probes else OURS_DELAY)
        self.context.deps.ledger.outcomes.waits(
            self.claim,
            delay=IN_USE_DELAY,
            counted=False,
            by_account=False,
            error=LastError.of(failure),
            part_left=failure.part_left,
        )
        return Ended(self.claim, inconclusive=True)

    # --- what others hear of it ---------------------------------------------------------------

    @property
    def _purpose(self) -> Literal["probe", "casualty"] | None:
        if self.run_at_claim.state is State.PROBING:
            return "probe"
        return "casualty" if self.claim.from_outage else None

    def _report(self, fault: ProgramFault) -> None:
        """Put its traceback into the log, once: uploads at once may share it."""
        if fault.reported or fault.__cause__ is None:
            return
        fault.reported = True
        self.context.deps.observe(
            ProgramFailed(
                fault.phase,
                fault.__cause__,
                self.context.account_id,
                self.claim.recording_id,
                self.claim.trace,
            )
        )

    def arrived(self, uploaded: Uploaded) -> Arrived:
        """The file stands in its place: tell of it."""
        return Arrived(self.claim, uploaded, self._observe(uploaded=uploaded))

    def _observe(
        self, *, uploaded: Uploaded | None = None, failure: TransferError | None = None
    ) -> TryEnded:
        if isinstance(failure, ProgramFault):
            self._report(failure)
        ended = TryEnded(
            account_id=self.context.account_id,
            recording_id=self.claim.recording_id,
            protocol=self.settings.protocol,
            number=self.claim.tries + 1,
            seconds=time.monotonic() - self._started_at,
            size=uploaded.size if uploaded and uploaded.sent else 0,
            remote_path=uploaded.remote_path if uploaded else None,
            verified=uploaded.verified.value if uploaded else None,
            kind=failure.kind if failure else None,
            words=failure.words if failure else None,
            advice=failure.advice if failure else None,
            left=", ".join(uploaded.left) or None if uploaded else None,
            host=self.settings.host,
            port=self.settings.port,
            purpose=self._purpose,
            trace=self.claim.trace,
        )
        self.context.deps.observe(ended)
        return ended
