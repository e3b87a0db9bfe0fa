"""An SFTP server that answers each request with the bytes that a test gives it."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.constants import FXP_INIT, FXP_STATUS, FXP_VERSION

from deploy.local.customers import AsyncSshServer

Answer = Callable[[int, int, bytes], bytes | None]
"""The bytes that answer a request: its kind, its number, what follows; None: nothing."""


def packet(kind: int, *parts: int | bytes) -> bytes:
    """A packet: numbers of 32 bits, and strings with their length before them."""
    body = b"".join(
        struct.pack(">I", part) if isinstance(part, int) else struct.pack(">I", len(part)) + part
        for part in parts
    )
    return framed(bytes([kind]) + body)


def framed(content: bytes) -> bytes:
    """A packet of this content, its length before it."""
    return struct.pack(">I", len(content)) + content


def status(number: int, code: int, words: bytes = b"") -> bytes:
    """The answer that a request was done, or was not."""
    return packet(FXP_STATUS, number, code, words, b"")


GREETING = packet(FXP_VERSION, 3)


class RawSftpServer(AsyncSshServer):
    """`greeting`: what it says at the beginning; `answer` may be changed while it runs.

    `answer` runs in a thread of its own, one request of a channel after the other.
    """

    def __init__(
        self, root: Path, answer: Answer | None = None, greeting: bytes = GREETING, **options: Any
    ) -> None:
        super().__init__(root, **options)
        self.answer: Answer = answer or (lambda _kind, number, _rest: status(number, 8))
        self.greeting = greeting

    def _handlers(self) -> dict[str, Any]:
        return {"encoding": None}

    def new_session(self) -> "asyncssh.SSHServerSession[bytes]":
        """What answers on one channel."""
        return _Channel(self)

    def answered(self, content: bytes) -> bytes:
        """The bytes that answer a packet."""
        if content[0] == FXP_INIT:
            return self.greeting
        number = int.from_bytes(content[1:5])
        return self.answer(content[0], number, content[5:]) or b""


class _Channel(asyncssh.SSHServerSession[bytes]):
    def __init__(self, server: RawSftpServer) -> None:
        self._server = server
        self._heard = b""
        self._packets: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._channel = chan
        self._answers = asyncio.ensure_future(self._answer())

    def connection_lost(self, exc: Exception | None) -> None:
        self._answers.cancel()

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == "sftp"

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._heard += data
        while len(self._heard) >= 4 + (length := int.from_bytes(self._heard[:4])):
            self._packets.put_nowait(self._heard[4 : 4 + length])
            self._heard = self._heard[4 + length :]

    async def _answer(self) -> None:
        while True:
            content = await self._packets.get()
            said = await asyncio.to_thread(self._server.answered, content)
            self._channel.write(said)
