"""How a temporary file gets its final name, and what is removed where that fails.

Of a file that stands in its place, a later start knows by the intent: its temporary file is gone
and the final one has its size. Where files are overwritten, the file that stood there before may
have that size too; so an intent is withdrawn before its temporary file is removed, and whoever
cannot withdraw it leaves the file to the start that has taken over.
"""

import contextlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace

from transports.base import CannotTell, PutResult, Server, TargetExists
from transports.errors import NameInUse, NameRefused, PathRefused, TemporaryGone, TransferError
from transports.free_names import Names, find_look, is_gone
from transports.job import UNKNOWN_SIZE, Intent, Job, Journal
from transports.names import forbidden_in, unusual_in
from transports.phases import Progress
from transports.sending import GONE

NO_NAME_LEFT = "Every name that it could have is taken"
IN_USE = "Another recording of this name is on its way"


@dataclass
class Part:
    """This try's temporary file, and what must be known before it may be removed."""

    path: str
    withdraws: bool = False
    """Whether its intent is to be withdrawn first."""
    is_intended: bool = False
    is_only_copy: bool = False
    """The file whose place it takes may be gone: the next start finishes the rename."""

    def intend(self, journal: Journal, intent: Intent) -> bool:
        """Write the intent down. False where the path is another recording's."""
        # Set before the write: if its answer is lost we must assume that it happened.
        self.is_intended = True
        return journal.intend(intent)


def rename(
    server: Server, part: Part, intent: Intent, job: Job, journal: Journal, seen: PutResult
) -> str:
    """Rename to a name that is free; the path.

    Where nothing tells whether a name is taken, it is the name that carries the recording's id.
    """
    sees = server.look is not None or find_look(server, part.path) is not None
    names = Names(server, journal)
    if sees or job.rename_refuses:
        with contextlib.suppress(CannotTell):
            for path in names.free(seen) if sees else names.guesses():
                if not part.intend(journal, replace(intent, final=path)):
                    continue
                journal.permit()
                with contextlib.suppress(TargetExists), telling_name(path):
                    server.rename(part.path, path)
                    return path
            if sees:
                raise NameRefused(NO_NAME_LEFT)
    return _rename_to_own(server, part, intent, journal)


def overwrite(server: Server, part: Part, intent: Intent, journal: Journal) -> str:
    """Rename in place of the file that may be there; the path. Raises NameInUse."""
    for path in journal.candidates():
        if part.intend(journal, replace(intent, final=path)):
            move_over(server, part, path, journal)
            return path
    raise NameInUse(IN_USE)


def move_over(server: Server, part: Part, path: str, journal: Journal) -> None:
    """Rename in place of the file that is there, in one step where the server can.

    Raises TemporaryGone where ours is seen to be taken away meanwhile.
    """
    journal.permit()
    try:
        with telling_name(path):
            server.replace(part.path, path)
    except TargetExists:
        # Some say the same where ours is gone: the old file would be removed for nothing.
        if is_gone(server, part.path, there=path):
            raise TemporaryGone(GONE) from None
        journal.permit()
        part.is_only_copy = True  # from before the request: its answer may be lost
        try:
            _remove_old(server, path)
        except NameRefused:
            part.is_only_copy = False
            raise
        journal.permit()
        try:
            server.replace(part.path, path)
        except TargetExists as again:
            raise name_refused(str(again), path) from again


def make_room(server: Server, intent: Intent, journal: Journal) -> bool:
    """Remove the file that is there, under an intent that it can never be taken for."""
    if not journal.intend(replace(intent, size=UNKNOWN_SIZE)):
        return False
    journal.permit()
    _remove_old(server, intent.final)
    return True


@contextlib.contextmanager
def removed_on_failure(
    server: Server, part: Part, journal: Journal, progress: Progress
) -> Iterator[None]:
    """Remove the file where something is raised; `part_left` says where that was not possible."""
    try:
        yield
    except BaseException as error:
        remove_part(server, part, journal, progress, error)
        raise


def remove_part(
    server: Server, part: Part, journal: Journal, progress: Progress, error: BaseException
) -> None:
    """Remove the file of a try that ended with this; `part_left` says whether it may stay."""
    progress.part_left = not _removed(server, part, journal)
    if isinstance(error, TransferError):
        error.part_left = progress.part_left


@contextlib.contextmanager
def telling_name(path: str) -> Iterator[None]:
    """Where a name is refused, say which one, and what in it servers commonly forbid."""
    try:
        yield
    except NameRefused as refused:
        tell_name(refused, path)
        raise


def tell_name(refused: NameRefused, path: str) -> None:
    """Say which name was refused, and what in it servers commonly forbid."""
    name = posixpath.basename(path)
    refused.tell(name, forbidden_in(name), unusual_in(name))


def name_refused(words: str, path: str) -> NameRefused:
    """The server refused the name of this path, in these words."""
    refused = NameRefused(words)
    tell_name(refused, path)
    return refused


def _rename_to_own(server: Server, part: Part, intent: Intent, journal: Journal) -> str:
    path = journal.own()
    if not part.intend(journal, replace(intent, final=path)):
        raise NameRefused(NO_NAME_LEFT)
    move_over(server, part, path, journal)
    return path


def _remove_old(server: Server, path: str) -> None:
    try:
        server.remove(path)
    except PathRefused as refused:  # it is about this file: others have other names
        raise name_refused(refused.words, path) from refused


def _removed(server: Server, part: Part, journal: Journal) -> bool:
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
