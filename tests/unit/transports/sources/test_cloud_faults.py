"""What the libraries of Google and Azure would do with unsound answers, and must not do here."""

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from config.clouds import AzureSettings, GoogleSettings
from config.stores import S3Settings
from tests.servers.https import ScriptedHttps
from tests.servers.store import Asked, Reply, Store
from tests.unit.transports.sources.cloud import CONTENT, KEY, LOGIN, NAMES, Cloud, read
from transports.base import Egress, Limits
from transports.errors import (
    ResourcesExhausted,
    SourceAway,
    SourceFailure,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from transports.sources.clouds.loop import Calls, shared_loop
from transports.sources.http import Silent
from transports.sources.logins import Cut
from transports.sources.source import open_source
from transports.sources.stores import Stores

SIGNATURE = "TOPSECRETSIG"


@pytest.fixture(params=["gs", "az"])
def cloud(request: pytest.FixtureRequest, store: Store) -> Cloud:
    return Cloud(request.param, store)


@pytest.fixture
def scripted(authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[ScriptedHttps]:
    request.getfixturevalue("_trusted")
    with ScriptedHttps(authority) as server:
        yield server


def signed(url: str) -> Stores:
    """Azure with a shared access signature, which stands in each URL that is asked for."""
    sas = SecretStr(f"sv=2021-12-02&sp=r&sig={SIGNATURE}")
    return Stores(azure=AzureSettings(NAMES, "platform", f"{url}/platform", sas=sas))


UNSOUND = [
    b"garbage\r\n\r\n",
    b"HTTP/1.1 two OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
    b"",
]


@pytest.mark.parametrize("said", UNSOUND)
def test_an_unsound_answer_is_told_without_the_signature(
    store: Store, scripted: ScriptedHttps, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.says(said)
    with pytest.raises(SourceFailure) as failure:
        read(Cloud("az", store), signed(scripted.url))
    told: BaseException | None = failure.value
    while told is not None:
        assert SIGNATURE not in f"{told!s} {told!r}"
        told = None if told.__suppress_context__ else told.__cause__ or told.__context__
    assert SIGNATURE not in caplog.text


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x"])
def test_a_range_that_comes_compressed_is_not_unpacked(cloud: Cloud, encoding: str) -> None:
    """Else 1.5 MB of it become gigabytes of memory, in the thread that all recordings share."""
    bomb = gzip.compress(bytes(20_000_000))
    head = {
        "Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}",
        "Content-Encoding": encoding,
    }
    cloud.answers = lambda asked: (206, head, bomb) if cloud.is_for_content(asked) else None
    with pytest.raises(SourceUnreadable, match="compresses"):
        read(cloud)


RANGES = [
    (206, f"bytes 1-{len(CONTENT)}/{len(CONTENT) + 1}"),
    (206, f"bytes 0-{len(CONTENT)}/{len(CONTENT)}"),
    (206, ""),
    (206, "bytes */2560"),
    (200, "bytes 1-2560/2561"),
]


@pytest.mark.parametrize(("status", "told"), RANGES)
def test_as_many_bytes_of_another_range_are_not_taken(cloud: Cloud, status: int, told: str) -> None:
    said: Reply = status, {"Content-Range": told}, CONTENT[::-1]
    cloud.answers = lambda asked: said if cloud.is_for_content(asked) else None
    with pytest.raises(SourceUnreadable, match="another range"):
        read(cloud)


@pytest.mark.parametrize(
    ("read_scheme", "refused_scheme"), [("gs", "az"), ("az", "gs"), ("s3", "az"), ("gs", "s3")]
)
def test_a_bucket_of_the_same_name_elsewhere_says_nothing_of_a_login(
    store: Store, read_scheme: str, refused_scheme: str
) -> None:
    usual = Cloud("gs", store)
    endpoint = f"https://{store.authority}"
    stores = Stores(
        google=usual.stores.google,
        azure=usual.stores.azure,
        s3=S3Settings(NAMES, endpoint, None, "AKIDEXAMPLE", SecretStr("s3cr3t")),
    )
    clouds = {each: Cloud(each, store) for each in ("gs", "az", "s3")}
    store.does.replies = clouds[read_scheme].reply
    read(clouds[read_scheme], stores)
    refusal = clouds[refused_scheme].error(403, "AuthorizationPermissionMismatch")
    store.does.replies = refusal
    with pytest.raises(SourceRefused):
        read(clouds[refused_scheme], stores)


def test_a_reading_that_is_ended_closes_no_store_to_others(cloud: Cloud) -> None:
    stores = cloud.stores
    waits = threading.Event()

    def answers(asked: Asked) -> None:
        if cloud.is_for_content(asked) and not waits.is_set():
            waits.set()
            time.sleep(2)

    cloud.answers = answers
    with open_source(
        f"{cloud.scheme}://calls/a.wav",
        dirs=(),
        max_bytes=10_000,
        egress=Egress(),
        limits=Limits(),
        stores=stores,
    ) as source:
        threading.Timer(0.3, source.cut).start()
        with pytest.raises(SourceAway, match="ended"):
            b"".join(source)
    assert read(cloud, stores) == CONTENT


def test_who_tries_a_silent_store_and_is_ended_leaves_it_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transports.sources.stores.PAUSE", 0.0)
    stores = Stores()
    with pytest.raises(SourceAway), stores.asking("host", 600):
        raise SourceAway("gone")
    with pytest.raises(Cut), stores.asking("host", 600):
        raise Cut
    with stores.asking("host", 600):
        pass


WAITS = [
    ("http", Limits(resolve=5, connect=5, reply=5, stall=0.5), "No byte came in 0.5 seconds"),
    ("https", Limits(resolve=5, connect=0.5, reply=5, stall=5), "No connection in 0.5 seconds"),
    ("http", Limits(resolve=0.2, connect=0.5, reply=0.3, stall=5), "No answer in 1 seconds"),
]


@pytest.mark.parametrize(("scheme", "limits", "words"), WAITS)
def test_the_limit_that_ended_a_wait_is_kept_and_named(
    cloud: Cloud, scheme: str, limits: Limits, words: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        stores = Stores(
            google=GoogleSettings(NAMES, endpoint, LOGIN),
            azure=AzureSettings(NAMES, "platform", endpoint, SecretStr(KEY)),
        )
        read(cloud)  # the libraries are loaded
        started = time.monotonic()
        with pytest.raises(Silent) as waited:
            read(cloud, stores, limits=limits)
    assert time.monotonic() - started < 4
    assert waited.value.words == words


NONSENSE = [
    b"[" * 100_000,
    b'{"name": "a.wav", "size": "-5", "generation": "1"}',
    b'{"name": "a.wav", "size": 1e400, "generation": "1"}',
    b'{"name": "a.wav", "size": 2.5, "generation": "1"}',
    b'{"name": "a.wav", "size": null, "generation": "1"}',
    b'{"name": "a.wav", "generation": "1"}',
    b'{"name": "a.wav", "size": "1", "contentEncoding": ["gzip"]}',
]


@pytest.mark.parametrize("said", NONSENSE)
def test_what_google_tells_of_an_object_must_make_sense(store: Store, said: bytes) -> None:
    cloud = Cloud("gs", store)
    cloud.answers = lambda _: (200, {}, said)
    with pytest.raises(SourceUnreadable):
        read(cloud)


@pytest.mark.parametrize("told", [{}, {"generation": ""}, {"generation": None}])
def test_an_object_of_google_without_a_generation_is_not_read(
    store: Store, told: dict[str, str | None]
) -> None:
    """Else a replacement of the same size in the middle would be mixed with what came before."""
    cloud = Cloud("gs", store)
    meta = json.dumps({"name": "a.wav", "size": str(len(CONTENT)), **told}).encode()
    cloud.answers = lambda asked: None if cloud.is_for_content(asked) else (200, {}, meta)
    with pytest.raises(SourceUnreadable, match="makes no sense"):
        read(cloud)


def test_an_error_of_google_whose_content_nests_without_end_is_its_status(store: Store) -> None:
    cloud = Cloud("gs", store)
    cloud.answers = lambda _: (404, {}, b"[" * 15_000)
    with pytest.raises(SourceMissing, match="HTTP 404"):
        read(cloud)


CHUNKS = [b"zz\r\n", b"5\r\nab", b"2\r\n{}\r\nx", b"-1\r\n{}\r\n0\r\n\r\n"]


@pytest.mark.parametrize("chunks", CHUNKS)
def test_unsound_chunks_are_a_failure_of_the_source(
    store: Store, scripted: ScriptedHttps, chunks: bytes
) -> None:
    scripted.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    with pytest.raises(SourceFailure):
        read(Cloud("gs", store), Stores(google=GoogleSettings(NAMES, scripted.url, LOGIN)))


def test_a_loop_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.sources.clouds.loop._GRACE", 0.5)

    async def hang() -> None:
        time.sleep(3)  # noqa: ASYNC251 - it hangs

    async def answer() -> int:
        return 1

    def use() -> None:
        with shared_loop() as loop, pytest.raises(Silent):
            loop.run(hang(), 0.1, Calls())

    first = threading.Thread(target=use)
    started = time.monotonic()
    first.start()
    time.sleep(0.8)  # it is being ended
    with shared_loop() as other:
        assert other.run(answer(), 1, Calls()) == 1
    first.join()
    assert time.monotonic() - started < 2.5


def test_a_loop_for_which_no_thread_is_left_is_the_platforms_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    descriptors = Path("/proc/self/fd")
    before = len([*descriptors.iterdir()])
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", start)
        for _ in range(3):
            with pytest.raises(ResourcesExhausted, match="no more threads"), shared_loop():
                pass
    assert len([*descriptors.iterdir()]) == before
