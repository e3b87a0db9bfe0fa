"""Recordings behind https as streams."""

import contextlib
import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Self

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers.https import ScriptedHttps
from transports.base import Egress, Limits
from transports.errors import SourceFailure, SourceMissing, SourceUnreadable
from transports.sources.source import Source, open_source

LIMITS = Limits()
SHORT = Limits(resolve=2, connect=2, reply=1, stall=1)
CONTENT = os.urandom(600_000)


def opened(
    url: str,
    *,
    egress: Egress | None = None,
    max_bytes: int = 1_000_000,
    limits: Limits = LIMITS,
) -> AbstractContextManager[Source]:
    return open_source(url, dirs=(), max_bytes=max_bytes, egress=egress or Egress(), limits=limits)


def read(url: str, egress: Egress | None = None, limits: Limits = LIMITS) -> bytes:
    with opened(url, egress=egress, limits=limits) as source:
        return b"".join(source)


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        name = self.path.strip("/").split("?")[0]
        action = getattr(self, f"_{name}", None)
        if action is not None:
            action()
        else:
            self._head(int(name), {"Content-Length": "0"})

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _whole(self) -> None:
        assert self.headers["Accept-Encoding"] == "identity"
        self._head(200, {"Content-Length": str(len(CONTENT))})
        self.wfile.write(CONTENT)

    def _unannounced(self) -> None:
        self._head(200, {"Transfer-Encoding": "chunked"})
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONTENT), CONTENT))

    def _chunks_cut(self) -> None:
        self._head(200, {"Transfer-Encoding": "chunked"})
        self.wfile.write(b"%x\r\n%s" % (len(CONTENT), CONTENT[:1000]))

    def _truncated(self) -> None:
        self._head(200, {"Content-Length": str(len(CONTENT))})
        self.wfile.write(CONTENT[:300_000])

    def _compressed(self) -> None:
        self._head(200, {"Content-Length": "1", "Content-Encoding": "gzip"})

    def _silent(self) -> None:
        time.sleep(3)

    def _trickle(self) -> None:
        self._head(200, {"Content-Length": "100"})
        for _ in range(30):
            self.wfile.write(b"x")
            time.sleep(0.1)

    def _moved(self) -> None:
        self._head(302, {"Location": "/whole", "Content-Length": "0"})

    def _around(self) -> None:
        self._head(302, {"Location": "/around", "Content-Length": "0"})

    def _down(self) -> None:
        host = self.headers["Host"]
        self._head(302, {"Location": f"http://{host}/whole", "Content-Length": "0"})

    def _inside(self) -> None:
        self._head(302, {"Location": "https://169.254.169.254/", "Content-Length": "0"})


@pytest.fixture(scope="module")
def https(authority: trustme.CA) -> Iterator[str]:
    """The URL of an https server on loopback."""
    with _serving(authority.issue_cert("localhost", "127.0.0.1")) as server:
        yield f"https://localhost:{server.server_address[1]}"


def _serving(certificate: trustme.LeafCert) -> "_Server":
    server = _Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """The client hangs up on purpose."""


@pytest.mark.usefixtures("_trusted")
def test_an_https_recording_is_read_whole_and_again(https: str) -> None:
    with opened(f"{https}/whole?a=b") as source:
        assert source.size == len(CONTENT)
        assert b"".join(source) == CONTENT
        assert b"".join(source) == CONTENT


@pytest.mark.usefixtures("_trusted")
def test_an_https_recording_may_come_unannounced_or_from_elsewhere(https: str) -> None:
    url = f"{https}/unannounced"
    with opened(url) as source:
        assert source.size is None
        assert b"".join(source) == CONTENT
    assert read(f"{https}/moved") == CONTENT
    assert read(https.replace("localhost", "127.0.0.1") + "/whole") == CONTENT


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("status", [404, 410])
def test_an_https_recording_that_is_gone_is_missing(https: str, status: int) -> None:
    with pytest.raises(SourceMissing) as missing:
        read(f"{https}/{status}")
    assert missing.value.words.startswith(f"HTTP {status} ")


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("503", "HTTP 503 Service Unavailable"),
        ("403", "HTTP 403 Forbidden"),
        ("204", "HTTP 204 No Content"),
        ("truncated", ""),
        ("chunks_cut", ""),
        ("compressed", "The server compresses"),
        ("silent", "The server was silent for 1 seconds"),
        ("trickle", "The server was silent for 1 seconds"),
        ("around", "More than 5 redirects"),
        ("down", "It is not an https URL, or leads away from https"),
        ("inside", "169.254.169.254 is an address where no connection may go"),
    ],
)
def test_an_https_recording_that_cannot_be_read_whole_is_told(
    https: str, path: str, words: str
) -> None:
    denied = Egress(deny=(ip_network("169.254.0.0/16"),))
    started = time.monotonic()
    with pytest.raises(SourceUnreadable) as unreadable:
        read(f"{https}/{path}", egress=denied, limits=SHORT)
    assert unreadable.value.words.startswith(words)
    assert unreadable.value.words
    assert time.monotonic() - started < 10


