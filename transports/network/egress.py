"""Connections to the outside: the name resolved once, each address checked, then connected to.

What is connected to is the address that was checked; a name is never looked up a second time, so
that its owner cannot answer differently in between (DNS rebinding).
"""

import contextlib
import errno
import os
import select
import socket
import threading
from dataclasses import dataclass
from ipaddress import ip_address
from time import monotonic
from typing import Any, NamedTuple

from config.settings import MAX_PORT
from transports.base import Egress, Limits
from transports.errors import ConnectFailed, EgressDenied, ResolveFailed
from transports.network.addresses import permitted
from transports.words import own, spoken, system_words

MAX_ADDRESSES = 4
_SEND_BUFFER = 512 * 1024
_lookups = threading.BoundedSemaphore(64)


@dataclass(frozen=True)
class Address:
    """A checked address, as the socket calls take it."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def host(self) -> str:
        """The IP address as text."""
        return str(self.sockaddr[0])

    def at(self, port: int) -> "Address":
        """The same address with another port."""
        return Address(self.family, (self.host, port, *self.sockaddr[2:]))


class Connection(NamedTuple):
    """A TCP connection, and where it goes."""

    socket: socket.socket
    address: Address


def connect(host: str, port: int, limits: Limits, egress: Egress) -> Connection:
    """A TCP connection to the host. Raises ResolveFailed, EgressDenied, ConnectFailed."""
    return dial(resolve(host, port, limits, egress), limits)


def resolve(host: str, port: int, limits: Limits, egress: Egress) -> list[Address]:
    """The host's first addresses that may be connected to.

    Raises ResolveFailed, EgressDenied, ConnectFailed for a port out of range.
    """
    try:
        _check_port(port)
    except OSError as error:
        raise ConnectFailed(system_words(error)) from error
    found = _Lookup(host, port).wait(limits.resolve)
    allowed = [address for address in found if permitted(address.host, egress)]
    if not allowed:
        first = found[0].host
        where = "an address" if host == first else f"{first},"
        raise EgressDenied(f"{host} is {where} where no connection may go")
    return allowed[:MAX_ADDRESSES]


def dial(addresses: list[Address], limits: Limits) -> Connection:
    """A connection to the first address that takes one. Raises ConnectFailed.

    The time limit is for all of them together, each getting an equal share of what is left.
    """
    deadline = monotonic() + limits.connect
    refused = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            share = max(0.1, (deadline - monotonic()) / left)
            return Connection(_connected(address, share), address)
        except OSError as error:
            refused = error
    raise ConnectFailed(system_words(refused)) from refused


def begin_dial(address: Address) -> socket.socket:
    """Begin to connect a socket. `end_dial` waits for the result."""
    connection = _new_socket(address)
    connection.settimeout(0)
    connection.connect_ex(address.sockaddr)
    return connection


def end_dial(connection: socket.socket, limits: Limits) -> socket.socket | None:
    """The same socket once it is connected. None where that failed: the socket is closed then."""
    asked = select.poll()
    asked.register(connection, select.POLLOUT)
    answered = asked.poll(limits.connect * 1000)
    if not answered or connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        connection.close()
        return None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _check_port(port: int) -> None:
    """Raises OSError: `connect` would raise OverflowError, `getaddrinfo` take another port."""
    if not 0 < port <= MAX_PORT:
        words = f"There is no port {port}: ports are 1 to {MAX_PORT}"
        raise OSError(errno.EADDRNOTAVAIL, words)


def _new_socket(address: Address) -> socket.socket:
    _check_port(address.sockaddr[1])
    connection = socket.socket(address.family, socket.SOCK_STREAM)
    # A small buffer, so that what is sent has also left: the stall limit could not see
    # several megabytes creep out of the kernel over a slow line.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


def _connected(address: Address, seconds: float) -> socket.socket:
    connection = _new_socket(address)
    try:
        connection.settimeout(seconds)
        connection.connect(address.sockaddr)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


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
            raise ResolveFailed(_lookup_words(self._error)) from self._error
        if not self._found:
            raise ResolveFailed(f"{self._host} has no address")
        return self._found

    def _look_aside(self, seconds: float) -> None:
        started = monotonic()
        if not _lookups.acquire(timeout=seconds):
            raise ResolveFailed("The resolver does not answer")
        threading.Thread(target=self._look_and_leave, name="lookup", daemon=True).start()
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


def _lookup_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return system_words(error)
    return own(f"It is not a host name: {spoken(str(error))}")
