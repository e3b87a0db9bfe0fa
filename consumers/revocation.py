"""An account that is removed, switched off or no longer permitted: what runs for it is cut."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from transports.errors import Interrupted
from transports.sources import OpenSource

WORDS = "The account may not be worked any more"


class Revocation:
    """Of one account session. Uploads end by it at their next block, or are cut later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._sources: list[OpenSource] = []

    def __bool__(self) -> bool:
        return self._since is not None

    @property
    def seconds(self) -> float:
        """How long ago it was; 0 where it was not."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def revoke(self) -> None:
        """From now on nothing more is read or put in its place."""
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
        """End the reading of what keeps an upload waiting for its next block."""
        with self._lock:
            sources = [*self._sources]
        for source in sources:
            source.cut()
