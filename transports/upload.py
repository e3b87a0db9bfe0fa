"""The one upload algorithm, the same for every backend."""

import contextlib
import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from transports.base import CannotTell, Seen, Server, TargetExists, Unsupported
from transports.errors import NameInUse, NameRefused, PathRefused, Phase, TransferError
from transports.job import UNKNOWN_SIZE, Intent, Job, Journal, Uploaded, Verified
from transports.names import join
from transports.placing import (
    IN_USE,
    NO_NAME_LEFT,
    Part,
    make_room,
    name_refused,
    overwrite,
    removed_on_failure,
    rename,
)
from transports.sending import send, verify
from transports.sources import Source
from transports.taken import Names, find_look
from transports.takeover import finish, finished_before, remove_leftovers, removed

__all__ = ["UNKNOWN_SIZE", "Intent", "Job", "Journal", "Uploaded", "Verified", "upload"]


def upload(server: Server, source: Source, job: Job, journal: Journal) -> Uploaded:
    """Bring the recording to its place: whole under its final name, or not there at all.

    On an error the temporary file of this try is removed where the session still can, else
    `part_left` is set on it, and the session is closed. Raises TransferError; what the journal
    raises passes through unchanged.
    """
    try:
        job.progress.phase = Phase.LOOKING
        finished = finished_before(server, job) or finish(server, job, journal)
        if finished is not None:
            return finished
        job.progress.phase = Phase.FOLDER
        server.make_directory(job.folder)
        job.progress.phase = Phase.LOOKING
        left = remove_leftovers(server, job, journal)
        if job.rename:
            with contextlib.suppress(Unsupported):
                return _put_and_rename(server, source, job, journal, left)
        return _put_in_place(server, source, job, journal, left)
    except BaseException:
        with contextlib.suppress(Exception):  # the first error is raised, not one of the closing
            server.close()
        raise


def _put_and_rename(
    server: Server, source: Source, job: Job, journal: Journal, left: tuple[str, ...]
) -> Uploaded:
    part = Part(join(job.folder, job.part), withdraws=job.overwrite)
    # A digest may take its time: then what was seen before it may be true no more.
    looks_ahead = not job.overwrite and job.hash is None
    look_at = Names(server, journal).wanted() if looks_ahead else None
    with removed_on_failure(server, part, journal, job.progress):
        content = send(server, source, job, part.path, look_at)
        verified = verify(server, part.path, content, job)
        job.progress.phase = Phase.RENAMING
        intent = Intent(part.path, "", content.size, content.sha256)
        if job.overwrite:
            final = overwrite(server, part, intent, journal)
        else:
            final = rename(server, part, intent, job, journal, content.seen)
    return Uploaded(final, content.size, content.sha256, verified, sent=True, left=left)


def _put_in_place(
    server: Server, source: Source, job: Job, journal: Journal, left: tuple[str, ...]
) -> Uploaded:
    """The way of a server that refuses renames: the name is reserved first, then written to."""
    write = _InPlace(server, source, job, journal, left)
    if job.overwrite:
        return write.over()
    if write.sees():
        with contextlib.suppress(CannotTell):
            return write.to_free_name()
    return write.to_own_name()


class _InPlace:
    """Writes the recording to its name."""

    def __init__(
        self, server: Server, source: Source, job: Job, journal: Journal, left: tuple[str, ...]
    ) -> None:
        self._server = server
        self._source = source
        self._job = job
        self._journal = journal
        self._left = left

    def over(self) -> Uploaded:
        """In place of the file that may be there. Raises NameInUse."""
        for path in self._journal.candidates():
            intent = self._intent(path)
            if make_room(self._server, intent, self._journal) and self._journal.intend(intent):
                return self._write(path)
        raise NameInUse(IN_USE)

    def to_free_name(self) -> Uploaded:
        """To a name that is free. Raises CannotTell."""
        names = Names(self._server, self._journal)
        for path in names.free(Seen()) if self._server.look else names.guesses():
            if self._journal.intend(self._intent(path)):
                with contextlib.suppress(TargetExists):
                    return self._write(path, new=True)
        if self._server.look:
            raise NameRefused(NO_NAME_LEFT)
        raise CannotTell(NO_NAME_LEFT)

    def to_own_name(self) -> Uploaded:
        """To the name that carries the recording's id."""
        path = self._journal.own()
        if not self._journal.intend(self._intent(path)):
            raise NameRefused(NO_NAME_LEFT)
        return self._write(path)

    def sees(self) -> bool:
        """Whether it will be seen that a name is taken.

        The means that the test on save has found is tried again with a file of ours, where that
        can be removed; else it is believed.
        """
        if self._server.look is not None or self._job.exclusive:
            return True
        if self._job.removes:
            return self._finds_sample()
        if self._job.look in self._server.looks:
            self._server.look = self._job.look
        return self._server.look is not None

    def _finds_sample(self) -> bool:
        sample = self._sample()
        try:
            self._server.put([], sample)
        except TransferError:
            if not self._server.connected:
                raise
            return False
        find_look(self._server, sample)
        if not removed(self._server, sample):
            self._left = (*self._left, sample)
        return self._server.look is not None

    def _sample(self) -> str:
        """A plain name of ours that ends as the recording's does.

        Where it may have to stay it is the same for all recordings, so that only one stays.
        """
        wanted = Names(self._server, self._journal).wanted() or ""
        goes = self._job.removes and self._job.look is not None
        stem = self._job.part.removesuffix(".part") if goes else "courier-test"
        return join(self._job.folder, stem + PurePosixPath(posixpath.basename(wanted)).suffix)

    def _write(self, path: str, *, new: bool = False) -> Uploaded:
        self._journal.permit()
        server, job = self._server, self._job
        source = _Handed(self._source)
        with self._blamed_on_name(path), self._removed_on_failure(path, source, new=new):
            content = send(server, source, job, path, new=new)
            verified = verify(server, path, content, job, may_be_taken=True)
        return Uploaded(path, content.size, content.sha256, verified, sent=True, left=self._left)

    def _intent(self, path: str) -> Intent:
        job, size = self._job, self._source.size
        expected = job.expected_size if size is None else size
        size = UNKNOWN_SIZE if expected is None else expected
        return Intent(path, path, size, job.expected_sha256 or "")

    @contextlib.contextmanager
    def _removed_on_failure(self, path: str, source: "_Handed", *, new: bool) -> Iterator[None]:
        """Where a new file was refused before its first byte, what stands there by now is somebody
        else's: it stays."""
        refused: TransferError | TargetExists | None = None
        with removed_on_failure(self._server, Part(path), self._journal, self._job.progress):
            try:
                yield
            except (PathRefused, NameRefused, TargetExists) as refusal:
                if not new or source.is_begun:
                    raise
                refused = refusal
        if refused is not None:
            raise refused

    @contextlib.contextmanager
    def _blamed_on_name(self, path: str) -> Iterator[None]:
        """Where the folder takes a plain name of ours, it is the file's name that was refused."""
        try:
            yield
        except PathRefused as refused:
            if not self._takes(self._sample()):
                raise
            raise name_refused(refused.words, path) from refused

    def _takes(self, path: str) -> bool:
        try:
            self._server.put([], path)
        except TransferError:
            return False
        with contextlib.suppress(TransferError):
            self._server.remove(path)
        return True


class _Handed:
    """A recording, and whether the server has asked for it: then the file is this upload's."""

    def __init__(self, source: Source) -> None:
        self.size = source.size
        self.is_begun = False
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        """Its blocks."""
        self.is_begun = True
        yield from self._source
