"""SFTP servers that answer nonsense, or answer what is true in an unusual way."""

import contextlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asyncssh.constants import (
    FX_FAILURE,
    FX_NO_SUCH_FILE,
    FX_OK,
    FX_PERMISSION_DENIED,
    FXP_ATTRS,
    FXP_CLOSE,
    FXP_EXTENDED,
    FXP_EXTENDED_REPLY,
    FXP_HANDLE,
    FXP_LSTAT,
    FXP_MKDIR,
    FXP_NAME,
    FXP_OPEN,
    FXP_REMOVE,
    FXP_STATUS,
    FXP_VERSION,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.accounts import HashAlgorithm
from tests.contract.accounts import open_session
from tests.servers.raw_sftp import GREETING, RawSftpServer, framed, packet, status
from transports.base import Limits, Server, TargetExists, Unsupported
from transports.errors import PathRefused, ProtocolFailed, Speaker, StartupText, TransferError

BRIEF = Limits(resolve=5, connect=5, login=1, reply=0.2, stall=0.2)
NAMED = packet(FXP_VERSION, 3, b"limits@openssh.com", b"1", b"statvfs@openssh.com", b"2")
ACTS: tuple[Callable[[Server], object], ...] = (
    lambda server: server.put([b"x" * 70_000], "a.part", "a"),
    lambda server: server.size("a"),
    lambda server: server.exists("a"),
    lambda server: server.rename("a.part", "a"),
    lambda server: server.replace("a.part", "a"),
    lambda server: server.remove("a"),
    lambda server: server.make_directory("calls/today"),
    lambda server: server.remove_directory("calls"),
    lambda server: server.digest("a", HashAlgorithm.SHA256, 5),
    lambda server: server.features,
)
KINDS = st.sampled_from([FXP_STATUS, FXP_HANDLE, FXP_NAME, FXP_ATTRS, FXP_EXTENDED_REPLY, 0, 255])


def _answers(number: int) -> st.SearchStrategy[bytes]:
    """Every answer to a request: of any kind and content, to any number, cut off or too long."""
    body = st.binary(max_size=60) | st.just(b"\xff" * 40)
    numbers = st.just(number) | st.integers(0, 2**32 - 1)
    whole = st.builds(
        lambda kind, to, rest: framed(bytes([kind]) + struct.pack(">I", to) + rest),
        KINDS,
        numbers,
        body,
    )
    done = st.just(status(number, FX_OK))
    opened = st.just(packet(FXP_HANDLE, number, b"handle"))
    return done | opened | whole | whole | st.binary(max_size=20) | st.just(b"\xff" * 400)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawSftpServer]:
    with RawSftpServer(tmp_path_factory.mktemp("raw")) as server:
        yield server


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), act=st.sampled_from(ACTS), greeting=st.sampled_from([GREETING, NAMED]))
def test_nonsense_is_an_error_of_the_transfer_and_nothing_else(
    raw: RawSftpServer, data: st.DataObject, act: Callable[[Server], object], greeting: bytes
) -> None:
    said = data.draw(st.randoms(use_true_random=False))
    raw.greeting = greeting

    def answer(_kind: int, number: int, _rest: bytes) -> bytes:
        return said.choice(choices).replace(b"NUMB", struct.pack(">I", number))

    choices = data.draw(st.lists(_answers(int.from_bytes(b"NUMB")), min_size=1, max_size=5))
    raw.answer = answer
    try:
        session = open_session(raw.customer, BRIEF)
    except TransferError:
        return
    try:
        act(session)
    except (TransferError, Unsupported, TargetExists):
        pass
    finally:
        session.close()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    greeting=st.binary(min_size=1, max_size=60)
    | st.builds(lambda rest: framed(b"\2" + rest), st.binary(max_size=90))
)
def test_a_greeting_of_nonsense_is_an_error_of_the_transfer_and_nothing_else(
    raw: RawSftpServer, greeting: bytes
) -> None:
    raw.greeting = greeting
    with contextlib.suppress(TransferError):
        open_session(raw.customer, Limits(resolve=5, connect=5, login=0.5)).close()


@pytest.mark.parametrize(
    "text", [b"Welcome to ACME!\r\nLast login: today\r\n", b"hi\n", b"\x1b[32mready\x1b[0m "]
)
def test_a_login_that_prints_text_is_told_with_its_words(tmp_path: Path, text: bytes) -> None:
    with (
        RawSftpServer(tmp_path, greeting=text + GREETING) as server,
        pytest.raises(StartupText) as failed,
    ):
        open_session(server.customer)
    assert failed.value.words.startswith("Before SFTP began, the server printed: ")
    assert text.split(b"\r")[0].strip(b"\x1b \n").split(b"\x1b")[0].decode() in failed.value.words


