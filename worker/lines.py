"""The last step of a log line: a thread of its own writes them, several at once.

A caller hands its line over and goes on, whatever the stream does. Lines keep their order. The
thread writes as soon as there is a line, together with those that have come by then: no line waits
for another. While the stream is blocked, `KEPT` lines wait; later lines are lost, and counted.
"""

import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import UnsupportedOperation
from queue import Empty, SimpleQueue
from typing import TextIO

BATCH = 16
"""Most lines in one write."""
KEPT = 10_000
"""Most lines that wait while the stream is blocked."""
FLUSH_SECONDS = 2.0
"""Longest wait for a stream that takes nothing, at the end of the process."""
FLUSHES = 10
"""As often it is waited for anew, while the stream takes lines slowly."""


class Lines:
    """Callable from any thread, and again while it is called: a destructor may log too."""

    def __init__(self, stream: TextIO, tell_lost: Callable[[int], None], kept: int = KEPT) -> None:
        """`tell_lost` is called with the number of lines that were lost, once lines are taken."""
        self._encoding = stream.encoding or "utf-8"
        self._out = _opened(stream)
        self._tell_lost = tell_lost
        self._kept = kept
        self._lost = 0
        self._counting = threading.RLock()
        # SimpleQueue, since its put() may be interrupted by another one in the same thread.
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._ended = False
        self._writes = 0
        # A daemon: a stream that is blocked must not keep the process from ending.
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def add(self, line: str) -> None:
        """Have the line written. Never waits for the stream."""
        if self._waiting.qsize() >= self._kept:
            self._lose(1)
        else:
            self._waiting.put(f"{line}\n".encode(self._encoding, "backslashreplace"))

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until all lines so far are written, or nothing was for as long as this."""
        written = threading.Event()
        self._waiting.put(written)
        for _ in range(FLUSHES):
            before = self._writes
            if written.wait(seconds) or self._writes == before:
                return

    def close(self) -> None:
        """Write what waits, and end the thread. What is added later is lost."""
        self._ended = True
        self.flush()

    def _run(self) -> None:
        while not self._ended or not self._waiting.empty():
            taken = [self._waiting.get()]
            with suppress(Empty):
                while len(taken) < BATCH:
                    taken.append(self._waiting.get_nowait())
            self._write([each for each in taken if isinstance(each, bytes)])
            for each in taken:
                if isinstance(each, threading.Event):
                    each.set()
        self._out.close()

    def _write(self, lines: Iterable[bytes]) -> None:
        for data in _packed(lines):
            try:
                self._out.write(data)
            except (OSError, ValueError):  # closed, or full: there is nowhere to tell it yet
                self._lose(data.count(b"\n"))
            else:
                self._writes += 1
                self._tell()

    def _lose(self, lines: int) -> None:
        with self._counting:
            self._lost += lines

    def _tell(self) -> None:
        with self._counting:
            lost, self._lost = self._lost, 0
        if lost:
            self._tell_lost(lost)


def _packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, as many as a pipe takes in one piece.

    The workers of a supervisor share one stream: longer writes to a pipe may be mixed with theirs.
    """
    data = b""
    for line in lines:
        if data and len(data) + len(line) > select.PIPE_BUF:
            yield data
            data = b""
        data += line
    if data:
        yield data


class _Descriptor:
    """The stream's file, under a duplicated descriptor that nobody else can close.

    The stream itself is not used: a thread that waits in its buffer holds the buffer's lock, and
    Python aborts at the end of the process if that lock is still held.
    """

    def __init__(self, stream: TextIO) -> None:
        stream.flush()
        self._number = os.dup(stream.fileno())

    def write(self, data: bytes) -> None:
        """Write all of it, however long that takes. Raises OSError where nobody takes it."""
        while data:
            try:
                data = data[os.write(self._number, data) :]
            except BlockingIOError:  # whoever shares it has made it so
                poll = select.poll()
                poll.register(self._number, select.POLLOUT)
                poll.poll()

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._number)


class _InMemory:
    """A stream without a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Write all of it."""
        self._stream.write(data.decode())

    def close(self) -> None:
        """The stream belongs to its maker, who closes it."""


def _opened(stream: TextIO) -> _Descriptor | _InMemory:
    try:
        return _Descriptor(stream)
    except UnsupportedOperation:
        return _InMemory(stream)
