"""Cuts the uploads of an account that is removed, switched off or no longer permitted."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from transports.errors import Interrupted
from transports.sources.source import OpenSource

WORDS = "The account may not be worked any more"


class Revocation:
    """The revocation of one account session. Uploads end at their next block, or are cut later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._sources: list[OpenSource] = []

    def __bool__(self) -> bool:
        return self._since is not None

    @property
    def seconds(self) -> float:
        """Seconds since the revocation; 0 where there was none."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def revoke(self) -> None:
        """Revoke: from now on nothing more is read or renamed."""
        with self._lock:
            self._since = self._since or time.monotonic()

    def check(self) -> None:
        """Raises Interrupted where it was revoked."""
        if self:
            raise Interrupted(WORDS)

    @contextmanager
    def reading(self, source: OpenSource) -> Iterator[None]:
        """The source is being read."""
        with self._lock:
            self._sources.append(source)
        try:
            yield
        finally:
            with self._lock:
                self._sources.remove(source)

    def cut(self) -> None:
        """End the reading of sources that keep an upload waiting for its next block."""
        with self._lock:
            sources = [*self._sources]
        for source in sources:
            source.cut()
