"""What stands at a path, as an SFTP server tells it."""

import contextlib
import posixpath
import time
from collections.abc import Callable
from typing import TypeVar

from paramiko.sftp import SFTP_NO_SUCH_FILE, SFTP_PERMISSION_DENIED

from config.accounts import Look
from transports.base import CannotTell, Unsupported
from transports.errors import AccountFailure, PathRefused, QuotaExceeded, TransferError
from transports.names import may_be
from transports.sftp.answers import MAX_PACKET, Attributes, Refused
from transports.sftp.session import SftpSession

_NO_SUCH_PATH, _WRITE_PROTECT, _NO_SPACE, _QUOTA = 10, 12, 14, 15  # of later drafts, seen in 3
MISSING = {SFTP_NO_SUCH_FILE, _NO_SUCH_PATH}
_MOST_LISTED = 20_000
"""Names of a folder that are looked through for one."""
Asked = TypeVar("Asked")
Told = TypeVar("Told")


class SftpLooks(SftpSession):
    """Looks at files."""

    @property
    def looks(self) -> tuple[Look, ...]:
        """By what it may tell whether a name is taken: what was stored comes first."""
        stored = self._settings.capabilities.look
        if stored is Look.NOTHING:
            return ()
        usual = (Look.LSTAT, Look.STAT, Look.OPEN, Look.READDIR)
        return tuple(dict.fromkeys([*([stored] if stored else []), *usual]))

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

    def _look(self, path: str, by: Look = Look.LSTAT) -> Attributes | None:
        with self._talk(self._reply):
            try:
                return self._sftp.stat(path) if by is Look.STAT else self._sftp.lstat(path)
            except Refused as refusal:
                if refusal.code == SFTP_NO_SUCH_FILE:
                    return None
                raise CannotTell(refusal.words) from refusal

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

        A file was written there just now: where nothing is listed that tells nothing.
        """
        wanted, listed = posixpath.basename(path), 0
        deadline = time.monotonic() + self._limits.reply
        handle = self._listing(self._sftp.open_folder_of, path)
        try:
            while names := self._next_names(handle):
                if any(may_be(name, wanted) for name in names):
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

    def _abandon(self, handle: bytes) -> None:
        with contextlib.suppress(TransferError), self._talk(self._reply):
            self._sftp.close_handle(handle)


def path_refused(refusal: Refused) -> type[TransferError]:
    """What a refusal to write a file means: its temporary name is ours and plain."""
    if refusal.code in {SFTP_PERMISSION_DENIED, _WRITE_PROTECT, *MISSING}:
        return PathRefused
    return QuotaExceeded if refusal.code in {_NO_SPACE, _QUOTA} else AccountFailure
