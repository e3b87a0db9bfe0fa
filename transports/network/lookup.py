"""Host names to addresses, by the machine's resolver and within a time limit."""

import contextlib
import socket
import threading
from ipaddress import ip_address
from time import monotonic

from transports.errors import ResolveFailed, ResourcesExhausted, TransferError
from transports.network.dialing import EXHAUSTED, Address
from transports.words import own, spoken, system_words

_lookups = threading.BoundedSemaphore(64)


def look_up(host: str, port: int, seconds: float) -> list[Address]:
    """The addresses of the host, in the resolver's order.

    Raises ResolveFailed, and ResourcesExhausted where this machine could not look.
    """
    return _Lookup(host, port).wait(seconds)


class _Lookup:
    """A lookup in a thread of its own: getaddrinfo cannot be interrupted, but left behind.

    The number of those left behind is bounded; they end with the resolver's own time limit.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._done = threading.Event()
        self._found: list[Address] = []
        self._error: Exception | None = None

    def wait(self, seconds: float) -> list[Address]:
        if _is_literal(self._host):
            self._look()
        else:
            self._look_aside(seconds)
        if self._error is not None:
            raise _failure_of(self._error) from self._error
        if not self._found:
            raise ResolveFailed(f"{self._host} has no address")
        return self._found

    def _look_aside(self, seconds: float) -> None:
        started = monotonic()
        if not _lookups.acquire(timeout=seconds):
            raise ResolveFailed("The resolver does not answer")
        try:
            threading.Thread(target=self._look_and_leave, name="lookup", daemon=True).start()
        except RuntimeError as error:
            _lookups.release()
            raise _exhausted("it can start no more threads") from error
        if not self._done.wait(seconds - (monotonic() - started)):
            raise ResolveFailed(f"No answer of the resolver in {seconds:g} seconds")

    def _look_and_leave(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(_lookups.release)
            self._look()

    def _look(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._found = [Address(family, sockaddr) for family, _, _, _, sockaddr in found]
        except (OSError, ValueError) as error:  # ValueError: a label too long or empty, a NUL
            self._error = error
        finally:
            self._done.set()


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _failure_of(error: Exception) -> TransferError:
    if isinstance(error, socket.gaierror):
        is_short = error.errno == socket.EAI_MEMORY
    else:
        is_short = isinstance(error, OSError) and error.errno in EXHAUSTED
    words = _lookup_words(error)
    return _exhausted(words) if is_short else ResolveFailed(words)


def _exhausted(why: str) -> ResourcesExhausted:
    return ResourcesExhausted(own(f"The platform cannot look up a name: {why}"))


def _lookup_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return system_words(error)
    return own(f"It is not a host name: {spoken(str(error))}")
