"""A session goes to the next upload before the last answers of this one have come."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import (
    FX_OK,
    FX_OP_UNSUPPORTED,
    FXP_CLOSE,
    FXP_HANDLE,
    FXP_OPEN,
    FXP_WRITE,
)

from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.bench.line import slow_line
from tests.contract.accounts import (
    LIMITS,
    LONGEST,
    Ledger,
    files_in,
    job,
    open_session,
    opened,
    upload,
)
from tests.contract.proxy import Proxy
from tests.servers import Sshd
from tests.servers.raw_sftp import RawSftpServer, packet, status
from transports.base import Server
from transports.errors import AccountFailure, ConnectionLost, NameRefused, Stalled, TransferError

pytestmark = pytest.mark.usefixtures("nothing_left")
ROUND_TRIP = 0.1
BLOCK = os.urandom(100_000)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for uploads."""
    with ThreadPoolExecutor(30) as pool:
        yield pool


class Chain:
    """Uploads one behind the other, each begun as soon as the one before hands its session on."""

    def __init__(self, pool: ThreadPoolExecutor, work: Callable[[Server, int], None]) -> None:
        self._pool = pool
        self._work = work
        self._numbers = count()
        self._running: dict[int, Future[None]] = {}

    def begin(self, session: Server, more: int) -> None:
        """Begin an upload, and so many more behind it."""
        number = next(self._numbers)
        if more:
            session.hand_on = lambda following: self.begin(following, more - 1)
        self._running[number] = self._pool.submit(self._deliver, session, number)

    def _deliver(self, session: Server, number: int) -> None:
        with closing(session):
            self._work(session, number)

    def failures(self) -> list[BaseException | None]:
        """How each of them has ended; once one has, the next one has begun."""
        found: list[BaseException | None] = []
        while len(found) in self._running:
            found.append(self._running[len(found)].exception(60))
        return found


