"""How log lines get out: several at once, in order, none lost, and nobody waits for the stream."""

import fcntl
import io
import itertools
import json
import os
import re
import select
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TextIO

import pytest

from tests.integration.platform import until
from worker.lines import BATCH, Lines

LIMIT = 60.0
LOGS = """
import logging, sys
import structlog
from worker.logs import configure

configure("json")
log = structlog.stdlib.get_logger("courier")
for number in range(int(sys.argv[1])):
    log.info("told", number=number, words="x" * 600)
logging.getLogger("pika").warning("the last one")
exec(sys.argv[2])
"""


class Gate(io.StringIO):
    """A stream that takes nothing until it is opened, and notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.opened = threading.Event()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.asked.set()
        assert self.opened.wait(LIMIT)
        self.writes.append(text)
        return super().write(text)


@contextmanager
def lines_to(stream: TextIO, kept: int = 10_000) -> Iterator[tuple[Lines, list[int]]]:
    lost: list[int] = []
    lines = Lines(stream, lost.append, kept)
    try:
        yield lines, lost
    finally:
        lines.close()


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as stream:
            yield reading, stream
    finally:
        os.close(reading)


def waiting_in(reading: int) -> int:
    """Bytes that nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(reading, termios.FIONREAD, bytes(4)), sys.byteorder)


