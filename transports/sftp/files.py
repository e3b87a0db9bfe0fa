"""The files of an SFTP server, but for writing and renaming them."""

import stat
from collections.abc import Sequence

from config.accounts import HashAlgorithm, Look
from transports.base import BLOCK, USUAL_REQUEST, CannotTell, ServerFeatures, Unsupported
from transports.errors import NameRefused, PathRefused, Stalled, TransferError
from transports.names import with_parents
from transports.sftp.answers import Malformed, Refused
from transports.sftp.client import DIGEST_WAYS
from transports.sftp.looks import MISSING, SftpLooks, path_refused
from transports.ssh.connection import SshConnection
from transports.words import own

_REQUEST_SIZES = (BLOCK, 128 * 1024, 64 * 1024)
_MOST_OPEN = 16
"""Files that are open at once."""


class SftpFiles(SftpLooks):
    """Reads, removes, makes folders; tells what the server says of itself."""

    def __init__(self, connection: SshConnection) -> None:
        super().__init__(connection)
        found = self._settings.capabilities.open_files
        self._most_open = min(_MOST_OPEN, found or _MOST_OPEN)
        """Files that the server lets be open at once, as far as it was seen."""

    @property
    def features(self) -> ServerFeatures:
        """What the server says of itself; which digests it knows, it does not."""
        return ServerFeatures(
            hashes=tuple(HashAlgorithm) if self._may_tell_digests else (),
            request_size=self._sftp.told_request_size,
            algorithms=self._connection.transport.agreed(),
            guards_names=True,
            request_sizes=_REQUEST_SIZES,
            open_files=self._most_open if self._most_open < _MOST_OPEN else None,
        )

    def answers(self) -> bool:
        """Whether the server still answers, be it with a refusal."""
        try:
            self._look(".", Look.STAT)
        except CannotTell:
            return True
        except TransferError:
            return False
        return True

    def digest(
        self, path: str, algorithm: HashAlgorithm, size: int, *, of_prefix: bool = False
    ) -> str:
        """The server's digest of the file, in hexadecimal digits. Raises Unsupported."""
        length = size if of_prefix else 0
        for way in DIGEST_WAYS:
            if way not in self._connection.forgone:
                digest = self._digest_by(way, path, algorithm, size, length)
                if digest is not None:
                    return digest
        raise Unsupported("The server tells no such digest")

    def _digest_by(
        self, way: str, path: str, algorithm: HashAlgorithm, size: int, length: int
    ) -> str | None:
        """None where that is refused, or the server does not come to its end."""
        forgone = self._connection.forgone
        try:
            with self._talk(self._limits.digest(size)):
                try:
                    return self._sftp.digest(way, path, algorithm, length)
                except Refused as refusal:
                    if refusal.code not in MISSING:
                        forgone.add(way)
                except Malformed:
                    forgone.add(way)
        except Stalled:
            forgone.update(DIGEST_WAYS)
            if not self._connect_again():
                raise
        return None

    @property
    def _may_tell_digests(self) -> bool:
        """ProFTPD's mod_sftp knows the requests, and names them to clients of later versions."""
        is_mod_sftp = "mod_sftp" in (self._connection.transport.remote_version or "")
        return is_mod_sftp or self._sftp.knows(b"check-file")

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
        if refused.code not in MISSING and not self._is_gone(path):
            raise PathRefused(self._words(refused.words))

    def is_untouched(self, path: str) -> bool:
        """Whether the file was to be written, and the server did not open it."""
        return self._begun.get(path) is False

    def _note_begun(self, path: str, refusal: Refused | None) -> None:
        """A server that just fails may have made the file; one that permits none has not."""
        if self._connection.access.is_settings_test:
            begins = refusal is None or path_refused(refusal) is not PathRefused
            self._begun[path] = begins or self._begun.get(path, False)

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
        with self._talk(self._reply, path_refused):
            self._sftp.rmdir(path)
        self._folders.discard(path)

    def delivers_in_packs(self, parts: Sequence[str], names: Sequence[str]) -> bool:  # noqa: ARG002 - the interface
        """Requests are numbered: they go together at every server, and nothing has to be tried."""
        return True

    def _next_of(self, handle: bytes, offset: int, most: int) -> bytes:
        with self._talk(self._reply, _reading_refused):
            return self._sftp.read(handle, offset, min(USUAL_REQUEST, most - offset))

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
                return False if refusal.code in MISSING else None
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


def _reading_refused(_refusal: Refused) -> type[TransferError]:
    return NameRefused
