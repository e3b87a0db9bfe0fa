"""One event loop, in one thread, for all recordings that this process reads from the clouds.

It runs as long as one of them is open: a worker that stops leaves no thread behind.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import aiohttp

from transports.base import closed_on_failure
from transports.sources.http import Silent
from transports.sources.logins import Cut, start

_T = TypeVar("_T")
_GRACE = 5.0
"""Seconds that the loop has for a task whose time is over, and for its own end."""


class Loop:
    """The loop while it runs."""

    def __init__(self) -> None:
        """Raises ResourcesExhausted."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="clouds", daemon=True)
        with closed_on_failure(self._loop):
            start(self._thread)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """For the libraries, which want to know it."""
        return self._loop

    def run(self, work: Coroutine[Any, Any, _T], seconds: float, calls: "Calls") -> _T:
        """The result of the work, which is ended after so many seconds.

        Raises Silent then, Cut where `calls` were cut, and what the work raises.
        """
        future = asyncio.run_coroutine_threadsafe(_within(work, seconds), self._loop)
        with calls.waiting(future):
            try:
                return future.result(seconds + _GRACE)
            except concurrent.futures.CancelledError:
                raise Cut from None
            except aiohttp.ServerTimeoutError:  # a limit of the session's, which is another one
                raise
            except TimeoutError as error:
                future.cancel()
                raise Silent(f"No answer in {seconds:g} seconds") from error

    def end(self) -> None:
        """Stop the loop; what still runs in it is cancelled. One that hangs is not waited for."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_GRACE)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(_end_tasks())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


class Calls:
    """What one reader waits for; it can be cut from any thread."""

    def __init__(self) -> None:
        self.cut = threading.Event()
        self._future: concurrent.futures.Future[Any] | None = None

    def end(self) -> None:
        """End the wait, and every later one."""
        self.cut.set()
        future = self._future
        if future is not None:
            future.cancel()

    @contextmanager
    def waiting(self, future: "concurrent.futures.Future[Any]") -> Iterator[None]:
        """The block waits for this."""
        self._future = future
        if self.cut.is_set():
            future.cancel()
        try:
            yield
        finally:
            self._future = None


async def _within(work: Coroutine[Any, Any, _T], seconds: float) -> _T:
    async with asyncio.timeout(seconds):
        return await work


async def _end_tasks() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class _Shared:
    """The loop of the process, and how many use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: Loop | None = None
        self._users = 0

    @contextmanager
    def used(self) -> Iterator[Loop]:
        with self._lock:
            if self._loop is None:
                self._loop = Loop()
            loop = self._loop
            self._users += 1
        try:
            yield loop
        finally:
            with self._lock:
                self._users -= 1
                is_last = not self._users
                if is_last:
                    self._loop = None
            if is_last:
                loop.end()


_shared = _Shared()


def shared_loop() -> AbstractContextManager[Loop]:
    """The loop of this process, which runs at least as long as the block.

    Raises ResourcesExhausted.
    """
    return _shared.used()
