"""One request over HTTP/1.1 and its answer, by h11, on a connection that egress has checked.

h11 does no I/O: each byte comes over a socket that the egress list and the watchdog reach, in the
thread of the upload. It refuses what servers may not say (a length that is none or several, chunks
of no size, other encodings of the transfer), where the standard library guesses. fsspec's file
system for HTTP and boto3 were weighed: they look names up and follow redirects themselves. Those
for Google and Azure are used, in sessions of ours: see `transports.sources.clouds`.
"""

import contextlib
import functools
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import h11

from config.settings import MAX_PORT
from transports.base import BLOCK, Limits, closed_on_failure
from transports.errors import (
    AccountFailure,
    EgressDenied,
    ResolveFailed,
    SourceAway,
    SourceUnreadable,
)
from transports.network import egress as outside
from transports.network.watchdog import Watch
from transports.sources.stores import Reach
from transports.words import decoded, spoken, system_words

MAX_HEAD = 64 * 1024
"""Bytes before the content, and of whatever stands between its parts."""
PORTS = {"http": 80, "https": 443}
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Status codes of a server that cannot answer now."""
Headers = Sequence[tuple[str, str]]
_RECEIVE = 64 * 1024
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"
_HEADERS = [("Accept-Encoding", "identity"), ("Connection", "close"), ("User-Agent", "courier")]
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class NoSuchPlace(SourceUnreadable):
    """Nobody has a server of this name, or no connection may go there."""


class Silent(SourceAway):
    """No byte came in time."""


class Place(NamedTuple):
    """Where to connect to, and what to ask there for."""

    scheme: str
    host: str
    port: int
    authority: str
    """Host and port as they stand in a request."""
    target: str


def place_of(url: str, *schemes: str) -> Place:
    """Split the URL; what may not stand in a request is percent-encoded.

    Raises SourceUnreadable.
    """
    with readable():
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname:
            raise SourceUnreadable("It is not an https URL, or leads away from https")
        host, usual = parts.hostname, PORTS[parts.scheme]
        port = usual if parts.port is None else parts.port
        name = f"[{host}]" if ":" in host else host.encode("idna").decode()
        authority = name if port == usual else f"{name}:{port}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        target = quote(target, safe=_URL_CHARACTERS)
    if "@" in parts.netloc:
        raise SourceUnreadable("Its URL has a user or a password in it: leave them out")
    if not 0 < port <= MAX_PORT:
        raise SourceUnreadable(f"There is no port {port}: ports are 1 to {MAX_PORT}")
    return Place(parts.scheme, host, port, authority, target)


def ask(place: Place, headers: Headers, reach: Reach) -> "Answer":
    """Ask for it; the head of the answer has come. Raises SourceAway, SourceUnreadable.

    TLS is verified against the system's certificates, or those of SSL_CERT_FILE.
    """
    limits = reach.limits
    with reach.stores.asking(place.authority, limits.resolve + limits.connect + limits.reply):
        with readable():
            connection = outside.connect(place.host, place.port, limits, reach.egress).socket
        answer = Answer(connection, limits)
        with closed_on_failure(answer):
            answer.ask(place, headers)
    return answer


class Answer:
    """The answer to one request, over a watched connection that is used once."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self.begun = False
        """Whether some of the content was read."""
        self._socket = connection
        self._limits = limits
        self._watch = Watch()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._head = h11.Response(status_code=HTTPStatus.OK, headers=[])
        self._received = self._given = 0
        self._hung_up = False
        self._block = bytearray()

    def ask(self, place: Place, headers: Headers) -> None:
        """Send the request and read the head. Raises SourceAway, SourceUnreadable."""
        self._socket.settimeout(None)  # the watchdog cuts it
        with self._talk(self._limits.reply):
            if place.scheme == "https":
                self._socket = _wrapped(self._socket, place.host)
            self._watch.guard(self._socket)
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.do_handshake()
            self._socket.sendall(self._request(place, headers))
            self._head = self._read_head()

    @property
    def status(self) -> int:
        """The status code."""
        return self._head.status_code

    @property
    def words(self) -> str:
        """The status as the server says it."""
        return f"HTTP {self.status} {spoken(bytes(self._head.reason))}".strip()

    @property
    def size(self) -> int | None:
        """The Content-Length, which h11 has found to be one number; None where it is not told."""
        length = self.header("content-length")
        return int(length) if length and not self.header("transfer-encoding") else None

    def header(self, name: str) -> str:
        """The first header of this name, which is in small letters; nothing where there is none."""
        wanted = name.encode()
        return next((decoded(value) for key, value in self._head.headers if key == wanted), "")

    def check_plain(self) -> None:
        """Raises SourceUnreadable where the content is not the bytes that were asked for."""
        if (self.header("content-encoding") or "identity").lower() != "identity":
            raise SourceUnreadable("The server compresses what it was asked for as it is")

    def next_block(self) -> bytes:
        """Some more of the content, nothing at its end.

        Raises SourceAway where it ends early or does not come in time, SourceUnreadable.
        """
        self.begun = True
        with self._talk(self._limits.stall):
            while len(self._block) < BLOCK and (data := self._next_data()):
                self._block += data
        block = bytes(self._block[:BLOCK])
        del self._block[:BLOCK]
        return block

    def beginning(self, most: int) -> bytes:
        """No more than the first `most` bytes of the content: of an error, for its words."""
        content = b""
        while len(content) < most and (block := self.next_block()):
            content += block
        return content[:most]

    def cut(self) -> None:
        """Break the connection, from any thread."""
        self._watch.cut()

    def close(self) -> None:
        """End the connection; without ceremony, it is used once."""
        self._watch.close()
        self._socket.close()

    def _request(self, place: Place, headers: Headers) -> bytes:
        all_headers = [("Host", place.authority), *_HEADERS, *headers]
        request = h11.Request(method="GET", target=place.target, headers=all_headers)
        return (self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b"")

    def _read_head(self) -> h11.Response:
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise SourceUnreadable("It is not an answer in HTTP")

    def _next_data(self) -> bytes:
        """Some more of the content, nothing at its end."""
        if self._http.their_state is not h11.SEND_BODY:
            return b""
        event = self._next_event()
        if not isinstance(event, h11.Data):
            return b""
        self._given += len(event.data)
        return bytes(event.data)

    def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            # Chunks may be small, but what is said around them is not to be most of it.
            if self._received > MAX_HEAD + 2 * self._given:
                raise SourceUnreadable("The server says much more than the recording's content")
            data = self._socket.recv(_RECEIVE)
            self._received += len(data)
            self._hung_up = not data
            self._http.receive_data(data)
        return event

    @contextlib.contextmanager
    def _talk(self, seconds: float) -> Iterator[None]:
        try:
            with readable(), self._watch.within(seconds):
                yield
        except SourceUnreadable as failure:
            if self._watch.expired:
                raise Silent(self._watch.words) from None
            if self._hung_up and not isinstance(failure, SourceAway):
                raise SourceAway("The server hung up before the end") from failure
            raise


