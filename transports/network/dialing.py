"""TCP connections to addresses that were checked: of several, to the first that answers (RFC 8305).

All attempts of one `dial` run in the thread that called it. Only `_Race._ready` waits.
"""

import contextlib
import errno
import math
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

from config.outgoing import Proxy
from config.settings import MAX_PORT
from transports.base import Limits, closed_on_failure
from transports.errors import ConnectFailed, OutgoingFailed, ResourcesExhausted, TransferError
from transports.network.proxies import (
    ProxyOrServerSilent,
    Steps,
    Wait,
    ask,
    blamed_on_proxy,
    greet,
    silent_proxy,
)
from transports.words import own, system_words

GREETING_SECONDS = 5.0
"""How long a proxy may take to say who it is."""
STAGGER = 0.25
"""Seconds without an answer after which the next address is tried too (RFC 8305, section 5)."""
SEND_BUFFER = 512 * 1024
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""What this machine says that is out of descriptors, buffers or memory."""
_BIND_ADDRESS_NO_PORT = 24
"""Of Linux, which Python 3.11 does not name: ports are only short for one destination then."""


@dataclass(frozen=True)
class Hop:
    """The proxy on the way, at one of its addresses."""

    proxy: Proxy
    address: "Address"


@dataclass(frozen=True)
class Address:
    """A checked address, as the socket calls take it, and the way to it."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]
    source: str | None = None
    """The address of this machine from which it is connected to; None: the system chooses."""
    hop: Hop | None = None
    """What is connected to instead, and asked for this address."""

    @property
    def host(self) -> str:
        """The IP address as text."""
        return str(self.sockaddr[0])

    def at(self, port: int) -> "Address":
        """The same address with another port."""
        return replace(self, sockaddr=(self.host, port, *self.sockaddr[2:]))


class Connection(NamedTuple):
    """A TCP connection, and where it goes."""

    socket: socket.socket
    address: Address


class Dialer:
    """Connects to the first of a server's addresses that answers, later to that one alone.

    What else has the server's name may be another server.
    """

    def __init__(self, addresses: Iterable[Address], limits: Limits) -> None:
        self._addresses = tuple(addresses)
        self._limits = limits

    def __call__(self) -> Connection:
        """Connect. Raises ConnectFailed, OutgoingFailed."""
        connection = dial(self._addresses, self._limits)
        self._addresses = (connection.address,)
        return connection


class Dialing:
    """A connection on its way to an address."""

    def __init__(
        self, address: Address, steps: Callable[[socket.socket, Address], Steps] | None = None
    ) -> None:
        """Raises OSError, OutgoingFailed where it fails at once."""
        self.address = address
        self.socket = _new_socket(address.hop.address if address.hop else address)
        self.wait: Wait | None = None
        """What it waits for; None once it is connected."""
        self._steps = (steps or _on_the_way)(self.socket, address)
        with closed_on_failure(self):
            self.socket.settimeout(0)
            self.go_on()

    def go_on(self) -> None:
        """Take the next step, what it waited for has come. Raises OSError, TransferError."""
        self.wait = next(self._steps, None)

    def close(self) -> None:
        """Give it up."""
        self._steps.close()
        self.socket.close()


def dial(addresses: Iterable[Address], limits: Limits) -> Connection:
    """A connection to the first address that answers. Raises ConnectFailed, OutgoingFailed.

    They are tried in their order, the next one where one fails or is silent for `STAGGER`. The time
    limit is for all of them together. Behind a silent HTTP proxy it is found out whether that still
    answers, which takes `GREETING_SECONDS` more at the most.
    """
    race = _Race(addresses, limits.connect)
    try:
        return _won(race, limits)
    except ProxyOrServerSilent:
        check_proxy(race.in_doubt, limits)
        raise


def check_proxy(hops: Sequence[Hop], limits: Limits) -> None:
    """Find out whether the proxy answers and lets us in, at one of these addresses of its.

    Raises OutgoingFailed.
    """

    def steps(connection: socket.socket, address: Address) -> Steps:
        with blamed_on_proxy():
            yield from _connecting(connection, address, silent_proxy())
        yield from greet(connection, hops[0].proxy)

    seconds = min(limits.connect, GREETING_SECONDS)
    places = [hop.address for hop in hops]
    race = _Race(places, seconds, begin=partial(Dialing, steps=steps))
    _won(race, limits).socket.close()


def begin_dial(address: Address) -> Dialing:
    """Begin to connect. `end_dial` waits for the result. Raises OSError, OutgoingFailed."""
    return Dialing(address)


def end_dial(begun: Dialing, limits: Limits) -> socket.socket | None:
    """Its socket, once it is connected; None where that failed."""
    try:
        return _won(_Race((), limits.connect, begun), limits).socket
    except TransferError:
        return None


def _won(race: "_Race", limits: Limits) -> Connection:
    with contextlib.closing(race):
        try:
            winner = race.winner()
        except OSError as error:
            raise ConnectFailed(system_words(error)) from error
    winner.socket.settimeout(limits.connect)
    return Connection(winner.socket, winner.address)


