"""The control connection: whatever a server says, what leaves it is an error of ours."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transports.ftp.control import MOST_AHEAD, Command, Control
from transports.ftp.errors import Garbled, Refused, Stranger, translate
from transports.network.dialing import Address, Connection
from transports.network.round_trip import RoundTrip

MOST_READ = 512 * 1024
"""Far above what a reply may have, far below what an endless one has, buffers included."""
LINE = st.one_of(
    st.binary(max_size=60),
    st.builds(
        b"%d%c%b".__mod__,
        st.tuples(
            st.integers(0, 999),
            st.sampled_from([b" ", b"-", b"x", b"\t"]),
            st.binary(max_size=60),
        ),
    ),
)
SAID = st.lists(LINE, max_size=12).map(b"\r\n".join)


def _end(control: Control) -> None:
    control.ask_transfer("STOR", "a.wav")
    control.end_transfer()


QUESTIONS: dict[str, Callable[[Control], object]] = {
    "greeting": Control.greet,
    "login": lambda control: control.log_in("customer", "password"),
    "flight": lambda control: control.log_in_at_once("customer", "password", "EPSV"),
    "question": lambda control: control.reply_to("MLST", "a.wav"),
    "flight of questions": lambda control: control.answers(3),
    "beginning": Control.hear_begin,
    "end": _end,
}


@contextmanager
def heard(said: bytes, *, ends: bool = True) -> Iterator[Control]:
    """The control connection to a server that says this, and hangs up or is silent."""
    ours, theirs = socket.socketpair()
    control = Control(Connection(ours, Address(socket.AF_INET, ("127.0.0.1", 21))), RoundTrip())
    speaker = threading.Thread(target=_say, args=(theirs, said, ends))
    speaker.start()
    try:
        yield control
    finally:
        control.close()
        speaker.join()


def _say(connection: socket.socket, said: bytes, ends: bool) -> None:  # noqa: FBT001 - a thread's arguments have no names
    with connection:
        try:
            connection.sendall(said)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except OSError:
            pass


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(said=SAID)
def test_whatever_is_said_only_errors_of_ours_come_of_it(
    question: Callable[[Control], object], said: bytes
) -> None:
    with heard(said) as control:
        try:
            question(control)
        except (Refused, Garbled, Stranger, EOFError, OSError) as error:
            translate(error)


@pytest.mark.parametrize(
    "line",
    [b"220-more\r\n", b"120 soon\r\n", b"x" * 100, b"no code\r\n", b"\r\n", b"226 done\r\n"],
)
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_what_never_ends_is_read_to_a_bound(
    question: Callable[[Control], object], line: bytes
) -> None:
    said = line * (4 * MOST_READ // len(line))
    with heard(said) as control:
        with suppress(Refused, Garbled, Stranger):
            question(control)
        left = 0
        while piece := control.wire.receive(65536):
            left += len(piece)
    assert left > len(said) - MOST_READ


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (b"250 done\r\n", "250 done"),
        (b"\r\n250 done\r\n", "250 done"),
        (b"sql: warning\r\n250 done\r\n", "250 done"),
        (b"226 done\r\n", "226 done"),
        (b"211-a\r\n b\r\n211 c\r\n", "211-a\n b\n211 c"),
        (b"211-a\r\n211\r\n", "211-a\n211"),
        (b"211-a\r\n200 end\r\n", "211-a\n200 end"),
        (b"211-a\r\n200 users\r\n211 end\r\n", "211-a\n200 users\n211 end"),
        (b"250 done\n", "250 done"),
        (b"250-a\r\r\n250 done\r\r\n", "250-a\n250 done"),
    ],
)
def test_replies_of_every_form_are_understood(said: bytes, reply: str) -> None:
    with heard(said, ends=False) as control:
        assert control.answers(1) == [reply]


def test_the_end_of_a_transfer_that_is_told_twice_answers_nothing_else() -> None:
    with heard(b"226 done\r\n226 twice\r\n250 done\r\n", ends=False) as control:
        control.awaits_reply = True
        control.end_transfer()
        assert control.answers(1) == ["250 done"]


def test_no_more_than_a_bound_is_on_its_way_unanswered() -> None:
    ours, theirs = socket.socketpair()
    control = Control(Connection(ours, Address(socket.AF_INET, ("127.0.0.1", 21))), RoundTrip())
    commands: list[Command] = [("SIZE", f"{number:03}{'n' * number}") for number in range(200)]
    commands.insert(7, ("SIZE", "n" * 2 * MOST_AHEAD))
    with theirs, closing(control):
        control.ask(*commands)
        heard, most = b"", 0
        for number, (verb, path) in enumerate(commands):
            with suppress(BlockingIOError):
                heard += theirs.recv(1 << 20, socket.MSG_DONTWAIT)
            most = max(most, len(heard) if number != 7 else 0)
            line, _, heard = heard.partition(b"\r\n")
            assert line.decode() == f"{verb} {path}"
            theirs.sendall(b"213 %d\r\n" % number)
            assert control.answers(1) == [f"213 {number}"]
        assert heard == b""
    assert MOST_AHEAD // 2 < most <= MOST_AHEAD


def test_what_is_asked_behind_a_transfer_counts_without_it() -> None:
    ours, theirs = socket.socketpair()
    control = Control(Connection(ours, Address(socket.AF_INET, ("127.0.0.1", 21))), RoundTrip())
    with theirs, closing(control):
        for _ in range(3):
            control.ask_transfer("STOR", "n" * MOST_AHEAD, ("EPSV", ""))
            theirs.sendall(b"150 go\r\n226 done\r\n229 (|||1|)\r\n")
            control.end_transfer()
            assert control.answers(1) == ["229 (|||1|)"]
            line = theirs.recv(1 << 20).split()
            assert [len(each) for each in line] == [4, MOST_AHEAD, 4]
