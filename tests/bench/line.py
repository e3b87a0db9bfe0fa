"""A slow line: a TCP proxy in a process of its own that delays what passes, and drops nothing.

`python -m tests.bench.line ROUND_TRIP HOST PORT...` listens at the ports on `HOST` and passes on
to the same ports on 127.0.0.1: what a server says of its own ports, as FTP's passive mode does,
stays true. The line has no limit of bandwidth. A connection costs its round trip as well: the
server sees it one and a half after the client began, as its third packet.
"""

import heapq
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from deploy.local.processes import Child, wait_until
from tests.servers.namespace import LOOPBACK

HOST = "127.0.0.2"
"""Where the far end of the line is reached."""
READY = "listening"
ROOT = Path(__file__).parents[2]
_CHUNK = 256 * 1024
_IN_FLIGHT = 32 * 1024 * 1024
"""Bytes that one direction of a connection holds at most: 800 MB/s at 40 ms."""
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@contextmanager
def slow_line(round_trip: float, ports: Sequence[int], log: Path) -> Iterator[str]:
    """The host at which these ports of 127.0.0.1 are so many seconds away."""
    argv = [sys.executable, "-m", __name__, str(round_trip), HOST, *map(str, ports)]
    process = Child("slow line", argv, log, {"PYTHONPATH": str(ROOT)})
    process.start()

    def ready() -> bool:
        process.check()
        return READY in log.read_text()  # a connection would be passed on to the server

    try:
        wait_until(ready, 15, "The slow line did not listen within 15 s.")
        yield HOST
    finally:
        process.kill()


@dataclass(eq=False)
class End:
    """One socket; what has arrived from the other one waits here until it is due."""

    socket: socket.socket
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    """What is to be sent from when on; an empty piece is the end of the stream."""
    held: int = 0
    other: "End | None" = None
    not_before: float = 0.0
    events: int = 0
    ended: bool = False
    """Nothing more is read from it."""


class Line:
    """Passes on what arrives, `delay` seconds later, in both directions."""

    def __init__(self, delay: float, host: str, ports: Sequence[int]) -> None:
        self._delay = delay
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        for port in ports:
            listener = socket.create_server((host, port), backlog=1024)
            listener.settimeout(0)
            self._selector.register(listener, _READ, (listener, port))

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            for key, ready in self._selector.select(self._patience()):
                if isinstance(key.data, End):
                    self._serve(key.data, ready)
                else:
                    self._accept(*key.data)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()

    def _patience(self) -> float | None:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _later(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._number), act))

    def _accept(self, listener: socket.socket, port: int) -> None:
        with suppress(BlockingIOError):
            accepted, _ = listener.accept()
            client = self._end(accepted)
            client.not_before = time.monotonic() + 3 * self._delay
            self._later(client.not_before, lambda: self._connect(client, port))
            self._want(client)

    def _connect(self, client: End, port: int) -> None:
        try:
            server = self._end(socket.create_connection((LOOPBACK, port), 5))
        except OSError:
            self._drop(client)
            return
        client.other, server.other = server, client
        # What the client has said meanwhile arrived here in the wrong place.
        server.waiting, client.waiting = client.waiting, deque()
        server.held, client.held = client.held, 0
        for moment, _ in server.waiting:
            self._later(moment, lambda: self._send(server))
        self._want(server)

    def _end(self, connection: socket.socket) -> End:
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return End(connection)

    def _serve(self, end: End, ready: int) -> None:
        try:
            if ready & _WRITE:
                self._send(end)
            if ready & _READ:
                self._read(end)
        except OSError:
            self._drop(end)

    def _read(self, end: End) -> None:
        data = end.socket.recv(_CHUNK)
        to = end.other or end
        moment = max(time.monotonic() + self._delay, end.not_before)
        to.waiting.append((moment, data))
        to.held += len(data)
        end.ended = not data
        if end.other is not None:
            self._later(moment, lambda: self._send(to))
        self._want(end)

    def _send(self, end: End) -> None:
        """What is due goes out, as far as the socket takes it."""
        now = time.monotonic()
        try:
            while end.waiting and end.waiting[0][0] <= now:
                moment, data = end.waiting.popleft()
                if not data:
                    end.socket.shutdown(socket.SHUT_WR)
                    self._close_if_over(end)
                    return
                sent = self._sent(end, data)
                end.held -= sent
                if sent < len(data):
                    end.waiting.appendleft((moment, data[sent:]))
                    break
        except OSError:
            self._drop(end)
            return
        self._want(end)
        if end.other is not None:
            self._want(end.other)

    @staticmethod
    def _sent(end: End, data: bytes) -> int:
        try:
            return end.socket.send(data)
        except BlockingIOError:
            return 0

    def _close_if_over(self, end: End) -> None:
        other = end.other
        if other is not None and end.ended and not other.waiting:
            self._drop(end)

    def _want(self, end: End) -> None:
        """Read unless too much is on its way; be told of room where something due waits for it."""
        if end.socket.fileno() < 0:
            return
        to = end.other or end
        blocked = bool(end.waiting) and end.waiting[0][0] <= time.monotonic()
        reads = not end.ended and to.held < _IN_FLIGHT
        events = (_READ if reads else 0) | (_WRITE if blocked and end.other is not None else 0)
        if events == end.events:
            return
        if not end.events:
            self._selector.register(end.socket, events, end)
        elif events:
            self._selector.modify(end.socket, events, end)
        else:
            self._selector.unregister(end.socket)
        end.events = events

    def _drop(self, end: End) -> None:
        for each in (end, end.other):
            if each is not None and each.socket.fileno() >= 0:
                if each.events:
                    self._selector.unregister(each.socket)
                    each.events = 0
                each.waiting.clear()
                each.socket.close()


if __name__ == "__main__":
    line = Line(float(sys.argv[1]) / 2, sys.argv[2], [int(port) for port in sys.argv[3:]])
    print(READY, flush=True)
    line.run()
