"""The files of an SFTP server, but for writing and renaming them."""

import stat
from collections.abc import Sequence

from config.accounts import HashAlgorithm, Look
from transports.base import BLOCK, USUAL_REQUEST, CannotTell, ServerFeatures, Unsupported
from transports.errors import NameRefused, PathRefused, TransferError
from transports.names import with_parents
from transports.sftp.answers import Refused
from transports.sftp.looks import MISSING, SftpLooks, path_refused
from transports.words import own

_REQUEST_SIZES = (BLOCK, 128 * 1024, 64 * 1024)


class SftpFiles(SftpLooks):
    """Reads, removes, makes folders; tells what the server says of itself."""

    @property
    def features(self) -> ServerFeatures:
        """What the server says of itself; which digests it knows, it does not."""
        return ServerFeatures(
            hashes=tuple(HashAlgorithm) if self._sftp.knows(b"check-file") else (),
            request_size=self._sftp.told_request_size,
            algorithms=self._connection.transport.agreed(),
            guards_names=True,
            request_sizes=_REQUEST_SIZES,
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
        if refused.code not in MISSING and not self._is_gone(path):
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
