"""Proxies that an operator may have: Debian's, and one in this process that notes what it is asked.

All listen on loopback.
"""

import contextlib
import select
import socket
import struct
import threading
from abc import abstractmethod
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from config.outgoing import Proxy, ProxyProtocol
from deploy.local.customers.facts import LOOPBACK, new_password
from deploy.local.install import program
from deploy.local.processes import Child, ServiceError, free_port
from tests.servers.child import ChildServer

_USER = "courier"
_PIECE = 65536


class DebiansProxy(ChildServer):
    """`has_login`: whether it wants a user and a password. Its port survives `stop`, `start`."""

    protocol: ProxyProtocol
    package: str
    command: str

    def __init__(self, folder: Path, *, has_login: bool = False, host: str = LOOPBACK) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.host = host
        self._port = free_port()
        self.password = new_password() if has_login else ""

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def proxy(self) -> Proxy:
        """What the operator sets."""
        user = _USER if self.password else ""
        return Proxy(self.protocol, self.host, self.port, user, SecretStr(self.password))

    def _new_child(self) -> Child:
        found = program(self.command)
        if found is None:
            raise ServiceError(
                f"{self.command} is not on this machine: run `make test`, or install "
                f"{self.package} by hand."
            )
        return Child(self.command, [str(found), *self._options()], self.folder / "proxy.log")

    @abstractmethod
    def _options(self) -> Sequence[str]:
        """So that it stays in the foreground."""


class Microsocks(DebiansProxy):
    """A SOCKS5 server."""

    protocol = ProxyProtocol.SOCKS5
    package = command = "microsocks"

    def _options(self) -> Sequence[str]:
        login = ["-u", _USER, "-P", self.password] if self.password else []
        return ["-i", self.host, "-p", str(self.port), *login]


class Tinyproxy(DebiansProxy):
    """An HTTP proxy. `extra`: lines of tinyproxy.conf."""

    protocol = ProxyProtocol.HTTP
    package, command = "tinyproxy-bin", "tinyproxy"
    extra: Sequence[str] = ()

    def _options(self) -> Sequence[str]:
        login = [f"BasicAuth {_USER} {self.password}"] if self.password else []
        lines = [f"Port {self.port}", f"Listen {self.host}", "MaxClients 50", "Timeout 600"]
        settings = self.folder / "tinyproxy.conf"
        settings.write_text("\n".join([*lines, *login, *self.extra]) + "\n")
        return ["-d", "-c", str(settings)]


class _Threaded:
    """Listens; each connection is served by a thread of its own."""

    def __init__(self, host: str = LOOPBACK) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.host = host
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept, name="proxy", daemon=True)]

    def proxy(self, protocol: ProxyProtocol, *login: str) -> Proxy:
        """What the operator sets."""
        user, password = login or ("", "")
        return Proxy(protocol, self.host, self.port, user, SecretStr(password))

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it with all its connections. May be repeated."""
        for each in tuple(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in tuple(self._threads):
            thread.join(10)

    def refuse(self) -> None:
        """Take no connection any more, and leave those that stand."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, address = self._listener.accept()
                self._open.append(caller)
                thread = threading.Thread(
                    target=self._served, args=(caller, address[0]), name="proxy", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _served(self, caller: socket.socket, host: str) -> None:
        # ValueError: by `select`, of a socket that `stop` has closed
        with caller, contextlib.suppress(OSError, EOFError, ValueError):
            self._serve(caller, host)

    def _serve(self, caller: socket.socket, host: str) -> None:
        raise NotImplementedError


class NotingProxy(_Threaded):
    """Does what it is asked for, without a login. `asked`: every host and port, as it was named;
    `callers`: the addresses from which it was asked."""

    def __init__(self, protocol: ProxyProtocol, host: str = LOOPBACK) -> None:
        super().__init__(host)
        self.protocol = protocol
        self.asked: list[tuple[str, int]] = []
        self.callers: list[str] = []

    def _serve(self, caller: socket.socket, host: str) -> None:
        self.callers.append(host)
        is_socks = self.protocol is ProxyProtocol.SOCKS5
        place = _asked_by_socks(caller) if is_socks else _asked_by_http(caller)
        self.asked.append(place)
        with socket.create_connection(place, 60) as server:
            self._open.append(server)
            yes = b"\x05\x00\x00\x01" + bytes(6)
            caller.sendall(yes if is_socks else b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pass_on(caller, server)


class ScriptedProxy(_Threaded):
    """Sends the next of `answers` for each piece that comes, then hangs up; without answers, or
    with `hangs`, it says nothing more.

    `heard`: all that came.
    """

    def __init__(self, *answers: bytes, hangs: bool = False) -> None:
        super().__init__()
        self._answers = answers
        self._hangs = hangs
        self.heard = b""

    def _serve(self, caller: socket.socket, _host: str) -> None:
        for answer in self._answers:
            self.heard += caller.recv(_PIECE)
            caller.sendall(answer)
        if self._hangs or not self._answers:
            while piece := caller.recv(_PIECE):
                self.heard += piece


def _exactly(caller: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = caller.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _asked_by_socks(caller: socket.socket) -> tuple[str, int]:
    _exactly(caller, _exactly(caller, 2)[1])
    caller.sendall(b"\x05\x00")
    kind = _exactly(caller, 4)[3]
    if kind == 3:
        host = _exactly(caller, _exactly(caller, 1)[0]).decode()
    else:
        host = str(ip_address(_exactly(caller, {1: 4, 4: 16}[kind])))
    (port,) = struct.unpack("!H", _exactly(caller, 2))
    return host, port


def _asked_by_http(caller: socket.socket) -> tuple[str, int]:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _exactly(caller, 1)
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    assert method == "CONNECT"
    host, _, port = target.rpartition(":")
    return host.strip("[]"), int(port)


def _pass_on(caller: socket.socket, server: socket.socket) -> None:
    """What one says to the other, and the ends of both."""
    other = {caller: server, server: caller}
    while other:
        readable, _, _ = select.select([*other], [], [])
        for one in readable:
            piece = one.recv(_PIECE)
            if piece:
                (server if one is caller else caller).sendall(piece)
            else:
                with contextlib.suppress(OSError):
                    other.pop(one).shutdown(socket.SHUT_WR)
