"""SFTP (SSH_FXP version 3) on paramiko: I/O only.

Its parts: `session` (logged in, with time limits), `looks` (what stands at a path),
`files` (reading, removing, folders), here writing and renaming; beneath them `writes` and
`client` (requests), `channel` (packets) and `answers` (what is said, pure).

Files are opened together, streamed one after another, closed and looked at on the way, and renamed
together.

A far server costs a flight three round trips, whatever the number of files: the opening, the end of
the last file, the renames. Memory does not grow with the files: one is read at a time, and what is
on its way unanswered is bounded for all of them together.
"""

import contextlib
import posixpath
from collections.abc import Callable, Iterable, Sequence

from paramiko.sftp import SFTP_FAILURE, SFTP_OP_UNSUPPORTED, SFTP_PERMISSION_DENIED

from config.accounts import Look as By
from transports.base import (
    CannotTell,
    Move,
    Put,
    PutResult,
    TargetExists,
    Unsupported,
    permitted,
    put_alone,
)
from transports.busy import FileRefusedBesideOthers
from transports.errors import (
    ConnectionLost,
    NameRefused,
    QuotaExceeded,
    Stalled,
    TransferError,
)
from transports.names import with_parents
from transports.sftp.answers import Refused
from transports.sftp.channel import Request
from transports.sftp.client import BY_NAME, DIGEST_WAYS
from transports.sftp.files import SftpFiles
from transports.sftp.looks import path_refused
from transports.sftp.session import Judge
from transports.sftp.writes import Digest, Flow, Look, Opened, Told, Writes, look_at

_MAY_BE_TOO_MANY = {SFTP_FAILURE, SFTP_PERMISSION_DENIED}
"""What servers say that let no more files be open: version 3 has no status of its own for it."""


class _File:
    """A file that is open at the server."""

    def __init__(self, put: Put, writes: Writes) -> None:
        self.put = put
        self.writes = writes
        self.is_sent = False
        """Whether all of its bytes went out."""
        self.itself: Look | None = None
        """What stands there behind its close."""
        self.digest: Digest | None = None
        """Its digest, as the server tells it there."""
        self.wanted: Look | None = None
        """What stands under the name that it is to have."""


