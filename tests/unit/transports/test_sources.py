"""Recordings as streams."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest
import trustme

from transports.base import Egress, Limits
from transports.errors import SourceChanged, SourceMissing, SourceUnreadable
from transports.sources import open_source

LIMITS = Limits(resolve=2, connect=2, reply=1, stall=1)
CONTENT = os.urandom(600_000)


def read(url: str, *dirs: Path, egress: Egress | None = None) -> bytes:
    with open_source(url, dirs=dirs, egress=egress or Egress(), limits=LIMITS) as source:
        return b"".join(source)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of recordings, with one that is called `a.wav`."""
    path = tmp_path / "recordings"
    path.mkdir()
    (path / "a.wav").write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST"])
def test_a_file_is_read_whole(folder: Path, host: str) -> None:
    url = f"file://{host}{folder}/a.wav"
    with open_source(url, dirs=(folder,), egress=Egress(), limits=LIMITS) as source:
        assert source.size == len(CONTENT)
        assert b"".join(source) == CONTENT
        assert b"".join(source) == CONTENT


@pytest.mark.parametrize("name", ["a b.wav", "100%.wav", "ü#?.wav", "..wav", "%2e.wav"])
def test_names_are_percent_decoded(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    assert read(f"file://{folder}/{quote(name)}", folder) == b"x"


def test_an_empty_file_is_a_recording(folder: Path) -> None:
    (folder / "empty").touch()
    assert read(f"file://{folder}/empty") == b""


@pytest.mark.parametrize(
    "url",
    [
        "file://elsewhere/a.wav",
        "file:///a%00b",
        "file://",
        "file:relative",
        "ftp://host/a",
        "http://host/a",
        "s3://bucket/key",
        "",
    ],
)
def test_what_is_no_url_of_a_recording_is_refused(url: str) -> None:
    with pytest.raises(SourceUnreadable):
        read(url)


@pytest.mark.parametrize("path", ["missing.wav", "a.wav/below", "missing/a.wav"])
def test_a_missing_file_is_told_in_the_systems_words(folder: Path, path: str) -> None:
    with pytest.raises(SourceMissing) as missing:
        read(f"file://{folder}/{path}")
    assert missing.value.words in {"No such file or directory", "Not a directory"}


def test_files_outside_of_the_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "recordings-other").mkdir()
    (tmp_path / "recordings-other" / "b").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "below").symlink_to(tmp_path)
    for path in ("link", "below/secret", "../secret", "%2e%2e/secret", "../recordings-other/b"):
        with pytest.raises(SourceUnreadable):
            read(f"file://{folder}/{path}", folder)


def test_links_within_the_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    (folder / "link").symlink_to("a.wav")
    assert read(f"file://{tmp_path}/alias/link", tmp_path / "alias") == CONTENT


def test_a_circle_of_links_is_refused(folder: Path) -> None:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    with pytest.raises(SourceUnreadable):
        read(f"file://{folder}/one")


def test_only_regular_files_are_opened_and_nothing_hangs(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        for path in (folder / "pipe", folder / "socket", folder, Path("/dev/zero")):
            with pytest.raises(SourceUnreadable):
                read(path.as_uri())


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(CONTENT)
    other.rename(path)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _rewrite(path: Path) -> None:
    path.write_bytes(CONTENT[::-1])


@pytest.mark.parametrize(
    "change", [_replace, _grow, _rewrite, lambda path: os.truncate(path, 300_000)]
)
def test_a_file_that_changes_while_it_is_read_is_noticed(
    folder: Path, change: Callable[[Path], None]
) -> None:
    url = f"file://{folder}/a.wav"
    with open_source(url, dirs=(), egress=Egress(), limits=LIMITS) as source:
        blocks = iter(source)
        next(blocks)
        time.sleep(0.01)
        change(folder / "a.wav")
        with pytest.raises(SourceChanged):
            list(blocks)


def test_a_file_removed_while_it_is_read_was_read_whole(folder: Path) -> None:
    url = f"file://{folder}/a.wav"
    with open_source(url, dirs=(), egress=Egress(), limits=LIMITS) as source:
        blocks = iter(source)
        first = next(blocks)
        (folder / "a.wav").unlink()
        assert first + b"".join(blocks) == CONTENT


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
def authority() -> trustme.CA:
    return trustme.CA()


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


@pytest.fixture
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.mark.usefixtures("_trusted")
def test_an_https_recording_is_read_whole_and_again(https: str) -> None:
    with open_source(f"{https}/whole?a=b", dirs=(), egress=Egress(), limits=LIMITS) as source:
        assert source.size == len(CONTENT)
        assert b"".join(source) == CONTENT
        assert b"".join(source) == CONTENT


@pytest.mark.usefixtures("_trusted")
def test_an_https_recording_may_come_unannounced_or_from_elsewhere(https: str) -> None:
    url = f"{https}/unannounced"
    with open_source(url, dirs=(), egress=Egress(), limits=LIMITS) as source:
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
        read(f"{https}/{path}", egress=denied)
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


@pytest.mark.parametrize("url", ["https://", "https:///a", "https://h:99999/", "https://[::1/a"])
def test_an_https_url_without_a_server_is_refused(url: str) -> None:
    with pytest.raises(SourceUnreadable):
        read(url)
