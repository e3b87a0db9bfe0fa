"""The time limits of a session, kept by cutting its sockets from outside.

Libraries wait in many places (paramiko even retries a stalled write for ever); a cut socket ends
every one of them. One daemon thread watches all sessions of the process and ends with the last.
"""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator
from typing import Protocol

_TICK = 0.1
_PATIENCE = 4
"""So many times its limit a session waits for its turn while its line moves for others."""


class Moving(Protocol):
    """A line that several sessions share."""

    moved_at: float
    """When bytes last went out, by the monotonic clock."""


class Watch:
    """One session's sockets and the limit on what it is doing at this moment."""

    def __init__(self, line: Moving | None = None) -> None:
        """`line`: where others send as well, behind whom this session may have to wait."""
        self.expired = False
        self.words = ""
        self._line = line
        self._since = -math.inf
        self._sockets: list[socket.socket] = []
        self._limit = self._deadline = math.inf
        _patrol.add(self)

    def guard(self, connection: socket.socket) -> None:
        """Cut this socket as well when a limit is over."""
        self._sockets.append(connection)

    def release(self, connection: socket.socket) -> None:
        """Forget a socket that is about to be closed."""
        if connection in self._sockets:
            self._sockets.remove(connection)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the sockets if the block takes longer. Each call of `moved` begins the time anew."""
        self._limit = seconds
        self.moved()
        try:
            yield
        finally:
            self._limit = self._deadline = math.inf

    def moved(self) -> None:
        """Something went forward: the time begins anew."""
        self._since = time.monotonic()
        self._deadline = self._since + self._limit

    @property
    def busy(self) -> bool:
        """Whether some thread is inside `within` at this moment."""
        return self._limit != math.inf

    def cut(self) -> None:
        """End whatever waits for the sockets. From any thread."""
        for connection in tuple(self._sockets):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def close(self) -> None:
        """End the watch; the sockets are the caller's to close. May be repeated."""
        _patrol.discard(self)
        self._sockets.clear()

    def check(self, now: float) -> None:
        """Cut the sockets if the limit is over. For the watching thread."""
        if now < self._deadline or self.expired or self._waits_its_turn(now):
            return
        self.words = f"The server was silent for {self._limit:g} seconds"
        self.expired = True
        self.cut()

    def _waits_its_turn(self, now: float) -> bool:
        if self._line is None:
            return False
        last_turn = self._since + _PATIENCE * self._limit
        return now < min(self._line.moved_at + self._limit, last_turn)


class _Patrol:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        with self._lock:
            self._watches.add(watch)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._walk, name="watchdog", daemon=True)
                self._thread.start()

    def discard(self, watch: Watch) -> None:
        with self._lock:
            self._watches.discard(watch)

    def _walk(self) -> None:
        while watches := self._current():
            now = time.monotonic()
            for watch in watches:
                watch.check(now)
            time.sleep(_TICK)

    def _current(self) -> tuple[Watch, ...]:
        with self._lock:
            if not self._watches:
                self._thread = None
            return tuple(self._watches)


_patrol = _Patrol()
