"""How many sessions at once a customer's server takes of an account, as its refusals have told.

A refusal is no failure: fewer sessions run from then on. After a pause one more is tried. Where
that is refused too, the next pause is twice as long, so that what was learned costs a refused
connection now and then. Where it is taken, the next pause is half as long, so that a server that
has room again is soon used as before. One process remembers it of each account from session to
session; another process finds it out anew.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import inf

from config.accounts import FtpSettings

FIRST_PAUSE = 60.0
"""Seconds until one session more is tried than the server has taken."""
LEAST_PAUSE = 5.0
LONGEST_PAUSE = 900.0
STILL_COUNTED_SECONDS = 60.0
"""For so long a server may count a session that is over: it has not seen yet that it is."""
HELD_SECONDS = 1.0
"""So long no more sessions are opened where others' logins at the server come first."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0
_MOST_REMEMBERED = 10_000
"""Logins. Of those beyond it that were not used for the longest time nothing is known."""
_Login = tuple[str, str, int, str]
"""Account, host, port, username."""


class ObservedLimit:
    """Of one account's login at one server; for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: int | None = None
        """So many at once the server has last taken; None: it has refused none."""
        self._pause = FIRST_PAUSE
        self._next_step_at = 0.0
        self._stood_at: float | None = None
        """When a session was last known to stand."""
        self._held, self._held_until = 0, 0.0
        self._wait = _FIRST_WAIT

    @property
    def sessions(self) -> float:
        """How many may be open now; infinite where none was ever refused."""
        with self._lock:
            now = self._clock()
            held = self._held if now < self._held_until else inf
            if self._taken is None:
                return held
            return min(held, self._taken + (1 if now >= self._next_step_at else 0))

    def refused(self, taken: int) -> None:
        """One more than so many was refused."""
        with self._lock:
            now, taken = self._clock(), max(1, taken)
            if self._taken is None:
                self._taken = taken
            else:
                if now >= self._next_step_at:  # it was the step that was refused
                    self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
                self._taken = min(taken, self._taken)
            self._next_step_at = now + self._pause

    def hold(self, sessions: int) -> None:
        """No more than so many for a moment, whatever the server takes: it was not asked."""
        with self._lock:
            self._held, self._held_until = max(1, sessions), self._clock() + HELD_SECONDS

    def stand(self, sessions: int) -> None:
        """So many sessions are open at this moment."""
        with self._lock:
            now = self._stood_at = self._clock()
            self._wait = _FIRST_WAIT
            if self._taken is not None and sessions > self._taken:
                self._taken, self._pause = sessions, max(LEAST_PAUSE, self._pause / 2)
                self._next_step_at = now + self._pause

    def has_ended(self) -> None:
        """A session of it is over by now, be it closed or lost."""
        with self._lock:
            self._stood_at = self._clock()

    def wait_for_ended(self) -> float | None:
        """Seconds to leave the server in peace, where it has refused the only session.

        It may count one that has just ended. None: that was too long ago, or there was none.
        """
        with self._lock:
            if self._stood_at is None or self._clock() - self._stood_at > STILL_COUNTED_SECONDS:
                return None
            wait, self._wait = self._wait, min(2 * self._wait, _LONGEST_WAIT)
            return wait


class ObservedLimits:
    """Of the accounts that a process has worked; for several threads."""

    def __init__(self, most: int = _MOST_REMEMBERED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[_Login, ObservedLimit] = OrderedDict()

    def of(self, account_id: str, settings: FtpSettings) -> ObservedLimit:
        """The account's at the server of these settings; a fresh one where nothing is known."""
        login = (account_id, settings.host, settings.port, settings.username)
        with self._lock:
            limit = self._known.setdefault(login, ObservedLimit())
            self._known.move_to_end(login)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
            return limit