def test_a_certificate_that_is_not_trusted_is_refused(https: str) -> None:
    with pytest.raises(SourceUnreadable) as unreadable:
        read(f"{https}/whole")
    assert unreadable.value.words.startswith("The certificate is not trusted: ")


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_of_another_name_is_refused(authority: trustme.CA) -> None:
    with _serving(authority.issue_cert("other.example")) as server:
        url = f"https://localhost:{server.server_address[1]}/whole"
        with pytest.raises(SourceUnreadable) as unreadable:
            read(url)
    assert "certificate is not trusted" in unreadable.value.words


@pytest.mark.usefixtures("_trusted")
def test_denied_addresses_are_not_asked(https: str) -> None:
    with pytest.raises(SourceUnreadable):
        read(f"{https}/whole", egress=Egress(deny=(ip_network("127.0.0.0/8"),)))


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///a",
        "https://h:99999/",
        "https://[::1/a",
        "https://h:0/a",
        "https://u:p@h/a",
        "https://u@h/a",
        "https://:1/a",
        "https://\ud800/",
    ],
)
def test_an_https_url_without_a_server_is_refused(url: str) -> None:
    with pytest.raises(SourceUnreadable):
        read(url)


@pytest.fixture(scope="module")
def scripted(authority: trustme.CA) -> Iterator[ScriptedHttps]:
    """A server that says what the test wants."""
    with ScriptedHttps(authority) as server:
        yield server


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(
    "location",
    [
        "https://[bad/x",
        "https://[::1/",
        "//[::1%/",
        "https://localhost:99999999/",
        "https://localhost:-1/",
        "https://localhost:0/",
        "https://localhost:x/",
        "https://:443/",
        "https://" + "a" * 64 + ".example/",
        "https://a..example/",
        "https://a\xff..example/",
        "https://user:password@localhost/",
        "https://localhost@169.254.169.254/",
        "https://169.254.169.254/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "http://localhost/",
        "HTTP://localhost/",
        "file:///etc/passwd",
        "ftp://localhost/a",
        "javascript:x",
        "data:,x",
    ],
)
def test_a_redirect_leads_to_https_or_nowhere(scripted: ScriptedHttps, location: str) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    scripted.says(head.encode("latin-1"))
    denied = Egress(deny=(ip_network("169.254.0.0/16"),))
    with pytest.raises(SourceUnreadable) as refused:
        read(scripted.url, egress=denied)
    assert refused.value.words
    assert "redirects" not in refused.value.words


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n\r\n",
        b"220 ftp.example FTP server\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 -200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n12345",
        b"HTTP/1.1 200 OK",
        OK + b"no colon\r\n\r\n",
        OK + b" folded: first\r\n\r\n",
        OK + b"Nul: a\0b\r\n\r\n",
        *(
            OK + b"Content-Length: " + length + b"\r\n\r\n12345"
            for length in (b"-5", b"+5", b"0x5", b"1_0", b"5.0", b"five", b"", b"5 5", b"5, 6")
        ),
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n12345",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        OK + b"Content-Length: 6\r\n\r\n12345",
        *(
            OK + b"Transfer-Encoding: " + coding + b"\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
            for coding in (b"gzip", b"gzip, chunked", b"chunked, chunked", b"identity", b"x")
        ),
        *(
            CHUNKED + size + b"\r\n12345\r\n0\r\n\r\n"
            for size in (b"-1", b"+5", b"0x5", b"5 5", b"zz", b"", b"f" * 30, b"4", b"6", b"1_0")
        ),
        CHUNKED + b"5\r\n12345",
        CHUNKED + b"5\r\n12345\r\n",
        CHUNKED + b"5\r\n12345\r\n0\r\n",
    ],
)
def test_an_answer_that_is_not_whole_and_clear_is_no_recording(
    scripted: ScriptedHttps, head: bytes
) -> None:
    scripted.says(head)
    with pytest.raises(SourceUnreadable) as refused:
        read(scripted.url)
    assert refused.value.words


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"", b"x" * 1000),
        (OK, b"a: b\r\n" * 1000),
        (OK + b"a: ", b"b" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100),
        (CHUNKED, b"5" * 1000),
        (CHUNKED + b"5;", b"x=y;" * 1000),
        (CHUNKED, b"1\r\nx\r\n" * 1000),
        (CHUNKED + b"0\r\n", b"a: b\r\n" * 1000),
        (CHUNKED, b"100\r\n" + b"x" * 256 + b"\r\n"),
        (OK + b"\r\n", b"x" * 1000),
    ],
    ids=[
        *("nonsense", "headers", "a header", "continue", "hints", "a size", "an extension"),
        *("tiny chunks", "trailers", "chunks", "content"),
    ],
)
def test_what_has_no_end_is_ended_after_a_bounded_number_of_bytes(
    scripted: ScriptedHttps, begins: bytes, goes_on: bytes
) -> None:
    scripted.says(begins, for_ever=goes_on)
    given = 0
    with pytest.raises(SourceUnreadable), opened(scripted.url, max_bytes=400_000) as source:  # noqa: PT012 - counted on the way
        for block in source:
            given += len(block)
    assert given <= 400_000
    # What was sent beyond that lay in the buffers of the system when the connection was closed.
    assert scripted.sent < 16_000_000


