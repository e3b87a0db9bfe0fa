"""Whose turn it is to log in: the paces of all servers (`pace`), each process's own."""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator

from consumers.delivery.login_errors import FoundAway, LoginDeferred
from consumers.delivery.pace import Pace
from transports.errors import ConnectFailed, ServerBusy, SilentBeforeLogin, TransferError

PATIENCE = 1.0
"""Seconds for which a login waits for its turn in its thread; then the account gives its slot back,
and asks again a little later."""


class Turns:
    """For all threads of the process."""

    def __init__(self, workers: Callable[[], int]) -> None:
        """`workers`: how many processes there are now."""
        self._workers = workers
        self._lock = threading.Lock()
        self._paces: dict[str, Pace] = {}

    @contextlib.contextmanager
    def turn(
        self,
        server: str,
        defer: Callable[[], TransferError] | None = None,
        patience: float | None = None,
    ) -> Iterator[None]:
        """Within the turn of a login; how it ended adapts the pace.

        `patience`: seconds that it waits, however many do; else it must be among the few that wait
        for a moment. Raises LoginDeferred, or what `defer` makes, where its turn does not come.
        """
        pace = self._pace(server)
        if not pace.begin(patience or PATIENCE, is_few=patience is None):
            raise defer() if defer else LoginDeferred(_about(pace.turn_away()))
        went_well: bool | None = None
        try:
            yield
            went_well = True
        except (ServerBusy, ConnectFailed, SilentBeforeLogin) as failure:
            went_well = None if isinstance(failure, FoundAway) else False
            raise
        finally:
            pace.end(went_well=went_well)

    def closed_for(self, server: str) -> float | None:
        """Seconds after which to ask again, where too many wait there already."""
        pace = self._paces.get(server)
        return _about(pace.turn_away()) if pace is not None and pace.is_full else None

    def start_over(self, server: str) -> None:
        """The server did not let somebody in: begin as with one of which nothing is known."""
        with self._lock:
            pace = self._paces.get(server)
        if pace is not None:
            pace.start_over()

    def forget(self, before: float) -> None:
        """Those that nobody has asked for since this local monotonic time."""
        with self._lock:
            self._paces = {
                k: v for k, v in self._paces.items() if v.used_at > before or not v.is_idle
            }

    def _pace(self, server: str) -> Pace:
        with self._lock:
            return self._paces.setdefault(server, Pace(self._workers))


def _about(seconds: float) -> float:
    """A little shorter or longer by chance, so that those that wait do not come together."""
    return seconds * (0.5 + random.random())  # noqa: S311 - it spreads, it guards nothing
