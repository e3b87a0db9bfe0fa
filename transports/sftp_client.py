"""SFTP requests (draft-ietf-secsh-filexfer-02) of one session on a channel.

paramiko's client turns status codes into texts and sends 32 KB at once to everybody; here every
write's status is checked, codes stay codes, and the request is as large as the server says it may
be.
"""

import time
from collections.abc import Callable
from typing import Any

from paramiko import SFTPAttributes
from paramiko.message import Message
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_HANDLE,
    CMD_LSTAT,
    CMD_MKDIR,
    CMD_OPEN,
    CMD_REMOVE,
    CMD_RENAME,
    CMD_RMDIR,
    CMD_STAT,
    CMD_STATUS,
    CMD_WRITE,
    SFTP_DESC,
    SFTP_FLAG_CREATE,
    SFTP_FLAG_READ,
    SFTP_FLAG_TRUNC,
    SFTP_FLAG_WRITE,
    SFTP_NO_SUCH_FILE,
    SFTP_OK,
    SFTP_OP_UNSUPPORTED,
    SFTPError,
    int64,
)

from transports.base import BLOCK
from transports.sftp_channel import Answered, SftpChannel
from transports.watchdog import Watch
from transports.words import spoken

_REQUEST = 32 * 1024
"""Bytes of a write that every server takes (section 3 of the draft)."""
_IN_FLIGHT = 4 * 1024 * 1024
"""Bytes of writes on their way unanswered: twice OpenSSH's channel window."""


