"""The one upload algorithm, the same for every backend."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from transports.base import Server, TargetExists, Unsupported
from transports.errors import (
    NameRefused,
    PathRefused,
    SourceMismatch,
    TransferError,
    VerificationFailed,
)
from transports.names import join
from transports.sources import Source

_NO_NAME_LEFT = "Every name that it could have is taken"


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


UNKNOWN_SIZE = -1
"""In the intent of a file that is written to its name, where its size is not known before."""


def upload(server: Server, source: Source, job: Job, journal: Journal) -> Uploaded:
    """Bring the recording to its place: whole under its final name, or not there at all.

    On an error the temporary file of this try is removed where the session still can, else
    `part_left` is set on it, and the session is closed. Raises TransferError; what the journal
    raises passes through unchanged.
    """
    try:
        finished = _finished_before(server, job.intent)
        if finished is not None:
            return finished
        server.make_directory(job.folder)
        _remove_leftovers(server, job)
        if job.rename:
            with contextlib.suppress(Unsupported):
                return _put_and_rename(server, source, job, journal)
        return _put_in_place(server, source, job, journal)
    except BaseException:
        server.close()
        raise


def _finished_before(server: Server, intent: Intent | None) -> Uploaded | None:
    """What an earlier start had finished: its temporary file is gone, the final one is whole."""
    if intent is None or (intent.part != intent.final and server.exists(intent.part)):
        return None
    try:
        size, verified = server.size(intent.final), Verified.SIZE
    except Unsupported:
        there = intent.part != intent.final and server.exists(intent.final)
        size, verified = intent.size if there else None, Verified.REPLY
    if size is None or size != intent.size:
        return None
    return Uploaded(intent.final, size, intent.sha256, verified, sent=False)


def _remove_leftovers(server: Server, job: Job) -> None:
    left = dict.fromkeys(job.leftovers)
    if job.intent is not None:
        left[job.intent.part] = None
    for path in left:
        with contextlib.suppress(PathRefused):  # a server that lets nobody remove files
            server.remove(path)


def _put_and_rename(server: Server, source: Source, job: Job, journal: Journal) -> Uploaded:
    part = join(job.folder, job.part)
    with _removed_on_failure(server, part):
        size, sha256 = _send(server, source, job, part)
        verified = _verify(server, part, size)
        final = _rename(server, Intent(part, "", size, sha256), journal)
    return Uploaded(final, size, sha256, verified, sent=True)


def _put_in_place(server: Server, source: Source, job: Job, journal: Journal) -> Uploaded:
    """The way of a server that refuses renames: the name is reserved first, then written to."""
    expected = job.expected_size if source.size is None else source.size
    size = UNKNOWN_SIZE if expected is None else expected
    for path in _free(server, journal):
        if not journal.intend(Intent(path, path, size, job.expected_sha256 or "")):
            continue
        journal.permit()
        with _removed_on_failure(server, path), _blamed_on_name(server, job):
            size, sha256 = _send(server, source, job, path)
            verified = _verify(server, path, size, may_be_taken=True)
        return Uploaded(path, size, sha256, verified, sent=True)
    raise NameRefused(_NO_NAME_LEFT)


def _rename(server: Server, intent: Intent, journal: Journal) -> str:
    for path in _free(server, journal):
        if not journal.intend(replace(intent, final=path)):
            continue
        journal.permit()
        with contextlib.suppress(TargetExists):
            server.rename(intent.part, path)
            return path
    raise NameRefused(_NO_NAME_LEFT)


def _free(server: Server, journal: Journal) -> Iterator[str]:
    return (path for path in journal.candidates() if not server.exists(path))


def _send(server: Server, source: Source, job: Job, path: str) -> tuple[int, str]:
    """Stream the recording to the path; its size and SHA-256. Raises SourceMismatch."""
    if source.size is not None:
        _check_size(source.size, job)
    content = _Content(source, job)
    server.put(content, path)
    _check_size(content.size, job)
    sha256 = content.digest.hexdigest()
    if job.expected_sha256 is not None and job.expected_sha256.lower() != sha256:
        raise SourceMismatch(f"Its SHA-256 is {sha256}, the event says {job.expected_sha256}")
    return content.size, sha256


class _Content:
    """Counts and hashes what passes; ends a source that gives more than was announced."""

    def __init__(self, source: Source, job: Job) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._source = source
        self._job = job

    def __iter__(self) -> Iterator[bytes]:
        most = self._job.expected_size
        for block in self._source:
            self.size += len(block)
            if most is not None and self.size > most:
                raise SourceMismatch(f"It has more than the {most} bytes that the event says")
            self.digest.update(block)
            yield block


def _check_size(size: int, job: Job) -> None:
    if job.expected_size is not None and size != job.expected_size:
        raise SourceMismatch(f"It has {size} bytes, the event says {job.expected_size}")


def _verify(server: Server, path: str, size: int, *, may_be_taken: bool = False) -> Verified:
    """How far the server confirms the size. Raises VerificationFailed.

    Under its final name the file may be taken by the customer as soon as it is there.
    """
    try:
        arrived = server.size(path)
    except Unsupported:
        return Verified.REPLY
    if arrived is None and may_be_taken:
        return Verified.REPLY
    if arrived is None:
        raise VerificationFailed("The temporary file is gone from the server")
    if arrived != size:
        raise VerificationFailed(f"The server stored {arrived} of the {size} bytes sent")
    return Verified.SIZE


@contextlib.contextmanager
def _blamed_on_name(server: Server, job: Job) -> Iterator[None]:
    """Where the folder takes a plain name of ours, it is the file's name that was refused."""
    try:
        yield
    except PathRefused as refused:
        if not _takes(server, join(job.folder, job.part)):
            raise
        raise NameRefused(refused.words) from refused


def _takes(server: Server, path: str) -> bool:
    try:
        server.put([], path)
        server.remove(path)
    except TransferError:
        return False
    return True


@contextlib.contextmanager
def _removed_on_failure(server: Server, path: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        left = not _removed(server, path)
        if isinstance(error, TransferError):
            error.part_left = left
        raise


def _removed(server: Server, path: str) -> bool:
    try:
        server.remove(path)
    except TransferError:
        return False
    return True