class SftpServer(SftpFiles):
    """A session at an SFTP server. See `transports.base.Server`."""

    def put(
        self, blocks: Iterable[bytes], path: str, look_at: str | None = None, *, new: bool = False
    ) -> PutResult:
        """Write the blocks to a file. Raises PathRefused, QuotaExceeded, AccountFailure."""
        return put_alone(
            self.put_all, Put(path, lambda: contextlib.nullcontext(blocks), look_at, new)
        )

    def put_all(self, puts: Sequence[Put]) -> None:
        """Write the files. Raises TransferError where the session is over.

        A confirmation that is late or lost after all data of a file was sent is made good by
        connecting once more and comparing the size; no further file is begun then.
        """
        waiting, tried = list(puts), set[Put]()
        while waiting:
            pack, waiting = waiting[: self._most_open], waiting[self._most_open :]
            with self._connection.open_files.counted(len(pack)) as have_others:
                files, again = self._open(pack, tried, have_others)
                try:
                    self._write(files)
                except (ConnectionLost, Stalled) as lost:
                    for file in files:
                        file.put.reached = file.writes.confirmed
                    self._note_silence(files, lost)
                    self._make_good(files, lost)
                    return
            waiting[:0] = again

    def rename_all(self, moves: Sequence[Move]) -> None:
        """Rename without overwriting: the plain rename of version 3 (its draft, section 6.5).

        Where an answer is late or lost, a new connection shows whether it was done. Raises
        TransferError where the session is over.
        """
        permitted = [move for move in moves if move.is_permitted()]
        flow = self._flow()
        told = [Told(flow) for _ in permitted]
        try:
            with self._talk(self._reply):
                self._ask_to_rename(flow, permitted, told)
                refusals = [each.refusal() for each in told]
        except (ConnectionLost, Stalled) as lost:
            for move, each in zip(permitted, told, strict=True):
                move.done = each.is_done
            self._look_after([move for move in permitted if not move.done], lost)
            return
        for move, refusal in zip(permitted, refusals, strict=True):
            move.done = refusal is None
        for move, refusal in zip(permitted, refusals, strict=True):
            if refusal is not None:
                self._judge_rename(move, refusal)

    def rename(self, path: str, to: str) -> None:
        """Rename one file, as `rename_all` does."""
        move = Move(path, to, permit=permitted)
        self.rename_all([move])
        if move.error is not None:
            raise move.error

    def replace(self, path: str, to: str) -> None:
        """Rename over a file of that name; where the server cannot, as `rename` does."""
        if not (self._settings.capabilities.replace and self._renamed_over(path, to)):
            self.rename(path, to)

    def _flow(self) -> Flow:
        return Flow(self._sftp)

    # --- writing ----------------------------------------------------------------------------------

    def _open(
        self, pack: list[Put], tried: set[Put], have_others: Callable[[], bool]
    ) -> tuple[list[_File], list[Put]]:
        """The files that are open, and those to be tried again beside fewer.

        Servers limit how many may be open at once, and say no more than that it failed.
        `have_others`: whether other sessions of the connection had some open meanwhile.
        """
        flow = self._flow()
        opened = [Opened(flow) for _ in pack]
        try:
            refusals = self._ask_to_open(flow, pack, opened)
        except BaseException:
            for put in pack:  # any of them may be what the server did not bear
                put.begun = True
            raise
        files, again = list[_File](), list[Put]()
        has_some = any(refusal is None for refusal in refusals)
        for put, each, refusal in zip(pack, opened, refusals, strict=True):
            self._note_begun(put.path, refusal)
            if refusal is None:
                put.opened = True
                files.append(_File(put, Writes(flow, each.handle, put.start)))
            elif has_some and refusal.code in _MAY_BE_TOO_MANY and put not in tried:
                tried.add(put)
                again.append(put)
            else:
                files += self._opened_otherwise(put, refusal, have_others)
        if again:
            self._most_open = max(1, len(files))
        return files, again

    def _ask_to_open(
        self, flow: Flow, pack: list[Put], opened: list[Opened]
    ) -> list[Refused | None]:
        client = self._sftp
        with self._talk(self._reply):
            pairs = zip(opened, pack, strict=True)
            opening = client.opening
            flow.ask(
                *(opening(each, put.path, new=put.new, keep=put.start > 0) for each, put in pairs)
            )
            flow.wait_for_all()
            return [each.refusal() for each in opened]

    def _opened_otherwise(
        self, put: Put, refusal: Refused, have_others: Callable[[], bool]
    ) -> list[_File]:
        """The file, where it can be opened after all; else the refusal is its outcome."""
        put.begun = True
        if put.new and self._may_be_taken(put.path, refusal):
            put.outcome = TargetExists(self._words(refusal.words))
        elif put.new and self.look is not None:  # it is free: maybe it knows no such request
            put.new = False
            return self._open([put], {put}, have_others)[0]
        elif refusal.code in _MAY_BE_TOO_MANY and have_others():
            put.outcome = FileRefusedBesideOthers(self._words(refusal.words))
        else:
            # Maybe somebody has removed the folder since it was last seen.
            self._folders.difference_update(with_parents(posixpath.dirname(put.path)))
            put.outcome = path_refused(refusal)(self._words(refusal.words))
        return []

    def _write(self, files: list[_File]) -> None:
        """Stream the files, then wait for every answer.

        Most servers answer the requests of a channel in their order: what they tell behind a close
        is how things are then. What does not fit has to be asked again. The names are looked at
        behind the last close, so that what is seen is as new as it can be.
        """
        if not files:
            return
        with self._connection.turn.taken():
            for number, file in enumerate(files):
                self._send(file, self._patience(files[:number]))
        flow, seconds = files[0].writes.flow, self._patience(files)
        with self._talk(seconds):
            self._ask_for_names(flow, files)
            flow.wait_for_all()
            for file in files:
                file.writes.refusal()
        for file in files:
            self._judge_put(file)

    def _send(self, file: _File, seconds: float) -> None:
        """`seconds`: what the server may take, with those before, until the next answer."""
        put = file.put
        put.begun = True
        try:
            with put.open() as blocks:
                for block in blocks:
                    with self._talk(seconds, self._write_refused(put.path)):
                        file.writes.send(block)
        except BaseException as error:
            if error is self._failure:
                raise
            put.outcome = error
        with self._talk(seconds):
            file.writes.close(*(self._about(file) if put.outcome is None else []))
        file.is_sent = put.outcome is None

    def _about(self, file: _File) -> list[Request]:
        """What is asked about a file behind its close."""
        put, flow, asked = file.put, file.writes.flow, list[Request]()
        if self._settings.capabilities.size:
            file.itself = Look(flow)
            asked.append(self._sftp.looking(file.itself, put.path))
        if put.hash is not None and BY_NAME not in self._connection.forgone:
            file.digest = Digest(flow, put.hash)
            asked.append(self._sftp.digesting(file.digest, put.path, put.hash))
        return asked

    def _patience(self, files: list[_File]) -> float:
        """Seconds until the next answer, where these are ahead: some scan a file at its close."""
        unanswered = [file.writes.sent for file in files if not file.writes.is_done]
        if not unanswered:
            return self._limits.stall
        seen = self._settings.capabilities.finish_seconds
        return self._limits.finish(max(unanswered), seen)

    def _ask_for_names(self, flow: Flow, files: list[_File]) -> None:
        named = [file for file in files if file.put.look_at is not None and file.is_sent]
        looks = look_at(flow, [file.put.look_at or "" for file in named])
        for file, look in zip(named, looks, strict=True):
            file.wanted = look

    def _judge_put(self, file: _File) -> None:
        put, refusal = file.put, file.writes.refusal()
        put.reached = file.writes.confirmed
        if put.outcome is not None:
            return
        if refusal is not None:
            put.outcome = self._meant(refusal, self._write_refused(put.path))
            return
        itself, wanted = file.itself, file.wanted
        if itself is not None and itself.is_there and self._may_believe_lstat:
            self.look = By.LSTAT
        is_told = wanted is not None and self.look is By.LSTAT
        put.outcome = PutResult(
            itself.size if itself else None,
            put.look_at,
            wanted.is_there if wanted and is_told else None,
            file.digest.digits if file.digest else None,
        )

    @property
    def _may_believe_lstat(self) -> bool:
        """Not where the test on save has found another means: of buckets it finds everything."""
        return self.look is None and self.looks[:1] == (By.LSTAT,)

    def _note_silence(self, files: list[_File], lost: TransferError) -> None:
        """Where the server has not come to the end of a digest, it is not asked for one again."""
        waits = any(
            file.writes.is_done and file.digest and not file.digest.is_told for file in files
        )
        if waits and isinstance(lost, Stalled):
            self._connection.forgone.update(DIGEST_WAYS)

    def _make_good(self, files: list[_File], lost: TransferError) -> None:
        """Look over a new connection at what was sent whole. Raises what was lost without one."""
        if not (any(file.is_sent for file in files) and self._is_connected_again()):
            raise lost
        for file in files:
            if file.put.outcome is None and file.put.begun:
                is_whole = file.is_sent and self._is_whole(file)
                file.put.outcome = PutResult(file.writes.sent) if is_whole else lost.again()
        if self._closed:
            raise lost

    def _is_connected_again(self) -> bool:
        with contextlib.suppress(TransferError, Unsupported):
            return self._connect_again()
        return False

    def _is_whole(self, file: _File) -> bool:
        with contextlib.suppress(TransferError, Unsupported):
            return file.writes.is_done or self.size(file.put.path) == file.writes.sent
        return False

    def _meant(self, refusal: Refused, judge: Judge) -> TransferError:
        """What a refusal means; maybe the server has to be asked for it."""
        try:
            with self._talk(self._reply, judge):
                raise refusal
        except TransferError as error:
            return error

    def _write_refused(self, path: str) -> Judge:
        def judge(refusal: Refused) -> type[TransferError]:
            if refusal.code == SFTP_FAILURE and self._sftp.is_full(path):
                return QuotaExceeded
            return path_refused(refusal)

        return judge

    def _may_be_taken(self, path: str, refusal: Refused) -> bool:
        """Whether that may be why it was refused: version 3 has no status of its own for it."""
        try:
            return self.exists(path)
        except CannotTell:
            # Of other names it tells: then it is this name that it does not take.
            return self.look is None and refusal.code == SFTP_FAILURE

    # --- renaming ---------------------------------------------------------------------------------

    def _ask_to_rename(self, flow: Flow, moves: list[Move], told: list[Told]) -> None:
        client = self._sftp
        pairs = zip(told, moves, strict=True)
        flow.ask(*(client.renaming(each, move.path, move.to) for each, move in pairs))
        flow.wait_for_all()

    def _renamed_over(self, path: str, to: str) -> bool:
        """False where that is refused, be it for this name: the plain rename tells why."""
        if not self._sftp.knows(b"posix-rename@openssh.com"):
            return False
        with self._talk(self._reply):
            try:
                self._sftp.posix_rename(path, to)
            except Refused:
                return False
        return True

    def _judge_rename(self, move: Move, refusal: Refused) -> None:
        words = self._words(refusal.words)
        if refusal.code == SFTP_OP_UNSUPPORTED:
            move.error = Unsupported(words)
        elif self._may_be_taken(move.to, refusal):
            move.error = TargetExists(words)
        else:
            move.error = NameRefused(words)

    def _look_after(self, moves: list[Move], lost: TransferError) -> None:
        """Look over a new connection for what has no answer. Raises what was lost without one."""
        if not self._is_connected_again():
            raise lost
        for move in moves:
            move.done = self._has_moved(move)
            move.error = None if move.done else lost.again()
        if self._closed:
            raise lost

    def _has_moved(self, move: Move) -> bool:
        with contextlib.suppress(TransferError, Unsupported):
            return not self.exists(move.path) and self.exists(move.to)
        return False
