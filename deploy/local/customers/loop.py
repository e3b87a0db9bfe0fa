"""A server on an event loop in a thread of its own."""

import asyncio
import socket
import threading
from abc import abstractmethod
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any

from deploy.local.customers.listener import Listener
from deploy.local.processes import ServiceError

_SECONDS = 60.0
_TURNS_OF_ACCEPTING = 2
"""asyncio takes a connection, makes its transport in the next turn of the loop, and tells the
protocol of it in the one after."""


class ThreadedServer(Listener):
    """Starts and stops in any thread; `stop` cuts the connections that are open."""

    _thread: threading.Thread | None = None
    _ended: asyncio.Event
    _loop: asyncio.AbstractEventLoop

    @abstractmethod
    def _serving(self) -> AbstractAsyncContextManager[None]:
        """Listens inside the block; after it, every connection is closed."""

    def start(self) -> None:
        """Listen. Raises `ServiceError` where the port cannot be had."""
        if self._thread is not None:
            return
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=_run, args=(self._serve(started),), name=type(self).__name__, daemon=True
        )
        self._thread.start()
        try:
            started.result(_SECONDS)
        except (OSError, TimeoutError) as error:
            self._thread.join(_SECONDS)
            self._thread = None
            raise ServiceError(f"{type(self).__name__} could not be started: {error}") from error

    def stop(self) -> None:
        """Stop listening and cut what is open; the port is free on return."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(_SECONDS)
            self._thread = None

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        try:
            async with self._serving():
                started.set_result(None)
                await self._ended.wait()
        except OSError as error:
            if started.done():
                raise
            started.set_exception(error)


async def stop_accepting(listeners: Iterable[socket.socket]) -> None:
    """Take no more connections; on return the last one that was taken has been told of.

    To be awaited before the server is closed: asyncio leaves those open that it has just taken.
    """
    for listener in listeners:
        asyncio.get_running_loop().remove_reader(listener)
    for _ in range(_TURNS_OF_ACCEPTING):
        await asyncio.sleep(0)


def _run(serving: Coroutine[Any, Any, None]) -> None:
    asyncio.run(serving)
