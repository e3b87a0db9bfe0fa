"""Where connections may go."""

import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from transports import egress
from transports.base import Egress, Limits
from transports.errors import ConnectFailed, EgressDenied, ResolveFailed

LOOPBACK = Egress(deny=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
METADATA = Egress(deny=(ip_network("169.254.0.0/16"), ip_network("fe80::/10")))
OPEN = Egress()
LIMITS = Limits(resolve=2, connect=2)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_connection_goes_to_the_address_that_was_checked(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    connection, address = egress.connect("localhost", port, LIMITS, OPEN)
    with connection:
        assert connection.getpeername()[:2] == ("127.0.0.1", port)
        assert address.host == "127.0.0.1"
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0.0.0.0",  # noqa: S104 - Linux connects to itself
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_every_way_to_write_a_denied_address_is_denied(host: str) -> None:
    with pytest.raises(EgressDenied):
        egress.connect(host, 1, LIMITS, LOOPBACK)


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1%lo", "::ffff:a9fe:a9fe"])
def test_link_local_and_metadata_addresses_are_denied(host: str) -> None:
    with pytest.raises(EgressDenied):
        egress.connect(host, 80, LIMITS, METADATA)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example"])
def test_a_name_without_an_address_is_told(host: str) -> None:
    with pytest.raises(ResolveFailed) as failed:
        egress.connect(host, 1, LIMITS, OPEN)
    assert failed.value.words


def test_a_name_with_denied_and_other_addresses_goes_to_the_others(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    _resolves_to(monkeypatch, ["169.254.169.254", "127.0.0.1"], port)
    addresses = egress.resolve("customer.example", port, LIMITS, METADATA)
    assert [address.host for address in addresses] == ["127.0.0.1"]


def test_the_next_address_is_tried_where_one_refuses(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    _resolves_to(monkeypatch, ["127.0.0.2", "127.0.0.1"], port)
    connection, address = egress.connect("customer.example", port, LIMITS, OPEN)
    connection.close()
    assert address.host == "127.0.0.1"


def test_a_resolver_that_hangs_is_left_behind_within_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = threading.Event()

    def hanging(*_: object, **__: object) -> list[object]:
        answer.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    started = time.monotonic()
    with pytest.raises(ResolveFailed):
        egress.resolve("customer.example", 1, Limits(resolve=0.2), OPEN)
    answer.set()
    assert time.monotonic() - started < 10


def test_nobody_listening_is_told_in_the_systems_words(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(ConnectFailed) as failed:
        egress.connect("127.0.0.1", port, LIMITS, OPEN)
    assert failed.value.words == "Connection refused"


def test_an_address_that_does_not_answer_is_left_within_the_limit() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for connection in waiting:
            connection.settimeout(0)
            connection.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        with pytest.raises(ConnectFailed) as failed:
            egress.connect("127.0.0.1", port, Limits(connect=0.5), OPEN)
        assert time.monotonic() - started < 10  # the system itself would go on for 2 minutes
        for connection in waiting:
            connection.close()
    assert failed.value.words == "Connection timed out"


def _resolves_to(monkeypatch: pytest.MonkeyPatch, hosts: list[str], port: int) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
