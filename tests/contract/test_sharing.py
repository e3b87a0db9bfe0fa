"""Several uploads at once over one login, against every server."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pyftpdlib.handlers import FTPHandler

from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
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
from tests.servers import Sshd, Vsftpd
from transports.base import Limits, Server
from transports.errors import (
    ConnectionLost,
    NameRefused,
    PathRefused,
    ServerBusy,
    Stalled,
    TransferError,
)

pytestmark = pytest.mark.usefixtures("nothing_left")
BLOCK = os.urandom(100_000)


def together(login: Server, count: int, work: Callable[[Server, int], None]) -> None:
    """Run the work in threads, each with a session over the login, which is the first's."""
    with ExitStack() as stack:
        sessions = [login, *(stack.enter_context(closing(login.another())) for _ in range(count))]
        with ThreadPoolExecutor(len(sessions)) as pool:
            for done in [pool.submit(work, each, n) for n, each in enumerate(sessions)]:
                done.result(30)


def test_uploads_at_once_over_one_login_arrive_whole(
    customer: CustomerServer, tmp_path: Path
) -> None:
    recordings = [tmp_path / f"{number}.wav" for number in range(12)]
    for recording in recordings:
        recording.write_bytes(os.urandom(480_044))

    def deliver(server: Server, number: int) -> None:
        for each in range(number, len(recordings), 3):
            ledger = Ledger(names=(f"of/today/{each}.wav",))
            with opened(recordings[each]) as source:
                upload(server, source, job(each, folder="of/today"), ledger)

    with closing(open_session(customer)) as login:
        together(login, 2, deliver)
        while not login.round_trip:  # it takes answers that had the line for themselves
            assert login.answers()
        assert login.round_trip < 1
    arrived = {path.name: path.read_bytes() for path in customer.root.rglob("*.wav")}
    assert arrived == {path.name: path.read_bytes() for path in recordings}


def test_the_end_of_one_session_leaves_the_others(customer: CustomerServer) -> None:
    first = open_session(customer)
    second = first.another()
    first.close()
    second.put([BLOCK], "a.wav")
    third = second.another()
    second.close()
    standing = third.connected
    third.put([BLOCK], "b.wav")
    third.close()
    assert (standing, third.connected) == (True, False)
    with pytest.raises(ConnectionLost):
        second.put([BLOCK], "c.wav")
    assert files_in(customer.root) == {"a.wav": len(BLOCK), "b.wav": len(BLOCK)}


def test_of_an_sftp_connection_that_is_over_there_is_no_other(
    sftp_customer: CustomerServer,
) -> None:
    session = open_session(sftp_customer)
    session.close()
    with pytest.raises(ConnectionLost):
        session.another()


class Held:
    """Blocks of a recording, of which the second comes when it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield BLOCK
        self.began.set()
        assert self.go.wait(20)
        yield BLOCK


def held_uploads(pool: ThreadPoolExecutor, *sessions: Server) -> tuple[list[Held], list[Any]]:
    """Uploads that have begun, each in a thread of its own."""
    blocks = [Held() for _ in sessions]
    running = [
        pool.submit(session.put, held, f"{number}.part")
        for number, (session, held) in enumerate(zip(sessions, blocks, strict=True))
    ]
    for held in blocks:
        assert held.began.wait(20)
    return blocks, running


def test_sessions_of_a_near_server_send_in_turn(
    customer: CustomerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.network.sending_turn.LONGEST_WAIT", 60.0)
    first = open_session(customer)
    second, held, order = first.another(), Held(), list[str]()

    def blocks() -> Iterator[bytes]:
        order.append("second")
        yield BLOCK

    with ThreadPoolExecutor() as pool, closing(first), closing(second):
        sending = pool.submit(first.put, held, "first.part")
        assert held.began.wait(20)
        waiting = pool.submit(second.put, blocks(), "second.part")
        time.sleep(0.2)
        order.append("first")
        held.go.set()
        sending.result(20)
        waiting.result(20)
        for name in ("first.part", "second.part"):
            first.remove(name)
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("named", "value"), [("LONGEST_WAIT", 0.01), ("NEARBY_SECONDS", -1.0)], ids=["long", "far"]
)
def test_nobody_waits_for_a_turn_that_lasts_or_where_it_brings_nothing(
    customer: CustomerServer, monkeypatch: pytest.MonkeyPatch, named: str, value: float
) -> None:
    monkeypatch.setattr(f"transports.network.sending_turn.{named}", value)
    first = open_session(customer)
    second, held = first.another(), Held()
    with ThreadPoolExecutor() as pool, closing(first), closing(second):
        sending = pool.submit(first.put, held, "first.part")
        assert held.began.wait(20)
        second.put([BLOCK], "second.part")
        held.go.set()
        sending.result(20)
        for name in ("first.part", "second.part"):
            first.remove(name)


def failure(running: "Future[None]") -> TransferError:
    error = running.exception(20)
    assert isinstance(error, TransferError), error
    return error


def test_a_cut_connection_is_the_end_of_all_its_sessions(sftp_customer: CustomerServer) -> None:
    with Proxy(sftp_customer) as proxy, ThreadPoolExecutor() as pool:
        first = open_session(sftp_customer, port=proxy.port)
        second, idle = first.another(), first.another()
        blocks, running = held_uploads(pool, first, second)
        proxy.reset()
        for held in blocks:
            held.go.set()
        assert [type(failure(each)) for each in running] == [ConnectionLost] * 2
        for each in (first, second):  # whose file was sent by then has looked at it once more
            each.close()
        assert not any(each.connected for each in (first, second, idle))
        with pytest.raises(ConnectionLost):
            idle.another()
        with pytest.raises(ConnectionLost):
            idle.put([BLOCK], "c.part")
        idle.close()


def test_a_stall_is_the_end_of_all_sessions_of_the_connection(
    sftp_customer: CustomerServer,
) -> None:
    with Proxy(sftp_customer) as proxy, ThreadPoolExecutor() as pool:
        first = open_session(sftp_customer, port=proxy.port)
        second = first.another()
        blocks, running = held_uploads(pool, first, second)
        proxy.silent.set()
        started = time.monotonic()
        blocks[0].go.set()
        assert isinstance(failure(running[0]), Stalled)
        assert LIMITS.stall <= time.monotonic() - started < LONGEST
        assert not second.connected
        blocks[1].go.set()
        assert isinstance(failure(running[1]), Stalled)


def test_whoever_closes_a_session_that_waits_ends_all_of_the_connection(
    sftp_customer: CustomerServer,
) -> None:
    with Proxy(sftp_customer) as proxy, ThreadPoolExecutor() as pool:
        first = open_session(sftp_customer, Limits(), port=proxy.port)
        second = first.another()
        blocks, running = held_uploads(pool, first, second)
        proxy.silent.set()
        blocks[0].go.set()
        time.sleep(0.3)
        first.close()
        assert isinstance(failure(running[0]), ConnectionLost)
        blocks[1].go.set()
        assert isinstance(failure(running[1]), ConnectionLost)


def test_what_is_refused_to_one_session_does_not_disturb_the_others(
    customer: CustomerServer,
) -> None:
    with ThreadPoolExecutor() as pool:
        first = open_session(customer)
        second = first.another()
        (held,), (running,) = held_uploads(pool, first)
        with pytest.raises(PathRefused):
            second.put([BLOCK], "missing/a.part")
        second.put([BLOCK], "b.part")
        with pytest.raises(NameRefused):
            second.rename("b.part", "x" * 300)
        second.close()
        held.go.set()
        running.result(20)
        assert first.size("0.part") == 2 * len(BLOCK)
        first.close()


class HangsUp(asyncssh.SFTPServer):
    """Ends the session, and only that, of whoever sends a file of this name."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Open, or hang up."""
        if path.endswith(b"poison.part"):
            self.channel.exit(1)
        return super().open(path, pflags, attrs)


