"""A server that says what it was told to say, and nothing else."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.customers import CustomerServer


class ScriptedServer:
    """Greets each connection with `greeting` and answers each line with the next of `answers`;
    without any it hangs up.

    `heard`: every line that came, over all connections.
    """

    def __init__(self, greeting: Iterable[bytes], *answers: bytes) -> None:
        self.heard: list[bytes] = []
        self._greeting = greeting
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="scripted", daemon=True)
        self._open: set[socket.socket] = set()

    @property
    def customer(self) -> CustomerServer:
        """What a customer would tell of it."""
        port = int(self._listener.getsockname()[1])
        return CustomerServer("127.0.0.1", port, "customer", "s3cret-of-the-test", Path())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.add(connection)
                with connection, contextlib.suppress(OSError):
                    self._talk(connection)
                self._open.discard(connection)

    def _talk(self, connection: socket.socket) -> None:
        for line in self._greeting:
            connection.sendall(line)
        if not self._answers:
            return
        with connection.makefile("rb") as lines:
            for answer, line in zip(self._answers, lines, strict=False):
                self.heard.append(line)
                connection.sendall(answer)
            for line in lines:
                self.heard.append(line)


def endless(line: bytes) -> Iterable[bytes]:
    """The line again and again."""
    return itertools.repeat(line * 100)
