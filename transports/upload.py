"""The one upload algorithm, the same for every backend.

Of a file that stands in its place, a later start knows by the intent: its temporary file is gone
and the final one has its size. Where files are overwritten, the file that stood there before may
have that size too; so an intent is withdrawn before its temporary file is removed, and whoever
cannot withdraw it leaves the file to the start that has taken over.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from config.accounts import HashAlgorithm
from transports.base import Seen, Server, TargetExists, Unsupported
from transports.content import Content
from transports.errors import (
    NameInUse,
    NameRefused,
    NotPermitted,
    PathRefused,
    Phase,
    Progress,
    SourceMismatch,
    TransferError,
    VerificationFailed,
)
from transports.names import join
from transports.sources import Source

_NO_NAME_LEFT = "Every name that it could have is taken"
_IN_USE = "Another recording of this name is on its way"


class Verified(StrEnum):
    """How far it was made sure that the whole file arrived."""

    HASH = "hash"
    """The server's digest of the file is that of what was sent, and so is its size."""
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
    overwrite: bool = False
    """Whether the file takes the place of one of its name; else it gets a name that is free."""
    hash: HashAlgorithm | None = None
    """Of which the server tells a file's digest."""
    progress: Progress = field(default_factory=Progress)
    """Told how far the upload has come."""


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
        """Paths the file may take, the wanted one first, then `name (2).ext` and so on.

        Only the wanted one where files are overwritten.
        """

    def intend(self, intent: Intent) -> bool:
        """Write the intent down. False where another recording has taken the path meanwhile."""

    def withdraw(self) -> bool:
        """Take the intent back. False where another start has taken the recording over."""

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
        job.progress.phase = Phase.LOOKING
        finished = _finished_before(server, job) or _finish(server, job, journal)
        if finished is not None:
            return finished
        job.progress.phase = Phase.FOLDER
        server.make_directory(job.folder)
        job.progress.phase = Phase.LOOKING
        _remove_leftovers(server, job, journal)
        if job.rename:
            with contextlib.suppress(Unsupported):
                return _put_and_rename(server, source, job, journal)
        return _put_in_place(server, source, job, journal)
    except BaseException:
        with contextlib.suppress(Exception):  # the first error is raised, not one of the closing
            server.close()
        raise


def _finished_before(server: Server, job: Job) -> Uploaded | None:
    """What an earlier start had finished: its temporary file is gone, the final one is whole."""
    intent = job.intent
    if intent is None or (intent.part != intent.final and server.exists(intent.part)):
        return None
    try:
        size, verified = server.size(intent.final), Verified.SIZE
    except Unsupported:
        there = intent.part != intent.final and server.exists(intent.final)
        size, verified = intent.size if there else None, Verified.REPLY
    if size is None or size != intent.size:
        return None
    if job.hash is HashAlgorithm.SHA256 and intent.sha256:
        with contextlib.suppress(Unsupported):
            if server.digest(intent.final, job.hash, size) != intent.sha256:
                return None
            verified = Verified.HASH
    return Uploaded(intent.final, size, intent.sha256, verified, sent=False)


def _finish(server: Server, job: Job, journal: Journal) -> Uploaded | None:
    """Do the rename that an earlier start had come to.

    Where it overwrites, the file that was there may be gone by now: the customer has neither.
    """
    intent = job.intent
    if intent is None or not job.overwrite or intent.final not in journal.candidates():
        return None
    verified = _whole(server, intent)
    if verified is None or not journal.intend(intent):
        return None
    try:
        _move_over(server, _Part(intent.part), intent.final, journal)
    except Unsupported:
        return None
    except TransferError as error:
        error.part_left = True
        raise
    return Uploaded(intent.final, intent.size, intent.sha256, verified, sent=False)


