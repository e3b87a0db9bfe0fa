"""SFTP requests (draft-ietf-secsh-filexfer-02) of one session.

paramiko's client turns status codes into texts and sends 32 KB at once to everybody; here every
write's status is checked, codes stay codes, and the request is as large as the server says it may
be.
"""

import posixpath
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from paramiko import SFTPAttributes, sftp
from paramiko.sftp import SFTPError, int64

from config.naming_settings import NameEncoding
from transports.base import BLOCK, USUAL_REQUEST
from transports.sftp.answers import (
    Attributes,
    Malformed,
    Refused,
    attributes_of,
    check_status,
    data_of,
    digest_of,
    handle_of,
    has_no_room,
    names_of,
    write_limit_of,
)
from transports.sftp.channel import Answered, Request, SftpChannel
from transports.words import heard, own

Told = TypeVar("Told")
BY_NAME = "check-file-name"
DIGEST_WAYS = (BY_NAME, "check-file-handle", "check-file")
"""Requests for a digest. The last one is that of earlier drafts; the last two want the file to be
opened first."""
_WHOLE = (int64(0), int64(0), 0)
"""From where, how far, and in blocks of what size: from the beginning, to the end, in one."""
_LEAST_REQUEST = 1024
"""Bytes: a server that says it takes less is not believed."""


