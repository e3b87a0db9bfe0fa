"""One try of one file of a flight: its way to the server, and what it asks of the ledger meanwhile.

What follows where it fails is told in `failed_attempt`.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from pymongo.errors import PyMongoError

from config.accounts import Account, ExistingFile, FtpSettings
from consumers.delivery.connection_pool import PooledConnection
from consumers.delivery.context import Context
from consumers.delivery.outcome import Arrived
from consumers.delivery.policy import State
from consumers.faults import GuardedSource
from consumers.ledger import Claim, RunState
from consumers.observe import ProgramFailed, TryEnded
from transports.errors import (
    NameInUse,
    NotPermitted,
    ProgramFault,
    Progress,
    TransferError,
)
from transports.job import Intent, Job, Transfer, Uploaded
from transports.names import identified, join, portable


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
        self.transfer = Transfer(self.open_source, self._job(), self)

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

    def check_name(self) -> None:
        """Find out whether a recording on its way has the place of this one: it goes first."""
        paths = self.context.deps.ledger.remote_paths
        try:
            if paths.is_on_its_way(self._wanting, self.settings.path):
                self.error = NameInUse("Another recording of this name is on its way")
        except PyMongoError as error:
            self.error = error

    def _job(self) -> Job:
        can = self.settings.capabilities
        return Job(
            folder=self.settings.path,
            part=self.claim.part,
            leftovers=self.claim.leftovers,
            intent=self.claim.intent,
            expected_size=self.claim.size,
            expected_sha256=self.claim.sha256,
            rename=can.rename and can.temporary,
            overwrite=self.overwrites,
            hash=can.hash,
            look=can.look,
            rename_refuses=can.rename_refuses,
            exclusive=can.exclusive,
            removes=can.removes,
            progress=self.progress,
        )

    @property
    def _wanting(self) -> Claim:
        """The claim, with the name that the recording is to have at this server."""
        if not self.settings.replace_characters:
            return self.claim
        return replace(self.claim, file_name=portable(self.claim.file_name))

    # --- what its upload asks -----------------------------------------------------------------

    def candidates(self) -> Iterator[str]:
        """Paths the file may take by the ledger, the wanted one first."""
        folder, paths = self.settings.path, self.context.deps.ledger.remote_paths
        if self.overwrites:
            self._copy = 1
            yield join(folder, self._wanting.file_name)
            return
        for copy, path in paths.copies(self._wanting, folder):
            self._copy = copy
            yield path

    def own(self) -> str:
        """The path that carries the recording's id."""
        self._copy = 1
        name = identified(self._wanting.file_name, self.claim.recording_id)
        return join(self.settings.path, name)

    def place(self, intent: Intent) -> tuple[Claim, Intent, str, int]:
        """What the ledger writes down for this intent together with those of other files."""
        return self._wanting, intent, self.settings.path, self._copy

    def intend(self, intent: Intent) -> bool:
        """Reserve the path; False where it is another recording's. Raises NotPermitted."""
        ledger = self.context.deps.ledger
        if ledger.remote_paths.intend(*self.place(intent), overwrite=self.overwrites):
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
