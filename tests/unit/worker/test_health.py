"""The health server, asked over real connections."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from worker import health
from worker.health import HealthServer

TEXT = "text/plain; version=0.0.4"


def fine() -> None:
    return None


@contextmanager
def running(
    metrics: Callable[[str], tuple[str, bytes]] = lambda _: (TEXT, b"courier_events_total 1\n"),
    bind: str = "127.0.0.1:0",
    state: str = "ready",
    **ready: Callable[[], str | None],
) -> Iterator[HealthServer]:
    server = HealthServer(
        bind, metrics=metrics, live={"threads": fine}, ready=ready, state=lambda _: state
    )
    with server:
        yield server


def ask(
    server: HealthServer, path: str, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_a_scrape_gets_the_metrics_in_prometheus_text_format() -> None:
    with running() as server:
        status, headers, body = ask(server, "/metrics")
    assert status == 200
    assert (headers["Content-Type"] or "").startswith("text/plain; version=")
    assert body == b"courier_events_total 1\n"


def test_ready_names_each_check() -> None:
    with running(mongodb=fine, rabbitmq=fine) as server:
        status, headers, body = ask(server, "/readyz")
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"status": "ready", "checks": {"mongodb": "ok", "rabbitmq": "ok"}}


def test_not_ready_says_why() -> None:
    def away() -> str:
        return "RabbitMQ does not answer."

    with running(state="degraded", mongodb=fine, rabbitmq=away) as server:
        status, _, body = ask(server, "/readyz")
        live, _, _ = ask(server, "/healthz")
    assert (status, live) == (503, 200)
    assert json.loads(body) == {
        "status": "degraded",
        "checks": {"mongodb": "ok", "rabbitmq": "RabbitMQ does not answer."},
    }


def test_a_check_that_breaks_is_a_check_that_fails() -> None:
    def broken() -> str | None:
        raise KeyError("hunter2")

    with running(mongodb=broken) as server:
        status, _, body = ask(server, "/readyz")
    assert status == 503
    assert json.loads(body)["checks"] == {"mongodb": "The check itself failed: KeyError."}


def test_a_state_that_changes_is_seen_at_once() -> None:
    states: list[str | None] = ["Not yet.", None]
    with running(topology=lambda: states.pop(0)) as server:
        assert ask(server, "/readyz")[0] == 503
        assert ask(server, "/readyz")[0] == 200


def test_no_check_is_asked_twice_for_one_answer() -> None:
    asked: list[str] = []
    with running(mongodb=lambda: asked.append("mongodb"), rabbitmq=fine) as server:
        ask(server, "/readyz")
    assert asked == ["mongodb"]


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/../metrics", "/%00"])
def test_anything_else_is_not_found(path: str) -> None:
    with running() as server:
        assert ask(server, path)[0] == 404


def test_a_query_does_not_matter() -> None:
    with running() as server:
        assert ask(server, "/healthz?verbose=1")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_only_reading_is_allowed(method: str) -> None:
    with running() as server:
        status, headers, _ = ask(server, "/metrics", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


def test_head_has_the_headers_and_no_body() -> None:
    with running() as server:
        status, headers, body = ask(server, "/metrics", "HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == "23"


def test_metrics_that_cannot_be_told_are_an_answer_too(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_accept: str) -> tuple[str, bytes]:
        raise KeyError("x")

    with running(metrics=broken) as server:
        status, _, body = ask(server, "/metrics")
        assert ask(server, "/healthz")[0] == 200
    assert (status, body) == (500, b"Internal Server Error\n")
    capsys.readouterr()


def test_nothing_is_logged_for_a_request(capfd: pytest.CaptureFixture[str]) -> None:
    with running() as server:
        ask(server, "/metrics")
        with socket.create_connection(server.address, 5) as rude:
            rude.sendall(b"\x00garbage\r\n\r\n")
            rude.recv(1000)
    assert capfd.readouterr() == ("", "")


def test_a_silent_client_is_dropped_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health._QuietHandler, "timeout", 0.3)
    with running() as server, socket.create_connection(server.address, 5) as silent:
        assert ask(server, "/healthz")[0] == 200
        silent.settimeout(5)
        assert silent.recv(100) == b""


def test_a_client_that_drips_is_cut_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REQUEST_SECONDS", 0.3)
    with (
        running() as server,
        socket.create_connection(server.address, 5) as slow,
        pytest.raises(OSError, match=r"Broken pipe|reset"),
    ):
        drip(slow, 5)


def drip(connection: socket.socket, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.sendall(b"G")
        time.sleep(0.05)


def test_silent_and_half_sent_requests_keep_no_probe_out() -> None:
    with running() as server, contextlib.ExitStack() as stack:
        for number in range(health.REQUESTS * 3):
            idle = stack.enter_context(socket.create_connection(server.address, 5))
            idle.sendall(b"GET /healthz HTTP/1.1\r\nX: " if number % 2 else b"")

        assert ask(server, "/healthz")[0] == 200


def test_too_many_at_once_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REQUESTS", 1)
    entered, leave = threading.Event(), threading.Event()

    def slow() -> str | None:
        entered.set()
        leave.wait(10)
        return None

    with running(slow=slow) as server:
        first = threading.Thread(target=ask, args=(server, "/readyz"))
        first.start()
        assert entered.wait(5)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(server, "/healthz")
        leave.set()
        first.join(10)
        deadline = time.monotonic() + 5
        while not answers(server):
            assert time.monotonic() < deadline


def answers(server: HealthServer) -> bool:
    try:
        return ask(server, "/healthz")[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    ("well", "flaw", "status", "word", "named"),
    [
        (None, None, 200, "ready", {"mongodb": "ok", "queues": "ok"}),
        (None, "A queue.", 200, "degraded", {"mongodb": "ok", "queues": "A queue."}),
        ("Away.", "A queue.", 503, "ready", {"mongodb": "Away."}),
    ],
)
def test_a_flaw_degrades_what_serves_and_is_not_looked_for_where_worse_is(
    well: str | None, flaw: str | None, status: int, word: str, named: dict[str, str]
) -> None:
    server = HealthServer(
        "127.0.0.1:0",
        metrics=lambda _: (TEXT, b""),
        live={},
        ready={"mongodb": lambda: well},
        state=lambda _: "ready",
        flaws={"queues": lambda: flaw},
    )
    with server:
        code, _, body = ask(server, "/readyz")
    assert (code, json.loads(body)) == (status, {"status": word, "checks": named})


def test_it_can_be_started_again_and_stopped_twice() -> None:
    server = HealthServer(
        "127.0.0.1:0", metrics=lambda _: (TEXT, b""), live={}, ready={}, state=lambda _: "ready"
    )
    for _ in range(2):
        server.start()
        assert ask(server, "/healthz")[0] == 200
        server.stop()
        server.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.address


def test_an_address_in_use_is_an_error_at_the_start() -> None:
    with running() as server:
        host, port = server.address
        second = HealthServer(
            f"{host}:{port}",
            metrics=lambda _: (TEXT, b""),
            live={},
            ready={},
            state=lambda _: "ready",
        )
        with pytest.raises(OSError, match="in use"):
            second.start()


def test_it_listens_on_ipv6_too() -> None:
    with running(bind="[::1]:0") as server:
        assert ask(server, "/healthz")[0] == 200


def test_nothing_is_left_after_stop() -> None:
    before = threading.active_count()
    with running() as server:
        ask(server, "/healthz")
        host, port = server.address
    deadline = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < deadline
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), 5)
