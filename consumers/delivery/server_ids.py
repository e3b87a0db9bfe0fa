"""Which server a host name leads to, kept for a while."""

import threading
import time

from config.accounts import FtpSettings
from transports.backends import server_id
from transports.base import Egress, Limits

KNOWN_SECONDS = 300.0
"""For so long a name's addresses tell which server it is."""
UNSURE_SECONDS = 5.0
"""For so long host and port do, where a lookup told no addresses: it may have failed."""


class ServerIds:
    """For all threads of a process."""

    def __init__(self, limits: Limits, egress: Egress) -> None:
        self._limits = limits
        self._egress = egress
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], tuple[str, float]] = {}
        """By host and port, and until when."""

    def of(self, settings: FtpSettings) -> str:
        """The server's id, by a lookup of its name where it is not known."""
        known, now = self._known.get((settings.host, settings.port)), time.monotonic()
        if known is not None and now < known[1]:
            return known[0]
        found = server_id(settings, self._limits, self._egress)
        is_unsure = found == f"{settings.host.lower()}:{settings.port}"
        until = time.monotonic() + (UNSURE_SECONDS if is_unsure else KNOWN_SECONDS)
        with self._lock:
            self._known[settings.host, settings.port] = (found, until)
        return found

    def known(self, settings: FtpSettings) -> str | None:
        """The same without a lookup."""
        known = self._known.get((settings.host, settings.port))
        return known and known[0]

    def forget(self) -> None:
        """What tells nothing any more."""
        now = time.monotonic()
        with self._lock:
            self._known = {name: known for name, known in self._known.items() if now < known[1]}
