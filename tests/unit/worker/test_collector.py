"""The way of spans to their collector: one POST each, trusted as the platform's services are."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from config.tls import Trust
from consumers.observe import FileEnded, Observation, Trouble
from consumers.trace import TraceContext
from tests.servers.https import ScriptedHttps
from tests.servers.otlp import otlp_receiver
from worker.collector import ANSWER_SECONDS, Collector
from worker.spans import Spans

SDK_SECONDS = 25
"""Less than OpenTelemetry's own processor waits at its end."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def told() -> list[Observation]:
    return []


@pytest.fixture
def https(tmp_path: Path) -> Iterator[tuple[ScriptedHttps, Trust]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with ScriptedHttps(authority) as server:
        yield server, Trust(tmp_path / "ca.pem")


def exported(url: str, told: list[Observation], trust: Trust | None = None) -> str:
    return str(Collector(url, trust or Trust(), told.append).export([]).name)


def test_a_collector_over_tls_is_trusted_by_the_platforms_authorities(
    https: tuple[ScriptedHttps, Trust], told: list[Observation]
) -> None:
    server, trust = https
    server.says(OK)
    assert exported(server.url, told, trust) == "SUCCESS"
    assert told == []
    assert exported(server.url, told) == "FAILURE"
    [trouble] = told
    assert isinstance(trouble, Trouble)
    assert "the certificate is not trusted" in trouble.words


def test_a_collector_that_refuses_is_told_of_once_until_it_changes(
    told: list[Observation],
) -> None:
    with otlp_receiver(status=503) as receiver:
        collector = Collector(f"{receiver.url}", Trust(), told.append)
        for status in (503, 503, 404, 200, 404):
            receiver.status = status
            collector.export([])
    assert told == [
        Trouble("otlp", f"spans are dropped: the collector answers {status}")
        for status in (503, 404, 404)
    ]


def test_a_collector_that_never_answers_is_waited_for_within_the_limit(
    told: list[Observation],
) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        assert exported(f"http://127.0.0.1:{silent.getsockname()[1]}", told) == "FAILURE"
        assert time.monotonic() - began < 10 * ANSWER_SECONDS
    assert told == [Trouble("otlp", "spans are dropped: timed out")]


def test_the_end_of_the_process_does_not_wait_for_a_collector_that_answers_byte_by_byte(
    told: list[Observation],
) -> None:
    asked, done = threading.Event(), threading.Event()

    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            asked.set()
            while not done.wait(ANSWER_SECONDS / 6):
                client.sendall(b"x")

    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        dripping = threading.Thread(target=drip, args=(server,), daemon=True)
        dripping.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        spans = Spans(url, Trust(), "worker", told.append)
        spans.observe(FileEnded("replayed", "acme", "r1", trace=TraceContext.begun()))
        assert asked.wait(60)
        began = time.monotonic()
        spans.close()
        took = time.monotonic() - began
        done.set()
        dripping.join()
    assert took < SDK_SECONDS


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 banana\r\n\r\n"])
def test_what_is_no_collector_is_told_in_words(
    https: tuple[ScriptedHttps, Trust], told: list[Observation], answer: bytes
) -> None:
    server, trust = https
    server.says(answer)
    assert exported(server.url, told, trust) == "FAILURE"
    [trouble] = told
    assert isinstance(trouble, Trouble)
    assert trouble.words.removeprefix("spans are dropped: ")
