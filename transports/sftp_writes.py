"""The writes of one file over SFTP, and what is asked along with its close."""

import contextlib

from paramiko.sftp import CMD_ATTRS, CMD_STATUS, SFTP_NO_SUCH_FILE

from transports.sftp_answers import Malformed, Packet, Refused, attributes_of, check_status
from transports.sftp_client import SftpClient
from transports.watchdog import Watch

_IN_FLIGHT = 4 * 1024 * 1024
"""Bytes of writes on their way unanswered: twice OpenSSH's channel window."""


class Writes:
    """The writes of one file: many on their way at once, each one's status checked."""

    def __init__(self, client: SftpClient, handle: bytes, watch: Watch) -> None:
        self._client = client
        self._handle = handle
        self._watch = watch
        self.sent = 0
        """Bytes that were sent so far."""
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

    def take(self, kind: int, body: bytes) -> None:
        """The answer to a write or to the close, in whatever order they come."""
        if self._refusal is None:
            try:
                check_status(kind, body)
            except (Refused, Malformed) as refusal:
                self._refusal = refusal
        self.answered()

    def _send_piece(self, piece: bytes) -> None:
        self._client.write(self, self._handle, self.sent, piece)
        self.sent += len(piece)
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

    def take(self, kind: int, body: bytes) -> None:
        """The answer."""
        if kind == CMD_ATTRS:
            self.is_there = True
            with contextlib.suppress(Malformed):
                self.size = attributes_of(body).size
        elif kind == CMD_STATUS:
            self.is_there = False if _is_missing(body) else None
        self._writes.answered()


def _is_missing(status: bytes) -> bool:
    try:
        return Packet(status).number() == SFTP_NO_SUCH_FILE
    except Malformed:
        return False
