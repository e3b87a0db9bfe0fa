"""The slow line delays what passes, and changes nothing else."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.processes import free_port
from tests.bench.line import slow_line
from tests.servers.namespace import LOOPBACK

ROUND_TRIP = 0.1
MEGABYTES = 20


@contextmanager
def served(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """One connection is answered in a thread; the port."""
    port = free_port()
    with socket.create_server((LOOPBACK, port)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield port
        thread.join(10)


def greet_and_echo(connection: socket.socket) -> None:
    connection.sendall(b"220 hello")
    while data := connection.recv(1000):
        connection.sendall(data)
    connection.sendall(b" and goodbye")


def digest_all(connection: socket.socket) -> None:
    digest = hashlib.sha256()
    while data := connection.recv(1024 * 1024):
        digest.update(data)
    connection.sendall(digest.hexdigest().encode())


def test_a_greeting_takes_two_round_trips_and_an_answer_one(tmp_path: Path) -> None:
    with served(greet_and_echo) as port, slow_line(ROUND_TRIP, [port], tmp_path / "log") as host:
        began = time.monotonic()
        with socket.create_connection((host, port), 5) as client:
            assert client.recv(1000) == b"220 hello"
            greeted = time.monotonic()
            client.sendall(b"ping")
            assert client.recv(1000) == b"ping"
            answered = time.monotonic()
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1000) == b" and goodbye"
            assert client.recv(1000) == b""

    assert greeted - began >= 2 * ROUND_TRIP
    assert answered - greeted >= ROUND_TRIP


def test_what_passes_arrives_whole_in_order_and_without_a_limit_of_bandwidth(
    tmp_path: Path,
) -> None:
    content = os.urandom(MEGABYTES * 1_000_000)
    with served(digest_all) as port, slow_line(ROUND_TRIP, [port], tmp_path / "log") as host:
        began = time.monotonic()
        with socket.create_connection((host, port), 20) as client:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            told = client.recv(1000).decode()
        seconds = time.monotonic() - began

    assert told == hashlib.sha256(content).hexdigest()
    assert seconds < 15, "a window of 64 KB would need 30 s"


def test_a_server_that_is_not_there_ends_the_connection(tmp_path: Path) -> None:
    port = free_port()
    with (
        slow_line(ROUND_TRIP, [port], tmp_path / "log") as host,
        socket.create_connection((host, port), 5) as client,
    ):
        assert client.recv(1) == b""
