"""An FTP server over TLS that goes wrong as a test says; its files are in memory.

One thread a connection. What it does rightly is what uploads need and no more.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from deploy.local.customers import CustomerServer
from tests.servers.certificates import Authority, Pair

_RESET = struct.pack("ii", 1, 0)
_PIECE = 65536
_MISSING = "550 no such file"
_ANSWERS = {
    "USER": "331 and the password?",
    "PWD": '257 "/"',
    "FEAT": "211-Features:\r\n SIZE\r\n211 End",
    "QUIT": "221 bye",
    **dict.fromkeys(("MLST", "NLST", "RETR", "PASV"), "502 not here"),
}
"""Of commands that do nothing; all others are answered with 200."""

Ending = Callable[["Session", ssl.SSLSocket], bytes]
"""How an upload ends: takes the data connection; what of the file is stored."""


def politely(_session: "Session", data: ssl.SSLSocket) -> bytes:
    """To the end, and with a word of its own."""
    content = _all_of(data)
    with contextlib.suppress(OSError):
        data.unwrap().close()
    return content


def without_a_word(_session: "Session", data: ssl.SSLSocket) -> bytes:
    """To the end; then the connection is gone, without TLS's close_notify."""
    content = _all_of(data)
    data.close()
    return content


def by_reset(_session: "Session", data: ssl.SSLSocket) -> bytes:
    """To the end; then it is reset."""
    content = _all_of(data)
    _reset(data)
    return content


def half_way(session: "Session", data: ssl.SSLSocket) -> bytes:
    """Not to the end, and says so."""
    content = data.recv(_PIECE)
    _reset(data)
    session.says = "426 Connection closed; transfer aborted."
    return content


def half_way_and_lies(_session: "Session", data: ssl.SSLSocket) -> bytes:
    """Not to the end, and says that all is well."""
    content = data.recv(_PIECE)
    _reset(data)
    return content


def never(_session: "Session", data: ssl.SSLSocket) -> bytes:
    """Takes a piece and then nothing more, until it is stopped."""
    data.recv(_PIECE)
    _session.server.ended.wait(60)
    return b""


