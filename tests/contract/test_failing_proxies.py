"""Proxies that fail, which is the platform's own failure, also where one has several addresses."""

import contextlib
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.outgoing import Proxy, ProxyProtocol
from deploy.local.customers import PyFtpServer
from tests.contract.accounts import files_in, settings_of
from tests.contract.conftest import leaving_nothing
from tests.contract.proxied import (
    GREETED,
    HTTP,
    LONG,
    PROTOCOLS,
    SECRET,
    SHORT,
    SOCKS,
    failure,
    named,
    send,
    session,
    through,
)
from tests.servers.proxies import (
    DebiansProxy,
    Microsocks,
    NotingProxy,
    ScriptedProxy,
    Tinyproxy,
)
from tests.unit.transports.network.silence import silent
from transports.base import Egress, Limits
from transports.errors import ConnectFailed, Kind, OutgoingFailed, TransferError
from transports.network.dialing import Address, Hop, dial
from transports.settings_test import test_settings

FAILURES: list[tuple[ProxyProtocol, tuple[bytes, ...], str]] = [
    (SOCKS, (b"\x05\xff",), "The platform's proxy refuses a login by password"),
    (SOCKS, (b"\x05\x02", b"\x01\x01"), "The platform's proxy refuses its user or password"),
    (SOCKS, (b"\x05\x01",), "What answers as the platform's proxy does not speak SOCKS5"),
    (SOCKS, (b"\x04\x00",), "What answers as the platform's proxy does not speak SOCKS5"),
    (SOCKS, (b"SSH-2.0-x\r\n",), "What answers as the platform's proxy does not speak SOCKS5"),
    (SOCKS, (GREETED, b"HTTP"), "What answers as the platform's proxy does not speak SOCKS5"),
    (
        SOCKS,
        (GREETED, b"\x05\x00\x00\x09" + bytes(6)),
        "What answers as the platform's proxy does not speak SOCKS5",
    ),
    (
        SOCKS,
        (GREETED, b"\x05\x01\x00\x01" + bytes(6)),
        "The platform's proxy does not connect to 127.0.0.1, port 21: it has failed in general",
    ),
    (
        SOCKS,
        (GREETED, b"\x05\x02\x00\x01" + bytes(6)),
        "The platform's proxy does not connect to 127.0.0.1, port 21: its rules do not allow that",
    ),
    (
        SOCKS,
        (GREETED, b"\x05\x63\x00\x01" + bytes(6)),
        "The platform's proxy does not connect to 127.0.0.1, port 21: its reply is 99",
    ),
    (SOCKS, (b"",), "The platform's proxy closed the connection"),
    (SOCKS, (GREETED, b""), "The platform's proxy closed the connection"),
    (
        HTTP,
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",),
        "The platform's proxy refuses its user or password",
    ),
    (
        HTTP,
        (b"HTTP/1.1 403 Access denied to " + SECRET.encode() + b"\r\n\r\n",),
        "The platform's proxy does not connect to 127.0.0.1, port 21: 403 Access denied to ***",
    ),
    (
        HTTP,
        (b"HTTP/1.1 302 Found\r\nLocation: http://login.example\r\n\r\n",),
        "The platform's proxy does not connect to 127.0.0.1, port 21: 302 Found",
    ),
    (HTTP, (b"220 FTP ready\r\n\r\n",), "What answers as the platform's proxy does not speak HTTP"),
    (HTTP, (b"\x05\x00\r\n\r\n",), "What answers as the platform's proxy does not speak HTTP"),
    (HTTP, (b"x" * 100_000,), "What answers as the platform's proxy does not speak HTTP"),
    (
        HTTP,
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20,),
        "What answers as the platform's proxy does not speak HTTP",
    ),
    (HTTP, (b"",), "The platform's proxy closed the connection"),
    (HTTP, (b"HTTP/1.1 200 OK\r\n",), "The platform's proxy closed the connection"),
]


