"""Whose logins went well at which server in this process, until it is written down for all."""

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

from consumers.ledger.servers import ServerState, Sign

SIGNS = 2
"""Accounts that are remembered of each server: one of them is another one than whoever asks."""


@dataclass
class _Well:
    """Of one server: local monotonic times by account."""

    accounts: dict[str, float] = field(default_factory=dict)
    written_at: float = -float("inf")

    def note(self, account_id: str) -> None:
        self.accounts.pop(account_id, None)
        self.accounts[account_id] = time.monotonic()
        while len(self.accounts) > SIGNS:
            del self.accounts[next(iter(self.accounts))]

    @property
    def last_at(self) -> float:
        return max(self.accounts.values())


class SeenWell:
    """For all threads of a process."""

    def __init__(self, write_each: float) -> None:
        """`write_each`: seconds between two times that a server is told to be well."""
        self._write_each = write_each
        self._lock = threading.Lock()
        self._servers: dict[str, _Well] = {}

    def note(self, server: str, account_id: str) -> None:
        """The server let the account in, or took its file."""
        with self._lock:
            self._servers.setdefault(server, _Well()).note(account_id)

    def beside(self, server: str, state: ServerState) -> ServerState:
        """What is written down of the server, and what is noted here."""
        now = time.monotonic()
        with self._lock:
            well = self._servers.get(server)
            noted = dict(well.accounts) if well else {}
        signs = [Sign(name, state.now - timedelta(seconds=now - at)) for name, at in noted.items()]
        return replace(state, well=[*signs, *state.well])

    def to_write(self) -> list[tuple[str, str]]:
        """Servers that let accounts in, whose last word is old. They are taken for written down."""
        now, written = time.monotonic(), list[tuple[str, str]]()
        with self._lock:
            for server, well in self._servers.items():
                if well.last_at > well.written_at and now - well.written_at > self._write_each:
                    written += [(server, account_id) for account_id in well.accounts]
                    well.written_at = now
        return written

    def forget(self, before: float) -> None:
        """What was noted before this local monotonic time."""
        with self._lock:
            self._servers = {k: v for k, v in self._servers.items() if v.last_at > before}
