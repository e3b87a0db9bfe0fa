"""Customers' servers behind the platform's own proxy, which work or fail there."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.outgoing import Proxy, ProxyProtocol
from deploy.local.customers import PyFtpServer
from tests.contract.accounts import files_in, settings_of
from tests.contract.proxied import (
    GREETED,
    HTTP,
    LONG,
    NAME,
    SHORT,
    SOCKS,
    failure,
    named,
    reach,
    send,
    session,
    through,
)
from tests.servers import Sshd, Vsftpd
from tests.servers.catalogue import Running
from tests.servers.proxies import (
    DebiansProxy,
    Microsocks,
    NotingProxy,
    ScriptedProxy,
    Tinyproxy,
)
from tests.unit.transports.network.silence import silent
from transports.base import Egress
from transports.errors import ConnectFailed, EgressDenied, OutgoingFailed
from transports.network.dialing import dial
from transports.network.egress import resolve
from transports.settings_test import test_settings

DEBIANS: dict[str, Callable[[Path], DebiansProxy]] = {
    "microsocks": Microsocks,
    "microsocks, login": partial(Microsocks, has_login=True),
    "microsocks, IPv6": partial(Microsocks, host="::1"),
    "tinyproxy": Tinyproxy,
    "tinyproxy, login": partial(Tinyproxy, has_login=True),
    "tinyproxy, IPv6": partial(Tinyproxy, host="::1"),
}
CUSTOMERS: dict[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "vsftpd": Vsftpd,
    "vsftpd, TLS": partial(Vsftpd, tls="ftps"),
    "OpenSSH": Sshd,
    "OpenSSH, IPv6": partial(Sshd, host="::1"),
}


@pytest.fixture(params=DEBIANS)
def debians(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DebiansProxy]:
    """A proxy that runs."""
    with DEBIANS[request.param](tmp_path / "proxy") as proxy:
        yield proxy


# --- a proxy that works ---------------------------------------------------------------------------


@pytest.mark.parametrize("customers", CUSTOMERS)
def test_recordings_reach_a_server_through_the_proxy_and_not_past_it(
    debians: DebiansProxy, customers: str, recording: Path, tmp_path: Path
) -> None:
    with CUSTOMERS[customers](tmp_path / "server") as running:
        customer = running.customer
        with contextlib.closing(session(customer, through(debians))) as server:
            send(server, recording)
        assert files_in(customer.root) == {"call.wav": recording.stat().st_size}
        debians.stop()
        with pytest.raises(OutgoingFailed):
            session(customer, through(debians))


@pytest.mark.parametrize("make", [Microsocks, Tinyproxy])
def test_settings_are_tested_through_the_proxy(
    make: type[DebiansProxy], vsftpd: Vsftpd, tmp_path: Path
) -> None:
    customer = vsftpd.customer
    with make(tmp_path / "proxy") as proxy:
        report = test_settings(
            settings_of(customer), SecretStr(customer.password), LONG, through(proxy)
        )
    assert report.ok, report.failure
    assert report.capabilities.at_once == 4


def test_the_proxy_is_asked_for_the_checked_address_and_for_data_connections_too(
    noting: NotingProxy,
    pyftpd_server: PyFtpServer,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    customer = pyftpd_server.customer
    named(monkeypatch, {NAME: ["127.0.0.1"]})
    with contextlib.closing(session(customer, through(noting), host=NAME)) as server:
        send(server, recording)
    assert {host for host, _ in noting.asked} == {"127.0.0.1"}
    assert noting.asked[0] == ("127.0.0.1", customer.port)
    assert {port for _, port in noting.asked[1:]} - {customer.port}
    assert files_in(customer.root) == {"call.wav": recording.stat().st_size}


def test_a_denied_address_is_denied_behind_the_proxy_as_well(
    noting: NotingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, {NAME: ["169.254.169.254"]})
    proxy = noting.proxy(noting.protocol)
    deny = Egress(deny=(ip_network("169.254.0.0/16"),), proxy=proxy)
    for host in (NAME, "169.254.169.254", "::ffff:169.254.169.254"):
        with pytest.raises(EgressDenied):
            resolve(host, 80, LONG, deny)
    assert noting.asked == []


def test_the_proxys_own_address_needs_no_permission(noting: NotingProxy) -> None:
    egress = Egress(deny=(ip_network("127.0.0.1/32"),), proxy=noting.proxy(noting.protocol))
    assert resolve("127.0.0.2", 21, LONG, egress)


def test_the_fixed_source_address_is_where_the_proxy_is_asked_from(noting: NotingProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        egress = Egress(sources=(ip_address("127.0.0.9"),), proxy=noting.proxy(noting.protocol))
        dial(resolve("127.0.0.1", port, LONG, egress), LONG).socket.close()
    assert noting.callers == ["127.0.0.9"]


def test_a_dead_address_of_the_proxy_is_left_for_another_one(
    noting: NotingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, {"proxy.example": ["127.0.0.2", "127.0.0.1"]})
    proxy = Proxy(noting.protocol, "proxy.example", noting.port)
    with silent("127.0.0.2", noting.port), socket.create_server(("127.0.0.1", 0)) as listener:
        addresses = resolve("127.0.0.1", listener.getsockname()[1], LONG, Egress(proxy=proxy))
        connection, address = dial(addresses, LONG)
        connection.close()
    assert address.hop is not None
    assert address.hop.address.host == "127.0.0.1"


YES = {
    ProxyProtocol.SOCKS5: (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6)),
    ProxyProtocol.HTTP: (b"HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\n\r\n",),
}
BOUND_BY_NAME = (b"\x05\x00", b"\x05\x00\x00\x03\x05proxy\x00\x15")
BOUND_BY_IPV6 = (b"\x05\x00", b"\x05\x00\x00\x04" + bytes(18))
HTTP_1_0 = (b"HTTP/1.0 200 Connection established\nX: y\n\n",)
ANNOUNCED = (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 \r\n\r\n",)


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        *YES.items(),
        (ProxyProtocol.SOCKS5, BOUND_BY_NAME),
        (ProxyProtocol.SOCKS5, BOUND_BY_IPV6),
        (ProxyProtocol.HTTP, HTTP_1_0),
        (ProxyProtocol.HTTP, ANNOUNCED),
    ],
)
def test_what_the_server_says_right_behind_the_proxys_answer_is_the_servers(
    protocol: ProxyProtocol, answers: tuple[bytes, ...]
) -> None:
    *before, last = answers
    with ScriptedProxy(*before, last + b"220 Hello\r\n", hangs=True) as scripted:
        assert reach(scripted.proxy(protocol), 21) == b"220 Hello\r\n"


# --- a server that fails behind a proxy that works ----------------------------------------------


@pytest.mark.parametrize("make", [Microsocks, Tinyproxy])
def test_a_server_that_refuses_behind_the_proxy_is_the_servers_failure(
    make: type[DebiansProxy], tmp_path: Path
) -> None:
    with make(tmp_path / "proxy") as running:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        failed = failure(running.proxy, port)
    assert isinstance(failed, ConnectFailed)
    assert failed.words in {
        "Connection refused",
        "The platform's proxy could not reach the server: 500 Unable to connect",
    }


@pytest.mark.parametrize("make", [Microsocks, Tinyproxy])
def test_a_server_that_is_silent_behind_the_proxy_is_the_servers_failure(
    make: type[DebiansProxy], tmp_path: Path
) -> None:
    with (
        make(tmp_path / "proxy") as running,
        silent("127.0.0.1") as port,
        pytest.raises(ConnectFailed) as failed,
    ):
        reach(running.proxy, port, SHORT)
    assert failed.value.words == "Connection timed out"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "Network is unreachable"),
        (4, "No route to host"),
        (5, "Connection refused"),
        (6, "Connection timed out"),
    ],
)
def test_what_a_socks_proxy_tells_of_the_server_is_the_servers_failure(
    code: int, words: str
) -> None:
    with ScriptedProxy(GREETED, bytes([5, code, 0, 1]) + bytes(6)) as scripted:
        failed = failure(scripted.proxy(SOCKS))
    assert isinstance(failed, ConnectFailed)
    assert failed.words == words


@pytest.mark.parametrize("status", ["500 Unable to connect", "502 Bad Gateway", "504 Late"])
def test_what_an_http_proxy_tells_of_the_server_is_the_servers_failure(status: str) -> None:
    with ScriptedProxy(f"HTTP/1.1 {status}\r\n\r\n".encode()) as scripted:
        failed = failure(scripted.proxy(HTTP))
    assert isinstance(failed, ConnectFailed)
    assert failed.words == f"The platform's proxy could not reach the server: {status}"
