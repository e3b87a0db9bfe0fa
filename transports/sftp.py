"""SFTP (SSH_FXP version 3) on paramiko: I/O only."""

import contextlib
import posixpath
import stat
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from paramiko.sftp import (
    SFTP_FAILURE,
    SFTP_NO_SUCH_FILE,
    SFTP_OP_UNSUPPORTED,
    SFTP_PERMISSION_DENIED,
)

from config.accounts import HashAlgorithm, Look
from transports.base import USUAL_REQUEST, CannotTell, Offer, Seen, TargetExists, Unsupported
from transports.errors import (
    AccountFailure,
    ConnectionLost,
    NameRefused,
    PathRefused,
    QuotaExceeded,
    Stalled,
    TransferError,
)
from transports.names import with_parents
from transports.sftp_answers import MAX_PACKET, Attributes, Refused
from transports.sftp_session import Judge, SftpSession
from transports.sftp_writes import Writes
from transports.words import own

_NO_SUCH_PATH, _WRITE_PROTECT, _NO_SPACE, _QUOTA = 10, 12, 14, 15  # of later drafts, seen in 3
_MISSING = {SFTP_NO_SUCH_FILE, _NO_SUCH_PATH}
_MOST_LISTED = 20_000
"""Names of a folder that are looked through for one."""
Asked = TypeVar("Asked")
Told = TypeVar("Told")


