"""Limits the console's connections: their number, and the time of a request's arrival.

uvicorn has no deadline for a request's head and none for a slow reader, and limits only the number
of all connections: a few hundred silent ones would keep everybody out.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Collection
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from config.signins import address_key
from worker.console.proxies import is_trusted

MAX_CONNECTIONS = 512
MAX_PER_ADDRESS = 64
HEAD_SECONDS = 10.0
"""Longest time from a request's first byte, or the connection's start, to its head's end."""
CHECK_SECONDS = 10.0
MIN_READ = 8 * 1024
"""A client that reads fewer bytes of an answer in `CHECK_SECONDS` is cut off."""

_SENTENCE = "The request did not arrive in time."


class Connections:
    """All open connections of one console, the oldest first. Used by its loop's thread alone.

    Where there is no room for another one, the connection that has waited longest for a request is
    cut: silent connections cannot keep others out. Of two addresses the one that holds more
    connections gives way.
    """

    def __init__(self, trusted: Collection[IPv4Network | IPv6Network] = ()) -> None:
        self._open: dict[LimitedProtocol, str] = {}
        self._trusted = trusted

    def add(self, connection: "LimitedProtocol", address: str) -> bool:
        """Take the connection in, and cut another one if needed. False where there is no room."""
        key = address_key(address)
        has_room = self._make_room(key) if not self._is_proxy(address) else self._make_room()
        if has_room:
            self._open[connection] = key
        return has_room

    def remove(self, connection: "LimitedProtocol") -> None:
        """Note that the connection is closed."""
        self._open.pop(connection, None)

    def _is_proxy(self, address: str) -> bool:
        """Whether the client is a trusted proxy: no limit of a single address applies to it."""
        return is_trusted(address, self._trusted)

    def _make_room(self, key: str | None = None) -> bool:
        own = [each for each, holder in self._open.items() if holder == key]
        if key is not None and len(own) >= MAX_PER_ADDRESS:
            return self._cut_first(own)
        if len(self._open) < MAX_CONNECTIONS:
            return True
        held = Counter(self._open.values())
        return self._cut_first(sorted(self._open, key=lambda each: -held[self._open[each]]))

    def _cut_first(self, candidates: Collection["LimitedProtocol"]) -> bool:
        """Cut the first connection that waits for a request. False where none waits."""
        waiting = next((each for each in candidates if each.is_waiting), None)
        if waiting is None:
            return False
        self.remove(waiting)
        waiting.cut()
        return True


class LimitedProtocol(H11Protocol):
    """One connection, with deadlines for the request's head and for the reading of the answer."""

    def __init__(self, connections: Connections, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._all = connections
        self._head_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        self._unread = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a request's head, or the rest of its body, has yet to arrive."""
        return self.conn.their_state in {h11.IDLE, h11.SEND_BODY}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request's head, if there is room."""
        super().connection_made(transport)
        if self._all.add(self, self.client[0] if self.client else ""):
            self._expect_head()
        else:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections: try again shortly.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget its timers and its place."""
        super().connection_lost(exc)
        self._all.remove(self)
        self._forget_head()
        if self._reading_timer is not None:
            self._reading_timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take the data. Single bytes of a head do not move its deadline."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._head_timer is None:
            self._expect_head()

    def on_response_complete(self) -> None:
        """Watch that the answer is read."""
        super().on_response_complete()
        self._watch_reading()

    def pause_writing(self) -> None:
        """The system's buffer is full: watch that the client reads the answer."""
        super().pause_writing()
        self._watch_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuse data that is no HTTP, in the usual shape of errors."""
        self._say(HTTPStatus.BAD_REQUEST, msg)

    def cut(self) -> None:
        """Cut the connection at once."""
        self._forget_head()
        self.transport.abort()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.conn.trailing_data[0]:
            self._say(HTTPStatus.REQUEST_TIMEOUT, _SENTENCE)
        else:  # a browser's connection for later: nothing was asked that could be answered
            self.transport.close()

    def _say(self, status: HTTPStatus, sentence: str) -> None:
        """Send an answer although no request is there, and close."""
        body = json.dumps({"error": {"message": sentence}}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self._watch_reading()

    def _watch_reading(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        if self._unread and self._reading_timer is None:
            self._reading_timer = self.loop.call_later(CHECK_SECONDS, self._check_reading)

    def _check_reading(self) -> None:
        self._reading_timer = None
        before, left = self._unread, self.transport.get_write_buffer_size()
        if left and before - left < MIN_READ:
            self.transport.abort()
        else:
            self._watch_reading()


def limited(trusted: Collection[IPv4Network | IPv6Network]) -> type[asyncio.Protocol]:
    """The protocol of one console, whose connections share its limits."""
    connections = Connections(trusted)

    class Bound(LimitedProtocol):
        def __init__(self, **of_uvicorn: Any) -> None:
            super().__init__(connections, **of_uvicorn)

    return Bound
