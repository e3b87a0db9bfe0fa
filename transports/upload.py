"""The one upload algorithm, the same for every backend, for one file or a flight of several.

A flight goes phase by phase over its files, so that what a server can do for many at once is asked
in one go:

1. What earlier starts have left is finished or removed, and the folder made.
2. Every file is written to a temporary name (`.part`), and its size compared. A large one whose
   connection is cut is gone on with over another one (`resuming`).
3. Each gets a free final name; the intents of all renames are written down in one step. From here
   on a later start can tell a rename that was done from one that was not.
4. The lease is checked, then all files are renamed.

What a worker that dies leaves at the customer, and how the next start mends it (`takeover`):

- before 3: a `.part`, whole or not. The row names it, and it is removed.
- between 3 and the rename: the same. The intent is withdrawn first, then the `.part` is removed.
- behind the rename: the file in its place. Its `.part` is gone and the final file has the size of
  the intent: it counts as delivered, and nothing is sent again.

A file with trouble leaves the flight, the others go on. A file with anything unusual goes on alone,
in turn: one that overwrites, one whose name is taken after all, one of a server that renames
nothing. Once the session is over the flight is over too: all files that had begun fail of the same
cause, which counts once, and files that had not begun stay as they were.
"""

import contextlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from transports.base import (
    CannotTell,
    Move,
    Put,
    PutResult,
    Server,
    TargetExists,
    Unsupported,
    is_refused,
)
from transports.batches import is_lost
from transports.errors import (
    AccountFailure,
    Kind,
    NameRefused,
    PathRefused,
    TemporaryGone,
    TransferError,
)
from transports.free_names import Names, find_look, is_gone
from transports.in_place import put_in_place
from transports.job import Intent, Intents, Transfer, Uploaded, Verified
from transports.phases import Phase
from transports.placing import Part, overwrite, remove_part, rename, tell_name
from transports.resuming import go_on, is_cut, is_loss
from transports.sending import GONE, Sending, verify
from transports.takeover import finish, finished_before, remove_leftovers, removed


def upload(server: Server, transfers: Sequence[Transfer], intend: Intents) -> None:
    """Bring the recordings to their places: each whole under its final name, or not there at all.

    Each transfer's `outcome` tells what became of it: a TransferError, what its journal or `intend`
    raised, or what nobody foresaw; None where it was not begun when the session ended. On an error
    the temporary file is removed where the session still can, else `part_left` is set on it; and
    the session is closed at the end, but for one of the recording. Nothing is raised.
    """
    flight = _Flight(server, transfers)
    try:
        flight.prepare()
        flight.send()
        flight.verify()
        flight.choose_names()
        flight.intend(intend)
        flight.rename()
        flight.tidy()
    except _SessionOver as over:
        flight.end(over.error)
    ended = [each for each in transfers if each.outcome is not None]
    if not all(each.spares_session for each in ended):
        with contextlib.suppress(Exception):  # the outcomes tell what is wrong
            server.close()


