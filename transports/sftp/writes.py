"""What is on its way to an SFTP server for a flight of files, and what comes back for each.

Many requests are under way at once, those of several files behind each other. Every answer is
looked at; what it means is asked once it is there.
"""

import contextlib
from collections.abc import Callable, Sequence

from paramiko.sftp import (
    CMD_ATTRS,
    CMD_EXTENDED_REPLY,
    CMD_HANDLE,
    CMD_STATUS,
    SFTP_NO_SUCH_FILE,
    SFTPError,
)

from transports.sftp.answers import (
    Malformed,
    Packet,
    Refused,
    attributes_of,
    check_status,
    digest_of,
    handle_of,
)
from transports.sftp.channel import Request
from transports.sftp.client import SftpClient
from transports.words import own

_IN_FLIGHT = 4 * 1024 * 1024
"""Bytes of writes on their way unanswered, of all files: twice OpenSSH's channel window."""


class Flow:
    """The requests of a session that are on their way."""

    def __init__(self, client: SftpClient) -> None:
        self.client = client
        self._asked = 0
        self._answered = 0
        self._most = max(2, _IN_FLIGHT // client.request_size)

    def ask(self, *requests: Request) -> None:
        """Send requests together; each one's answer goes to whoever it names."""
        self.client.ask_all(requests)
        self._asked += len(requests)

    def wait_for_room(self, unless: Callable[[], bool]) -> None:
        """Until so few are unanswered that more may be sent."""
        self.client.wait(lambda: unless() or self._asked - self._answered <= self._most)

    def wait_for_all(self) -> None:
        """Until every answer has come."""
        self.client.wait(lambda: self._asked == self._answered)

    def answered(self) -> None:
        """Count an answer that came."""
        self._answered += 1


class Told:
    """The answer to one request that is done or refused."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._asked = 1
        self._answered = 0
        self._error: Exception | None = None

    @property
    def is_done(self) -> bool:
        """Whether every answer has come, and none was a refusal."""
        return self._error is None and self._asked == self._answered

    def take(self, kind: int, body: bytes) -> None:
        """The answer, in whatever order they come."""
        try:
            self._read(kind, body)
        except (Refused, SFTPError) as error:
            self._error = self._error or error
        self._answered += 1
        self.flow.answered()

    def refusal(self) -> Refused | None:
        """Why it was not done. Raises SFTPError for what is no answer at all."""
        if self._error is None or isinstance(self._error, Refused):
            return self._error
        raise self._error

    def _read(self, kind: int, body: bytes) -> None:
        check_status(kind, body)


class Opened(Told):
    """The answer to a request to open a file."""

    handle = b""

    def _read(self, kind: int, body: bytes) -> None:
        if kind == CMD_STATUS:
            check_status(kind, body)
        if kind != CMD_HANDLE:
            raise SFTPError(own("Expected a handle"))
        self.handle = handle_of(body)


class Writes(Told):
    """The writes of one file and its close: many on their way, each one's status checked."""

    def __init__(self, flow: Flow, handle: bytes, start: int = 0) -> None:
        """`start`: bytes that the file has already."""
        super().__init__(flow)
        self._handle = handle
        self.sent = start
        """Bytes of the file that were sent so far."""
        self.confirmed = start
        """Bytes from its beginning that the server has confirmed, without a hole."""
        self._on_way = dict[int, _Piece]()
        """Its writes that have no answer, by their beginnings: paramiko holds them weakly."""
        self._early = dict[int, int]()
        """What it has confirmed behind a hole: the beginning of each piece, and its end."""
        self._asked = 0

    def send(self, block: bytes) -> None:
        """Send the block behind the ones before. Raises Refused, also for an earlier block."""
        size = self.flow.client.request_size
        for start in range(0, len(block), size):
            self._send_piece(block[start : start + size])

    def close(self, *behind: Request) -> None:
        """Ask for the close, and for what is to be asked behind it."""
        self._asked += 1
        self.flow.ask(self.flow.client.closing(self, self._handle), *behind)

    def take_piece(self, start: int, end: int, kind: int, body: bytes) -> None:
        """The answer to the write of these bytes."""
        del self._on_way[start]
        self.take(kind, body)
        if self._error is not None:
            return
        self._early[start] = end
        while self.confirmed in self._early:
            self.confirmed = self._early.pop(self.confirmed)

    def _send_piece(self, piece: bytes) -> None:
        self._asked += 1
        start, self.sent = self.sent, self.sent + len(piece)
        answered = self._on_way[start] = _Piece(self, start, self.sent)
        self.flow.ask(self.flow.client.writing(answered, self._handle, start, piece))
        self.flow.wait_for_room(lambda: self._error is not None)
        refusal = self.refusal()
        if refusal is not None:
            raise refusal


class _Piece:
    """One write of a file."""

    __slots__ = ("__weakref__", "_end", "_start", "_writes")

    def __init__(self, writes: Writes, start: int, end: int) -> None:
        self._writes = writes
        self._start = start
        self._end = end

    def take(self, kind: int, body: bytes) -> None:
        """Its answer."""
        self._writes.take_piece(self._start, self._end, kind, body)


class Digest:
    """What a server told of a file's digest; nothing is known of it where it refused."""

    def __init__(self, flow: Flow, algorithm: str) -> None:
        self._flow = flow
        self._algorithm = algorithm
        self.is_told = False
        """Whether it has answered, be it with a refusal."""
        self.digits: str | None = None

    def take(self, kind: int, body: bytes) -> None:
        """The answer."""
        self.is_told = True
        if kind == CMD_EXTENDED_REPLY:
            with contextlib.suppress(Malformed):
                self.digits = digest_of(body, self._algorithm)
        self._flow.answered()


class Look:
    """What a server told of a path; nothing is known of it where it refused to look."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self.size: int | None = None
        self.is_there: bool | None = None

    def take(self, kind: int, body: bytes) -> None:
        """The answer."""
        if kind == CMD_ATTRS:
            self.is_there = True
            with contextlib.suppress(Malformed):
                self.size = attributes_of(body).size
        elif kind == CMD_STATUS:
            self.is_there = False if _is_missing(body) else None
        self._flow.answered()


def look_at(flow: Flow, paths: Sequence[str]) -> list[Look]:
    """Ask what stands at the paths, all at once."""
    looks = [Look(flow) for _ in paths]
    pairs = zip(looks, paths, strict=True)
    flow.ask(*(flow.client.looking(look, path) for look, path in pairs))
    return looks


def _is_missing(status: bytes) -> bool:
    try:
        return Packet(status).number() == SFTP_NO_SUCH_FILE
    except Malformed:
        return False
