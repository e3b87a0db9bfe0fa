"""The way of a server that refuses renames: the name is reserved first, then written to."""

import contextlib
import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from config.file_names import TEMPORARY
from transports.base import CannotTell, PutResult, Server, TargetExists
from transports.errors import NameInUse, NameRefused, PathRefused, TransferError
from transports.free_names import Names, find_look
from transports.job import UNKNOWN_SIZE, Intent, Transfer, Uploaded
from transports.names import join
from transports.phases import Phase
from transports.placing import (
    IN_USE,
    NO_NAME_LEFT,
    Part,
    make_room,
    name_refused,
    removed_on_failure,
)
from transports.sending import Sending, send, verify
from transports.sources.source import Source
from transports.takeover import removed


def put_in_place(server: Server, transfer: Transfer, left: tuple[str, ...]) -> Uploaded:
    """Write the recording to its name. `left`: paths of files of ours that had to stay.

    Raises TransferError, and what the journal raises.
    """
    transfer.job.progress.phase = Phase.OPENING
    with transfer.open_source() as source:
        write = _InPlace(server, source, transfer, left)
        if transfer.job.overwrite:
            return write.over()
        if write.sees():
            with contextlib.suppress(CannotTell):
                return write.to_free_name()
        return write.to_own_name()


class _InPlace:
    """Writes the recording to its name."""

    def __init__(
        self, server: Server, source: Source, transfer: Transfer, left: tuple[str, ...]
    ) -> None:
        self._server = server
        self._source = source
        self._job = transfer.job
        self._journal = transfer.journal
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
        for path in names.free(PutResult()) if self._server.look else names.guesses():
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
        stem = self._job.part.removesuffix(TEMPORARY) if goes else "courier-test"
        return join(self._job.folder, stem + PurePosixPath(posixpath.basename(wanted)).suffix)

    def _write(self, path: str, *, new: bool = False) -> Uploaded:
        self._journal.permit()
        server, job = self._server, self._job
        sending = Sending(lambda: contextlib.nullcontext(self._source), job)
        with self._blamed_on_name(path), self._removed_on_failure(path, sending, new=new):
            content = send(server, sending, path, new=new)
            verified = verify(server, path, content, job, may_be_taken=True)
        return Uploaded(path, content.size, content.sha256, verified, sent=True, left=self._left)

    def _intent(self, path: str) -> Intent:
        job, size = self._job, self._source.size
        expected = job.expected_size if size is None else size
        size = UNKNOWN_SIZE if expected is None else expected
        return Intent(path, path, size, job.expected_sha256 or "")

    @contextlib.contextmanager
    def _removed_on_failure(self, path: str, sending: Sending, *, new: bool) -> Iterator[None]:
        """Where a new file was refused before its first byte, what stands there by now is somebody
        else's: it stays."""
        refused: TransferError | TargetExists | None = None
        with removed_on_failure(self._server, Part(path), self._journal, self._job.progress):
            try:
                yield
            except (PathRefused, NameRefused, TargetExists) as refusal:
                if not new or sending.is_begun:
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