class SftpClient:
    """Raises Refused for every status that is not OK."""

    def __init__(
        self,
        channel: SftpChannel,
        request_size: int | None = None,
        like: "SftpClient | None" = None,
        names: NameEncoding = NameEncoding.UTF_8,
    ) -> None:
        """`request_size`: what the server is known to take, whatever it says. `like`: of the
        same server, which has told already what it takes. `names`: how paths are sent.
        """
        self.channel = channel
        self._names = names
        self.told_request_size: int | None
        self.told_request_size = like.told_request_size if like else self._asked_request_size()
        self.request_size = min(request_size or self.told_request_size or USUAL_REQUEST, BLOCK)

    def close(self) -> None:
        """The end of this session, and of its channel."""
        self.channel.close()

    def opening(self, answered: Answered, path: str, *, new: bool, keep: bool = False) -> Request:
        """To open a file to write to, empty; with `new` one of that name is refused.

        With `keep` it has to be there, and stays as it is.
        """
        only = sftp.SFTP_FLAG_EXCL if new else sftp.SFTP_FLAG_TRUNC
        flags = sftp.SFTP_FLAG_WRITE | (0 if keep else sftp.SFTP_FLAG_CREATE | only)
        return Request(answered, sftp.CMD_OPEN, (path, flags, SFTPAttributes()))

    def writing(self, answered: Answered, handle: bytes, offset: int, data: bytes) -> Request:
        """To write to a file."""
        return Request(answered, sftp.CMD_WRITE, (handle, int64(offset), data))

    def closing(self, answered: Answered, handle: bytes) -> Request:
        """To close a file."""
        return Request(answered, sftp.CMD_CLOSE, (handle,))

    def looking(self, answered: Answered, path: str) -> Request:
        """To tell what stands at the path, be it a link."""
        return Request(answered, sftp.CMD_LSTAT, (path,))

    def digesting(self, answered: Answered, path: str, algorithm: str) -> Request:
        """To tell the digest of a file."""
        return Request(answered, sftp.CMD_EXTENDED, (BY_NAME, path, algorithm, *_WHOLE))

    def renaming(self, answered: Answered, path: str, to: str) -> Request:
        """To rename a file; what a server does where the name is taken is its own affair."""
        return Request(answered, sftp.CMD_RENAME, (path, to))

    def ask_all(self, requests: Sequence[Request]) -> None:
        """Send the requests, as many in one packet as fit."""
        if requests:
            self.channel.ask_all(map(self._sendable, requests))

    def close_handle(self, handle: bytes) -> None:
        """Close the file of a transfer that was given up."""
        self._done(sftp.CMD_CLOSE, handle)

    def wait(self, is_answered: Callable[[], bool]) -> None:
        """Read answers until that is so."""
        self.channel.wait(is_answered)

    def stat(self, path: str) -> Attributes:
        """What stands at the path, at the end of all links."""
        return self._told(attributes_of, sftp.CMD_ATTRS, sftp.CMD_STAT, path)

    def lstat(self, path: str) -> Attributes:
        """What stands at the path, be it a link."""
        return self._told(attributes_of, sftp.CMD_ATTRS, sftp.CMD_LSTAT, path)

    def open_folder_of(self, path: str) -> bytes:
        """A handle to list the folder in which the path is."""
        return self._handle(sftp.CMD_OPENDIR, posixpath.dirname(_at_home(path)) or ".")

    def names(self, handle: bytes) -> list[bytes]:
        """The next names of a folder; none at its end."""
        try:
            return self._told(names_of, sftp.CMD_NAME, sftp.CMD_READDIR, handle)
        except Refused as refusal:
            if refusal.code == sftp.SFTP_EOF:
                return []
            raise

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        attributes = SFTPAttributes()
        attributes.st_mode = 0o777  # less the server's umask
        self._done(sftp.CMD_MKDIR, path, attributes)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        self._done(sftp.CMD_RMDIR, path)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._done(sftp.CMD_REMOVE, path)

    def knows(self, extension: bytes) -> bool:
        """Whether the server has named the extension in its greeting."""
        return extension in self.channel.extensions

    def posix_rename(self, path: str, to: str) -> None:
        """Rename over an existing file (OpenSSH's PROTOCOL, section 4.3)."""
        self._done(sftp.CMD_EXTENDED, "posix-rename@openssh.com", path, to)

    def digest(self, way: str, path: str, algorithm: str, length: int) -> str:
        """The digest of a file's first bytes; with a `length` of 0 of all (draft-ietf-secsh-
        filexfer-extensions-00, section 3). `way`: one of `DIGEST_WAYS`.
        """
        if way == BY_NAME:
            return self._digest(way, path, algorithm, length)
        handle = self.open_to_read(path)
        try:
            return self._digest(way, handle, algorithm, length)
        finally:
            self.close_handle(handle)

    def open_to_read(self, path: str) -> bytes:
        """A handle of a file that is there."""
        return self._opened(path, sftp.SFTP_FLAG_READ)

    def read(self, handle: bytes, offset: int, size: int) -> bytes:
        """What stands there in the file, `size` bytes at most; nothing at its end."""
        try:
            return self._told(
                partial(data_of, most=size),
                sftp.CMD_DATA,
                sftp.CMD_READ,
                handle,
                int64(offset),
                size,
            )
        except Refused as refusal:
            if refusal.code == sftp.SFTP_EOF:
                return b""
            raise

    def is_full(self, path: str) -> bool:
        """Whether the file system has no room for this user, as far as the server tells."""
        if not self.knows(b"statvfs@openssh.com"):
            return False
        try:
            return self._extended(has_no_room, "statvfs@openssh.com", path)
        except Refused:
            return False

    def _sendable(self, request: Request) -> Request:
        """With the texts as the server gets them; whatever is no path is ASCII."""
        args = tuple(
            _at_home(each).encode(self._names, "replace") if isinstance(each, str) else each
            for each in request.args
        )
        return request._replace(args=args)

    def _opened(self, path: str, flags: int) -> bytes:
        return self._handle(sftp.CMD_OPEN, path, flags, SFTPAttributes())

    def _handle(self, kind: int, *args: Any) -> bytes:
        kind, body = self._request(kind, *args)
        if kind != sftp.CMD_HANDLE:
            raise SFTPError(own("Expected a handle"))
        return handle_of(body)

    def _digest(self, request: str, file: str | bytes, algorithm: str, length: int) -> str:
        digest = partial(digest_of, algorithm=algorithm)
        return self._extended(digest, request, file, algorithm, int64(0), int64(length), 0)

    def _asked_request_size(self) -> int | None:
        if not self.knows(b"limits@openssh.com"):
            return None
        try:
            limit = self._extended(write_limit_of, "limits@openssh.com")
        except Refused:
            return None
        return None if limit is None or limit < _LEAST_REQUEST else min(limit, BLOCK)

    def _extended(self, parse: Callable[[bytes], Told], *args: Any) -> Told:
        return self._told(parse, sftp.CMD_EXTENDED_REPLY, sftp.CMD_EXTENDED, *args)

    def _told(self, parse: Callable[[bytes], Told], expected: int, kind: int, *args: Any) -> Told:
        """What an answer says. Nothing is lost with one that cannot be used: it is a refusal."""
        answer, body = self._request(kind, *args)
        if answer != expected:
            words = own("The server answered something that it was not asked")
            raise Refused(sftp.SFTP_BAD_MESSAGE, words)
        try:
            return parse(body)
        except Malformed as error:
            raise Refused(sftp.SFTP_BAD_MESSAGE, heard(error)) from error

    def _done(self, kind: int, *args: Any) -> None:
        answer, body = self._request(kind, *args)
        check_status(answer, body)

    def _request(self, kind: int, *args: Any) -> tuple[int, bytes]:
        reply = _Reply()
        self.ask_all([Request(reply, kind, args)])
        self.wait(reply.has_come)
        if reply.kind == sftp.CMD_STATUS:
            check_status(reply.kind, reply.body)
        return reply.kind, reply.body


class _Reply:
    """The answer to a request that is waited for."""

    kind = -1
    body = b""

    def take(self, kind: int, body: bytes) -> None:
        """It has come."""
        self.body = body
        self.kind = kind

    def has_come(self) -> bool:
        """Whether it has."""
        return self.kind >= 0


def _at_home(path: str) -> str:
    """`~/x` is `x` in the folder that the login leads to: the home, as over FTP.

    OpenSSH's own expand-path@openssh.com means the same.
    """
    return path[2:].lstrip("/") or "." if path.startswith("~/") else path
