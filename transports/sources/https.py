"""Recordings behind https: HTTP/1.1 by h11, on a connection that egress has checked.

h11 does no I/O: each byte comes over a socket that the egress list and the watchdog reach, in the
thread of the upload. It refuses what servers may not say (a length that is none or several, chunks
of no size, other encodings of the transfer), where the standard library guesses. fsspec's HTTP file
system was weighed: it looks names up and follows redirects itself, on an event loop of its own.
"""

import contextlib
import functools
import os
import socket
import ssl
import time
from collections.abc import Iterator
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, urljoin, urlsplit

import h11

from transports.base import BLOCK, Egress, Limits
from transports.errors import AccountFailure, SourceMissing, SourceUnreadable
from transports.network import egress as outside
from transports.network.watchdog import Watch
from transports.words import decoded, spoken, system_words

MAX_REDIRECTS = 5
MAX_HEAD = 64 * 1024
"""Bytes before the content, and of whatever stands between its parts."""
_RECEIVE = 64 * 1024
_PORT = 443
_REDIRECTS = {301, 302, 303, 307, 308}
_MISSING = {404, 410}
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"
_HEADERS = [("Accept-Encoding", "identity"), ("Connection", "close"), ("User-Agent", "courier")]


class HttpsSource:
    """A recording at an https URL, requested when it is opened and again when read once more.

    TLS is verified against the system's certificates, or those of SSL_CERT_FILE. Redirects are
    followed to https only. Each block must come within the stall limit, the whole at the speed of
    `Limits.source`, and more than `max_bytes` are not taken.
    """

    def __init__(self, url: str, max_bytes: int, egress: Egress, limits: Limits) -> None:
        self._url = url
        self._max_bytes = max_bytes
        self._egress = egress
        self._limits = limits
        self._context = _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        self._answer: _Answer | None = None

    def __enter__(self) -> Self:
        self._answer = self._ask()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._let_go()

    @property
    def size(self) -> int | None:
        """The Content-Length, None where the server does not tell it."""
        return None if self._answer is None else self._answer.size

    def __iter__(self) -> Iterator[bytes]:
        """The content in blocks. Raises SourceMissing, SourceUnreadable."""
        answer = self._answer
        if answer is None or answer.begun:
            self._let_go()
            answer = self._answer = self._ask()
        yield from answer.blocks()

    def cut(self) -> None:
        """End a wait for more of it, from any thread."""
        if self._answer is not None:
            self._answer.cut()

    def _let_go(self) -> None:
        if self._answer is not None:
            self._answer.close()

    def _ask(self) -> "_Answer":
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._get(url)
            if answer.status not in _REDIRECTS:
                return answer
            answer.close()
            with _readable():
                url = urljoin(url, answer.location)
        raise SourceUnreadable(f"More than {MAX_REDIRECTS} redirects")

    def _get(self, url: str) -> "_Answer":
        place = _place(url)
        with _readable():
            connection = outside.connect(place.host, place.port, self._limits, self._egress).socket
        answer = _Answer(connection, self._max_bytes, self._limits)
        try:
            answer.ask(self._context, place)
        except BaseException:
            answer.close()
            raise
        return answer


