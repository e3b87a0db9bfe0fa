"""What an upload is told of its recording, and what it asks of the ledger meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from config.accounts import ExistingFile, FtpSettings
from consumers.delivery.deps import Deps
from consumers.ledger import Claim
from consumers.sharding.revocation import Revocation
from transports.errors import NameInUse, NotPermitted, Progress
from transports.names import identified, join, portable
from transports.upload import Intent, Job


@dataclass
class LedgerJournal:
    """The ledger's side of one upload, for one claim in one epoch."""

    deps: Deps
    epoch: int
    settings: FtpSettings
    claim: Claim
    revocation: Revocation = field(default_factory=Revocation)
    progress: Progress = field(default_factory=Progress)
    """Told how far the upload has come."""
    _copy: int = 1

    def check_name(self) -> None:
        """Raises NameInUse where a recording on its way has the place of this one."""
        if self._overwrites and self.deps.ledger.remote_paths.is_on_its_way(
            self._wanting, self.settings.path
        ):
            raise NameInUse("Another recording of this name is on its way")

    def candidates(self) -> Iterator[str]:
        """Paths the file may take by the ledger, the wanted one first."""
        if self._overwrites:
            self._copy = 1
            yield join(self.settings.path, self._wanting.file_name)
            return
        for copy, path in self.deps.ledger.remote_paths.copies(self._wanting, self.settings.path):
            self._copy = copy
            yield path

    def own(self) -> str:
        """The path that carries the recording's id."""
        self._copy = 1
        return join(
            self.settings.path, identified(self._wanting.file_name, self.claim.recording_id)
        )

    def place(self, intent: Intent) -> tuple[Claim, Intent, str, int]:
        """What the ledger writes down for this intent together with those of other files."""
        return self._wanting, intent, self.settings.path, self._copy

    def intend(self, intent: Intent) -> bool:
        """Reserve the path; False where it is another recording's. Raises NotPermitted."""
        ledger = self.deps.ledger
        folder, overwrite = self.settings.path, self._overwrites
        if ledger.remote_paths.intend(
            self._wanting, intent, folder, self._copy, overwrite=overwrite
        ):
            return True
        if not ledger.claims.holds(self.claim):
            raise NotPermitted("Another session has taken the file over")
        return False

    def withdraw(self) -> bool:
        """Take the intent back; the path stays this recording's."""
        return self.deps.ledger.remote_paths.withdraw(self.claim)

    def permit(self) -> None:
        """Raises NotPermitted once the lease is over, Interrupted once the account is revoked."""
        self.revocation.check()
        self.deps.ownership.permit(self.claim.account_id, self.epoch)

    def job(self) -> Job:
        """The recording's way to its folder."""
        can = self.settings.capabilities
        return Job(
            folder=self.settings.path,
            part=self.claim.part,
            leftovers=self.claim.leftovers,
            intent=self.claim.intent,
            expected_size=self.claim.size,
            expected_sha256=self.claim.sha256,
            rename=can.rename and can.temporary,
            overwrite=self._overwrites,
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

    @property
    def _overwrites(self) -> bool:
        return self.settings.existing_file is ExistingFile.OVERWRITE