class Refused(Exception):
    """The server answered with an error status."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(code, words)
        self.code = code
        self.words = words or _described(code)


class SftpClient:
    """Raises Refused for every status that is not OK; tells the watch what goes forward."""

    def __init__(
        self,
        channel: SftpChannel,
        watch: Watch,
        answered_in: Callable[[float], None],
        request_size: int | None = None,
        like: "SftpClient | None" = None,
    ) -> None:
        """`answered_in` hears how many seconds each request took that was waited for.

        `request_size`: what the server is known to take, though it does not say. `like`: of the
        same server, which has told already what it takes.
        """
        self.channel = channel
        self._watch = watch
        self._number = -1
        self._answered_in = answered_in
        self.told_request_size: int | None
        self.told_request_size = like.told_request_size if like else self._asked_request_size()
        self.request_size = self.told_request_size or min(request_size or _REQUEST, BLOCK)
        channel.join()

    def close(self) -> None:
        """The end of this session; the channel ends with the last of its sessions."""
        self.channel.leave()

    def create(self, path: str) -> bytes:
        """A handle to write a new, empty file."""
        flags = SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | SFTP_FLAG_TRUNC
        return self._opened(path, flags)

    def begin_close(self, answered: "Writes", handle: bytes) -> None:
        """Send the request to close; its answer goes to `answered`."""
        self._ask(answered, CMD_CLOSE, handle)

    def close_handle(self, handle: bytes) -> None:
        """Close the file of a transfer that was given up."""
        self._request(CMD_CLOSE, handle)

    def write(self, answered: "Writes", handle: bytes, offset: int, data: bytes) -> None:
        """Send a write request; its answer goes to `answered`."""
        self._ask(answered, CMD_WRITE, handle, int64(offset), data)

    def begin_look(self, answered: "Look", path: str) -> None:
        """Ask what stands at the path; its answer goes to `answered`."""
        self._ask(answered, CMD_LSTAT, path)

    def wait(self, is_answered: Callable[[], bool]) -> None:
        """Until that is so: answers are read, or another session on the channel reads them."""
        self.channel.wait(is_answered, self._number, self._watch.moved)

    def stat(self, path: str) -> SFTPAttributes:
        """What stands at the path, at the end of all links."""
        return self._attributes(CMD_STAT, path)

    def lstat(self, path: str) -> SFTPAttributes:
        """What stands at the path, be it a link."""
        return self._attributes(CMD_LSTAT, path)

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        attributes = SFTPAttributes()
        attributes.st_mode = 0o777  # less the server's umask
        self._request(CMD_MKDIR, path, attributes)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        self._request(CMD_RMDIR, path)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._request(CMD_REMOVE, path)

    def rename(self, path: str, to: str) -> None:
        """Rename a file; what a server does where the name is taken is its own affair."""
        self._request(CMD_RENAME, path, to)

    def knows(self, extension: bytes) -> bool:
        """Whether the server has named the extension in its greeting."""
        return extension in self.channel.extensions

    def posix_rename(self, path: str, to: str) -> None:
        """Rename over an existing file (OpenSSH's PROTOCOL, section 4.3)."""
        self._request(CMD_EXTENDED, "posix-rename@openssh.com", path, to)

    def digest_by_name(self, path: str, algorithm: str) -> str:
        """The digest of a file (draft-ietf-secsh-filexfer-extensions-00, section 3)."""
        return self._digest("check-file-name", path, algorithm)

    def digest_by_handle(self, path: str, algorithm: str) -> str:
        """The same, of a server that wants the file opened first."""
        handle = self._opened(path, SFTP_FLAG_READ)
        try:
            return self._digest("check-file", handle, algorithm)
        finally:
            self.close_handle(handle)

    def is_full(self, path: str) -> bool:
        """Whether the file system has no room for this user, as far as the server tells."""
        if not self.knows(b"statvfs@openssh.com"):
            return False
        try:
            kind, message = self._request(CMD_EXTENDED, "statvfs@openssh.com", path)
        except Refused:
            return False
        block_size, _, _, _, available = (message.get_int64() for _ in range(5))
        return kind == CMD_EXTENDED_REPLY and available == 0 and block_size > 0

    def _opened(self, path: str, flags: int) -> bytes:
        kind, message = self._request(CMD_OPEN, path, flags, SFTPAttributes())
        if kind != CMD_HANDLE:
            raise SFTPError("Expected a handle")
        return message.get_binary()

    def _attributes(self, request: int, path: str) -> SFTPAttributes:
        kind, message = self._request(request, path)
        if kind != CMD_ATTRS:
            raise SFTPError("Expected attributes")
        return SFTPAttributes._from_msg(message)  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001 - as its own client does

    def _digest(self, request: str, file: str | bytes, algorithm: str) -> str:
        whole = int64(0), int64(0), 0
        kind, message = self._request(CMD_EXTENDED, request, file, algorithm, *whole)
        if kind != CMD_EXTENDED_REPLY:
            raise SFTPError("Expected a digest")
        used = message.get_binary()
        if used == b"check-file":  # left out by later drafts
            used = message.get_binary()
        if used != algorithm.encode():
            raise Refused(SFTP_OP_UNSUPPORTED, "")
        return message.get_remainder().hex()

    def _asked_request_size(self) -> int | None:
        if not self.knows(b"limits@openssh.com"):
            return None
        try:
            kind, message = self._request(CMD_EXTENDED, "limits@openssh.com")
        except Refused:
            return None
        _, _, write = (message.get_int64() for _ in range(3))
        return min(write, BLOCK) if kind == CMD_EXTENDED_REPLY and write else None

    def _ask(self, answered: Answered, kind: int, *args: Any) -> None:
        self._number = self.channel.ask(answered, self._watch.moved, kind, *args)

    def _request(self, kind: int, *args: Any) -> tuple[int, Message]:
        reply = _Reply()
        started = time.monotonic()
        self._ask(reply, kind, *args)
        self.wait(reply.has_come)
        self._answered_in(time.monotonic() - started)
        if reply.kind == CMD_STATUS:
            _check_status(reply.message)
        return reply.kind, reply.message


class Writes:
    """The writes of one file: many on their way at once, each one's status checked."""

    def __init__(self, client: SftpClient, handle: bytes, watch: Watch) -> None:
        self._client = client
        self._handle = handle
        self._watch = watch
        self._offset = 0
        self._asked = 0
        self._answered = 0
        self._refusal: Exception | None = None
        self._most = max(2, _IN_FLIGHT // client.request_size)
        self._looks: list[tuple[Look, str]] = []

    def send(self, block: bytes) -> None:
        """Send the block behind the ones before. Raises Refused, also for an earlier block."""
        size = self._client.request_size
        for start in range(0, len(block), size):
            self._send_piece(block[start : start + size])

    def look(self, path: str) -> "Look":
        """Have `finish` ask what stands at the path then."""
        look = Look(self)
        self._looks.append((look, path))
        return look

    def begin_finish(self) -> None:
        """Ask for all that is left, in one flight: the close, and the looks."""
        self._client.begin_close(self, self._handle)
        for look, path in self._looks:
            self._client.begin_look(look, path)
        self._asked += 1 + len(self._looks)

    def finish(self) -> None:
        """Wait for every answer. Raises Refused."""
        self._wait_down_to(0)

    def answered(self) -> None:
        """Count an answer that came: one thread at a time reads."""
        self._answered += 1
        self._watch.moved()

    def take(self, kind: int, message: Message) -> None:
        """The answer to a write or to the close, in whatever order they come."""
        if self._refusal is None:
            try:
                _check_status(message, kind)
            except (Refused, SFTPError) as refusal:
                self._refusal = refusal
        self.answered()

    def _send_piece(self, piece: bytes) -> None:
        self._client.write(self, self._handle, self._offset, piece)
        self._offset += len(piece)
        self._asked += 1
        self._wait_down_to(self._most)

    def _wait_down_to(self, most: int) -> None:
        self._client.wait(lambda: self._is_down_to(most))
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal

    def _is_down_to(self, most: int) -> bool:
        return self._refusal is not None or self._asked - self._answered <= most


class Look:
    """What a server told of a path; nothing is known of it where it refused to look."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self.size: int | None = None
        self.is_there: bool | None = None

    def take(self, kind: int, message: Message) -> None:
        """The answer."""
        if kind == CMD_ATTRS:
            self.is_there = True
            if message.get_int() & SFTPAttributes.FLAG_SIZE:
                self.size = message.get_int64()
        elif kind == CMD_STATUS and message.get_int() == SFTP_NO_SUCH_FILE:
            self.is_there = False
        self._writes.answered()


class _Reply:
    """The answer to a request that is waited for."""

    kind = -1
    message: Message

    def take(self, kind: int, message: Message) -> None:
        """It has come."""
        self.message = message
        self.kind = kind

    def has_come(self) -> bool:
        """Whether it has."""
        return self.kind >= 0


def _check_status(message: Message, kind: int = CMD_STATUS) -> None:
    """Raises Refused where the answer is not OK."""
    if kind != CMD_STATUS:
        raise SFTPError("Expected a status")
    code = message.get_int()
    if code != SFTP_OK:
        raise Refused(code, spoken(message.get_binary()))


def _described(code: int) -> str:
    return SFTP_DESC[code] if 0 <= code < len(SFTP_DESC) else f"SFTP status {code}"
