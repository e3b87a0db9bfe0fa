"""A TCP proxy that hangs up on a client once so many bytes of an answer have passed."""

import contextlib
import socket
import socketserver
import threading
from typing import Self

from deploy.local.customers.facts import LOOPBACK

_PIECE = 65536


class CuttingProxy:
    """In front of a port of loopback; `after`: bytes that pass on each connection."""

    def __init__(self, port: int, after: int) -> None:
        self.after = after
        self.connections = 0
        self._target = port
        self._server = _Server((LOOPBACK, 0), self._handler())

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.server_address[1]
        return port

    @property
    def endpoint(self) -> str:
        """The URL of the server behind it."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _pass(self, client: socket.socket) -> None:
        self.connections += 1
        with socket.create_connection((LOOPBACK, self._target)) as server:
            back = threading.Thread(target=self._answer, args=(server, client))
            back.start()
            with contextlib.suppress(OSError):
                while piece := client.recv(_PIECE):
                    server.sendall(piece)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        left = self.after
        with contextlib.suppress(OSError):
            while left and (piece := server.recv(min(_PIECE, left))):
                client.sendall(piece)
                left -= len(piece)
            client.shutdown(socket.SHUT_RDWR)

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        pass_on = self._pass

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                pass_on(self.request)

        return Handler


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