class SftpServer(SftpSession):
    """The files of a server, over one session. See `transports.base.Server`."""

    @property
    def offer(self) -> Offer:
        """What the server says of itself; which digests it knows, it does not."""
        return Offer(
            hashes=tuple(HashAlgorithm) if self._sftp.knows(b"check-file") else (),
            request_size=self._sftp.told_request_size,
            algorithms=self._connection.transport.agreed(),
        )

    @property
    def looks(self) -> tuple[Look, ...]:
        """By what it may tell whether a name is taken: what was stored comes first."""
        stored = self._settings.capabilities.look
        if stored is Look.NOTHING:
            return ()
        usual = (Look.LSTAT, Look.STAT, Look.OPEN, Look.READDIR)
        return tuple(dict.fromkeys([*([stored] if stored else []), *usual]))

    def answers(self) -> bool:
        """Whether the server still answers, be it with a refusal."""
        try:
            self._look(".", Look.STAT)
        except CannotTell:
            return True
        except TransferError:
            return False
        return True

    def put(
        self, blocks: Iterable[bytes], path: str, look_at: str | None = None, *, new: bool = False
    ) -> Seen:
        """Write the blocks to a file. Raises PathRefused, QuotaExceeded, AccountFailure.

        A confirmation that is late or lost after all data was sent is made good by connecting once
        more and comparing the size.
        """
        handle = self._created(path, new=new)
        writes = Writes(self._sftp, handle, self._watch)
        try:
            for block in blocks:
                with self._talk(self._limits.stall, self._write_refused(path)):
                    writes.send(block)
        except BaseException:
            self._abandon(handle)
            raise
        try:
            return self._finished(writes, path, look_at)
        except (ConnectionLost, Stalled) as error:
            if not self._arrived(path, writes.sent):
                raise error from None
        return Seen(writes.sent)

    def size(self, path: str) -> int | None:
        """The file's size in bytes. Raises Unsupported where the server does not tell."""
        if not self._settings.capabilities.size:
            raise Unsupported("The server does not tell sizes")
        attributes = self._look(path)
        if attributes is None:
            return None
        if attributes.size is None:
            raise Unsupported("The server does not tell sizes")
        return attributes.size

    def exists(self, path: str, by: Look | None = None) -> bool:
        """Whether the name is taken. Raises CannotTell."""
        look = by or self.look or next(iter(self.looks), Look.NOTHING)
        match look:
            case Look.LSTAT | Look.STAT:
                return self._look(path, look) is not None
            case Look.OPEN:
                return self._opens(path)
            case Look.READDIR:
                return self._is_listed(path)
            case _:
                raise CannotTell("The server does not tell whether a name is taken")

    def rename(self, path: str, to: str) -> None:
        """Rename without overwriting: the plain rename of version 3 (its draft, section 6.5).

        Where the answer is late or lost, a new connection shows whether it was done.
        """
        try:
            refused = self._refusal_of_rename(path, to)
        except (ConnectionLost, Stalled) as error:
            if not self._has_moved(path, to):
                raise error from None
            return
        if refused is None:
            return
        if refused.code == SFTP_OP_UNSUPPORTED:
            raise Unsupported(refused.words)
        if self._may_be_taken(to, refused):
            raise TargetExists(self._words(refused.words))
        raise NameRefused(self._words(refused.words))

    def replace(self, path: str, to: str) -> None:
        """Rename over a file of that name; where the server cannot, as `rename` does."""
        if not (self._settings.capabilities.replace and self._renamed_over(path, to)):
            self.rename(path, to)

    def digest(self, path: str, algorithm: HashAlgorithm, size: int) -> str:
        """The server's digest of the file, in hexadecimal digits. Raises Unsupported."""
        with self._talk(self._limits.digest(size)):
            try:
                try:
                    return self._sftp.digest_by_name(path, algorithm)
                except Refused:
                    return self._sftp.digest_by_handle(path, algorithm)
            except Refused as refusal:
                raise Unsupported(refusal.words) from refusal

    def read(self, path: str, most: int) -> bytes:
        """The file's first bytes, `most` at most. Raises NameRefused."""
        with self._talk(self._reply, _reading_refused):
            handle = self._sftp.open_to_read(path)
        content = bytearray()
        try:
            while len(content) < most and (piece := self._next_of(handle, len(content), most)):
                content += piece
        finally:
            self._abandon(handle)
        return bytes(content)

    def remove(self, path: str) -> None:
        """Remove the file. Raises PathRefused where it must stay, or nobody can tell.

        Many servers say FAILURE, or that it is not permitted, of what is not there.
        """
        with self._talk(self._reply):
            try:
                self._sftp.remove(path)
            except Refused as refusal:
                refused = refusal
            else:
                return
        if refused.code not in _MISSING and not self._is_gone(path):
            raise PathRefused(self._words(refused.words))

    def make_directory(self, path: str) -> None:
        """Make sure of the folder. Raises PathRefused.

        Where it was made and nothing is there to see, as in buckets, the upload shows what it is.
        """
        if path in self._folders:
            return
        if not self._is_folder(path):
            refused = self._make_all(path)
            if refused and self._is_folder(path) is False:
                raise PathRefused(self._words(refused))
        self._folders.add(path)

    def remove_directory(self, path: str) -> None:
        """Remove the empty folder. Raises PathRefused."""
        with self._talk(self._reply, _path_refused):
            self._sftp.rmdir(path)
        self._folders.discard(path)

    def _finished(self, writes: Writes, path: str, look_at: str | None) -> Seen:
        """Close the file and wait for every answer.

        Most servers answer the requests of a channel in their order: what they tell behind the
        close is how things are then. What does not fit has to be asked again. The next file's
        requests follow right behind.
        """
        seconds = self._limits.finish(writes.sent, self._settings.capabilities.finish_seconds)
        with self._talk(seconds, self._write_refused(path)):
            file = writes.look(path) if self._settings.capabilities.size else None
            name = writes.look(look_at) if look_at is not None else None
            writes.begin_finish()
            self._hand_on(seconds)
            writes.finish()
        if file is not None and file.is_there and self._may_believe_lstat:
            self.look = Look.LSTAT
        is_told = name is not None and self.look is Look.LSTAT
        return Seen(
            file.size if file else None, look_at, name.is_there if name and is_told else None
        )

    @property
    def _may_believe_lstat(self) -> bool:
        """Not where the test on save has found another means: of buckets it finds everything."""
        return self.look is None and self.looks[:1] == (Look.LSTAT,)

    def _arrived(self, path: str, size: int) -> bool:
        """Whether the file is there whole, as a new connection sees it."""
        with contextlib.suppress(TransferError, Unsupported):
            if self._connect_again():
                return self.size(path) == size
        return False

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

    def _refusal_of_rename(self, path: str, to: str) -> Refused | None:
        with self._talk(self._reply):
            try:
                self._sftp.rename(path, to)
            except Refused as refusal:
                return refusal
        return None

    def _has_moved(self, path: str, to: str) -> bool:
        with contextlib.suppress(TransferError, Unsupported):
            return self._connect_again() and not self.exists(path) and self.exists(to)
        return False

    def _created(self, path: str, *, new: bool) -> bytes:
        """A handle to write to. Raises TargetExists where a new file was asked for and is not."""
        with self._talk(self._reply, _path_refused):
            try:
                handle = self._sftp.create(path, new=new)
            except Refused as refusal:
                if not new:
                    raise
                refused = refusal
            else:
                self._behind_seconds = 0
                return handle
        if self._may_be_taken(path, refused):
            raise TargetExists(self._words(refused.words))
        if self.look is not None:  # it is free: maybe the server knows no such request
            return self._created(path, new=False)
        raise _path_refused(refused)(self._words(refused.words))

    def _may_be_taken(self, path: str, refusal: Refused) -> bool:
        """Whether that may be why it was refused: version 3 has no status of its own for it."""
        try:
            return self.exists(path)
        except CannotTell:
            # Of other names it tells: then it is this name that it does not take.
            return self.look is None and refusal.code == SFTP_FAILURE

    def _look(self, path: str, by: Look = Look.LSTAT) -> Attributes | None:
        with self._talk(self._reply):
            try:
                return self._sftp.stat(path) if by is Look.STAT else self._sftp.lstat(path)
            except Refused as refusal:
                if refusal.code == SFTP_NO_SUCH_FILE:
                    return None
                raise CannotTell(refusal.words) from refusal

    def _next_of(self, handle: bytes, offset: int, most: int) -> bytes:
        with self._talk(self._reply, _reading_refused):
            return self._sftp.read(handle, offset, min(USUAL_REQUEST, most - offset))

    def _opens(self, path: str) -> bool:
        with self._talk(self._reply):
            try:
                self._sftp.close_handle(self._sftp.open_to_read(path))
            except Refused as refusal:
                if refusal.code == SFTP_NO_SUCH_FILE:
                    return False
                raise CannotTell(refusal.words) from refusal
        return True

    def _is_listed(self, path: str) -> bool:
        """By a listing of its folder, as far as `_MOST_LISTED` names and the limit of one answer.

        A file was written there just now: where nothing is listed that tells nothing. Upper and
        lower case are one on many servers: a name that differs in it alone is taken.
        """
        wanted, listed = posixpath.basename(path).encode().lower(), 0
        deadline = time.monotonic() + self._limits.reply
        handle = self._listing(self._sftp.open_folder_of, path)
        try:
            while names := self._next_names(handle):
                if any(name.lower() == wanted for name in names):
                    return True
                listed += len(names)
                if listed > _MOST_LISTED or time.monotonic() > deadline:
                    raise CannotTell("The folder has more files than are looked through")
        finally:
            self._abandon(handle)
        if not listed:
            raise CannotTell("The server lists nothing of the folder")
        return False

    def _next_names(self, handle: bytes) -> list[bytes]:
        self._connection.allow_answer(MAX_PACKET)
        return self._listing(self._sftp.names, handle)

    def _listing(self, ask: Callable[[Asked], Told], what: Asked) -> Told:
        with self._talk(self._reply):
            try:
                return ask(what)
            except Refused as refusal:
                raise CannotTell(refusal.words) from refusal

    def _is_gone(self, path: str) -> bool:
        try:
            return self._look(path) is None
        except Unsupported:
            return False

    def _is_folder(self, path: str) -> bool | None:
        """None where the server refuses to look: then the upload finds out."""
        with self._talk(self._reply):
            try:
                mode = self._sftp.stat(path).mode
            except Refused as refusal:
                return False if refusal.code in _MISSING else None
        return mode is None or stat.S_ISDIR(mode)

    def _make_all(self, path: str) -> str | None:
        """None where the last one was made; else why it was not."""
        refused: str | None = own("The path is not a folder")
        for folder in with_parents(path):
            if folder in self._folders:
                continue
            with self._talk(self._reply):
                try:
                    self._sftp.mkdir(folder)
                except Refused as refusal:
                    refused = refusal.words
                else:
                    refused = None
        return refused

    def _hand_on(self, seconds: float) -> None:
        """`seconds`: what the file's end may take, behind which the successor's requests stand."""
        hand_on, self.hand_on = self.hand_on, None
        if hand_on is not None:
            successor = self._behind(self._connection, self._sftp)
            successor.look = self.look
            successor._behind_seconds = seconds  # noqa: SLF001 - one of its own kind
            hand_on(successor)

    def _abandon(self, handle: bytes) -> None:
        with contextlib.suppress(TransferError), self._talk(self._reply):
            self._sftp.close_handle(handle)

    def _write_refused(self, path: str) -> Judge:
        def judge(refusal: Refused) -> type[TransferError]:
            if refusal.code == SFTP_FAILURE and self._sftp.is_full(path):
                return QuotaExceeded
            return _path_refused(refusal)

        return judge


def _reading_refused(_refusal: Refused) -> type[TransferError]:
    return NameRefused


def _path_refused(refusal: Refused) -> type[TransferError]:
    if refusal.code in {SFTP_PERMISSION_DENIED, _WRITE_PROTECT, *_MISSING}:
        return PathRefused
    return QuotaExceeded if refusal.code in {_NO_SPACE, _QUOTA} else AccountFailure
