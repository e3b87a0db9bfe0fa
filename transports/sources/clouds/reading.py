"""A recording in a cloud's store, read through fsspec in ranges of one version of it.

Each range is asked for by the version that was begun, and when the last has come the store is asked
once more which one it has: two versions are never mixed. Where a connection is cut the range that
was under way is asked for again, by and by in smaller parts.
"""

import contextlib
import os
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import aiohttp

from transports.base import BLOCK, Limits
from transports.errors import (
    SourceAway,
    SourceChanged,
    SourceFailure,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from transports.network import egress as outside
from transports.network.dialing import Address
from transports.sources.clouds.guard import NONSENSE, Guard, Refusal, Unasked
from transports.sources.clouds.loop import Calls, Loop, shared_loop
from transports.sources.http import (
    PASSING,
    NoSuchPlace,
    Place,
    Silent,
    readable,
)
from transports.sources.logins import Cut
from transports.sources.remote import PAUSES
from transports.sources.stores import Reach
from transports.words import spoken, system_words

PIECE = 2**20
"""Bytes of a range. With BLOCK it is what a recording needs of memory, whatever its size."""
_LEAST = 2**14
"""Of the smallest range, where connections are cut again and again."""
_CHANGED = {412, 416}
_REDIRECTS = {301, 302, 303, 307, 308}
_T = TypeVar("_T")


class Version(NamedTuple):
    """Which version of an object the store has."""

    mark: str
    """Generation or ETag: another one for each version."""
    size: int
    encoding: str = ""
    """In which its bytes are stored (Content-Encoding); nothing where they are the recording's."""


class Opened(Protocol):
    """A file system of fsspec with one object in it. Its methods run in the loop.

    They raise Refusal, Unasked, aiohttp.ClientError, OSError, TimeoutError, ValueError.
    """

    async def version(self) -> Version:
        """Which version of it there is now."""

    async def piece(self, version: Version, first: int, end: int) -> bytes:
        """The bytes from `first` up to `end` of this very version."""

    async def close(self) -> None:
        """Let go of everything but the session."""


class Store(Protocol):
    """A cloud: how an object of it is opened, and what its errors mean."""

    root: str
    """`SCHEME://BUCKET`: by which refusals are told apart."""
    place: Place

    def renew(self, cut: threading.Event) -> None:
        """See to a login that is valid; in the thread of the upload.

        Raises SourceRefused, ResourcesExhausted, Cut.
        """

    def open(self, session: aiohttp.ClientSession, loop: Loop, reach: Reach) -> Opened:
        """The object, reached by this session. Raises SourceFailure, ValueError."""

    def told(self, refusal: Refusal) -> tuple[str, str]:
        """The code of an error, and the words that are shown of it."""

    def meaning(self, status: int, code: str) -> type[SourceFailure] | None:
        """What this cloud means by an error; None for what every store means by the status."""


class CloudSource:
    """Held open by its session. See `transports.sources.source.OpenSource`."""

    def __init__(self, store: Store, reach: Reach) -> None:
        self._store = store
        self._reach = reach
        self._limits = reach.limits
        self._calls = Calls()
        self._stack = contextlib.ExitStack()
        self._loop: Loop | None = None
        self._object: Opened | None = None
        self._version = Version("", 0)
        self._waited = 0.0
        self._most = PIECE

    def __enter__(self) -> Self:
        with self._stack:
            self._version = self._ask_version()
            if self._version.encoding not in {"", "identity"}:
                raise SourceUnreadable("It is stored compressed, and not as it is")
            self._reach.check_size(self.size)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def size(self) -> int:
        """Bytes when it was opened."""
        return self._version.size

    def __iter__(self) -> Iterator[bytes]:
        """The content in blocks. Raises SourceMissing, SourceUnreadable, SourceChanged."""
        given, self._waited = 0, 0.0
        while given < self.size:
            piece = self._piece(given)
            given += len(piece)
            if self._waited > self._limits.source(given):
                raise SourceAway(f"After {self._waited:.0f} seconds only {given} bytes came")
            for start in range(0, len(piece), BLOCK):
                yield piece[start : start + BLOCK]
        with contextlib.suppress(SourceMissing):  # one that is gone by now was read whole
            if self._trying(self._ask_version) != self._version:
                raise SourceChanged

    def cut(self) -> None:
        """End a wait for more of it, from any thread."""
        self._calls.end()

    def _piece(self, first: int) -> bytes:
        started = time.monotonic()
        piece = self._trying(lambda: self._ask_piece(first))
        self._waited += time.monotonic() - started
        self._most = min(2 * self._most, PIECE)
        return piece

    def _trying(self, ask: Callable[[], _T]) -> _T:
        """What is asked for, anew where a connection is cut; after a silence the file waits."""
        for pause in (*PAUSES, None):
            try:
                return ask()
            except (SourceRefused, Silent):
                raise
            except SourceAway:
                self._most = max(self._most // 4, _LEAST)
                if pause is None or self._calls.cut.wait(pause):
                    raise
        raise AssertionError("the last pause is None")

    def _ask_version(self) -> Version:
        limits = self._limits
        seconds = limits.resolve + limits.connect + limits.reply
        return self._ask(lambda opened: opened.version(), seconds)

    def _ask_piece(self, first: int) -> bytes:
        end = min(first + self._most, self.size)
        limits = self._limits
        seconds = limits.connect + limits.reply + limits.stall
        try:
            piece = self._ask(lambda opened: opened.piece(self._version, first, end), seconds)
        except SourceMissing:  # this version, which was there
            raise SourceChanged from None
        if len(piece) != end - first:
            raise SourceUnreadable("The store answers with another range than was asked for")
        return piece

    def _ask(self, what: Callable[[Opened], Coroutine[Any, Any, _T]], seconds: float) -> _T:
        """Raises SourceFailure."""
        try:
            self._store.renew(self._calls.cut)
            found = self._answered(what, seconds)
        except Cut:  # not by the store, which others may go on to ask
            raise SourceAway("The reading of it was ended") from None
        except Refusal as refusal:
            raise self._failure(refusal) from None
        self._reach.stores.note_read(self._store.root)
        return found

    def _answered(self, what: Callable[[Opened], Coroutine[Any, Any, _T]], seconds: float) -> _T:
        """Raises Cut, Refusal, SourceFailure."""
        with self._reach.stores.asking(self._store.place.authority, seconds), self._meant():
            try:
                return self._run(what, seconds)
            except (Refusal, aiohttp.ClientPayloadError) as error:  # it does answer
                answered = error
        if isinstance(answered, Refusal):
            raise answered
        raise SourceAway("The connection was cut before the end") from answered

    def _run(self, what: Callable[[Opened], Coroutine[Any, Any, _T]], seconds: float) -> _T:
        if self._object is None:
            self._loop, self._object = self._open()
        assert self._loop is not None  # noqa: S101 - it has an object
        try:
            return self._loop.run(what(self._object), seconds, self._calls)
        except (OSError, aiohttp.ClientError):  # some of them are ValueErrors too
            raise
        except NONSENSE as error:
            raise SourceUnreadable("The store's answer makes no sense") from error

    def _open(self) -> tuple[Loop, Opened]:
        place, limits = self._store.place, self._limits
        addresses = outside.addresses(place.host, place.port, limits, self._reach.egress)
        loop = self._stack.enter_context(shared_loop())
        making = _guard(place, addresses, limits)
        guard = loop.run(making, limits.reply, Calls())
        self._stack.callback(_close, loop, guard.close, limits.reply)
        opened = self._store.open(guard.session, loop, self._reach)
        self._stack.callback(_close, loop, opened.close, limits.reply)
        return loop, opened

    @contextlib.contextmanager
    def _meant(self) -> Iterator[None]:
        """The edge to the libraries: what their errors mean."""
        try:
            with readable(), self._told():
                yield
        except NoSuchPlace as error:  # the operator has named it, and can mend it
            raise SourceAway(error.words) from error

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Unasked as error:
            raise SourceUnreadable(str(error)) from None
        except aiohttp.ConnectionTimeoutError:
            raise Silent(f"No connection in {self._limits.connect:g} seconds") from None
        except aiohttp.ServerTimeoutError:
            raise Silent(f"No byte came in {self._limits.stall:g} seconds") from None
        except aiohttp.ClientError as error:
            raise SourceAway(_words(error)) from None

    def _failure(self, refusal: Refusal) -> SourceFailure:
        status, store = refusal.status, self._store
        code, words = store.told(refusal)
        kind = store.meaning(status, code)
        if kind is None and status in {401, 403}:
            return self._reach.stores.refused(store.root, words)
        return (kind or _meaning(status))(words)


def _meaning(status: int) -> type[SourceFailure]:
    if status in PASSING:
        return SourceAway
    if status in _CHANGED:
        return SourceChanged
    if status in _REDIRECTS:
        return SourceRefused
    return SourceMissing if status in {404, 410} else SourceUnreadable


def _words(error: aiohttp.ClientError) -> str:
    """The system's words for what aiohttp says of a connection.

    Its own text has the URL in it, and that may have a signature.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, aiohttp.ClientError):
            return system_words(_bare(cause))
        cause = getattr(cause, "os_error", None) or cause.__cause__
    if isinstance(error, aiohttp.ClientResponseError):
        return f"The store's answer is not sound HTTP: {spoken(error.message)}"
    if isinstance(error, aiohttp.InvalidURL):
        return "The request for it cannot be sent: it is not a sound URL"
    return "The connection was cut"


async def _guard(place: Place, addresses: list[Address], limits: Limits) -> Guard:
    return Guard(place, addresses, limits.connect, limits.stall)


def _bare(error: OSError) -> OSError:
    """Without asyncio's words around those of the system: `Connect call failed (...)`."""
    if error.errno is None or isinstance(error, ssl.SSLError):
        return error
    return OSError(error.errno, os.strerror(error.errno))


def _close(loop: Loop, close: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
    with contextlib.suppress(Cut, SourceAway, aiohttp.ClientError, OSError):
        loop.run(close(), seconds, Calls())
