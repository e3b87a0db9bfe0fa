"""Speaks TLS in front of a server that does not, with a certificate that may be changed."""

import contextlib
import socket
import socketserver
import ssl
import threading
from typing import Self

from tests.servers.certificates import Pair

_PIECE = 65536


class TlsFront:
    """Hands on what comes over TLS to the port behind it, and its answers back.

    MongoDB does not even start with a certificate that has expired: one expires while it runs.
    """

    def __init__(self, behind: int, pair: Pair) -> None:
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(pair)
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]

    def show(self, pair: Pair) -> None:
        """The certificate from now on."""
        self._context.load_cert_chain(pair.cert, pair.key)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, plain: socket.socket) -> None:
        with (
            self._context.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self._behind)) as server,
        ):
            back = threading.Thread(target=_hand_on, args=(server, client), daemon=True)
            back.start()
            _hand_on(client, server)
            back.join()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        serve = self._serve

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    serve(self.request)

        return Handler


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
