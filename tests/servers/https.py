"""An https server on loopback that says what a test wants, whatever it is asked."""

import contextlib
import socketserver
import ssl
import threading
from typing import Self

import trustme


class ScriptedHttps:
    """Sends each client the same pieces, and hangs up in order."""

    def __init__(self, authority: trustme.CA) -> None:
        self.sent = 0
        """Bytes, to all clients since `says`; what the system still holds among them."""
        self.open_now = 0
        """How many clients are being served."""
        self._pieces: tuple[bytes, ...] = ()
        self._for_ever = b""
        self._server = _Server(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def url(self) -> str:
        """Of the server; a path may follow."""
        return f"https://localhost:{self._server.server_address[1]}"

    def says(self, *pieces: bytes, for_ever: bytes = b"") -> None:
        """The pieces from now on; then `for_ever` again and again."""
        self._pieces, self._for_ever = pieces, for_ever
        self.sent = 0

    def __enter__(self) -> Self:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._for_ever = b""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, client: ssl.SSLSocket) -> None:
        self.open_now += 1
        try:
            client.recv(65536)
            for piece in self._pieces:
                self._send(client, piece)
            while piece := self._for_ever:
                self._send(client, piece)
            client.unwrap()
        except OSError:
            return
        finally:
            self.open_now -= 1

    def _send(self, client: ssl.SSLSocket, piece: bytes) -> None:
        client.sendall(piece)
        self.sent += len(piece)

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        serve = self._serve

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    serve(self.request)

        return Handler


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients hang up on purpose."""