def _wrapped(connection: socket.socket, host: str) -> ssl.SSLSocket:
    return tls_context().wrap_socket(
        connection,
        server_hostname=host,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,  # else a cut connection looks like the end
    )


def tls_context() -> ssl.SSLContext:
    """What certificates are verified by: the system's authorities, or those of SSL_CERT_FILE."""
    return _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=4)
def _context(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Made once for the places that certificates come from: reading them takes milliseconds."""
    return ssl.create_default_context()


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """The edge: whatever keeps a recording from being read is the source's failure.

    What the network does passes; a place that cannot be is the event's fault.
    """
    try:
        yield
    except EgressDenied as error:
        raise NoSuchPlace(error.words) from error
    except ResolveFailed as error:
        raise (NoSuchPlace if _is_unknown(error) else SourceAway)(error.words) from error
    except AccountFailure as error:  # of egress: here the server is not a customer's
        raise SourceAway(error.words) from error
    except OSError as error:
        raise SourceAway(system_words(error)) from error
    except h11.LocalProtocolError:  # its text quotes headers: logins are in them
        words = "The request for it cannot be sent: it is not sound HTTP"
        raise SourceUnreadable(words) from None
    except h11.ProtocolError as error:
        words = f"The server's answer is not sound HTTP: {spoken(str(error))}"
        raise SourceUnreadable(words) from error
    except ValueError as error:
        words = f"It is not a URL that can be followed: {spoken(str(error))}"
        raise SourceUnreadable(words) from error


def _is_unknown(error: ResolveFailed) -> bool:
    """Whether the name itself is to blame, rather than the resolver."""
    cause = error.__cause__
    if isinstance(cause, socket.gaierror):
        return cause.errno in _NO_SUCH_NAME
    return isinstance(cause, ValueError)
