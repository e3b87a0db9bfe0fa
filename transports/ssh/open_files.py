"""The files that are open at once over one connection: some servers take few of them, or one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OpenFiles:
    """Of all sessions of the connection; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self._ever = 0

    @contextmanager
    def counted(self, files: int) -> Iterator[Callable[[], bool]]:
        """Count so many, from before they are asked for until they are closed.

        What it gives tells whether other sessions had some open, or asked for some, since then.
        """
        with self._lock:
            before = self._now
            self._now += files
            self._ever += files
            ever = self._ever
        try:
            yield lambda: before > 0 or self._ever != ever
        finally:
            with self._lock:
                self._now -= files
