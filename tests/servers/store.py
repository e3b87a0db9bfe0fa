"""A store of one recording behind https: it gives ranges, and hangs up in the middle if told to."""

import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import trustme

from deploy.local.customers.listener import Listener

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, and content."""


@dataclass
class Asked:
    """One request."""

    path: str
    headers: dict[str, str]
    method: str = "GET"


@dataclass
class Behaviour:
    """What the store has, and how it behaves; a test may change it at any time."""

    content: bytes = b""
    etag: str | None = '"1"'
    hangs_up_after: int | None = None
    """Bytes of content of each answer."""
    status: int | None = None
    """Of every answer instead."""
    authorization: str | None = None
    """The header that it wants."""
    refused: set[str] = field(default_factory=set)
    """Paths that nobody may read."""
    ranges: bool = True
    replies: Callable[[Asked], Reply | None] = field(default=lambda _: None)
    """What it answers instead, None where it answers as usual."""
    asked: list[Asked] = field(default_factory=list)

    def reply(self, asked: Asked) -> Reply:
        """The answer to a request."""
        if (said := self.replies(asked)) is not None:
            return said
        if self.status is not None:
            return self.status, {}, b""
        if self.authorization not in {None, asked.headers.get("authorization")}:
            return 401, {}, b""
        if asked.path in self.refused:
            return 403, {}, b""
        return self._given(asked)

    def _given(self, asked: Asked) -> Reply:
        told = {} if self.etag is None else {"ETag": self.etag}
        start = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        is_wanted = asked.headers.get("if-range", self.etag) == self.etag
        if start is None or not self.ranges or not is_wanted:
            return 200, told, self.content
        first, size = int(start[1]), len(self.content)
        told["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        return 206, told, self.content[first:]


class Store(Listener):
    """Starts and stops on one port of loopback."""

    def __init__(self, authority: trustme.CA, *names: str) -> None:
        self.does = Behaviour()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(self._context)
        self._server: _Server | None = None
        self._port = 0

    def start(self) -> None:
        """Listen again on the port that it had before."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self.does))
        self._port = self._server.server_address[1]
        self._server.socket = self._context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Take no more connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    @property
    def authority(self) -> str:
        """Its host and port, as in a URL."""
        return f"localhost:{self._port}"

    @property
    def url(self) -> str:
        """Of the recording."""
        return f"https://{self.authority}/a.wav"


def _handler(does: Behaviour) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            does.asked.append(asked := Asked(self.path, headers, self.command))
            status, told, content = does.reply(asked)
            self.send_response(status, HTTPStatus(status).phrase)
            for name, value in {"Content-Length": str(len(content)), **told}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: does.hangs_up_after])

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients hang up on purpose."""
