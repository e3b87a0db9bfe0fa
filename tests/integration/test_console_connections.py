"""The console over bare sockets: nobody keeps others out by being slow, silent or many."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.console import Console, serving
from tests.integration.platform import WAIT_SECONDS, MakeCourier, until
from worker.console import connections, guards

HALF = b"GET /sign-in HTTP/1.1\r\nHost: console\r\nX-Slow: "
MANY = 300
SOON = 3.0
"""Seconds of a head that does not end: a busy machine may send its beginning late."""


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with serving(make_courier()) as console:
        console.user("admin", None)
        yield console


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(console: Console, stack: ExitStack, source: str = "127.0.0.1") -> socket.socket:
    host, port = console.url.removeprefix("http://").split(":")
    made = socket.create_connection((host, int(port)), WAIT_SECONDS, source_address=(source, 0))
    return stack.enter_context(made)


def said(connection: socket.socket) -> bytes:
    """Everything that the console says until it closes."""
    heard = b""
    try:
        while part := connection.recv(65_536):
            heard += part
    except ConnectionError:
        pass
    return heard


def test_half_sent_requests_keep_nobody_out(console: Console, sockets: ExitStack) -> None:
    for _ in range(MANY):
        connected(console, sockets).sendall(HALF)

    assert console.nobody().get("/sign-in").status_code == 200


def test_half_sent_requests_of_many_addresses_keep_nobody_out(
    console: Console, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 40)
    for number in range(MANY):
        connected(console, sockets, f"127.0.1.{number % 20 + 1}").sendall(HALF)

    assert console.nobody().get("/sign-in").status_code == 200


def test_connections_that_say_nothing_keep_nobody_out(console: Console, sockets: ExitStack) -> None:
    for _ in range(MANY):
        connected(console, sockets)

    assert console.nobody().get("/sign-in").status_code == 200


def test_half_sent_bodies_keep_nobody_out(console: Console, sockets: ExitStack) -> None:
    for _ in range(MANY):
        head = b"POST /sign-in HTTP/1.1\r\nHost: console\r\nContent-Length: 50\r\n\r\nlogin="
        connected(console, sockets).sendall(head)

    assert console.nobody().get("/sign-in").status_code == 200


def test_a_head_that_does_not_end_is_given_up(
    console: Console, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
    half, silent = connected(console, sockets), connected(console, sockets)
    half.sendall(HALF)

    assert said(half).startswith(b"HTTP/1.1 408 ")
    assert said(silent) == b""


def test_single_bytes_do_not_move_the_deadline_of_a_head(
    console: Console, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    drip = connected(console, sockets)
    drip.settimeout(0.05)

    def is_over() -> bool:
        try:
            drip.sendall(b"G")
            return drip.recv(100) is not None
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    until(is_over, "the console to give a dripping request up")


def test_a_second_request_of_a_connection_has_a_deadline_too(
    console: Console, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
    kept = connected(console, sockets)
    kept.sendall(b"GET /static/nothing HTTP/1.1\r\nHost: console\r\n\r\n")
    assert kept.recv(65_536).startswith(b"HTTP/1.1 404 ")
    kept.sendall(HALF)

    assert b"HTTP/1.1 408 " in said(kept)


def test_a_body_that_does_not_end_is_given_up_and_changes_nothing(
    console: Console, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "BODY_SECONDS", 0.5)
    slow = connected(console, sockets)
    slow.sendall(b"POST /sign-in HTTP/1.1\r\nHost: c\r\nContent-Length: 50\r\n\r\nlogin=")

    assert said(slow).startswith(b"HTTP/1.1 408 ")


def test_half_of_a_change_is_no_change(console: Console, sockets: ExitStack) -> None:
    console.platform.core.directory.create("acme", ftp_access=True)
    program = console.program(None)
    head = (
        "POST /api/v1/accounts/acme/suspend HTTP/1.1\r\nHost: c\r\nContent-Length: 50\r\n"
        f"Authorization: {program.headers['Authorization']}\r\n\r\n{{"
    )
    cut = connected(console, sockets)
    cut.sendall(head.encode())
    cut.close()

    assert program.get("/accounts/acme").status_code == 200
    assert not console.platform.run_state("acme").paused
    assert console.actions("acme") == []


def test_answers_that_nobody_reads_are_cut_off(
    console: Console, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CHECK_SECONDS", 0.5)
    reader = connected(console, sockets)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    script = b"GET /static/htmx/htmx.min.js HTTP/1.1\r\nHost: console\r\n\r\n"

    def is_cut() -> bool:
        try:
            reader.settimeout(0.2)
            reader.sendall(script)
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return False

    until(is_cut, "the console to cut a client off that reads nothing")


def test_what_is_no_http_is_refused_in_the_one_shape_of_errors(
    console: Console, sockets: ExitStack
) -> None:
    garbage = connected(console, sockets)
    garbage.sendall(b"\x16\x03\x01 hello\r\n\r\n")

    heard = said(garbage)
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b'{"error": {"message":' in heard
