"""The flights of one account session that run at once, each in a thread of its own."""

import queue
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from consumers.delivery.slots import Slots
from consumers.ledger import Claim, LastError


@dataclass(frozen=True)
class Ended:
    """What became of a try, as far as the session has to know it."""

    claim: Claim
    delivered: bool = False
    inconclusive: bool = False
    """It told nothing of the account: a probe goes on with the next file."""
    backoff: float | None = None
    """Seconds for which the account is left alone: what failed is ours, or its server is busy."""
    is_held: bool = False
    """What arrives meanwhile waits as well (`dispatch.Rest`)."""
    shown: LastError | None = None
    """What people are told meanwhile."""
    error: BaseException | None = None
    """The database or the broker is away, a key is missing, or nobody foresaw it."""

    @property
    def recording_id(self) -> str:
        return self.claim.recording_id


Claims = Sequence[Claim]


class Flights:
    """Begun and collected by the session's thread, which `wakeup` wakes when one has ended.

    One of them uses the slot that the session has, every other one a slot more: until it ends,
    be it collected or not.
    """

    def __init__(self, most: int, slots: Slots, wakeup: threading.Event) -> None:
        self._slots = slots
        self._wakeup = wakeup
        self._running: dict[str, Claims] = {}
        """By the id of its first file."""
        self._lock = threading.Lock()
        self._active = 0
        self._more_slots = 0
        self._entered = False
        self._ended: queue.SimpleQueue[tuple[Claims, list[Ended]]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="flight")

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, recording_id: str) -> bool:
        return any(claim.recording_id == recording_id for claim in self.files)

    @property
    def file_names(self) -> Collection[str]:
        """The names of the files that are uploaded, as their events want them."""
        return {claim.file_name for claim in self.files}

    @property
    def files(self) -> Iterator[Claim]:
        """Those that are uploaded."""
        return (claim for flight in self._running.values() for claim in flight)

    @contextmanager
    def room(self, most: int, *, exclusive: bool = False) -> Iterator[bool]:
        """Whether one more may begin, of `most` at once; its slot is kept for it meanwhile.

        `exclusive`: as the only one of the process. What is claimed in between is claimed for a
        flight that can begin; where none does, the slot is free again.
        """
        self._entered = self._enter(most, exclusive=exclusive)
        try:
            yield self._entered
        finally:
            if self._entered:
                self._slots.end()
                self._entered = False
            self._change(0)

    def _enter(self, most: int, *, exclusive: bool) -> bool:
        if exclusive:
            return self._slots.begin_exclusive(self)
        if not self._running:
            return self._slots.begin()
        if len(self._running) >= most or not self._slots.begin_with_one_more():
            return False
        with self._lock:
            self._more_slots += 1
        return True

    def begin(self, claims: Claims, work: Callable[[], list[Ended]]) -> None:
        """Do the work in a thread. Only where there is room, and as that was asked for.

        Raises RuntimeError where the system has no thread left: then it has not begun.
        """
        self._running[claims[0].recording_id] = claims
        self._change(1)
        try:
            self._pool.submit(self._run, claims, work)
        except BaseException:
            del self._running[claims[0].recording_id]
            self._change(-1)
            raise
        self._entered = False

    def ended(self) -> list[list[Ended]]:
        """Those that have ended since the last call, each by its files."""
        found = []
        while not self._ended.empty():
            claims, ended = self._ended.get()
            del self._running[claims[0].recording_id]
            found.append(ended)
        return found

    @property
    def are_over(self) -> bool:
        """Whether none runs, be they collected or not."""
        with self._lock:
            return not self._active

    def close(self) -> list[list[Ended]]:
        """Wait until all have ended; nothing can be begun any more."""
        self._pool.shutdown(wait=True)
        return self.ended()

    # --- alone in the process -----------------------------------------------------------------

    @property
    def exclusive(self) -> Claims:
        """The files of the flight that runs as the only one of the process."""
        return [*self.files] if self.exclusive_for is not None else []

    @property
    def exclusive_for(self) -> float | None:
        """For so many seconds the other flights of the process wait for this one already."""
        return self._slots.exclusive_for(self)

    def share(self) -> None:
        """Others of the process may begin beside the one that is alone."""
        self._slots.share(self)

    # --- in the flight's thread ---------------------------------------------------------------

    def _run(self, claims: Claims, work: Callable[[], list[Ended]]) -> None:
        if self._running.get(claims[0].recording_id) is not claims:
            return  # its beginning has failed, and the pool has kept it all the same
        try:
            ended = work()
        except BaseException as error:  # noqa: BLE001 - what never ends is waited for for ever
            ended = [Ended(claim, error=error) for claim in claims]
        self._slots.end()
        self._ended.put((claims, ended))
        self._change(-1)
        self._wakeup.set()

    def _change(self, more: int) -> None:
        """So many more run: give back the slots that are used no longer."""
        with self._lock:
            self._active += more
            unused = self._more_slots - max(0, self._active - 1)
            if unused > 0:
                self._more_slots -= unused
        for _ in range(unused):
            self._slots.give_back()
