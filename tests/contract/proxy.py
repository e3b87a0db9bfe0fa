"""A TCP proxy that cuts, freezes or loses what passes; it follows FTP's data connections."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from deploy.local.customers import CustomerServer

_EXTENDED = re.compile(rb"229 [^\r\n]*\(\|\|\|(\d+)\|\)")
DATA_PORT_SECONDS = 300.0
"""How long a port waits for its data connection: the last one of a session never gets any."""
_PASSIVE = re.compile(rb"227 [^\r\n]*?\d+,\d+,\d+,\d+,(\d+),(\d+)\)?")


class Proxy:
    """Stands in front of a customer's server, on `port`.

    `cut_after`: that many bytes to the server, on all connections together, then all are reset.
    `freeze_after`: the same, but nothing is read any more. `lose`: a reply that begins so is
    swallowed, once, and its connection closed. `instead`: a reply that begins with the first is
    replaced by the second. `again`: after a cut it goes on, and cuts after that many bytes more.
    `silent`: while it is set nothing passes in either direction, and no connection is refused.
    `delay`: seconds that each piece from the server is held up; may be changed.
    """

    def __init__(
        self,
        customer: CustomerServer,
        *,
        cut_after: int | None = None,
        freeze_after: int | None = None,
        lose: bytes | None = None,
        instead: tuple[bytes, bytes] | None = None,
        again: Callable[[], int] | None = None,
    ) -> None:
        self._host = customer.host
        self._target = customer.port
        self._cut_after = cut_after
        self._freeze_after = freeze_after
        self._lose = None if lose is None else _beginning(lose)
        self._instead = None if instead is None else (_beginning(instead[0]), instead[1])
        self._again = again
        self.silent = threading.Event()
        self.delay = 0.0
        self.passed = 0
        """Bytes that went to the server."""
        self._sockets: list[socket.socket] = []
        self._listeners: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._cutting = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.port = self._listen(self._target)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._cut()
        for thread in self._threads:
            thread.join(5)
        for connection in self._sockets:
            connection.close()

    def lose(self, reply: bytes) -> None:
        """Swallow the next reply that has these bytes, and close its connection."""
        self._lose = re.compile(re.escape(reply))

    def close(self) -> None:
        """Reset every connection, and take no more."""
        for listener in tuple(self._listeners):
            self._listeners.remove(listener)
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        self.reset()

    def reset(self) -> None:
        """Reset every connection that is open (RST), and go on listening."""
        ended = [each for each in tuple(self._sockets) if each not in self._listeners]
        # All are gone from the list before the first is woken: no end of it is passed on then.
        for connection in ended:
            self._drop(connection)
        for connection in ended:
            _prepare_reset(connection)
            connection.close()

    def _wait_while_silent(self) -> None:
        while self.silent.is_set() and not self._ended.is_set():
            time.sleep(0.02)

    def _listen(self, target: int) -> int:
        listener = socket.create_server((self._host, 0))
        self._sockets.append(listener)
        self._listeners.add(listener)
        self._start(lambda: self._accept_all(listener, target))
        return int(listener.getsockname()[1])

    def _listen_once(self, target: int) -> int:
        """For one data connection: a port for each file would last as long as the proxy."""
        listener = socket.create_server((self._host, 0))
        listener.settimeout(DATA_PORT_SECONDS)
        self._sockets.append(listener)
        self._listeners.add(listener)
        self._start(lambda: self._accept_one(listener, target))
        return int(listener.getsockname()[1])

    def _start(self, work: Callable[[], None]) -> threading.Thread:
        def quietly() -> None:
            with contextlib.suppress(OSError):
                work()

        thread = threading.Thread(target=quietly, name="proxy", daemon=True)
        thread.start()
        with self._lock:
            self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        return thread

    def _accept_all(self, listener: socket.socket, target: int) -> None:
        while not self._ended.is_set():
            self._accept(listener, target)

    def _accept_one(self, listener: socket.socket, target: int) -> None:
        try:
            self._accept(listener, target)
        finally:
            self._listeners.discard(listener)
            self._forget(listener)

    def _accept(self, listener: socket.socket, target: int) -> None:
        client, _ = listener.accept()
        self._sockets.append(client)
        try:
            server = socket.create_connection((self._host, target), 5)
        except OSError:
            self._forget(client)
            return
        server.settimeout(None)
        self._sockets.append(server)
        self._start(lambda: self._carry(client, server))

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Both directions, until both have ended."""
        back = self._start(lambda: self._to_client(server, client))
        try:
            self._to_server(client, server)
            if client in self._sockets:
                server.shutdown(socket.SHUT_WR)
        except OSError:
            # A reset, not an end: to an FTP server the end of the data is that of the file.
            _prepare_reset(server)
        back.join()
        self._forget(client)
        self._forget(server)

    def _forget(self, connection: socket.socket) -> None:
        self._drop(connection)
        connection.close()

    def _drop(self, connection: socket.socket) -> None:
        with contextlib.suppress(ValueError):  # another thread may have been here before
            self._sockets.remove(connection)

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        while data := client.recv(16 * 1024):
            self._wait_while_silent()
            if self._cut_after is not None and self.passed + len(data) > self._cut_after:
                server.sendall(data[: max(0, self._cut_after - self.passed)])
                self.passed = self._cut_after
                self._cut_here(client)
                return
            server.sendall(data)
            self.passed += len(data)
            if self._freeze_after is not None and self.passed > self._freeze_after:
                self._ended.wait()
                return

    def _cut_here(self, client: socket.socket) -> None:
        """Once, though data and control connection may both come to the place meanwhile."""
        with self._cutting:
            if self._again is None:
                self._cut()
            elif client in self._sockets:
                more = self._again()
                self._cut_after = self.passed + more
                self.reset()

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        while data := server.recv(16 * 1024):
            self._wait_while_silent()
            time.sleep(self.delay)
            if self._lose is not None and self._lose.search(data):
                self._lose = None
                break
            if self._instead is not None and (found := self._instead[0].search(data)):
                behind = data.index(b"\n", found.start()) + 1
                data = data[: found.start()] + self._instead[1] + data[behind:]
            data = _EXTENDED.sub(self._follow, data)
            self._say(client, _PASSIVE.sub(self._follow_passive, data))
        client.shutdown(socket.SHUT_RDWR)

    def _say(self, client: socket.socket, data: bytes) -> None:
        """Pass it on; for whoever wants the client to hear something else."""
        client.sendall(data)

    def _follow(self, reply: re.Match[bytes]) -> bytes:
        port = self._listen_once(int(reply[1]))
        return b"229 Entering Extended Passive Mode (|||%d|)" % port

    def _follow_passive(self, reply: re.Match[bytes]) -> bytes:
        port = self._listen_once(int(reply[1]) * 256 + int(reply[2]))
        return b"227 Entering Passive Mode (127,0,0,1,%d,%d)" % divmod(port, 256)

    def _cut(self) -> None:
        for connection in tuple(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _beginning(reply: bytes) -> re.Pattern[bytes]:
    """Of a line: the same digits may stand in the port of a passive mode's reply."""
    return re.compile(b"^" + re.escape(reply), re.MULTILINE)


def _prepare_reset(connection: socket.socket) -> None:
    """Closing it is a reset (RST) now; whoever reads from it is woken, and nothing is sent."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
