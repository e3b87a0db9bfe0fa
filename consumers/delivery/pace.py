"""How many logins to one server are under way at once in this process, which has its part of what
all workers may have, and how soon one follows the other.

Adapted as Postfix adapts the concurrency of a destination (its QSHAPE and SCHEDULER READMEs): one
more at the end of a cohort of logins that went well, 1/N less after each that the server did not
let in.
"""

import threading
import time
from collections.abc import Callable

FIRST = 2
"""Logins at once at a server of which nothing is known, or that did not let us in of late."""
MOST = 10
"""Of all workers together, as long as there are no more than these: each may have one. OpenSSH
refuses some of what is more than ten at once (MaxStartups 10:30:100)."""
WAITING = 2
"""So many times as many may wait for their turn: each of them holds a slot of the process."""
AGAIN_SECONDS = (1.0, 15.0)
"""The shortest and the longest time after which whoever finds too many in line asks again."""
BETWEEN_SECONDS = 0.1
"""Between the beginnings of two logins, where there is one at a time: N at once begin N times as
often."""


class Pace:
    """For all threads of the process. `begin` and `end` come in pairs."""

    def __init__(self, workers: Callable[[], int]) -> None:
        """`workers`: how many processes there are now, which may all log in at the server."""
        self._workers = workers
        self._changed = threading.Condition()
        self._limit = float(FIRST)
        self._under_way = 0
        self._waiting = 0
        self._went_well = 0
        self._turned_away = 0
        """How often somebody found too many in line since a login has last ended."""
        self._next_at = 0.0
        self.used_at = time.monotonic()
        """When it was last asked for."""

    @property
    def limit(self) -> int:
        """How many logins may be under way at once."""
        return min(int(self._limit), self._share)

    @property
    def is_idle(self) -> bool:
        """Whether no login is under way."""
        return not self._under_way

    @property
    def is_full(self) -> bool:
        """Whether so many wait for their turn already that no other one may."""
        with self._changed:
            return self._waiting >= WAITING * self.limit

    def turn_away(self) -> float:
        """Seconds after which whoever finds too many in line asks again.

        The more have asked since a login has last ended, the later: at a server that is silent all
        would ask each second, for nothing.
        """
        shortest, longest = AGAIN_SECONDS
        with self._changed:
            self._turned_away += 1
            return min(longest, shortest * max(1.0, self._turned_away / (WAITING * self.limit)))

    def begin(self, seconds: float, *, is_few: bool = True) -> bool:
        """A login begins, as soon as it may. False where it may not in so many seconds or, with
        `is_few`, so many wait already that it hardly would."""
        with self._changed:
            self.used_at = time.monotonic()
            if is_few and self._waiting >= WAITING * self.limit:
                return False
            self._waiting += 1
            try:
                if not self._comes_soon(time.monotonic() + seconds):
                    return False
            finally:
                self._waiting -= 1
            self._under_way += 1
            self._next_at = time.monotonic() + BETWEEN_SECONDS / self.limit
            return True

    def end(self, *, went_well: bool | None) -> None:
        """It has ended. False: the server did not let it in; None tells nothing of that."""
        with self._changed:
            self._under_way -= 1
            self._turned_away = 0
            if went_well is not None:
                self._adapt(went_well=went_well)
            self._changed.notify_all()

    def start_over(self) -> None:
        """The server did not let somebody in: begin as with one of which nothing is known."""
        with self._changed:
            self._limit, self._went_well = float(FIRST), 0

    @property
    def _share(self) -> int:
        """This process's part of the most."""
        return max(1, MOST // self._workers())

    def _comes_soon(self, deadline: float) -> bool:
        while (wait := self._wait()) > 0:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._changed.wait(min(wait, left))
        return True

    def _wait(self) -> float:
        """Seconds; 0 where it may begin now."""
        if self._under_way >= self.limit:
            return 60.0  # until one ends, which wakes whoever waits
        return self._next_at - time.monotonic()

    def _adapt(self, *, went_well: bool) -> None:
        if not went_well:
            had = min(self._limit, float(self._share))
            self._limit, self._went_well = max(1.0, had - 1 / had), 0
            return
        self._went_well += 1
        if self._went_well >= self.limit:
            self._limit, self._went_well = min(float(self._share), self._limit + 1), 0
