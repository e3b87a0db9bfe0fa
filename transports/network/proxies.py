"""Asks the platform's proxy for a connection: by SOCKS5 (RFC 1928, 1929), or by CONNECT of HTTP/1.1
(RFC 9110, section 9.3.6).

It is asked for an address, never for a name: so whatever `egress` denies stays denied. It is the
operator's, so what it fails of is ours; only what it tells of the server is the server's failure.

Not a byte more is read than the proxy's answer: what follows is the server's greeting. (The
libraries for this read on, open their sockets themselves, and limit each read instead of all.)
"""

import contextlib
import os
import re
import select
import socket
from base64 import b64encode
from collections.abc import Generator, Iterator
from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, NoReturn

import h11

from config.outgoing import Proxy, ProxyProtocol
from transports.errors import ConnectFailed, OutgoingFailed, TransferError
from transports.words import own, spoken, system_words

MAX_HEAD = 16 * 1024
"""Bytes of what an HTTP proxy may answer."""
_MAX_INTERIM = 5
"""Answers of HTTP that announce another one (1xx)."""
_VERSION, _LOGIN_VERSION = 5, 1
_NO_LOGIN, _PASSWORD, _NONE_OF_THESE = 0x00, 0x02, 0xFF
_CONNECT, _IPV4, _NAME, _IPV6 = 0x01, 0x01, 0x03, 0x04
_OF_SERVER = {3: ENETUNREACH, 4: EHOSTUNREACH, 5: ECONNREFUSED, 6: ETIMEDOUT}
"""Replies of SOCKS5 that tell how the server could not be reached (RFC 1928, section 6)."""
_OF_PROXY = {
    1: "it has failed in general",
    2: "its rules do not allow that",
    7: "it does not know the command",
    8: "it does not know such addresses",
}
_SERVER_AWAY = {
    HTTPStatus.INTERNAL_SERVER_ERROR,  # by which tinyproxy says that it was unable to connect
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_LOGIN_WANTED = {
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    HTTPStatus.UNAUTHORIZED,  # by which tinyproxy refuses a wrong password
}
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class Wait(NamedTuple):
    """What a connection waits for on its way."""

    event: int
    """Of select.poll."""
    silence: OSError | TransferError
    """The failure where it does not come in time."""


Steps = Generator[Wait, None, None]
"""What is done over a connection that itself never waits."""
_Read = Generator[Wait, None, bytes]


class ProxyOrServerSilent(ConnectFailed):
    """An HTTP proxy was asked, and said nothing: it hangs, or the server does behind it."""


def silent_proxy() -> OutgoingFailed:
    """The failure where the proxy itself does not answer."""
    return OutgoingFailed(own("The platform's proxy does not answer"))


def ask(connection: socket.socket, proxy: Proxy, host: str, port: int) -> Steps:
    """Have the proxy connect to the address. Raises OutgoingFailed, and ConnectFailed where it
    cannot reach the server."""
    with blamed_on_proxy():
        match proxy.protocol:
            case ProxyProtocol.SOCKS5:
                yield from _begin_socks(connection, proxy)
                yield from _ask_by_socks(connection, host, port)
            case ProxyProtocol.HTTP:
                yield from _ask_by_http(connection, proxy, host, port)


def greet(connection: socket.socket, proxy: Proxy) -> Steps:
    """Find out whether the proxy answers and lets us in. Raises OutgoingFailed."""
    with blamed_on_proxy():
        match proxy.protocol:
            case ProxyProtocol.SOCKS5:
                yield from _begin_socks(connection, proxy)
            case ProxyProtocol.HTTP:
                yield from _http_answer(connection, proxy, "OPTIONS", "*", silent_proxy())


@contextlib.contextmanager
def blamed_on_proxy() -> Iterator[None]:
    """Whatever goes wrong with the connection to the proxy is its failure."""
    try:
        yield
    except OSError as error:
        words = f"The platform's proxy cannot be reached: {system_words(error)}"
        raise OutgoingFailed(own(words)) from error
    except EOFError as error:
        raise OutgoingFailed(own("The platform's proxy closed the connection")) from error


# --- SOCKS5 ---------------------------------------------------------------------------------------


def _begin_socks(connection: socket.socket, proxy: Proxy) -> Steps:
    methods = bytes([_NO_LOGIN, _PASSWORD]) if proxy.username else bytes([_NO_LOGIN])
    yield from _send(connection, bytes([_VERSION, len(methods)]) + methods)
    version, method = yield from _exactly(connection, 2, silent_proxy())
    if version != _VERSION or method not in {*methods, _NONE_OF_THESE}:
        _no_language("SOCKS5")
    if method == _NONE_OF_THESE:
        wants = "refuses a login by password" if proxy.username else "wants a user and a password"
        raise OutgoingFailed(own(f"The platform's proxy {wants}"))
    if method == _PASSWORD:
        yield from _log_in(connection, proxy)


def _log_in(connection: socket.socket, proxy: Proxy) -> Steps:
    user, password = proxy.username.encode(), proxy.password.get_secret_value().encode()
    login = bytes([_LOGIN_VERSION, len(user)]) + user + bytes([len(password)]) + password
    yield from _send(connection, login)
    _, status = yield from _exactly(connection, 2, silent_proxy())
    if status:
        raise OutgoingFailed(own("The platform's proxy refuses its user or password"))


def _ask_by_socks(connection: socket.socket, host: str, port: int) -> Steps:
    address = ip_address(host)
    kind = _IPV6 if isinstance(address, IPv6Address) else _IPV4
    place = address.packed + port.to_bytes(2)
    yield from _send(connection, bytes([_VERSION, _CONNECT, 0, kind]) + place)
    # It has answered before: what is silent now is the server behind it.
    silence = _server_away(ETIMEDOUT)
    version, reply, _, bound = yield from _exactly(connection, 4, silence)
    if version != _VERSION:
        _no_language("SOCKS5")
    if reply in _OF_SERVER:
        raise _server_away(_OF_SERVER[reply])
    if reply:
        why = _OF_PROXY.get(reply, f"its reply is {reply}")
        raise _not_connected(host, port, why)
    size = {_IPV4: 4, _IPV6: 16}.get(bound)
    if bound == _NAME:
        (size,) = yield from _exactly(connection, 1, silent_proxy())
    if size is None:
        _no_language("SOCKS5")
    yield from _exactly(connection, size + 2, silent_proxy())


# --- HTTP -----------------------------------------------------------------------------------------


def _ask_by_http(connection: socket.socket, proxy: Proxy, host: str, port: int) -> Steps:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    silence = ProxyOrServerSilent(_server_away(ETIMEDOUT).words)
    answer = yield from _http_answer(connection, proxy, "CONNECT", target, silence)
    words = _in_words(answer, proxy)
    if answer.status_code in _SERVER_AWAY:
        raise ConnectFailed(own(f"The platform's proxy could not reach the server: {words}"))
    if answer.status_code // 100 != HTTPStatus.OK // 100:
        raise _not_connected(host, port, words)


def _http_answer(
    connection: socket.socket,
    proxy: Proxy,
    method: str,
    target: str,
    silence: TransferError,
) -> Generator[Wait, None, h11.Response]:
    """Send a request and read the head of its answer, which may refuse it."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    request = h11.Request(method=method, target=target, headers=_headers(proxy, target))
    sent = (http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b"")
    yield from _send(connection, sent)
    for _ in range(_MAX_INTERIM):
        head = yield from _head(connection, silence)
        event = _parsed(http, head)
        if isinstance(event, h11.Response):
            if event.status_code in _LOGIN_WANTED:
                does = (
                    "refuses its user or password"
                    if proxy.username
                    else "wants a user and a password"
                )
                raise OutgoingFailed(own(f"The platform's proxy {does}"))
            return event
    _no_language("HTTP")


def _headers(proxy: Proxy, target: str) -> list[tuple[str, str]]:
    place = f"[{proxy.host}]:{proxy.port}" if ":" in proxy.host else f"{proxy.host}:{proxy.port}"
    headers = [("Host", place if target == "*" else target), ("User-Agent", "courier")]
    if proxy.username:
        login = f"{proxy.username}:{proxy.password.get_secret_value()}"
        headers.append(("Proxy-Authorization", f"Basic {b64encode(login.encode()).decode()}"))
    return headers


def _parsed(http: h11.Connection, head: bytes) -> object:
    try:
        http.receive_data(head)
        return http.next_event()
    except h11.RemoteProtocolError:
        _no_language("HTTP")


def _in_words(answer: h11.Response, proxy: Proxy) -> str:
    reason = spoken(bytes(answer.reason), proxy.password)
    return f"{answer.status_code} {reason}".strip()


# --- both -----------------------------------------------------------------------------------------


def _no_language(name: str) -> NoReturn:
    raise OutgoingFailed(own(f"What answers as the platform's proxy does not speak {name}"))


def _server_away(number: int) -> ConnectFailed:
    """What would have been met without a proxy."""
    met = OSError(number, os.strerror(number))
    failure = ConnectFailed(system_words(met))
    failure.__cause__ = met
    return failure


def _not_connected(host: str, port: int, why: str) -> OutgoingFailed:
    words = f"The platform's proxy does not connect to {host}, port {port}: {why}"
    return OutgoingFailed(own(words))


def _send(connection: socket.socket, data: bytes) -> Steps:
    left = memoryview(data)
    while left:
        try:
            left = left[connection.send(left) :]
        except BlockingIOError:
            yield Wait(select.POLLOUT, silent_proxy())


def _receive(
    connection: socket.socket, most: int, silence: OSError | TransferError, flags: int = 0
) -> _Read:
    """Some bytes. Raises EOFError."""
    while True:
        try:
            piece = connection.recv(most, flags)
        except BlockingIOError:
            yield Wait(select.POLLIN, silence)
            continue
        if not piece:
            raise EOFError
        return piece


def _exactly(connection: socket.socket, size: int, silence: OSError | TransferError) -> _Read:
    data = b""
    while len(data) < size:
        data += yield from _receive(connection, size - len(data), silence)
    return data


def _head(connection: socket.socket, silence: TransferError) -> _Read:
    """What comes up to an empty line, and not a byte of what is behind it."""
    head = b""
    while len(head) < MAX_HEAD:
        seen = yield from _receive(connection, MAX_HEAD, silence, socket.MSG_PEEK)
        end = _END_OF_HEAD.search(head + seen)
        size = end.end() - len(head) if end else len(seen)
        head += yield from _exactly(connection, size, silence)
        if end:
            return head
    _no_language("HTTP")
