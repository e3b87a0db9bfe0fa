"""Shares one reading among many readers, and limits what it costs."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

SHARE = 10
"""The reading takes a tenth of one processor's time at most, however many look."""


@dataclass(frozen=True)
class _Reading(Generic[T]):
    began: float
    ends: float
    """Until then it is taken for the present."""
    value: T


class Recent(Generic[T]):
    """Keeps what `read` gave for nine times as long as it took: a fast reading is always fresh.

    One reading runs at a time: it costs memory and a processor once, however many wait for it.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._kept: _Reading[T] | None = None

    def get(self) -> T:
        """The last reading, or a new one. Raises what reading raises."""
        with self._lock:
            kept = self._kept
            if kept is None or time.monotonic() >= kept.ends:
                return self._renewed()
            return kept.value

    def fresh(self) -> T:
        """A reading that has begun after this call. Raises what reading raises."""
        asked = time.monotonic()
        with self._lock:
            kept = self._kept
            if kept is None or kept.began < asked:
                return self._renewed()
            return kept.value

    def _renewed(self) -> T:
        began = time.monotonic()
        value = self._read()
        ended = time.monotonic()
        self._kept = _Reading(began, ended + (SHARE - 1) * (ended - began), value)
        return value