class _SessionOver(Exception):
    """Nothing more can be done over the session."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class _File:
    """One file of a flight."""

    def __init__(self, transfer: Transfer) -> None:
        job = transfer.job
        self.transfer = transfer
        self.job = job
        self.journal = transfer.journal
        self.part = Part(job.part_path, withdraws=job.overwrite)
        self.sending = Sending(transfer.open_source, job)
        self.put = Put(self.part.path, self.sending.opened, hash=job.hash)
        self.left: tuple[str, ...] = ()
        self.folder_refused: PathRefused | None = None
        """Why the folder could not be made. It may be there all the same: the writing shows it."""
        self.verified = Verified.REPLY
        self.seen = PutResult()
        """What is known of a name."""
        self.intent: Intent | None = None
        """What the rename in common is to do; None where the file is renamed alone."""

    @property
    def is_flying(self) -> bool:
        """Whether it has not come to an end."""
        return self.transfer.outcome is None

    def prepare(self, server: Server) -> None:
        """Do or undo what earlier starts have left; make sure of the folder."""
        job = self.job
        job.progress.phase = Phase.LOOKING
        finished = finished_before(server, job) or finish(server, job, self.journal)
        if finished is not None:
            self.transfer.outcome = finished
            return
        job.progress.phase = Phase.FOLDER
        try:
            for folder in job.folders:
                server.make_directory(folder)
        except PathRefused as refused:
            self.folder_refused = refused
        job.progress.phase = Phase.LOOKING
        self.left = remove_leftovers(server, job, self.journal)

    def look_ahead(self, server: Server) -> None:
        """Have the wanted name looked at on the way."""
        if not self.job.overwrite:
            self.put.look_at = Names(server, self.journal).wanted()

    def choose_name(self, server: Server) -> None:
        """The first name that is free. Where there is none, or nothing tells, none is chosen."""
        self.job.progress.phase = Phase.RENAMING
        if self.job.overwrite:
            return
        sees = server.look is not None or find_look(server, self.part.path) is not None
        if not (sees or self.job.rename_refuses):
            return
        names = Names(server, self.journal)
        with contextlib.suppress(CannotTell):
            path = next(names.free(self.seen) if sees else names.guesses(), None)
            self.intent = None if path is None else self.intent_to(path)

    def intent_to(self, path: str) -> Intent:
        """Of a rename to the path."""
        content = self.sending.content
        return Intent(self.part.path, path, content.size, content.sha256)

    def place_alone(self, server: Server) -> None:
        """Rename it by itself; where the server renames nothing, write it to its name."""
        intent = self.intent_to("")
        # Since a name was seen to be free, others of the flight were renamed.
        seen = self.seen if self.seen.taken else PutResult()
        try:
            if self.job.overwrite:
                path = overwrite(server, self.part, intent, self.journal)
            else:
                path = rename(server, self.part, intent, self.job, self.journal, seen)
        except Unsupported as unsupported:
            self.put.begun = False
            remove_part(server, self.part, self.journal, self.job.progress, unsupported)
            self.transfer.outcome = put_in_place(server, self.transfer, self.left)
            return
        self.stands_at(path)

    def stands_at(self, path: str) -> None:
        """It has arrived."""
        content = self.sending.content
        self.transfer.outcome = Uploaded(
            path, content.size, content.sha256, self.verified, sent=True, left=self.left
        )

    def fail(self, server: Server, error: BaseException) -> None:
        """End it with the error; its temporary file is removed where there may be one."""
        error = self._cause_of(server, error)
        if self.put.begun:
            remove_part(server, self.part, self.journal, self.job.progress, error)
        self.transfer.outcome = error

    def _cause_of(self, server: Server, error: BaseException) -> BaseException:
        """Where the folder was refused and then the file, it is the folder; where the rename was
        refused of a file that has been taken away, it is that."""
        is_refusal = type(error) is AccountFailure and not self.sending.is_begun
        if self.folder_refused is not None and (is_refusal or isinstance(error, PathRefused)):
            return self.folder_refused
        is_of_rename = self.put.begun and self.job.progress.phase is Phase.RENAMING
        if is_of_rename and _is_refusal(server, error) and is_gone(server, self.part.path):
            return TemporaryGone(GONE)
        return error


class _Flight:
    """Files that go to a server together. Its methods raise _SessionOver, and nothing else."""

    def __init__(self, server: Server, transfers: Sequence[Transfer]) -> None:
        self._server = server
        self._files = [_File(each) for each in transfers]

    @property
    def _flying(self) -> list[_File]:
        return [file for file in self._files if file.is_flying]

    def prepare(self) -> None:
        """See to what earlier starts have left, and to the folder."""
        for file in self._flying:
            with self._leaving(file):
                file.prepare(self._server)

    def send(self) -> None:
        """Write all of them to their temporary names."""
        together = [file for file in self._flying if file.job.rename]
        for file in together:
            with self._leaving(file):
                file.look_ahead(self._server)
        self._put([file for file in together if file.is_flying])
        for file in self._flying:
            if not file.job.rename:
                with self._leaving(file):
                    file.transfer.outcome = put_in_place(self._server, file.transfer, file.left)

    def verify(self) -> None:
        """Compare what arrived with what was sent."""
        for file in self._flying:
            with self._leaving(file):
                content = file.sending.content
                file.verified = verify(self._server, file.part.path, content, file.job)

    def choose_names(self) -> None:
        """Find a free name for each."""
        for file in self._flying:
            with self._leaving(file):
                file.choose_name(self._server)

    def intend(self, intend: Intents) -> None:
        """Write the intents down. A path that is another recording's is for nobody here."""
        files = [file for file in self._flying if file.intent is not None]
        wanted = [(file.transfer, file.intent) for file in files if file.intent is not None]
        if not wanted:
            return
        for file in files:
            # If the answer is lost, we must assume that it was written.
            file.part.is_intended = True
        try:
            granted = list(intend(wanted))
        except BaseException as error:  # noqa: BLE001 - it is the outcome
            for file in files:
                file.fail(self._server, error)
            return
        for (file, (_, intent)), is_granted in zip(
            zip(files, wanted, strict=True), granted, strict=True
        ):
            if not is_granted:
                file.intent, file.seen = None, PutResult(name=intent.final, taken=True)

    def rename(self) -> None:
        """Rename those in one go that can be; then each of the others."""
        self._rename_together()
        for file in self._flying:
            with self._leaving(file):
                file.place_alone(self._server)

    def tidy(self) -> None:
        """Ask once more for the removal of what an earlier start has left: the server may have had
        it open. The files stand in their places by now, so that no error is any of theirs."""
        for file in self._files:
            outcome = file.transfer.outcome
            if not (isinstance(outcome, Uploaded) and outcome.left):
                continue
            with contextlib.suppress(Exception):  # a session that is lost is found to be
                left = tuple(path for path in outcome.left if not removed(self._server, path))
                file.transfer.outcome = replace(outcome, left=left)

    def end(self, error: BaseException) -> None:
        """The session is over. Of what had begun the error is the end, counted once for all."""
        begun = [file for file in self._flying if file.put.begun]
        if begun and isinstance(error, TransferError):
            error.common = error.common or error
        for file in begun:
            file.fail(self._server, error.again() if isinstance(error, TransferError) else error)

    def _put(self, files: list[_File]) -> None:
        if not files:
            return
        # What fails before the first byte has to be some file's failure: else it is never counted.
        files[0].put.begun = True
        for file in files:
            file.job.progress.phase = Phase.WRITING
        try:
            self._server.put_all([file.put for file in files])
        except BaseException as error:
            is_over = not self._go_on(files, error)
            self._judge_puts(files)
            if is_over:
                raise _SessionOver(error) from error
        else:
            self._go_on(files)
            self._judge_puts(files)

    def _go_on(self, files: list[_File], error: BaseException | None = None) -> bool:
        """Go on with large files that were cut; `error`: what the session ended with.

        Whether one is whole after all: then the session goes on too, and what else had begun has
        ended with the error.
        """
        cut = [file for file in files if is_cut(file.put) and is_loss(file.put.outcome or error)]
        whole = [file for file in cut if go_on(self._server, file.put, file.sending, file.transfer)]
        if whole and isinstance(error, TransferError):
            for file in files:
                if file.put.begun and file.put.outcome is None:
                    file.put.outcome = error.again()
        return bool(whole)

    def _judge_puts(self, files: list[_File]) -> None:
        for file in files:
            match file.put.outcome:
                case PutResult() as seen:
                    file.seen = file.sending.content.seen = seen
                case BaseException() as error:
                    if is_refused(file.put):
                        file.sending.refused(file.put)
                    file.fail(self._server, error)
            file.transfer.part_left = file.put.opened and not file.put.begun
        self._files = [file for file in self._files if file.put.begun or not file.job.rename]

    def _rename_together(self) -> None:
        files = _of_different_names(self._flying)
        moves = [
            Move(file.part.path, file.intent.final, file.journal.permit)
            for file in files
            if file.intent is not None
        ]
        try:
            self._server.rename_all(moves)
        except BaseException as error:
            self._judge_moves(files, moves)
            raise _SessionOver(error) from error
        self._judge_moves(files, moves)

    def _judge_moves(self, files: list[_File], moves: list[Move]) -> None:
        for file, move in zip(files, moves, strict=True):
            if move.done:
                file.stands_at(move.to)
            elif isinstance(move.error, TargetExists):
                file.seen = PutResult(name=move.to, taken=True)
            elif move.error is not None and not isinstance(move.error, Unsupported):
                if isinstance(move.error, NameRefused):
                    tell_name(move.error, move.to)
                file.fail(self._server, move.error)

    @contextlib.contextmanager
    def _leaving(self, file: _File) -> Iterator[None]:
        """Where something is raised the file has ended with it, and maybe the flight."""
        try:
            yield
        except BaseException as error:
            file.fail(self._server, error)
            if is_lost(self._server, error):
                raise _SessionOver(error) from error


def _is_refusal(server: Server, error: BaseException) -> bool:
    """Whether the server has refused it, and would answer a question about it."""
    is_theirs = isinstance(error, TransferError) and error.kind in {Kind.FILE, Kind.ACCOUNT}
    return is_theirs and not is_lost(server, error)


def _of_different_names(files: list[_File]) -> list[_File]:
    """Those with an intent, without any whose name another one takes on some servers: upper and
    lower case may be one there, and so may two spellings of an accent."""
    by_name: dict[str, _File] = {}
    for file in files:
        if file.intent is not None:
            name = unicodedata.normalize("NFC", file.intent.final).casefold()
            by_name.setdefault(name, file)
    return list(by_name.values())