@pytest.mark.parametrize(
    ("code", "words"), [(FX_NO_SUCH_FILE, "No such file"), (99, "SFTP status 99")]
)
def test_where_a_server_gives_a_code_alone_the_words_are_the_programs_and_whole(
    tmp_path: Path, code: int, words: str
) -> None:
    def refuse(_kind: int, number: int, _rest: bytes) -> bytes:
        return status(number, code)

    for password in ("e", "9", "S"):
        with (
            RawSftpServer(tmp_path, refuse, password=password) as server,
            contextlib.closing(open_session(server.customer)) as session,
            pytest.raises(TransferError) as refused,
        ):
            session.put([b"x"], "call.part")
        assert (refused.value.words, refused.value.said_by) == (words, Speaker.COURIER)


@pytest.mark.parametrize("before", [b"", b"x" * 492])
def test_no_words_of_a_server_have_the_password_in_them(tmp_path: Path, before: bytes) -> None:
    def refuse(_kind: int, number: int, _rest: bytes) -> bytes:
        return status(number, FX_FAILURE, words)

    with RawSftpServer(tmp_path, refuse) as server:
        customer = server.customer
        words = before + customer.password.encode()
        with (
            contextlib.closing(open_session(customer)) as session,
            pytest.raises(TransferError) as refused,
        ):
            session.put([b"x"], "call.part")
        assert customer.password[:6] not in refused.value.words
        server.greeting = b"Hello " + customer.password.encode()
        with pytest.raises(StartupText) as printed:
            open_session(customer)
        assert printed.value.words.endswith("Hello ***")


def test_a_list_of_extensions_without_end_costs_a_bounded_number_of_bytes(tmp_path: Path) -> None:
    endless = struct.pack(">I", 0x00FFFFFF) + packet(FXP_VERSION, 3)[4:]
    with (
        RawSftpServer(tmp_path, greeting=endless + b"\0\0\0\1x\0\0\0\0" * 100_000) as server,
        pytest.raises(ProtocolFailed),
    ):
        open_session(server.customer)


class Files:
    """Answers for files that are there; `said`: the status for the removal of any other."""

    def __init__(self, *names: str, said: int) -> None:
        self.names = set(names)
        self.said = said

    def __call__(self, kind: int, number: int, rest: bytes) -> bytes:
        """The answer to a request."""
        name = rest[4 : 4 + int.from_bytes(rest[:4])].decode(errors="replace")
        if kind == FXP_REMOVE:
            return status(number, self.said, b"No")
        if kind == FXP_LSTAT and name in self.names:
            return packet(FXP_ATTRS, number, 0)
        return status(number, 2 if kind == FXP_LSTAT else FX_OK)


@pytest.mark.parametrize("said", [FX_FAILURE, FX_PERMISSION_DENIED, 5, 99])
def test_removing_what_is_not_there_is_fine_whatever_the_server_calls_it(
    tmp_path: Path, said: int
) -> None:
    with RawSftpServer(tmp_path, Files("stays.part", said=said)) as server:
        session = open_session(server.customer)
        session.remove("gone.part")
        with pytest.raises(PathRefused):
            session.remove("stays.part")
        assert session.connected
        session.close()


def _make_and_put(session: Server) -> None:
    session.make_directory("calls")
    session.put([b"x"], "a")


@pytest.mark.parametrize("kind", [FXP_CLOSE, FXP_MKDIR, FXP_OPEN, FXP_EXTENDED])
def test_an_answer_of_another_kind_is_not_taken_for_done(tmp_path: Path, kind: int) -> None:
    def answer(asked: int, number: int, _rest: bytes) -> bytes:
        wrong = packet(FXP_NAME, number, 0)
        right = packet(FXP_HANDLE, number, b"h") if asked == FXP_OPEN else status(number, FX_OK)
        return wrong if asked == kind else right

    with RawSftpServer(tmp_path, answer, NAMED) as server:
        session = open_session(server.customer)
        if kind == FXP_EXTENDED:  # only the limits: nothing is lost with them
            session.put([b"x"], "a")
        else:
            with pytest.raises(TransferError):
                _make_and_put(session)
        session.close()
