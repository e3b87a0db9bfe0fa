"""How many bytes a second leave for one account's server, over all of its sessions together."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator

KILOBYTE = 1000
_PIECE_SECONDS = 0.1
"""A block is sent in pieces of so long, so that the line is loaded evenly."""
_LEAST_PIECE = 1024
_CREDIT_SECONDS = 0.5
"""What was not sent for so long may be made good: by then a thread that slept too long has it."""


class Bandwidth:
    """A token bucket, for several threads: whoever comes first sends first.

    Each piece has its place in time, one behind the other, and waits for that before it is handed
    out: no time limit of a session runs then, so a slow line is not taken for a silent one.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()
        """When all that was let through is paid for."""

    def spread(self, blocks: Iterable[bytes], kilobytes: int) -> Iterator[bytes]:
        """The same bytes, no more than so many kilobytes (of 1,000 bytes) a second."""
        rate = kilobytes * KILOBYTE
        size = max(_LEAST_PIECE, int(rate * _PIECE_SECONDS))
        for block in blocks:
            for at in range(0, len(block), size):
                piece = block[at : at + size]
                self._wait(len(piece) / rate)
                yield piece

    def _wait(self, seconds: float) -> None:
        """Until it is the turn of what takes so many seconds."""
        with self._lock:
            now = self._clock()
            begin = max(self._free_at, now - _CREDIT_SECONDS)
            self._free_at = begin + seconds
        if begin > now:
            self._sleep(begin - now)
