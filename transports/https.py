"""Recordings behind https, over http.client on a connection that egress has checked.

fsspec's HTTP file system was weighed: its sessions live on an event loop of their own, look
names up themselves and follow redirects inside the library, where neither the egress list nor
the watchdog reaches every connection. Here both do, in the thread of the upload.
"""

import contextlib
import functools
import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

from transports import egress as outside
from transports.base import BLOCK, Egress, Limits
from transports.errors import AccountFailure, SourceMissing, SourceUnreadable
from transports.watchdog import Watch
from transports.words import spoken, system_words

MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_MISSING = {404, 410}
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"
_HEADERS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "courier"}


class HttpsSource:
    """A recording at an https URL, requested when it is opened and again when read once more.

    TLS is verified against the system's certificates, or those of SSL_CERT_FILE. Redirects are
    followed to https only. Each block must come within the stall limit.
    """

    def __init__(self, url: str, egress: Egress, limits: Limits) -> None:
        self._url = url
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
            url = urljoin(url, answer.location)
        raise SourceUnreadable(f"More than {MAX_REDIRECTS} redirects")

    def _get(self, url: str) -> "_Answer":
        host, port, target = _parts(url)
        with _readable():
            connection = outside.connect(host, port, self._limits, self._egress).socket
        answer = _Answer(connection, self._limits)
        try:
            answer.ask(self._context, host, port, target)
        except BaseException:
            answer.close()
            raise
        return answer


class _Answer:
    """One request and its response, over a watched connection."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self.begun = False
        """Whether some of the content was read."""
        self._socket = connection
        self._limits = limits
        self._watch = Watch()
        self._head: http.client.HTTPResponse | None = None

    def ask(self, context: ssl.SSLContext, host: str, port: int, target: str) -> None:
        """Send the request and read the head. Raises SourceMissing, SourceUnreadable."""
        self._socket.settimeout(None)  # the watchdog cuts it
        with self._talk(self._limits.reply):
            self._socket = context.wrap_socket(
                self._socket,
                server_hostname=host,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,  # else a cut connection looks like the end
            )
            self._watch.guard(self._socket)
            self._socket.do_handshake()
            connection = http.client.HTTPSConnection(host, port, context=context)
            connection.sock = self._socket
            connection.request("GET", target, headers=_HEADERS)
            self._head = connection.getresponse()
        self._check()

    @property
    def _response(self) -> http.client.HTTPResponse:
        if self._head is None:
            raise SourceUnreadable("There was no answer")
        return self._head

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return self._response.getheader("Location", "")

    @property
    def size(self) -> int | None:
        """The Content-Length."""
        length = self._response.getheader("Content-Length", "")
        chunked = self._response.getheader("Transfer-Encoding") is not None
        return int(length) if length.isascii() and length.isdigit() and not chunked else None

    def blocks(self) -> Iterator[bytes]:
        """The content. Raises SourceUnreadable where it ends early or a block takes too long."""
        self.begun = True
        read = 0
        while block := self._next_block():
            read += len(block)
            yield block
        if self.size not in {None, read}:
            raise SourceUnreadable(f"The connection ended after {read} of {self.size} bytes")

    def close(self) -> None:
        """End the connection; without ceremony, it is used once."""
        self._watch.close()
        self._socket.close()
        if self._head is not None:
            self._head.close()

    def _next_block(self) -> bytes:
        with self._talk(self._limits.stall):
            return self._response.read(BLOCK)

    def _check(self) -> None:
        words = f"HTTP {self.status} {spoken(self._response.reason)}".strip()
        if self.status in _MISSING:
            raise SourceMissing(words)
        if self.status != http.HTTPStatus.OK and self.status not in _REDIRECTS:
            raise SourceUnreadable(words)
        if self._response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise SourceUnreadable("The server compresses what it was asked for as it is")

    @contextlib.contextmanager
    def _talk(self, seconds: float) -> Iterator[None]:
        try:
            with _readable(), self._watch.within(seconds):
                yield
        except SourceUnreadable:
            if self._watch.expired:
                raise SourceUnreadable(self._watch.words) from None
            raise


def _parts(url: str) -> tuple[str, int, str]:
    """Host, port and target of an https URL, what cannot stand in a request encoded."""
    with _readable():
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    if parts.scheme != "https" or not host:
        raise SourceUnreadable("It is not an https URL, or leads away from https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port, quote(target, safe=_URL_CHARACTERS)


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
    except (http.client.HTTPException, ValueError) as error:
        raise SourceUnreadable(spoken(str(error)) or "It is not an answer in HTTP") from error
