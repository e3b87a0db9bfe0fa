"""Accounts that rest until their server lets somebody in again, each process's own."""

import threading
from collections.abc import Container

DUE_AT_ONCE = 100
"""Of one server in a second: as many as may log in there in that time."""


class Resting:
    """For all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, dict[str, None]] = {}

    def note(self, server: str, account_id: str) -> None:
        """The account rests while the server does not let us in."""
        with self._lock:
            self._servers.setdefault(server, {})[account_id] = None

    def over(self, away: Container[str]) -> list[str]:
        """Those that need not rest any more, the first ones first: no more than can go on soon.

        `away`: servers that do not let us in. Whoever is returned here is forgotten.
        """
        found: list[str] = []
        with self._lock:
            for server, accounts in [*self._servers.items()]:
                if server in away:
                    continue
                some = [*accounts][:DUE_AT_ONCE]
                found += some
                self._servers[server] = dict.fromkeys([*accounts][DUE_AT_ONCE:])
                if not self._servers[server]:
                    del self._servers[server]
        return found
