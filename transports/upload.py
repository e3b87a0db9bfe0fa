"""The one upload algorithm, the same for every backend."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Verified(StrEnum):
    """How far it was made sure that the whole file arrived."""

    SIZE = "size"
    """The server's size of the file is the number of bytes sent."""
    REPLY = "reply"
    """The server confirmed the transfer; it does not tell sizes."""


@dataclass(frozen=True)
class Intent:
    """What the rename is about to do: written down first, so that a crash can be told apart."""

    part: str
    final: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Job:
    """One recording's way to one folder. `folder` is the account's path, `part` a bare name."""

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


@dataclass(frozen=True)
class Uploaded:
    """The file stands in its place."""

    remote_path: str
    size: int
    sha256: str
    verified: Verified
    sent: bool
    """False where an earlier start had finished the work and nothing was sent again."""


class Journal(Protocol):
    """What the upload asks of the ledger."""

    def candidates(self) -> Iterator[str]:
        """Paths the file may take, the wanted one first, then `name (2).ext` and so on."""

    def intend(self, intent: Intent) -> bool:
        """Write the intent down. False where another recording has taken the path meanwhile."""

    def permit(self) -> None:
        """Called right before the rename. Raises NotPermitted once the lease is over."""