def logging_program(lines: int, end: str = "", **options: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", LOGS, str(lines), end]
    return subprocess.Popen(argv, stderr=options.get("stderr", subprocess.PIPE))


def test_what_waits_is_written_sixteen_lines_at_a_time() -> None:
    gate = Gate()
    with lines_to(gate) as (lines, _):
        lines.add("0")
        assert gate.asked.wait(LIMIT)
        for number in range(1, 41):
            lines.add(str(number))
        gate.opened.set()
        lines.flush(LIMIT)
    assert gate.getvalue().split() == [str(number) for number in range(41)]
    assert [len(write.split()) for write in gate.writes] == [1, BATCH, BATCH, 8]


def test_a_write_is_never_longer_than_a_pipe_takes_in_one_piece() -> None:
    gate = Gate()
    long = "x" * (select.PIPE_BUF // 3)
    with lines_to(gate) as (lines, _):
        lines.add("0")
        assert gate.asked.wait(LIMIT)
        for each in [long] * 4 + ["y" * (2 * select.PIPE_BUF)] + ["z"]:
            lines.add(each)
        gate.opened.set()
        lines.flush(LIMIT)
    assert [len(write.split()) for write in gate.writes] == [1, 2, 2, 1, 1]
    assert all(write.endswith("\n") for write in gate.writes)


def test_the_lines_of_several_processes_on_one_pipe_are_never_mixed() -> None:
    with pipe() as (reading, stream):
        programs = [logging_program(500, stderr=stream.fileno()) for _ in range(3)]
        stream.close()
        until(lambda: waiting_in(reading) >= 40_000, "the pipe to be full")
        with os.fdopen(os.dup(reading)) as told:
            numbers = [json.loads(line).get("number") for line in told]
        assert [program.wait(LIMIT) for program in programs] == [0, 0, 0]
    assert sorted(number for number in numbers if number is not None) == sorted([*range(500)] * 3)


def test_threads_may_log_at_once_and_each_ones_lines_keep_their_order() -> None:
    stream = io.StringIO()
    with lines_to(stream) as (lines, lost):

        def log(name: str) -> None:
            for number in range(500):
                lines.add(f"{name} {number}")

        threads = [threading.Thread(target=log, args=(name,)) for name in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines.flush(LIMIT)
    told = sorted(
        (line.split() for line in stream.getvalue().splitlines()), key=lambda each: each[0]
    )
    for _, each in itertools.groupby(told, key=lambda each: each[0]):
        assert [int(number) for _, number in each] == [*range(500)]
    assert (len(told), lost) == (4000, [])


def test_a_stream_that_is_blocked_holds_nobody_up_and_what_was_lost_is_told() -> None:
    with pipe() as (reading, stream), lines_to(stream, kept=100) as (lines, lost):
        line = "x" * 1000
        while lines._waiting.qsize() < 100:
            lines.add(line)
        for _ in range(7):
            lines.add(line)
        until(lambda: os.read(reading, 10_000) and lost, "the stream to be taken again")
        assert sum(lost) >= 7


def test_a_stream_that_nobody_reads_any_more_fails_nobody() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, lines_to(stream) as (lines, lost):
        os.close(reading)
        lines.add("to nobody")
        lines.flush(LIMIT)
        assert (lines._lost, lost) == (1, [])


def test_a_stream_that_somebody_has_made_nonblocking_gets_all() -> None:
    with pipe() as (reading, stream), lines_to(stream) as (lines, lost):
        os.set_blocking(stream.fileno(), False)
        for number in range(3000):
            lines.add(f"{number:0100}")
        closing = threading.Thread(target=partial(lines.flush, LIMIT))
        closing.start()
        with os.fdopen(os.dup(reading)) as told:
            read = [int(next(told)) for _ in range(3000)]
        closing.join()
    assert (read, lost) == ([*range(3000)], [])


@pytest.mark.parametrize(
    ("end", "code"),
    [("sys.exit(3)", 3), ("raise KeyError('x')", 1)],
    ids=["sys.exit", "an error"],
)
def test_all_that_was_logged_is_written_when_the_process_ends(end: str, code: int) -> None:
    program = logging_program(500, end)
    _, told = program.communicate(timeout=LIMIT)
    # Not by lines: Python writes the words of an error in pieces, and some stand between them.
    assert [int(each) for each in re.findall(rb'"number": (\d+)', told)] == [*range(500)]
    assert b'"the last one"' in told
    assert program.returncode == code


def test_what_was_logged_before_a_kill_is_written_without_anything_further() -> None:
    ends_never = "import threading; threading.Event().wait()"
    program = logging_program(500, ends_never)
    assert program.stderr is not None
    told = [json.loads(program.stderr.readline()) for _ in range(501)]
    program.kill()
    _, rest = program.communicate(timeout=LIMIT)
    assert (told[-1]["event"], rest) == ("the last one", b"")


def test_a_stream_that_is_slow_is_waited_for_as_long_as_it_takes_lines() -> None:
    with pipe() as (reading, stream), lines_to(stream) as (lines, lost):
        for number in range(700):
            lines.add(f"{number:0500}")
        flushing = threading.Thread(target=partial(lines.flush, 0.5))
        flushing.start()
        with os.fdopen(os.dup(reading)) as told:
            read = []
            for number in range(700):
                read.append(int(next(told)))
                threading.Event().wait(0.2 if number % 140 == 139 else 0)
            assert lines._waiting.empty()
        flushing.join()
    assert (read, lost) == ([*range(700)], [])


def test_a_process_whose_log_nobody_reads_ends_all_the_same() -> None:
    with pipe() as (_, stream):
        program = logging_program(2000, stderr=stream.fileno())
        assert program.wait(LIMIT) == 0


def test_a_process_that_was_started_without_stderr_works_all_the_same() -> None:
    program = [sys.executable, "-c", LOGS, "500", ""]
    subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *program], timeout=LIMIT, check=True)


def test_what_the_streams_encoding_does_not_have_is_escaped() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="latin-1") as stream, lines_to(stream) as (lines, _):
        lines.add("naïve \u2713 \udc80")
        lines.flush(LIMIT)
    with os.fdopen(reading, "rb") as told:
        assert told.read() == b"na\xefve \\u2713 \\udc80\n"


def test_no_socket_gets_what_was_meant_for_a_stream_that_was_closed() -> None:
    """Its descriptor may be a customer's connection by then."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pipe() as (reading, stream), lines_to(stream) as (lines, _):
        os.dup2(ours.fileno(), stream.fileno())
        lines.add("for the log")
        lines.flush(LIMIT)
        theirs.settimeout(0)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
        assert os.read(reading, 100) == b"for the log\n"
