"""What an upload is given, what it asks of the ledger, and what it tells of its end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from config.accounts import HashAlgorithm, Look
from transports.errors import Interrupted, Kind, TransferError
from transports.names import join
from transports.phases import Progress

if TYPE_CHECKING:
    from transports.sources.source import Source

UNKNOWN_SIZE = -1
"""In the intent of a file that is written to its name, where its size is not known before."""


class Verified(StrEnum):
    """How far it was made sure that the whole file arrived."""

    SHA256 = "sha256"
    """The server's digest of the file is that of what was sent, as with the next three."""
    SHA1 = "sha1"
    MD5 = "md5"
    CRC32 = "crc32"
    SIZE = "size"
    """The server's size of the file is the number of bytes sent."""
    REPLY = "reply"
    """The server confirmed the transfer; it does not tell sizes."""

    @classmethod
    def by(cls, algorithm: HashAlgorithm) -> "Verified":
        """By this digest, which the server told."""
        return cls(algorithm.value)


@dataclass(frozen=True)
class Intent:
    """What the rename is about to do: written down first, so that a crash can be told apart."""

    part: str
    final: str
    size: int
    sha256: str

    @property
    def in_place(self) -> bool:
        """Whether the file is written to its final name, without a rename."""
        return self.part == self.final


@dataclass(frozen=True)
class Job:
    """One recording's way to one folder. `part` is a bare name."""

    folder: str
    part: str
    leftovers: tuple[str, ...]
    """Paths of temporary files that earlier starts may have left."""
    intent: Intent | None
    """The intent of an earlier start that did not come back."""
    expected_size: int | None
    expected_sha256: str | None
    rename: bool
    """False where the server refuses every rename: the file is then written to its name."""
    overwrite: bool = False
    """Whether the file takes the place of one of its name; else it gets a name that is free."""
    hash: HashAlgorithm | None = None
    """Of which the server tells a file's digest."""
    look: Look | None = None
    """By what the server has told in the test on save whether a name is taken."""
    rename_refuses: bool = False
    """Whether its rename refuses a name that is taken."""
    exclusive: bool = False
    """Whether it refuses to create a file that is there."""
    removes: bool = True
    """Whether it removes files."""
    spread: Callable[[Iterable[bytes]], Iterable[bytes]] | None = None
    """Spreads its bytes over time; None: they go as fast as they can."""
    resumes: bool = True
    """Whether a file that was cut may be gone on with: the test on save has found that it may."""
    above: tuple[str, ...] = ()
    """Folders above this one that must be there, outermost first."""
    staging: str = ""
    """The folder of the temporary file, where it is not the same."""
    progress: Progress = field(default_factory=Progress)
    """Told how far the upload has come."""

    @property
    def part_path(self) -> str:
        """Of the temporary file."""
        return join(self.staging or self.folder, self.part)

    @property
    def folders(self) -> tuple[str, ...]:
        """All that must be there, outermost first."""
        staging = (self.staging,) if self.staging and self.rename else ()
        return (*self.above, self.folder, *staging)


@dataclass(frozen=True)
class Uploaded:
    """The file stands in its place."""

    remote_path: str
    size: int
    sha256: str
    verified: Verified
    sent: bool
    """False where an earlier start had finished the work and nothing was sent again."""
    left: tuple[str, ...] = ()
    """Paths of files of ours that the server did not let be removed."""


class Journal(Protocol):
    """What the upload asks of the ledger."""

    def candidates(self) -> Iterator[str]:
        """Paths the file may take, the wanted one first, then `name (2).ext` and so on.

        Only the wanted one where files are overwritten.
        """

    def own(self) -> str:
        """The path that carries the recording's id: nobody else's file can stand there."""

    def intend(self, intent: Intent) -> bool:
        """Write the intent down. False where another recording has taken the path meanwhile."""

    def withdraw(self) -> bool:
        """Take the intent back. False where another start has taken the recording over."""

    def permit(self) -> None:
        """Called right before the rename. Raises NotPermitted once the lease is over."""


@dataclass(eq=False)
class Transfer:
    """One recording of a flight."""

    open_source: Callable[[], AbstractContextManager["Source"]]
    """The recording is opened when its bytes are wanted, and closed right after."""
    job: Job
    journal: Journal
    outcome: Uploaded | BaseException | None = None
    """What became of it, set once by `upload`; None: it was not begun."""
    part_left: bool = False
    """Whether its temporary file, empty, stands there all the same where it was not begun."""

    @property
    def spares_session(self) -> bool:
        """Whether the session can be used on: the file arrived, or its recording is to blame."""
        if isinstance(self.outcome, TransferError):
            return self.outcome.kind is Kind.SOURCE
        return isinstance(self.outcome, Uploaded)

    def result(self) -> Uploaded:
        """Raises what ended it, and Interrupted where it was not begun."""
        if isinstance(self.outcome, Uploaded):
            return self.outcome
        raise self.outcome or Interrupted("The upload was not begun")


class Intents(Protocol):
    """Writes the intents of several files down, in one step."""

    def __call__(self, wanted: Sequence[tuple[Transfer, Intent]], /) -> Sequence[bool]:
        """For each: False where its path is another recording's.

        Such a file goes on alone, with what its own journal offers next.
        """


def intend_each(wanted: Sequence[tuple[Transfer, Intent]]) -> Sequence[bool]:
    """Write the intents down one by one, each by its own journal."""
    return [transfer.journal.intend(intent) for transfer, intent in wanted]