def _whole(server: Server, intent: Intent) -> Verified | None:
    """Whether the temporary file is there: it was whole when the intent was written down."""
    if intent.part == intent.final:
        return None
    try:
        return Verified.SIZE if server.size(intent.part) == intent.size else None
    except Unsupported:
        return Verified.REPLY if server.exists(intent.part) else None


def _remove_leftovers(server: Server, job: Job, journal: Journal) -> None:
    left = dict.fromkeys(job.leftovers)
    if job.intent is not None:
        left[job.intent.part] = None
        if not journal.withdraw():
            raise NotPermitted("Another session has taken the file over")
    for path in left:
        with contextlib.suppress(PathRefused):  # a server that lets nobody remove files
            server.remove(path)


def _put_and_rename(server: Server, source: Source, job: Job, journal: Journal) -> Uploaded:
    part = _Part(join(job.folder, job.part), withdraws=job.overwrite)
    names = _Names(server, journal)
    # A digest may take its time: then what was seen before it may be true no more.
    look_at = None if job.overwrite or job.hash is not None else names.wanted()
    with _removed_on_failure(server, part, journal, job.progress):
        content = _send(server, source, job, part.path, look_at)
        verified = _verify(server, part.path, content, job)
        job.progress.phase = Phase.RENAMING
        intent = Intent(part.path, "", content.size, content.sha256)
        if job.overwrite:
            final = _overwrite(server, part, intent, journal)
        else:
            final = _rename(server, part, intent, journal, names.free(content.seen))
    return Uploaded(final, content.size, content.sha256, verified, sent=True)


def _put_in_place(server: Server, source: Source, job: Job, journal: Journal) -> Uploaded:
    """The way of a server that refuses renames: the name is reserved first, then written to."""
    expected = job.expected_size if source.size is None else source.size
    size = UNKNOWN_SIZE if expected is None else expected
    free = _Names(server, journal).free(Seen())
    for path in journal.candidates() if job.overwrite else free:
        intent = Intent(path, path, size, job.expected_sha256 or "")
        if job.overwrite and not _make_room(server, intent, journal):
            raise NameInUse(_IN_USE)
        if not journal.intend(intent):
            continue
        journal.permit()
        with (
            _removed_on_failure(server, _Part(path), journal, job.progress),
            _blamed_on_name(server, job),
        ):
            content = _send(server, source, job, path)
            verified = _verify(server, path, content, job, may_be_taken=True)
        return Uploaded(path, content.size, content.sha256, verified, sent=True)
    raise NameRefused(_NO_NAME_LEFT)


def _make_room(server: Server, intent: Intent, journal: Journal) -> bool:
    """Remove the file that is there, under an intent that it can never be taken for."""
    if not journal.intend(replace(intent, size=UNKNOWN_SIZE)):
        return False
    journal.permit()
    _remove_old(server, intent.final)
    return True


def _rename(
    server: Server, part: "_Part", intent: Intent, journal: Journal, free: Iterator[str]
) -> str:
    for path in free:
        if not part.intend(journal, replace(intent, final=path)):
            continue
        journal.permit()
        with contextlib.suppress(TargetExists):
            server.rename(intent.part, path)
            return path
    raise NameRefused(_NO_NAME_LEFT)


def _overwrite(server: Server, part: "_Part", intent: Intent, journal: Journal) -> str:
    for path in journal.candidates():
        if part.intend(journal, replace(intent, final=path)):
            _move_over(server, part, path, journal)
            return path
    raise NameInUse(_IN_USE)


def _move_over(server: Server, part: "_Part", path: str, journal: Journal) -> None:
    """Rename in place of the file that is there, in one step where the server can."""
    journal.permit()
    try:
        server.replace(part.path, path)
    except TargetExists:
        journal.permit()
        part.is_only_copy = True  # from before the request: its answer may be lost
        try:
            _remove_old(server, path)
        except NameRefused:
            part.is_only_copy = False
            raise
        journal.permit()
        try:
            server.rename(part.path, path)
        except TargetExists as again:
            raise NameInUse("Somebody else has made a file of this name just now") from again