@pytest.mark.parametrize(("protocol", "answers", "words"), FAILURES)
def test_what_a_proxy_fails_of_is_ours_and_told_in_a_sentence(
    protocol: ProxyProtocol, answers: tuple[bytes, ...], words: str
) -> None:
    with ScriptedProxy(*answers) as scripted:
        failed = failure(scripted.proxy(protocol, "courier", SECRET))
    assert (failed.words, failed.kind) == (words, Kind.OURS)
    assert isinstance(failed, OutgoingFailed)


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [(b"\x05\xff", SOCKS), (b"HTTP/1.1 407 Login\r\n\r\n", HTTP)],
)
def test_a_proxy_that_wants_a_password_where_none_is_set_says_so(
    answer: bytes, protocol: ProxyProtocol
) -> None:
    with ScriptedProxy(answer) as scripted:
        words = failure(scripted.proxy(protocol)).words
    assert words == "The platform's proxy wants a user and a password"


@pytest.mark.parametrize("make", [Microsocks, Tinyproxy])
def test_a_real_proxy_refuses_a_wrong_password_and_none(
    make: type[DebiansProxy], tmp_path: Path
) -> None:
    with make(tmp_path / "proxy", has_login=True) as running:
        right = running.proxy
        wrong = Proxy(right.protocol, right.host, right.port, "courier", SecretStr(SECRET))
        none = Proxy(right.protocol, right.host, right.port)
        assert failure(wrong).words == "The platform's proxy refuses its user or password"
        assert failure(none).words == "The platform's proxy wants a user and a password"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_proxy_that_is_away_is_ours(protocol: ProxyProtocol) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failed = failure(Proxy(protocol, "127.0.0.1", port))
    assert isinstance(failed, OutgoingFailed)
    assert failed.words == "The platform's proxy cannot be reached: Connection refused"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_proxy_without_an_address_is_ours(
    protocol: ProxyProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, {})
    failed = failure(Proxy(protocol, "proxy.example", 1080))
    assert isinstance(failed, OutgoingFailed)
    assert failed.words.startswith("The address of the platform's proxy is not known: ")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_proxy_that_takes_no_connection_is_ours(protocol: ProxyProtocol) -> None:
    with silent("127.0.0.1") as port:
        failed = failure(Proxy(protocol, "127.0.0.1", port), limits=SHORT)
    assert isinstance(failed, OutgoingFailed)
    assert failed.words == "The platform's proxy does not answer"


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [(SOCKS, ()), (SOCKS, (b"\x05\x02",)), (HTTP, ()), (HTTP, (b"HTTP/1.1 200",))],
)
def test_a_proxy_that_falls_silent_is_ours(
    protocol: ProxyProtocol, answers: tuple[bytes, ...]
) -> None:
    with ScriptedProxy(*answers, hangs=True) as scripted:
        failed = failure(scripted.proxy(protocol, "courier", SECRET), limits=SHORT)
    assert isinstance(failed, OutgoingFailed)
    assert failed.words == "The platform's proxy does not answer"


def test_a_proxy_that_takes_no_data_connection_any_more_is_ours(
    noting: NotingProxy, pyftpd_server: PyFtpServer, recording: Path
) -> None:
    customer = pyftpd_server.customer
    with contextlib.closing(session(customer, through(noting))) as server:
        noting.refuse()
        with pytest.raises(OutgoingFailed):
            send(server, recording)
    assert files_in(customer.root) == {}


def test_a_save_through_a_dead_proxy_fails_as_the_platforms_own(
    pyftpd_server: PyFtpServer,
) -> None:
    customer = pyftpd_server.customer
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    egress = Egress(proxy=Proxy(SOCKS, "127.0.0.1", port))
    report = test_settings(settings_of(customer), SecretStr(customer.password), LONG, egress)
    assert isinstance(report.failure, OutgoingFailed)
    assert [each.name for each in report.steps if each.ok] == ["resolved"]
    assert "There is nothing to do at the server" in report.steps[-1].detail


