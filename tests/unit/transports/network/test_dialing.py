"""Several addresses of one server: which of them is connected to, and when."""

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.transports.network.silence import silent
from transports.base import Limits
from transports.errors import ConnectFailed, Kind, OutgoingFailed, Speaker
from transports.network.dialing import (
    Address,
    Dialer,
    begin_dial,
    check_source,
    dial,
    end_dial,
)

LONG = Limits(connect=600)
"""So long that no test gets there: an equal share of it would be felt."""
SHORT = Limits(connect=0.5)
SOON = 60.0
"""Seconds that a machine under load may take for what takes none."""


@contextmanager
def listening(*hosts: str, port: int = 0) -> Iterator[int]:
    """One port at all of these addresses."""
    with ExitStack() as stack:
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = stack.enter_context(socket.create_server((host, port), family=family))
            port = listener.getsockname()[1]
        yield port


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    before = _open()
    yield
    assert _open() == before


def _open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def address(host: str, port: int) -> Address:
    if ":" in host:
        return Address(socket.AF_INET6, (host, port, 0, 0))
    return Address(socket.AF_INET, (host, port))


def reached(*addresses: Address, limits: Limits = LONG) -> str:
    """The host that is connected to."""
    with dial(addresses, limits).socket as connection:
        return str(connection.getpeername()[0])


def test_the_first_address_is_connected_to_where_it_answers() -> None:
    with listening("127.0.0.1", "127.0.0.2") as port:
        for first, second in (("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")):
            assert reached(address(first, port), address(second, port)) == first


def test_the_next_address_is_tried_where_one_refuses() -> None:
    with listening("127.0.0.1") as port:
        assert reached(address("127.0.0.2", port), address("127.0.0.1", port)) == "127.0.0.1"


def test_the_next_address_is_tried_soon_where_one_is_silent() -> None:
    with listening("127.0.0.1") as port, silent("127.0.0.2", port), silent("127.0.0.3", port):
        dead = [address("127.0.0.2", port), address("127.0.0.3", port)]
        started = time.monotonic()
        assert reached(*dead, address("127.0.0.1", port)) == "127.0.0.1"
        assert time.monotonic() - started < SOON


@pytest.mark.parametrize(("dead", "alive"), [("::1", "127.0.0.1"), ("127.0.0.1", "::1")])
def test_where_one_family_is_dead_the_other_one_is_connected_to(dead: str, alive: str) -> None:
    with listening(alive) as port, silent(dead, port):
        assert reached(address(dead, port), address(alive, port)) == alive


def test_all_together_have_the_one_time_limit() -> None:
    with silent("127.0.0.2") as port, silent("127.0.0.3", port), silent("127.0.0.4", port):
        dead = [address(f"127.0.0.{number}", port) for number in (2, 3, 4)]
        started = time.monotonic()
        with pytest.raises(ConnectFailed) as failed:
            dial(dead, SHORT)
        assert time.monotonic() - started < SOON  # the system itself would go on for 2 minutes
    assert failed.value.words == "Connection timed out"
    assert failed.value.said_by is Speaker.SYSTEM


def test_nobody_listening_is_told_in_the_systems_words() -> None:
    with listening("127.0.0.1") as port:
        pass
    with pytest.raises(ConnectFailed) as failed:
        dial([address("127.0.0.1", port), address("::1", port)], LONG)
    assert failed.value.words == "Connection refused"


def test_the_address_that_answered_is_the_only_one_from_then_on() -> None:
    with listening("127.0.0.1", "127.0.0.2") as port, ExitStack() as first:
        port_of_first = first.enter_context(listening("127.0.0.3", port=port))
        server = Dialer([address("127.0.0.3", port_of_first), address("127.0.0.2", port)], LONG)
        with server().socket as connection:
            assert connection.getpeername()[0] == "127.0.0.3"
        first.close()
        with pytest.raises(ConnectFailed):
            server()


def test_a_connection_begun_before_is_had_later() -> None:
    with listening("::1") as port:
        connection = end_dial(begin_dial(address("::1", port)), LONG)
        assert connection is not None
        with connection:
            assert connection.getpeername()[:2] == ("::1", port)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_one_begun_before_that_fails_is_none() -> None:
    with silent("127.0.0.1") as port:
        assert end_dial(begin_dial(address("127.0.0.1", port)), SHORT) is None


def test_a_connection_leaves_from_the_fixed_address() -> None:
    with listening("127.0.0.1") as port:
        fixed = replace(address("127.0.0.1", port), source="127.0.0.9")
        for connection in (dial([fixed], LONG).socket, end_dial(begin_dial(fixed), LONG)):
            assert connection is not None
            with connection:
                assert connection.getsockname()[0] == "127.0.0.9"


def test_a_fixed_address_that_the_machine_has_not_is_ours() -> None:
    with listening("127.0.0.1") as port:
        fixed = replace(address("127.0.0.1", port), source="192.0.2.1")
        with pytest.raises(OutgoingFailed) as failed:
            dial([fixed], LONG)
    assert failed.value.words == (
        "The platform cannot connect from its address 192.0.2.1: Cannot assign requested address"
    )
    assert failed.value.kind is Kind.OURS


def test_a_fixed_address_is_checked_before_anything_is_sent() -> None:
    check_source("127.0.0.9")
    check_source("::1")
    with pytest.raises(OutgoingFailed):
        check_source("192.0.2.1")
    with pytest.raises(OutgoingFailed):
        check_source("2001:db8::1")


WANTS = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM]


class Short(socket.socket):
    """Of a machine that is short of something."""

    wants = errno.EMFILE

    def connect_ex(self, *_: Any) -> int:
        return self.wants


@pytest.mark.parametrize("number", WANTS)
def test_want_of_a_socket_is_ours(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(OutgoingFailed) as failed:
        dial([address("127.0.0.1", 21), address("::1", 21)], LONG)
    assert failed.value.words == f"The platform cannot open a connection: {os.strerror(number)}"
    assert failed.value.kind is Kind.OURS


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, *WANTS])
def test_want_of_ports_or_buffers_for_a_connection_is_ours(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Short, "wants", number)
    monkeypatch.setattr(socket, "socket", Short)
    with pytest.raises(OutgoingFailed) as failed:
        dial([address("127.0.0.1", 21)], LONG)
    assert failed.value.words == f"The platform cannot open a connection: {os.strerror(number)}"


def test_a_machine_without_ipv6_is_short_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Short, "wants", errno.EADDRNOTAVAIL)
    monkeypatch.setattr(socket, "socket", Short)
    with pytest.raises(ConnectFailed):
        dial([address("2001:db8::1", 21)], LONG)


def test_want_of_a_socket_at_one_address_leaves_it_open_what_the_server_would_have_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = socket.socket

    def of_ipv4_alone(family: int, *rest: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(family, *rest)

    with listening("127.0.0.1") as port:
        pass
    monkeypatch.setattr(socket, "socket", of_ipv4_alone)
    for tried in (("::1", "127.0.0.1"), ("127.0.0.1", "::1")):
        with pytest.raises(OutgoingFailed):
            dial([address(host, port) for host in tried], LONG)


def test_there_is_no_such_port_and_nothing_is_short() -> None:
    with pytest.raises(ConnectFailed):
        dial([address("127.0.0.1", 70_000)], LONG)
