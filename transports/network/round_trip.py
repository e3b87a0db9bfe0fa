"""How far away a server is: seconds from a request to its answer, measured all the time."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

_RECENT = 16
"""Answers whose least counts: a line that has become slower is known after so many."""
_LEAST = 6
"""Answers before which nothing is said: the first ones take as long as a process needs to start."""
_LITTLE = 16 * 1024
"""Bytes of a request whose own sending takes no time worth counting."""


class Asked(NamedTuple):
    """A request that is on its way."""

    at: float
    is_alone: bool
    """Whether nothing else that was asked before can hold its answer up."""


class RoundTrip:
    """The least of the recent answers, over all sessions of one login. For several threads.

    An answer that stood behind others, or behind data, took longer than the line: it counts only
    where it is better than the others. A busy line is never called a far one for that.
    """

    def __init__(self, heard_at: Callable[[], float] = time.monotonic) -> None:
        """`heard_at` tells when the server was last heard, by the monotonic clock."""
        self._heard_at = heard_at
        self._lock = threading.Lock()
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._seen = 0
        self._awaited = 0
        self.seconds = 0.0
        """The round trip; 0 until enough was answered to tell."""

    def ask(self, size: int = 0) -> Asked:
        """A request of so many bytes is about to be sent."""
        with self._lock:
            is_alone = not self._awaited and size <= _LITTLE
            self._awaited += 1
        return Asked(time.monotonic(), is_alone)

    def answer(self, asked: Asked) -> None:
        """Its answer was read: it came no later than the server was last heard."""
        seconds = max(0.0, self._heard_at() - asked.at)
        with self._lock:
            self._awaited -= 1
            if asked.is_alone or seconds < self.seconds:
                self._note(seconds)

    def forget(self, requests: int) -> None:
        """So many of those on their way will not be answered any more."""
        with self._lock:
            self._awaited -= requests

    def took(self, seconds: float) -> None:
        """One answer took so long, and nothing could hold it up."""
        with self._lock:
            self._note(seconds)

    def _note(self, seconds: float) -> None:
        self._seen += 1
        self._recent.append(seconds)
        if self._seen >= _LEAST:
            self.seconds = min(self._recent)
