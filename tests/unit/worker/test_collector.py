"""The way of spans to their collector: one POST each, trusted as the platform's services are."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from config.tls import Trust
from consumers.observe import Observation, Trouble
from tests.servers.https import ScriptedHttps
from tests.servers.otlp import otlp_receiver
from worker.collector import ANSWER_SECONDS, Collector

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
