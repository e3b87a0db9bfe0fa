"""Where connections may go."""

import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from config.outgoing import Proxy, ProxyProtocol
from config.settings import Settings
from transports.base import Egress, Limits
from transports.errors import ConnectFailed, EgressDenied, ResolveFailed, Speaker
from transports.network import egress
from transports.network.dialing import Address, begin_dial, dial

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
        "64:ff9b::",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1:abcd:12:3456:7f00:1",
        "64:ff9b:1:7f00:0:100::",  # RFC 6052, 2.2: the address behind a prefix of 48 bits,
        "64:ff9b:1:7f:0:1::",  # of 56 bits,
        "64:ff9b:1:0:7f:0:100:0",  # and of 64 bits
        "2002:7f00:1::",
        "2001:0:7f00:1::",  # Teredo's server,
        "2001:0:808:808::80ff:fffe",  # and its client
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "2001:db8::5efe:127.0.0.1",  # ISATAP, RFC 5214
        "2001:db8::200:5efe:7f00:1",
        "::ffff:127.0.0.1%1",
    ],
)
def test_every_way_to_write_a_denied_address_is_denied(host: str) -> None:
    with pytest.raises(EgressDenied):
        egress.connect(host, 1, LIMITS, LOOPBACK)


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1%lo", "::ffff:a9fe:a9fe"])
def test_link_local_and_metadata_addresses_are_denied(host: str) -> None:
    with pytest.raises(EgressDenied):
        egress.connect(host, 80, LIMITS, METADATA)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # AWS's containers
        "169.254.42.42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS: metadata,
        "fd00:ec2::23",  # and the credentials of its containers
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
        "fd00:a9fe:a9fe::1",  # Linode
        "fd00:100::100:200",  # Alibaba
        "fe80::a9fe:a9fe",  # OpenStack
        "64:ff9b::c000:c0",
        "::ffff:100.100.100.200",
    ],
)
def test_addresses_where_clouds_tell_their_secrets_are_denied_by_default(host: str) -> None:
    with pytest.raises(EgressDenied):
        egress.resolve(host, 80, LIMITS, Egress(deny=Settings().egress_deny))


@pytest.mark.parametrize(
    ("host", "allow", "ok"),
    [
        ("203.0.113.7", [], True),
        ("203.0.113.7", ["203.0.113.0/24"], True),
        ("203.0.114.7", ["203.0.113.0/24", "2001:db8::/32"], False),
        ("2001:db8::1", ["203.0.113.0/24", "2001:db8::/32"], True),
        ("::ffff:203.0.113.7", ["203.0.113.0/24"], True),
        ("::ffff:203.0.113.7", ["::/0"], False),  # the kernel connects to the IPv4 address
        ("64:ff9b::203.0.113.7", ["203.0.113.0/24"], True),
        ("64:ff9b::203.0.113.7", ["64:ff9b::/96"], True),
        ("::203.0.113.7", ["203.0.113.0/24"], False),
        ("0.0.0.0", ["0.0.0.0/32"], False),  # noqa: S104 - Linux connects to itself
        ("0.0.0.0", ["127.0.0.0/8"], True),  # noqa: S104 - Linux connects to itself
        ("::", ["::/128"], False),
        ("169.254.169.254", ["0.0.0.0/0"], False),  # denied besides
    ],
)
def test_where_there_is_an_allow_list_nothing_else_is_connected_to(
    host: str, allow: list[str], *, ok: bool
) -> None:
    limited = Egress(deny=METADATA.deny, allow=tuple(map(ip_network, allow)))
    if ok:
        assert egress.resolve(host, 80, LIMITS, limited)
    else:
        with pytest.raises(EgressDenied):
            egress.resolve(host, 80, LIMITS, limited)


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999999, 2**63])
def test_a_port_that_there_is_not_is_told(port: int) -> None:
    with pytest.raises(ConnectFailed) as failed:
        egress.connect("127.0.0.1", port, LIMITS, OPEN)
    assert failed.value.words == f"There is no port {port}: ports are 1 to 65535"
    address = Address(socket.AF_INET, ("127.0.0.1", 21))
    with pytest.raises(ConnectFailed):
        dial([address.at(port)], LIMITS)
    with pytest.raises(OSError, match="There is no port"):
        begin_dial(address.at(port))


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example", "a\0b", "\ud800", ""]
)
def test_a_name_without_an_address_is_told(host: str) -> None:
    with pytest.raises(ResolveFailed) as failed:
        egress.connect(host, 1, LIMITS, OPEN)
    assert failed.value.words
    assert failed.value.said_by is not Speaker.SERVER