REFUSED = (GREETED, b"\x05\x05\x00\x01" + bytes(6))
"""What a proxy of SOCKS5 says whose server refuses."""


class BeforeSilentServer(ScriptedProxy):
    """Of HTTP: it answers, and the server behind it does not."""

    def _serve(self, caller: socket.socket, _host: str) -> None:
        while piece := caller.recv(1000):
            if piece.startswith(b"OPTIONS"):
                caller.sendall(b"HTTP/1.1 200 OK\r\n\r\n")


def of_two(
    first: ScriptedProxy | None, second: ScriptedProxy | None, protocol: ProxyProtocol
) -> TransferError:
    """The failure where the proxy's name has these two addresses; None: nobody answers there."""
    with ExitStack() as stack:
        hops = list[Hop]()
        for scripted in (first, second):
            port = scripted.port if scripted else stack.enter_context(silent("127.0.0.1"))
            place = Address(socket.AF_INET, ("127.0.0.1", port))
            hops.append(Hop(Proxy(protocol, "proxy.example", port), place))
        server = Address(socket.AF_INET, ("127.0.0.1", 21))
        with leaving_nothing(), pytest.raises(TransferError) as failed:
            dial([replace(server, hop=hop) for hop in hops], Limits(connect=2))
    return failed.value


@pytest.mark.parametrize("is_dead_first", [True, False])
def test_a_server_that_refuses_does_so_also_where_one_address_of_the_proxy_is_dead(
    *, is_dead_first: bool
) -> None:
    with ScriptedProxy(*REFUSED) as well:
        failed = of_two(None, well, SOCKS) if is_dead_first else of_two(well, None, SOCKS)
    assert isinstance(failed, ConnectFailed)
    assert failed.words == "Connection refused"


def test_an_address_of_the_proxy_that_refuses_connections_changes_nothing_either() -> None:
    with ScriptedProxy(*REFUSED) as well, ScriptedProxy(b"\x05\xff") as strict:
        for first, second in ((well, strict), (strict, well)):
            assert of_two(first, second, SOCKS).words == "Connection refused"


def test_a_server_that_is_silent_is_so_also_where_one_address_of_the_proxy_is_dead() -> None:
    with ScriptedProxy(GREETED, hangs=True) as well:
        failed = of_two(None, well, SOCKS)
    assert isinstance(failed, ConnectFailed)
    assert failed.words == "Connection timed out"


def test_of_two_addresses_of_an_http_proxy_the_one_that_answers_still_tells_of_the_server() -> None:
    for is_hung_first in (True, False):
        with ScriptedProxy() as hung, BeforeSilentServer() as well:
            first, second = (hung, well) if is_hung_first else (well, hung)
            failed = of_two(first, second, HTTP)
        assert isinstance(failed, ConnectFailed)
        assert failed.words == "Connection timed out"


def test_a_dead_address_of_an_http_proxy_hides_no_silent_server() -> None:
    with BeforeSilentServer() as well:
        failed = of_two(None, well, HTTP)
    assert isinstance(failed, ConnectFailed)


def test_a_proxy_that_is_silent_at_both_addresses_is_ours() -> None:
    with ScriptedProxy() as one, ScriptedProxy() as other:
        for first, second in ((one, other), (None, other), (None, None)):
            failed = of_two(first, second, HTTP)
            assert isinstance(failed, OutgoingFailed)
            assert failed.words == "The platform's proxy does not answer"


def test_a_password_is_sent_as_the_protocols_have_it() -> None:
    with ScriptedProxy(b"\x05\x02", b"\x01\x01") as scripted:
        failure(scripted.proxy(SOCKS, "Jürgen", SECRET))
        user = "Jürgen".encode()
        login = bytes([1, len(user)]) + user + bytes([len(SECRET)]) + SECRET.encode()
        assert scripted.heard == b"\x05\x02\x00\x02" + login