class _Race:
    """Attempts to connect that run beside each other, until one of them is done."""

    def __init__(
        self,
        addresses: Iterable[Address],
        seconds: float,
        *begun: Dialing,
        begin: Callable[[Address], Dialing] = Dialing,
    ) -> None:
        self._begin = begin
        self._waiting = deque(addresses)
        self._running = list(begun)
        self._ends_at = monotonic() + seconds
        self._next_at = -math.inf
        """When the next address is tried, by the monotonic clock."""
        self._failures = deque[OSError | TransferError]()
        """The last one first."""

    @property
    def in_doubt(self) -> list[Hop]:
        """The proxies that were asked and have said nothing."""
        silent = [
            each.address.hop
            for each in self._running
            if each.wait is not None and isinstance(each.wait.silence, ProxyOrServerSilent)
        ]
        return list(dict.fromkeys(hop for hop in silent if hop is not None))

    def winner(self) -> Dialing:
        """The first that is connected. Raises OSError or TransferError where none is: of the
        failures the one that tells most, and the last one of several such."""
        while True:
            self._begin_next()
            done = next((each for each in self._running if each.wait is None), None)
            if done is not None:
                self._running.remove(done)
                return done
            if not self._running:
                raise _telling(self._failures)
            for each in self._ready():
                self._go_on(each)

    def close(self) -> None:
        """End those that have not won."""
        for each in self._running:
            each.close()

    def _begin_next(self) -> None:
        while self._waiting and (not self._running or monotonic() >= self._next_at):
            address = self._waiting.popleft()
            try:
                self._running.append(self._begin(address))
            except (OSError, TransferError) as error:
                self._failures.appendleft(error)
            else:
                self._next_at = monotonic() + STAGGER

    def _go_on(self, one: Dialing) -> None:
        try:
            one.go_on()
        except (OSError, TransferError) as error:
            self._failures.appendleft(error)
            self._running.remove(one)
            one.close()
            self._next_at = -math.inf

    def _ready(self) -> list[Dialing]:
        """Those that can go on; none where the next one is due.

        Where the time is over it raises what their silence means, or what others have met before.
        """
        waits = {each: each.wait for each in self._running if each.wait is not None}
        now = monotonic()
        if now >= self._ends_at:
            raise _telling([*(wait.silence for wait in waits.values()), *self._failures])
        until = min(self._ends_at, self._next_at) if self._waiting else self._ends_at
        asked = select.poll()
        for each, wait in waits.items():
            asked.register(each.socket, wait.event)
        ready = {number for number, _ in asked.poll(max(0.0, until - now) * 1000)}
        return [each for each in self._running if each.socket.fileno() in ready]


def _telling(failures: Iterable[OSError | TransferError]) -> OSError | TransferError:
    """The first of those that tell most.

    What a server did is known, whatever became of other ways to it; but where this machine could
    not even try one of them, nobody knows what would have been met there.
    """
    return min(failures, key=_rank, default=_timed_out())


def _rank(failure: OSError | TransferError) -> int:
    match failure:
        case ResourcesExhausted():
            return 0
        case OutgoingFailed():
            return 3
        case ProxyOrServerSilent():
            return 2
        case _:
            return 1


def _timed_out() -> OSError:
    return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def check_port(port: int) -> None:
    """Raises OSError: `connect` would raise OverflowError, `getaddrinfo` take another port."""
    if not 0 < port <= MAX_PORT:
        words = f"There is no port {port}: ports are 1 to {MAX_PORT}"
        raise OSError(errno.EADDRNOTAVAIL, words)


def _new_socket(address: Address) -> socket.socket:
    check_port(address.sockaddr[1])
    with out_of_resources():
        connection = socket.socket(address.family, socket.SOCK_STREAM)
    # A small buffer, so that what is sent has also left: the stall limit could not see
    # several megabytes creep out of the kernel over a slow line.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if address.source is not None:
        with closed_on_failure(connection):
            _bind(connection, address.source)
    return connection


@contextlib.contextmanager
def out_of_resources() -> Iterator[None]:
    """Where this machine is short of something, no server is to blame. Raises OSError,
    ResourcesExhausted."""
    try:
        yield
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise _exhausted(error) from error
        raise


def _exhausted(error: OSError) -> ResourcesExhausted:
    words = f"The platform cannot open a connection: {system_words(error)}"
    return ResourcesExhausted(own(words))


def _bind(connection: socket.socket, source: str) -> None:
    """Raises OutgoingFailed."""
    try:
        connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        connection.bind((source, 0))
    except OSError as error:
        words = f"The platform cannot connect from its address {source}: {system_words(error)}"
        raise OutgoingFailed(own(words)) from error


def check_source(source: str) -> None:
    """Whether connections can leave from it. Raises OutgoingFailed."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        _bind(probe, source)


def _on_the_way(connection: socket.socket, address: Address) -> Steps:
    """Raises OSError, OutgoingFailed, ConnectFailed."""
    if address.hop is None:
        yield from _connecting(connection, address, _timed_out())
        return
    check_port(address.sockaddr[1])
    with blamed_on_proxy():
        yield from _connecting(connection, address.hop.address, silent_proxy())
    yield from ask(connection, address.hop.proxy, address.host, address.sockaddr[1])


def _connecting(
    connection: socket.socket, address: Address, silence: OSError | TransferError
) -> Steps:
    """Raises OSError, ResourcesExhausted."""
    failed = connection.connect_ex(address.sockaddr)
    if failed == errno.EINPROGRESS:
        yield Wait(select.POLLOUT, silence)
        failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failed:
        raise _not_connected(failed, address.family)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _not_connected(number: int, family: socket.AddressFamily) -> OSError | ResourcesExhausted:
    error = OSError(number, os.strerror(number))
    # Of IPv6 a machine that has none says the same.
    no_port = number == errno.EADDRNOTAVAIL and family == socket.AF_INET
    return _exhausted(error) if no_port or number in EXHAUSTED else error
