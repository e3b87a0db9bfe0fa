"""The process's uploads at once (`COURIER_UPLOAD_SLOTS`): each takes one of so many slots.

An upload that may have ended a process before is begun as the only one. Nobody starves by it:

- It waits until those that run have ended. Nothing new begins meanwhile, for CLEARING_SECONDS at
  most; in vain, the others go on, and the next time they are held back for twice as long, so that
  a long upload is outlasted too, but never for more than EXCLUSIVE_SECONDS.
- While it is alone the others wait, for EXCLUSIVE_SECONDS at most; then they begin beside it.
- After each time that they were held back they go on for at least as long as that was: half of
  the time is theirs, however many files have to be tried alone.
"""

import threading
import time

CLEARING_SECONDS = 20.0
"""A recording takes seconds, and a session keeps its slot for 30: the first wait is below that."""
EXCLUSIVE_SECONDS = 300.0
"""Hardly a recording takes longer. One that does is not worth that all others wait for it."""
SILENCE_SECONDS = 3.0
"""Whoever wants to be alone asks each `dispatch.POLL` seconds; once nobody does, nobody waits for
it. It has to be some times as long."""


class Slots:
    """An account session holds one for as long as it lasts; more uploads at once take more."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._lock = threading.Lock()
        self._running = 0
        self._exclusive: object | None = None
        self._exclusive_since = 0.0
        self._asked_at = 0.0
        self._held_back_since: float | None = None
        self._theirs_until = 0.0
        self._patience = CLEARING_SECONDS

    @property
    def free(self) -> int:
        """How many are not taken at this moment."""
        with self._lock:
            return self._free

    @property
    def used(self) -> int:
        """How many are taken at this moment."""
        with self._lock:
            return self._total - self._free

    def take(self) -> bool:
        """Take one; False where none is free."""
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
            return True

    def give_back(self) -> None:
        """One that was taken is free again."""
        with self._lock:
            self._free += 1

    def begin(self) -> bool:
        """An upload begins. False while another one is alone, or is to be so next."""
        with self._lock:
            if self._are_held_back():
                return False
            self._running += 1
            return True

    def begin_with_one_more(self) -> bool:
        """The same on a slot that it takes. One is left to an account that becomes due."""
        with self._lock:
            if self._free <= 1 or self._are_held_back():
                return False
            self._free -= 1
            self._running += 1
            return True

    def begin_exclusive(self, who: object) -> bool:
        """An upload begins as the only one; the others are held back until it has ended.

        False where that is not possible yet: to be asked again, at least each SILENCE_SECONDS.
        """
        with self._lock:
            held_back = self._are_held_back()
            now = time.monotonic()
            if self._exclusive is not None or now < self._theirs_until:
                return False
            self._asked_at = now
            if not held_back:
                self._held_back_since = now
            if self._running:
                return False
            self._running, self._exclusive, self._exclusive_since = 1, who, now
            return True

    def exclusive_for(self, who: object) -> float | None:
        """For how many seconds this one has been alone; None where it is not."""
        with self._lock:
            return time.monotonic() - self._exclusive_since if self._exclusive is who else None

    def share(self, who: object) -> None:
        """The others may begin beside this one, if it is alone."""
        with self._lock:
            if self._exclusive is who:
                self._end_turn(time.monotonic())

    def end(self) -> None:
        """An upload has ended, or has not begun after all."""
        with self._lock:
            self._running -= 1
            if self._exclusive is not None:
                self._end_turn(time.monotonic())

    def _are_held_back(self) -> bool:
        if self._exclusive is not None:
            return True
        if self._held_back_since is None:
            return False
        limit = self._held_back_since + self._patience
        until = min(limit, self._asked_at + SILENCE_SECONDS)
        if time.monotonic() < until:
            return True
        if until == limit:
            self._patience = min(2 * self._patience, EXCLUSIVE_SECONDS)
        self._let_others_go_on(until)
        return False

    def _end_turn(self, now: float) -> None:
        self._exclusive, self._patience = None, CLEARING_SECONDS
        self._let_others_go_on(now)

    def _let_others_go_on(self, now: float) -> None:
        """For as long as they were held back, at least."""
        if self._held_back_since is not None:
            self._theirs_until = now + (now - self._held_back_since)
            self._held_back_since = None