@pytest.mark.usefixtures("_trusted")
def test_a_recording_may_have_as_many_bytes_as_the_limit_and_no_more(https: str) -> None:
    for path in ("whole", "unannounced"):
        with opened(f"{https}/{path}", max_bytes=len(CONTENT)) as source:
            assert b"".join(source) == CONTENT
    words = f"It has more than the {len(CONTENT) - 1} bytes that a recording may have"
    with (
        pytest.raises(SourceUnreadable, match=words),
        opened(f"{https}/whole", max_bytes=len(CONTENT) - 1),
    ):
        pytest.fail("a length that is too much is refused before any content")
    with (
        opened(f"{https}/unannounced", max_bytes=len(CONTENT) - 1) as source,
        pytest.raises(SourceUnreadable, match=words),
    ):
        list(source)


class Impatient(Limits):
    """The whole is to come faster than a server ever could."""

    def source(self, size: int) -> float:
        """At once."""
        return 0


@pytest.mark.usefixtures("_trusted")
def test_a_recording_that_comes_too_slowly_in_all_is_ended(https: str) -> None:
    with (
        opened(f"{https}/whole", limits=Impatient()) as source,
        pytest.raises(SourceUnreadable, match=r"only \d+ bytes came"),
    ):
        list(source)


def test_the_time_for_a_recording_grows_with_what_has_come() -> None:
    limits = Limits()
    assert limits.source(0) == 600
    assert limits.source(4 * 2**30) < 26 * 3600


PARTS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 100 Continue\r\n"),
        *(
            b"Content-Length: ",
            b"Transfer-Encoding: chunked\r\n",
            b"Location: https://[",
            b"Location: https://127.0.0.1:",
            b"\r\n",
        ),
        *(b"Content-Encoding: ", b"0\r\n", b"5\r\n12345\r\n", b"\r\n\r\n", b"-1", b"99999", b"[:"),
    ]
)


@pytest.mark.usefixtures("_trusted")
@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(PARTS | st.binary(max_size=20), max_size=12).map(b"".join))
def test_whatever_a_server_says_is_a_recording_or_a_failure_of_the_source(
    scripted: ScriptedHttps, said: bytes
) -> None:
    scripted.says(said)
    nowhere = Egress(deny=(ip_network("::/0"),), allow=(ip_network("127.0.0.0/8"),))
    with contextlib.suppress(SourceFailure):
        read(scripted.url, egress=nowhere)
