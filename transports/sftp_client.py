"""SFTP requests on one SSH channel (draft-ietf-secsh-filexfer-02), after paramiko's client.

paramiko drops the status of a pipelined write when it comes late, turns status codes into texts
and sends 32 KB at once to everybody; here every write's status is checked, codes stay codes, and
the request is as large as the server says it may be.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from paramiko import Channel, SFTPAttributes, SFTPClient
from paramiko.message import Message
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_HANDLE,
    CMD_INIT,
    CMD_LSTAT,
    CMD_OPEN,
    CMD_STATUS,
    CMD_VERSION,
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
from transports.watchdog import Watch
from transports.words import spoken

_VERSION = 3
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


class SftpClient(SFTPClient):
    """Raises Refused for every status that is not OK; tells the watch what goes forward."""

    if TYPE_CHECKING:  # what is used of paramiko beyond its stubs

        def _async_request(self, waiting: Any, kind: int, *args: Any) -> int: ...
        def _read_response(self, waitfor: int | None = None) -> tuple[int, Message]: ...
        def _send_packet(self, kind: int, message: Message) -> None: ...
        def _read_packet(self) -> tuple[int, bytes]: ...

    def __init__(
        self,
        channel: Channel,
        watch: Watch,
        answered_in: Callable[[float], None],
        request_size: int | None = None,
        like: "SftpClient | None" = None,
    ) -> None:
        """`answered_in` hears how many seconds each request took that was waited for.

        `request_size`: what the server is known to take, though it does not say. `like`: of the
        same server, which has told already what it takes.
        """
        self._watch = watch
        self._answered_in = answered_in
        self._extensions: set[bytes] = set()
        super().__init__(channel)
        self.told_request_size: int | None
        self.told_request_size = like.told_request_size if like else self._asked_request_size()
        self.request_size = self.told_request_size or min(request_size or _REQUEST, BLOCK)

    @property
    def is_closed(self) -> bool:
        """Whether either side has closed the channel."""
        return bool(self.sock.closed)

    def create(self, path: str) -> bytes:
        """A handle to write a new, empty file."""
        flags = SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | SFTP_FLAG_TRUNC
        kind, message = self._request(CMD_OPEN, path, flags, SFTPAttributes())
        if kind != CMD_HANDLE:
            raise SFTPError("Expected a handle")
        return message.get_binary()

    def begin_close(self, answered: "Writes", handle: bytes) -> None:
        """Send the request to close; its answer, which paramiko would drop, goes to `answered`."""
        self._async_request(answered, CMD_CLOSE, handle)

    def close_handle(self, handle: bytes) -> None:
        """Close the file of a transfer that was given up."""
        self._request(CMD_CLOSE, handle)

    def write(self, answered: "Writes", handle: bytes, offset: int, data: bytes) -> None:
        """Send a write request; its answer goes to `answered`."""
        self._async_request(answered, CMD_WRITE, handle, int64(offset), data)

    def begin_look(self, answered: "Look", path: str) -> None:
        """Ask what stands at the path; its answer goes to `answered`."""
        self._async_request(answered, CMD_LSTAT, path)

    def read_answer(self) -> None:
        """Wait for one answer to whatever is on its way."""
        self._read_response()

    def check_status(self, kind: int, message: Message) -> None:
        """Raises Refused where the answer is not OK."""
        if kind != CMD_STATUS:
            raise SFTPError("Expected a status")
        self._convert_status(message)

    def knows(self, extension: bytes) -> bool:
        """Whether the server has named the extension in its greeting."""
        return extension in self._extensions

    def posix_rename(self, oldpath: str | bytes, newpath: str | bytes) -> None:
        """Rename over an existing file (OpenSSH's PROTOCOL, section 4.3). Raises Refused."""
        self._request(CMD_EXTENDED, "posix-rename@openssh.com", oldpath, newpath)

    def digest_by_name(self, path: str, algorithm: str) -> str:
        """The digest of a file (draft-ietf-secsh-filexfer-extensions-00, section 3)."""
        return self._digest("check-file-name", path, algorithm)

    def digest_by_handle(self, path: str, algorithm: str) -> str:
        """The same, of a server that wants the file opened first."""
        kind, message = self._request(CMD_OPEN, path, SFTP_FLAG_READ, SFTPAttributes())
        if kind != CMD_HANDLE:
            raise SFTPError("Expected a handle")
        handle = message.get_binary()
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

    def _request(self, kind: int, *args: Any) -> tuple[int, Message]:
        started = time.monotonic()
        number = self._async_request(type(None), kind, *args)
        try:
            return self._read_response(number)
        finally:
            self._answered_in(time.monotonic() - started)

    def _send_version(self) -> int:
        hello = Message()
        hello.add_int(_VERSION)
        started = time.monotonic()
        self._send_packet(CMD_INIT, hello)
        kind, data = self._read_packet()
        self._answered_in(time.monotonic() - started)
        if kind != CMD_VERSION:
            raise SFTPError("It does not speak SFTP")
        answer = Message(data)
        version = answer.get_int()
        while answer.get_remainder():
            self._extensions.add(answer.get_binary())
            answer.get_binary()
        return version

    def _write_all(self, out: bytes) -> None:
        sent = 0
        while sent < len(out):
            piece = self.sock.send(out[sent : sent + self.sock.out_max_packet_size])
            if not piece:
                raise EOFError
            sent += piece
            self._watch.moved()

    def _convert_status(self, message: Message) -> None:
        code = message.get_int()
        if code != SFTP_OK:
            raise Refused(code, spoken(message.get_binary()))


class Writes:
    """The writes of one file: many on their way at once, each one's status checked."""

    def __init__(self, client: SftpClient, handle: bytes, watch: Watch) -> None:
        self._client = client
        self._handle = handle
        self._watch = watch
        self._offset = 0
        self._unanswered = 0
        self._refused = False
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

    def finish(self) -> None:
        """Close the file and wait for every answer, in one round trip. Raises Refused."""
        self._client.begin_close(self, self._handle)
        for look, path in self._looks:
            self._client.begin_look(look, path)
        self._unanswered += 1 + len(self._looks)
        self._wait_down_to(0)

    def answered(self) -> None:
        """Count an answer that came."""
        self._unanswered -= 1
        self._watch.moved()

    def _send_piece(self, piece: bytes) -> None:
        self._client.write(self, self._handle, self._offset, piece)
        self._offset += len(piece)
        self._unanswered += 1
        self._wait_down_to(self._most)

    def _wait_down_to(self, most: int) -> None:
        while self._unanswered > most:
            self._client.read_answer()

    def _async_response(self, kind: int, message: Message, _number: int) -> None:
        """Called by paramiko for each answer, in whatever order they come."""
        self.answered()
        if self._refused:
            return  # the first refusal is being told already
        self._refused = True
        self._client.check_status(kind, message)
        self._refused = False


class Look:
    """What a server told of a path; nothing is known of it where it refused to look."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self.size: int | None = None
        self.is_there: bool | None = None

    def _async_response(self, kind: int, message: Message, _number: int) -> None:
        self._writes.answered()
        if kind == CMD_ATTRS:
            self.is_there = True
            if message.get_int() & SFTPAttributes.FLAG_SIZE:
                self.size = message.get_int64()
        elif kind == CMD_STATUS and message.get_int() == SFTP_NO_SUCH_FILE:
            self.is_there = False


def _described(code: int) -> str:
    return SFTP_DESC[code] if 0 <= code < len(SFTP_DESC) else f"SFTP status {code}"