def test_a_session_that_the_server_ends_leaves_the_others(tmp_path: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with AsyncSshServer(root, sftp=HangsUp) as server:
        first = open_session(server.customer)
        second = first.another()
        with pytest.raises(ConnectionLost) as lost:
            second.put([BLOCK], "poison.part")
        assert lost.value.words == "The server ended the SFTP session"
        first.put([BLOCK], "a.part")
        assert first.connected
        first.close()


def refused_third(customer: CustomerServer) -> ServerBusy:
    """What the third session is told; the first two upload before and after that."""
    with closing(open_session(customer)) as first, closing(first.another()) as second:
        with ThreadPoolExecutor() as pool:
            blocks, running = held_uploads(pool, first, second)
            with pytest.raises(ServerBusy) as busy:
                first.another()
            for held in blocks:
                held.go.set()
            for each in running:
                each.result(20)
        assert first.connected
        assert second.connected
        assert [first.size("0.part"), second.size("1.part")] == [2 * len(BLOCK)] * 2
    return busy.value


def refused_third_in_time(customer: CustomerServer) -> ServerBusy:
    """The same once two are let in: who looked whether it listens counts until it is gone."""
    for _ in range(100):
        with suppress(ServerBusy):
            return refused_third(customer)
        time.sleep(0.1)
    return refused_third(customer)


def test_openssh_beyond_its_limit_of_channels_is_busy(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd", extra=["MaxSessions 2"]) as server:
        assert refused_third(server.customer).words == "Connect failed"


def test_vsftpd_beyond_its_limit_of_connections_is_busy(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["max_per_ip=2"]) as server:
        assert refused_third_in_time(server.customer).words.startswith("421")


class Dropping(FTPHandler):  # type: ignore[misc]
    """Hangs up without a word beyond its limit."""

    def handle_max_cons_per_ip(self) -> None:
        """Not even 421."""
        self.close()


class Lying(FTPHandler):  # type: ignore[misc]
    """Says that the password is wrong, where there are too many."""

    words = "530 Sorry, too many of you."

    def ftp_PASS(self, line: str) -> None:
        """As too many servers do."""
        if len(self.server.ip_map) > 2:
            self.respond(self.words)
            return
        super().ftp_PASS(line)


class Deferring(Lying):
    """Says it by a code that means something else, too."""

    words = "450 Sorry, too many of you."


class Murmuring(Lying):
    """Says it by a code that is none of a refusal."""

    words = "350 Sorry, too many of you."


@pytest.mark.parametrize(
    ("handler", "most", "words"),
    [
        (FTPHandler, 2, "421 Too many connections from the same IP address."),
        (Dropping, 2, "The server closed the connection"),
        (Lying, 0, "530 Sorry, too many of you."),
        (Deferring, 0, "450 Sorry, too many of you."),
        (Murmuring, 0, "350 Sorry, too many of you."),
    ],
)
def test_a_refused_connection_beside_others_is_busy_however_it_is_told(
    tmp_path: Path, handler: type[FTPHandler], most: int, words: str
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=handler, max_connections_per_ip=most) as server:
        assert refused_third(server.customer).words == words


def test_many_sessions_come_and_go_on_one_connection(sftp_customer: CustomerServer) -> None:
    with closing(open_session(sftp_customer)) as login:
        for number in range(30):
            with closing(login.another()) as session:
                session.put([BLOCK], f"{number}.wav")
        assert login.connected
    digests = {hashlib.sha256(path.read_bytes()).digest() for path in sftp_customer.root.iterdir()}
    assert digests == {hashlib.sha256(BLOCK).digest()}
