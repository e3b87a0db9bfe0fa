"""Whose turn it is to send, where the sessions of one login would only be in each other's way."""

import contextlib
import threading
from collections.abc import Iterator

from transports.network.round_trip import RoundTrip

NEARBY_SECONDS = 0.005
"""A round trip below which nothing is gained where several sessions send at once."""
LONGEST_WAIT = 0.2
"""Seconds after which a session sends beside another one: a long recording must not hold up a
short one."""


class SendingTurn:
    """Shared by the sessions of one login; for several threads.

    One session alone fills a line to a server nearby. Several threads that read, hash and encrypt
    beside each other are slower by what they take from each other: Python runs one of them at a
    time. Far away they fill the line together, and no one waits.
    """

    def __init__(self, line: RoundTrip) -> None:
        self.line = line
        self._sending = threading.Lock()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Send meanwhile."""
        is_near = self.line.seconds < NEARBY_SECONDS
        is_ours = is_near and self._sending.acquire(timeout=LONGEST_WAIT)
        try:
            yield
        finally:
            if is_ours:
                self._sending.release()
