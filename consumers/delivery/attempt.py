"""One try of one file of a flight: its way to the server, and what it asks of the ledger meanwhile.

What follows where it fails is told in `failed_attempt`.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Literal

from pymongo.errors import PyMongoError

from config.accounts import Account, ExistingFile, FtpSettings
from config.naming_settings import InFlight
from consumers.delivery.connection_pool import PooledConnection
from consumers.delivery.context import Context
from consumers.delivery.naming import Naming, Place
from consumers.delivery.outcome import Arrived
from consumers.delivery.policy import State
from consumers.faults import GuardedSource
from consumers.ledger import Claim, FailedTry, LastError, Note, RunState
from consumers.observe import ProgramFailed, TryEnded
from transports.errors import Kind, LoginRefused, NameInUse, NotPermitted, TransferError
from transports.job import Intent, Job, Transfer, Uploaded
from transports.names import identified, join
from transports.phases import Phase, ProgramFault, Progress


@dataclass(eq=False)
class Attempt:
    """The claim is this session's, `run_at_claim` the account's running state when it was made.

    It is the journal of its upload (`transports.job`).
    """

    context: Context
    account: Account
    settings: FtpSettings
    run_at_claim: RunState
    claim: Claim
    open_source: Callable[[], GuardedSource]
    connection: PooledConnection
    """The flight's session at the server."""
    error: BaseException | None = None
    """What it failed of before the server was asked for anything."""
    left: tuple[str, ...] = ()
    """Paths at which a test file of ours may stand."""
    progress: Progress = field(default_factory=Progress)
    _started_at: float = field(default_factory=time.monotonic)
    _copy: int = 1

    def __post_init__(self) -> None:
        self._naming = Naming(self.settings)
        self.transfer = Transfer(self.open_source, self._job(), self)

    @cached_property
    def place(self) -> Place:
        """The recording's at its customer; the usual one where its own cannot be told, which is its
        error then."""
        try:
            return self._naming.place(self.claim.facts, self.claim.body, self.claim.part)
        except Exception as error:  # noqa: BLE001 - it is this file's failure, and of no other one
            self.error = error
            return self._naming.usual(self.claim.facts, self.claim.part)

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

    @property
    def overwrites(self) -> bool:
        """Whether its file takes the place of one of its name."""
        return self.settings.existing_file is ExistingFile.OVERWRITE

    @property
    def is_probe(self) -> bool:
        """Whether a suspended account is tried with it."""
        return self.run_at_claim.state is State.PROBING

    @property
    def note(self) -> Note | None:
        """What has to be written down before anything is sent; None where nothing has."""
        usual = join(self.settings.path, self.claim.part)
        part = None if self.place.part_path == usual else self.place.part_path
        counter = self.claim.counter if self._naming.counts else None
        return None if part is None and counter is None else Note(part, counter)

    def check_name(self) -> None:
        """Find out whether a recording on its way has the place of this one: it goes first."""
        paths = self.context.deps.ledger.remote_paths
        try:
            if paths.is_on_its_way(self._wanting, self.place.folder):
                self.error = NameInUse("Another recording of this name is on its way")
        except PyMongoError as error:
            self.error = error

    def _job(self) -> Job:
        can, in_flight = self.settings.capabilities, self.settings.in_flight
        return Job(
            folder=self.place.folder,
            above=self.place.folders[:-1],
            part=self.place.part,
            staging=self.place.staging,
            leftovers=self.claim.leftovers,
            intent=self.claim.intent,
            expected_size=self.claim.size,
            expected_sha256=self.claim.sha256,
            rename=can.rename and can.temporary and in_flight is not InFlight.NONE,
            overwrite=self.overwrites,
            hash=can.hash,
            look=can.look,
            rename_refuses=can.rename_refuses,
            exclusive=can.exclusive,
            removes=can.removes,
            spread=self._spread,
            resumes=can.resumes is True,
            progress=self.progress,
        )

    @property
    def _spread(self) -> Callable[[Iterable[bytes]], Iterable[bytes]] | None:
        limit = self.settings.bandwidth
        return None if limit is None else partial(self.context.bandwidth.spread, kilobytes=limit)

    @property
    def _wanting(self) -> Claim:
        """The claim, with the name that the recording is to have at this server."""
        claim, name = self.claim, self.place.name
        return claim if name == claim.file_name else replace(claim, file_name=name)

    # --- what its upload asks -----------------------------------------------------------------

    def candidates(self) -> Iterator[str]:
        """Paths the file may take by the ledger, the wanted one first."""
        paths = self.context.deps.ledger.remote_paths
        if self.overwrites:
            self._copy = 1
            yield self.place.path
            return
        for copy, path in paths.copies(self._wanting, self.place.folder):
            self._copy = copy
            yield path

    def own(self) -> str:
        """The path that carries the recording's id."""
        self._copy = 1
        name = identified(self.place.name, self.claim.recording_id)
        return join(self.place.folder, name)

    def reservation(self, intent: Intent) -> tuple[Claim, Intent, str, int]:
        """What the ledger writes down for this intent together with those of other files."""
        return self._wanting, intent, self.place.folder, self._copy

    def intend(self, intent: Intent) -> bool:
        """Reserve the path; False where it is another recording's. Raises NotPermitted."""
        ledger = self.context.deps.ledger
        if ledger.remote_paths.intend(*self.reservation(intent), overwrite=self.overwrites):
            return True
        if not ledger.claims.holds(self.claim):
            raise NotPermitted("Another session has taken the file over")
        return False

    def withdraw(self) -> bool:
        """Take the intent back; the path stays this recording's."""
        return self.context.deps.ledger.remote_paths.withdraw(self.claim)

    def permit(self) -> None:
        """Raises NotPermitted once the lease is over, Interrupted once the account is revoked."""
        context = self.context
        context.revocation.check()
        context.deps.ownership.permit(context.account_id, context.epoch)

    # --- what others hear of it ---------------------------------------------------------------

    def told(self, failure: TransferError, error: LastError | None = None) -> FailedTry:
        """What its row's story has of the failure, which counts for nothing as far as this says."""
        return FailedTry(
            error or LastError.of(failure),
            failure.part_left,
            phase=self._phase_of(failure),
            sent=self.progress.sent,
            probe=self.is_probe,
        )

    def _phase_of(self, failure: TransferError) -> Phase:
        """How far it came: to its login, where it had none."""
        if isinstance(failure, ProgramFault):
            return failure.phase
        reached = self.progress.phase
        if failure.kind is Kind.SOURCE:
            return Phase.OPENING if reached is Phase.OPENING else Phase.READING
        if self.connection.has_logged_in:
            return reached
        return Phase.LOGIN if isinstance(failure, LoginRefused) else Phase.CONNECTING

    def arrived(self, uploaded: Uploaded) -> Arrived:
        """The file stands in its place: tell of it."""
        return Arrived(self.claim, uploaded, self.tell(uploaded=uploaded))

    def report(self, fault: ProgramFault) -> None:
        """Put its traceback into the log, once: uploads at once may share it."""
        if fault.reported or fault.__cause__ is None:
            return
        fault.reported = True
        account_id, claim = self.context.account_id, self.claim
        self.context.deps.observe(
            ProgramFailed(fault.phase, fault.__cause__, account_id, claim.recording_id, claim.trace)
        )

    def tell(
        self, *, uploaded: Uploaded | None = None, failure: TransferError | None = None
    ) -> TryEnded:
        """The observers hear that it ended."""
        if isinstance(failure, ProgramFault):
            self.report(failure)
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
            cause=failure.diagnosis.code if failure else None,
            words=failure.words if failure else None,
            advice=failure.advice if failure else None,
            left=", ".join(uploaded.left if uploaded else self.left) or None,
            host=self.settings.host,
            port=self.settings.port,
            purpose=self._purpose,
            trace=self.claim.trace,
        )
        self.context.deps.observe(ended)
        return ended

    @property
    def _purpose(self) -> Literal["probe", "casualty"] | None:
        if self.is_probe:
            return "probe"
        return "casualty" if self.claim.from_outage else None
