"""A login at a store that is renewed in time: once for all who need it."""

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import Future, wait

from transports.errors import ResourcesExhausted, SourceRefused
from transports.sources import stores
from transports.words import own

SECONDS = 60.0
"""For which a login is waited for, from the moment that somebody has asked for it."""
_TICK = 0.1


class Cut(Exception):
    """The reader was ended from outside: nothing is known of the store."""


def start(thread: threading.Thread) -> None:
    """Raises ResourcesExhausted where this machine has no thread left."""
    try:
        thread.start()
    except RuntimeError as error:
        words = "The platform cannot read from a store: it can start no more threads"
        raise ResourcesExhausted(own(words)) from error


class Login(ABC):
    """Asked for in a thread of its own, which ends by itself: so whoever waits can be cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: Future[None] | None = None
        self._asked_until = 0.0
        self._failure: SourceRefused | None = None
        self._until = 0.0

    @property
    @abstractmethod
    def is_fresh(self) -> bool:
        """Whether requests may still be sent with it."""

    @property
    def is_due(self) -> bool:
        """Whether a new one should be asked for, although nobody has to wait for it."""
        return False

    @abstractmethod
    def ask(self) -> None:
        """Get it anew, within some seconds as a rule. Raises SourceRefused."""

    def renew(self, cut: threading.Event) -> None:
        """See to one that is fresh. Raises SourceRefused, ResourcesExhausted, and Cut where that is
        set while it waits.

        After a failure nobody asks again for a pause. One that does not come in time is waited for
        by nobody any more, and taken once it has come.
        """
        asked = self._begun()
        while asked is not None and not wait([asked], _TICK).done:
            if cut.is_set():
                raise Cut
            if time.monotonic() > self._asked_until:
                raise SourceRefused(f"The platform's login did not come in {SECONDS:g} seconds")
        if asked is not None and (failure := asked.exception()) is not None:
            raise failure.again() if isinstance(failure, SourceRefused) else failure

    def _begun(self) -> Future[None] | None:
        """What is waited for; None where it is fresh."""
        with self._lock:
            pauses = time.monotonic() < self._until
            if self.is_fresh:
                if self.is_due and not pauses:
                    with contextlib.suppress(ResourcesExhausted):  # there is time left
                        self._begin()
                return None
            if self._failure is not None and pauses:
                raise self._failure.again()
            return self._begin()

    def _begin(self) -> Future[None]:
        """Ask, if nobody does. With the lock held."""
        if self._asked is None:
            asked: Future[None] = Future()
            start(threading.Thread(target=self._run, args=(asked,), daemon=True))
            self._asked, self._asked_until = asked, time.monotonic() + SECONDS
        return self._asked

    def _run(self, asked: Future[None]) -> None:
        failure: BaseException | None = None
        try:
            self.ask()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failure = error
        with self._lock:
            self._asked = None
            self._failure = failure if isinstance(failure, SourceRefused) else None
            if self._failure is not None or self.is_due:
                self._until = time.monotonic() + stores.PAUSE
        if failure is None:
            asked.set_result(None)
        else:
            asked.set_exception(failure)