def test_files_that_follow_each_other_over_a_long_line_arrive_whole(
    sftp_customer: CustomerServer, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    recordings = [tmp_path / f"{number}.wav" for number in range(10)]
    for recording in recordings:
        recording.write_bytes(os.urandom(480_044))

    def deliver(server: Server, number: int) -> None:
        with opened(recordings[number]) as source:
            upload(server, source, job(number), Ledger(names=(f"{number}.wav",)))

    chain = Chain(pool, deliver)
    with slow_line(ROUND_TRIP, [sftp_customer.port], tmp_path / "line.log") as host:
        session = open_session(sftp_customer, host=host)
        chain.begin(session, len(recordings) - 1)
        assert chain.failures() == [None] * len(recordings)
    arrived = {path.name: path.read_bytes() for path in sftp_customer.root.rglob("*.wav")}
    assert arrived == {path.name: path.read_bytes() for path in recordings}


class AnswersLate:
    """Answers the end of a file once the next one is opened."""

    def __init__(self, files: int) -> None:
        self._to_come = files
        self._held = b""
        self._is_ended = False

    def __call__(self, kind: int, number: int, rest: bytes) -> bytes:
        """The answer, behind those that were held back."""
        if kind == FXP_OPEN:
            self._to_come -= 1
            self._is_ended = False
            return self._with_held(packet(FXP_HANDLE, number, rest[:8]))
        self._is_ended = self._is_ended or kind == FXP_CLOSE
        said = status(number, FX_OK if kind in {FXP_WRITE, FXP_CLOSE} else FX_OP_UNSUPPORTED)
        if self._is_ended and self._to_come:
            self._held += said
            return b""
        return self._with_held(said)

    def _with_held(self, said: bytes) -> bytes:
        held, self._held = self._held, b""
        return held + said


def test_the_next_file_is_opened_before_the_end_of_this_one_was_answered(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    files = 4

    def deliver(server: Server, number: int) -> None:
        server.put([BLOCK], f"{number}.part")

    chain = Chain(pool, deliver)
    with RawSftpServer(tmp_path, AnswersLate(files)) as server:
        chain.begin(open_session(server.customer), files - 1)
        assert chain.failures() == [None] * files


def test_a_refusal_at_the_end_is_followed_up_beside_the_next_upload(
    sftp_customer: CustomerServer, recording: Path, pool: ThreadPoolExecutor
) -> None:
    names = {0: "missing/a.wav", 1: "b.wav"}

    def deliver(server: Server, number: int) -> None:
        with opened(recording) as source:
            upload(server, source, job(number), Ledger(names=(names[number],)))

    chain = Chain(pool, deliver)
    chain.begin(open_session(sftp_customer), 1)
    refused, nothing = chain.failures()
    assert isinstance(refused, NameRefused)
    assert (refused.part_left, nothing) == (False, None)
    assert files_in(sftp_customer.root) == {"b.wav": recording.stat().st_size}


def test_a_taken_name_is_found_beside_the_next_upload(
    sftp_customer: CustomerServer, recording: Path, pool: ThreadPoolExecutor
) -> None:
    """It was free when it was looked at."""
    size = recording.stat().st_size

    class Overtaken(Ledger):
        def permit(self) -> None:
            if not (sftp_customer.root / "call.wav").exists():
                (sftp_customer.root / "call.wav").write_bytes(b"another one")

    def deliver(server: Server, number: int) -> None:
        with opened(recording) as source:
            ledger = Ledger(names=("b.wav",)) if number else Overtaken()
            upload(server, source, job(number), ledger)

    chain = Chain(pool, deliver)
    chain.begin(open_session(sftp_customer), 1)
    assert chain.failures() == [None, None]
    assert files_in(sftp_customer.root) == {"b.wav": size, "call (2).wav": size, "call.wav": 11}


def test_what_the_end_of_one_and_the_next_lose_together_is_one_loss(
    sftp_customer: CustomerServer, pool: ThreadPoolExecutor
) -> None:
    with Proxy(sftp_customer) as proxy:
        both = threading.Barrier(3)

        def deliver(server: Server, number: int) -> None:
            server.put([BLOCK], f"{number}.part")
            both.wait(20)
            both.wait(20)
            server.rename(f"{number}.part", f"{number}.wav")

        chain = Chain(pool, deliver)
        chain.begin(open_session(sftp_customer, port=proxy.port), 1)
        both.wait(20)
        proxy.reset()
        both.wait(20)
        lost = chain.failures()
    assert [type(each) for each in lost] == [ConnectionLost, ConnectionLost]
    assert len({id(each.common) for each in lost if isinstance(each, TransferError)}) == 1


def test_a_server_that_does_not_answer_the_end_has_stalled(
    sftp_customer: CustomerServer, pool: ThreadPoolExecutor
) -> None:
    with Proxy(sftp_customer) as proxy:
        session = open_session(sftp_customer, port=proxy.port)
        began = time.monotonic()

        def deliver(server: Server, number: int) -> None:
            if not number:
                server.put([BLOCK], "a.part")
                return
            proxy.silent.set()
            server.put([BLOCK] * 3, "b.part")

        chain = Chain(pool, deliver)
        chain.begin(session, 1)
        _, stalled = chain.failures()
    assert isinstance(stalled, Stalled)
    assert time.monotonic() - began < LONGEST


def test_a_refused_end_leaves_the_handle_of_the_next_file_alone(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """OpenSSH gives the next file the number of the handle that was closed just now."""
    refused = threading.Event()

    class Second:
        def __iter__(self) -> Iterator[bytes]:
            yield BLOCK
            assert refused.wait(20)
            yield BLOCK

    def deliver(server: Server, number: int) -> None:
        if number:
            server.put(Second(), "b.part")
            return
        try:
            server.put([BLOCK], "/dev/full")
        finally:
            refused.set()

    chain = Chain(pool, deliver)
    with Sshd(tmp_path / "sshd") as server:
        chain.begin(open_session(server.customer), 1)
        full, nothing = chain.failures()
        assert (type(full), nothing) == (AccountFailure, None)
        assert files_in(server.customer.root) == {"b.part": 2 * len(BLOCK)}


PATIENT = replace(LIMITS, reply=6, stall=6)
"""Twelve times what a piece takes there, so that a busy machine alone is no stall."""
PIECE_SECONDS = 0.5


class Leisurely(asyncssh.SFTPServer):
    """Takes its time for each piece, and does one thing after the other."""

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        """As always, but slowly."""
        time.sleep(PIECE_SECONDS)
        return super().write(file_obj, offset, data)


def test_who_waits_behind_the_last_file_has_not_stalled(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    pieces = 15
    assert pieces * PIECE_SECONDS > PATIENT.reply  # the second one waits for longer than that

    def deliver(server: Server, number: int) -> None:
        server.put([BLOCK] * pieces, f"{number}.part")

    chain = Chain(pool, deliver)
    with AsyncSshServer(root, sftp=Leisurely) as server:
        chain.begin(open_session(server.customer, PATIENT), 1)
        assert chain.failures() == [None, None]
    assert files_in(root) == dict.fromkeys(["0.part", "1.part"], pieces * len(BLOCK))


class HangsUp(asyncssh.SFTPServer):
    """Ends the session, and only that, at a rename."""

    def rename(self, *_: bytes) -> None:
        """Hang up."""
        self.channel.exit(1)


def test_a_channel_that_the_server_ends_is_one_loss(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    both = threading.Barrier(2)

    def deliver(server: Server, number: int) -> None:
        server.put([BLOCK], f"{number}.part")
        both.wait(20)
        server.rename(f"{number}.part", f"{number}.wav")

    chain = Chain(pool, deliver)
    with (
        AsyncSshServer(root, sftp=HangsUp) as server,
        closing(open_session(server.customer)) as other,
    ):
        chain.begin(other.another(), 1)
        lost = chain.failures()
        assert other.connected
    assert [type(each) for each in lost] == [ConnectionLost, ConnectionLost]
    assert len({id(each.common) for each in lost if isinstance(each, TransferError)}) == 1


def test_a_session_is_handed_on_once_and_its_channel_ends_with_the_last(
    sftp_customer: CustomerServer,
) -> None:
    handed: list[Server] = []
    first = open_session(sftp_customer)
    first.hand_on = handed.append
    first.put([BLOCK], "a.part")
    first.put([BLOCK], "b.part")
    (second,) = handed
    first.close()
    standing = second.connected
    second.put([BLOCK], "c.part")
    second.close()
    assert (standing, second.connected) == (True, False)
    assert files_in(sftp_customer.root) == dict.fromkeys(["a.part", "b.part", "c.part"], len(BLOCK))


def test_ftp_keeps_its_connection_to_the_end(ftp_customer: CustomerServer) -> None:
    handed: list[Server] = []
    with closing(open_session(ftp_customer)) as session:
        session.hand_on = handed.append
        session.put([BLOCK], "a.part")
        session.rename("a.part", "a.wav")
    assert (session.hands_on, handed) == (False, [])