def test_a_name_with_denied_and_other_addresses_goes_to_the_others(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    _resolves_to(monkeypatch, ["169.254.169.254", "127.0.0.1"], port)
    addresses = egress.resolve("customer.example", port, LIMITS, METADATA)
    assert [address.host for address in addresses] == ["127.0.0.1"]


def test_a_name_is_looked_up_once_so_that_its_owner_cannot_answer_differently(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.3"])

    def rebinding(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    only = Egress(allow=(ip_network("127.0.0.1"),))
    egress.connect("customer.example", port, LIMITS, only).socket.close()
    assert next(answers) == "127.0.0.2"
    with pytest.raises(EgressDenied):
        egress.connect("customer.example", port, LIMITS, only)


def test_an_address_of_the_other_family_is_among_the_first_however_many_come_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = [*(f"2001:db8::{number}" for number in range(1, 9)), "203.0.113.1", "203.0.113.2"]
    _resolves_to(monkeypatch, hosts, 21)
    found = [each.host for each in egress.resolve("customer.example", 21, LIMITS, OPEN)]
    assert found == ["2001:db8::1", "203.0.113.1", "2001:db8::2", "203.0.113.2"]


def test_addresses_of_one_family_are_tried_in_the_resolvers_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolves_to(monkeypatch, ["203.0.113.2", "203.0.113.1"], 21)
    found = [each.host for each in egress.resolve("customer.example", 21, LIMITS, OPEN)]
    assert found == ["203.0.113.2", "203.0.113.1"]


V4, V6 = "203.0.113.7", "2001:db8::7"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([V4], [("203.0.113.1", V4)]),
        ([V6], [("2001:db8::1", V6)]),
        ([V6, V4], [("2001:db8::1", V6), ("203.0.113.1", V4)]),
        ([], [("2001:db8::1", None), ("203.0.113.1", None)]),
    ],
)
def test_only_addresses_of_a_family_with_a_fixed_source_are_connected_to(
    sources: list[str],
    expected: list[tuple[str, str | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolves_to(monkeypatch, ["2001:db8::1", "203.0.113.1"], 21)
    fixed = Egress(sources=tuple(map(ip_address, sources)))
    found = egress.resolve("customer.example", 21, LIMITS, fixed)
    assert [(each.host, each.source) for each in found] == expected


@pytest.mark.parametrize(
    ("source", "host", "words"),
    [
        (
            V4,
            "2001:db8::1",
            "The platform connects over IPv4, and 2001:db8::1 has addresses of IPv6",
        ),
        (
            V6,
            "203.0.113.1",
            "The platform connects over IPv6, and 203.0.113.1 has addresses of IPv4",
        ),
    ],
)
def test_a_server_of_the_other_family_alone_is_told(source: str, host: str, words: str) -> None:
    with pytest.raises(ConnectFailed) as failed:
        egress.resolve(host, 21, LIMITS, Egress(sources=(ip_address(source),)))
    assert failed.value.words == f"{words} alone"
    assert "IPv4 or IPv6" in failed.value.advice


def test_recordings_are_fetched_the_straight_way(listener: socket.socket) -> None:
    nowhere = Proxy(ProxyProtocol.SOCKS5, "127.0.0.1", 1)
    around = Egress(sources=(ip_address("192.0.2.1"),), proxy=nowhere)
    connection, address = egress.connect("127.0.0.1", listener.getsockname()[1], LIMITS, around)
    connection.close()
    assert (address.source, address.hop) == (None, None)


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


def _resolves_to(monkeypatch: pytest.MonkeyPatch, hosts: list[str], port: int) -> None:
    families = [socket.AF_INET6 if ":" in host else socket.AF_INET for host in hosts]
    found = [
        (family, socket.SOCK_STREAM, 6, "", (host, port))
        for family, host in zip(families, hosts, strict=True)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