class Ftps:
    """Speaks explicit TLS, or implicit. `pair`: the certificate that it shows.

    `answers`: what it says instead of doing a command. `silent_over`: `AUTH` or `data`, where it
    never shakes hands. `data_pair`: another certificate on data connections. `clear_data`: data
    connections without TLS.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        pair: Pair | None = None,
        implicit: bool = False,
        ending: Ending = politely,
        answers: Mapping[str, str] = MappingProxyType({}),
        silent_over: str = "",
        data_pair: Pair | None = None,
        clear_data: bool = False,
        newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        demands: bool = False,
        name: str = "127.0.0.1",
    ) -> None:
        self.authority = authority
        self.implicit = implicit
        self.ending = ending
        self.answers = answers
        self.silent_over = silent_over
        self.clear_data = clear_data
        self.context = _context(authority, pair or authority.issue(name), newest, demands=demands)
        self.data_context = (
            self.context if data_pair is None else _context(authority, data_pair, newest)
        )
        self.files: dict[str, bytes] = {}
        self.heard: list[str] = []
        """Every command, over all connections."""
        self.resumed: list[bool] = []
        """Whether each data connection resumed a TLS session."""
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def customer(self) -> CustomerServer:
        """What a customer tells of it."""
        return CustomerServer(
            "127.0.0.1",
            int(self._listener.getsockname()[1]),
            "customer",
            "s3cret-of-the-test",
            Path(),
            tls="ftps-implicit" if self.implicit else "ftps",
            authority=self.authority.file.read_text(),
        )

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for connection in (self._listener, *tuple(self._open)):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for connection in (self._listener, *tuple(self._open)):
            connection.close()

    def keep(self, connection: socket.socket) -> None:
        """Close this one at the end as well."""
        self._open.add(connection)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self.keep(connection)
            self._begin(Session(self, connection).serve)

    def _begin(self, work: Callable[[], None]) -> None:
        def quietly() -> None:
            with contextlib.suppress(OSError, ValueError):
                work()

        thread = threading.Thread(target=quietly, name="ftps", daemon=True)
        self._threads.append(thread)
        thread.start()


class Session:
    """One control connection."""

    def __init__(self, server: Ftps, connection: socket.socket) -> None:
        self.server = server
        self.says = ""
        """What ends the transfer, instead of 226."""
        self._connection = connection
        self._listener: socket.socket | None = None
        self._from = ""

    def serve(self) -> None:
        """Greet, and answer until nobody asks."""
        if self.server.implicit:
            self._secure()
        self._say("220 ready")
        rest = b""
        while piece := self._connection.recv(_PIECE):
            *lines, rest = (rest + piece).split(b"\r\n")
            for line in lines:
                self._answer(line.decode())

    def _answer(self, line: str) -> None:
        self.server.heard.append(line)
        verb, _, path = line.partition(" ")
        if verb in self.server.answers:
            self._say(self.server.answers[verb])
            return
        act = getattr(self, f"_{verb.lower()}", None)
        if act is None:
            self._say(_ANSWERS.get(verb, "200 fine"))
        else:
            act(path)

    def _auth(self, _path: str) -> None:
        self._say("234 go")
        if self.server.silent_over == "AUTH":
            self.server.ended.wait(60)
        self._secure()

    def _size(self, path: str) -> None:
        known = self.server.files.get(path)
        self._say(_MISSING if known is None else f"213 {len(known)}")

    def _rnfr(self, path: str) -> None:
        self._from = path
        self._say("350 and to?" if path in self.server.files else _MISSING)

    def _rnto(self, path: str) -> None:
        self.server.files[path] = self.server.files.pop(self._from)
        self._say("250 renamed")

    def _dele(self, path: str) -> None:
        known = self.server.files.pop(path, None)
        self._say(_MISSING if known is None else "250 removed")

    def _say(self, reply: str) -> None:
        self._connection.sendall(f"{reply}\r\n".encode())

    def _secure(self) -> None:
        self._connection = self._wrapped(self._connection, self.server.context)

    def _wrapped(self, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        secure = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self.server.keep(secure)
        secure.do_handshake()
        return secure

    def _epsv(self, _path: str) -> None:
        if self._listener is not None:
            self._listener.close()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.server.keep(self._listener)
        self._say(f"229 here (|||{self._listener.getsockname()[1]}|)")

    def _stor(self, path: str) -> None:
        if self._listener is None:
            self._say("425 no data connection")
            return
        listener, self._listener = self._listener, None
        with listener:
            data, _ = listener.accept()
        self.server.keep(data)
        self._say("150 go on")
        self.server.files[path] = self._content(data)
        said, self.says = self.says or "226 done", ""
        self._say(said)

    def _content(self, data: socket.socket) -> bytes:
        server = self.server
        if server.silent_over == "data":
            server.ended.wait(60)
        if server.clear_data:
            data.sendall(b"in clear\r\n")
            return _all_of(data)
        try:
            secure = self._wrapped(data, server.data_context)
        except ssl.SSLError:
            self.says = "425 no TLS"
            return b""
        server.resumed.append(bool(secure.session_reused))
        return server.ending(self, secure)


def _context(
    authority: Authority, pair: Pair, newest: ssl.TLSVersion, *, demands: bool = False
) -> ssl.SSLContext:
    context = authority.server_context(pair, demands=demands)
    context.maximum_version = newest
    return context


def _all_of(data: socket.socket) -> bytes:
    content = bytearray()
    with contextlib.suppress(ssl.SSLEOFError):
        while piece := data.recv(_PIECE):
            content += piece
    return bytes(content)


def _reset(data: socket.socket) -> None:
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    data.close()