class _Place(NamedTuple):
    """What an https URL says: where to connect to, and what to ask there for."""

    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as they stand in a request."""
        name = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()
        return name if self.port == _PORT else f"{name}:{self.port}"


class _Answer:
    """One request and its response, over a watched connection."""

    def __init__(self, connection: socket.socket, max_bytes: int, limits: Limits) -> None:
        self.begun = False
        """Whether some of the content was read."""
        self._socket = connection
        self._max_bytes = max_bytes
        self._limits = limits
        self._watch = Watch()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._head = h11.Response(status_code=HTTPStatus.OK, headers=[])
        self._received = self._given = 0
        self._block = bytearray()

    def ask(self, context: ssl.SSLContext, place: _Place) -> None:
        """Send the request and read the head. Raises SourceMissing, SourceUnreadable."""
        self._socket.settimeout(None)  # the watchdog cuts it
        with self._talk(self._limits.reply):
            self._socket = context.wrap_socket(
                self._socket,
                server_hostname=place.host,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,  # else a cut connection looks like the end
            )
            self._watch.guard(self._socket)
            self._socket.do_handshake()
            self._socket.sendall(self._request(place))
            self._head = self._read_head()
        self._check()

    @property
    def status(self) -> int:
        """The status code."""
        return self._head.status_code

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return self._header(b"location")

    @property
    def size(self) -> int | None:
        """The Content-Length, which h11 has found to be one number."""
        length = self._header(b"content-length")
        return int(length) if length and not self._header(b"transfer-encoding") else None

    def blocks(self) -> Iterator[bytes]:
        """The content. Raises SourceUnreadable where it ends early, is too long or too slow."""
        self.begun = True
        waited = 0.0
        while True:
            started = time.monotonic()
            block = self._next_block()
            waited += time.monotonic() - started
            if not block:
                return
            if waited > self._limits.source(self._given):
                raise SourceUnreadable(f"After {waited:.0f} seconds only {self._given} bytes came")
            yield block

    def cut(self) -> None:
        """Break the connection, from any thread."""
        self._watch.cut()

    def close(self) -> None:
        """End the connection; without ceremony, it is used once."""
        self._watch.close()
        self._socket.close()

    def _request(self, place: _Place) -> bytes:
        headers = [("Host", place.authority), *_HEADERS]
        request = h11.Request(method="GET", target=place.target, headers=headers)
        return (self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b"")

    def _read_head(self) -> h11.Response:
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise SourceUnreadable("It is not an answer in HTTP")

    def _next_block(self) -> bytes:
        with self._talk(self._limits.stall):
            while len(self._block) < BLOCK and (data := self._next_data()):
                self._block += data
        block = bytes(self._block[:BLOCK])
        del self._block[:BLOCK]
        return block

    def _next_data(self) -> bytes:
        """Some more of the content, nothing at its end."""
        if self._http.their_state is not h11.SEND_BODY:
            return b""
        event = self._next_event()
        if not isinstance(event, h11.Data):
            return b""
        self._given += len(event.data)
        self._check_length(self._given)
        return bytes(event.data)

    def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            # Chunks may be small, but what is said around them is not to be most of it.
            if self._received > MAX_HEAD + 2 * self._given:
                raise SourceUnreadable("The server says much more than the recording's content")
            data = self._socket.recv(_RECEIVE)
            self._received += len(data)
            self._http.receive_data(data)
        return event

    def _check(self) -> None:
        words = f"HTTP {self.status} {spoken(bytes(self._head.reason))}".strip()
        if self.status in _MISSING:
            raise SourceMissing(words)
        if self.status in _REDIRECTS:
            return
        if self.status != HTTPStatus.OK:
            raise SourceUnreadable(words)
        if (self._header(b"content-encoding") or "identity").lower() != "identity":
            raise SourceUnreadable("The server compresses what it was asked for as it is")
        self._check_length(self.size or 0)

    def _check_length(self, length: int) -> None:
        if length > self._max_bytes:
            raise SourceUnreadable(
                f"It has more than the {self._max_bytes} bytes that are taken over https"
            )

    def _header(self, name: bytes) -> str:
        return next((decoded(value) for key, value in self._head.headers if key == name), "")

    @contextlib.contextmanager
    def _talk(self, seconds: float) -> Iterator[None]:
        try:
            with _readable(), self._watch.within(seconds):
                yield
        except SourceUnreadable:
            if self._watch.expired:
                raise SourceUnreadable(self._watch.words) from None
            raise


def _place(url: str) -> _Place:
    """Split the URL; what may not stand in a request is percent-encoded.

    Raises SourceUnreadable.
    """
    with _readable():
        parts = urlsplit(url)
        port = _PORT if parts.port is None else parts.port
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        place = _Place(parts.hostname or "", port, quote(target, safe=_URL_CHARACTERS))
    if parts.scheme != "https" or not place.host:
        raise SourceUnreadable("It is not an https URL, or leads away from https")
    if "@" in parts.netloc:
        raise SourceUnreadable("Its URL has a user or a password in it: leave them out")
    return place


@functools.lru_cache(maxsize=4)
def _context(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Made once for the places that certificates come from: reading them takes milliseconds."""
    return ssl.create_default_context()


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """The edge: whatever keeps a recording from being read is the source's failure."""
    try:
        yield
    except AccountFailure as error:  # of egress: here the server is not a customer's
        raise SourceUnreadable(error.words) from error
    except OSError as error:
        raise SourceUnreadable(system_words(error)) from error
    except h11.ProtocolError as error:
        words = f"The server's answer is not sound HTTP: {spoken(str(error))}"
        raise SourceUnreadable(words) from error
    except ValueError as error:
        words = f"It is not a URL that can be followed: {spoken(str(error))}"
        raise SourceUnreadable(words) from error