def _remove_old(server: Server, path: str) -> None:
    try:
        server.remove(path)
    except PathRefused as refused:  # it is about this file: others have other names
        raise NameRefused(refused.words) from refused


class _Names:
    """The names that the file may take, of which the first may be looked at beforehand."""

    def __init__(self, server: Server, journal: Journal) -> None:
        self._server = server
        self._left = journal.candidates()

    def wanted(self) -> str | None:
        """The first one."""
        wanted = next(self._left, None)
        if wanted is not None:
            self._left = itertools.chain([wanted], self._left)
        return wanted

    def free(self, seen: Seen) -> Iterator[str]:
        """Those that are not taken; `seen`: what is known of one."""
        for path in self._left:
            taken = seen.taken if path == seen.name else None
            if not (self._server.exists(path) if taken is None else taken):
                yield path


def _send(
    server: Server, source: Source, job: Job, path: str, look_at: str | None = None
) -> Content:
    """Stream the recording to the path. Raises SourceMismatch."""
    job.progress.phase = Phase.WRITING
    if source.size is not None:
        _check_size(source.size, job)
    content = Content(source, job.expected_size, job.hash or HashAlgorithm.SHA256)
    content.seen = server.put(content, path, look_at)
    _check_size(content.size, job)
    sha256 = content.sha256
    if job.expected_sha256 is not None and job.expected_sha256.lower() != sha256:
        raise SourceMismatch(f"Its SHA-256 is {sha256}, the event says {job.expected_sha256}")
    return content


def _check_size(size: int, job: Job) -> None:
    if job.expected_size is not None and size != job.expected_size:
        raise SourceMismatch(f"It has {size} bytes, the event says {job.expected_size}")


def _verify(
    server: Server, path: str, content: Content, job: Job, *, may_be_taken: bool = False
) -> Verified:
    """How far the server confirms what was sent. Raises VerificationFailed.

    Under its final name the file may be taken by the customer as soon as it is there.
    """
    job.progress.phase = Phase.VERIFYING
    if content.seen.size == content.size:
        verified = Verified.SIZE
    else:
        verified = _verify_size(server, path, content.size, may_be_taken=may_be_taken)
    if job.hash is None:
        return verified
    try:
        digest = server.digest(path, job.hash, content.size)
    except Unsupported:
        return verified
    if digest != content.digest(job.hash):
        raise VerificationFailed(f"The server's {job.hash.upper()} of the file is {digest}")
    return Verified.HASH


def _verify_size(server: Server, path: str, size: int, *, may_be_taken: bool) -> Verified:
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


@dataclass
class _Part:
    """This try's temporary file, and what must be known before it may be removed."""

    path: str
    withdraws: bool = False
    """Whether its intent is to be withdrawn first."""
    is_intended: bool = False
    is_only_copy: bool = False
    """The file whose place it takes may be gone: the next start finishes the rename."""

    def intend(self, journal: Journal, intent: Intent) -> bool:
        """Write the intent down. From before it is known whether that was done, it counts."""
        self.is_intended = True
        return journal.intend(intent)


@contextlib.contextmanager
def _removed_on_failure(
    server: Server, part: _Part, journal: Journal, progress: Progress
) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        progress.part_left = not _removed(server, part, journal)
        if isinstance(error, TransferError):
            error.part_left = progress.part_left
        raise


def _removed(server: Server, part: _Part, journal: Journal) -> bool:
    must_withdraw = part.withdraws and part.is_intended
    if part.is_only_copy or (must_withdraw and not _withdrawn(journal)):
        return False
    try:
        server.remove(part.path)
    except Exception:  # noqa: BLE001 - whatever the cleaning died of, the first error is raised
        return False
    return True


def _withdrawn(journal: Journal) -> bool:
    try:
        return journal.withdraw()
    except Exception:  # noqa: BLE001 - whatever the ledger died of, the first error is raised
        return False
