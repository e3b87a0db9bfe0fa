"""FTP commands sent before the replies to earlier ones have come, where the test on save found that
a server takes that."""

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, Look
from deploy.local.customers import CustomerServer, PyFtpServer
from tests.contract.accounts import (
    LIMITS,
    Ledger,
    files_in,
    job,
    open_session,
    opened,
    settings_of,
    upload,
)
from tests.contract.proxy import Proxy
from tests.servers import Vsftpd
from transports import settings_test
from transports.base import Egress, Server
from transports.errors import (
    AccountFailure,
    LoginRefused,
    NameRefused,
    PathRefused,
    QuotaExceeded,
    ServerBusy,
)
from transports.job import Verified

PIPELINES = Capabilities(pipelines=True)
QUEUES = Capabilities(pipelines=True, queues=True)
SIZE = 480_044


@pytest.fixture(params=["vsftpd queues", "vsftpd", "pyftpd_server"], name="server")
def flying(request: pytest.FixtureRequest) -> tuple[CustomerServer, Capabilities]:
    name, _, queues = request.param.partition(" ")
    customer: CustomerServer = request.getfixturevalue(name).customer
    return customer, QUEUES if queues else PIPELINES


@pytest.fixture(name="session")
def flying_session(server: tuple[CustomerServer, Capabilities]) -> Iterator[Server]:
    customer, capabilities = server
    with closing(open_session(customer, capabilities=capabilities)) as session:
        yield session


@pytest.fixture(name="root")
def folder_of(server: tuple[CustomerServer, Capabilities]) -> Path:
    return server[0].root


@pytest.mark.usefixtures("nothing_left")
def test_recordings_arrive_whole_in_flights(session: Server, root: Path, recording: Path) -> None:
    for number in range(4):
        ledger = Ledger(names=(f"to/{number}.wav",))
        with opened(recording) as source:
            done = upload(session, source, job(number, folder="to"), ledger)
        assert done.verified is Verified.SIZE
    assert {path.read_bytes() for path in (root / "to").iterdir()} == {recording.read_bytes()}
    assert len(files_in(root)) == 4


def test_a_name_that_is_taken_is_never_overwritten(
    session: Server, root: Path, recording: Path
) -> None:
    (root / "call.wav").write_bytes(b"of somebody else")
    for number, name in ((1, "call (2).wav"), (2, "call (3).wav")):
        with opened(recording) as source:
            assert upload(session, source, job(number), Ledger()).remote_path == name
    assert (root / "call.wav").read_bytes() == b"of somebody else"


def test_a_name_that_is_taken_between_two_renames_is_seen(session: Server, root: Path) -> None:
    for number in range(2):
        session.put([b"x"], f"{number}.part", "a.wav")
        free = not session.exists("a.wav")
        if free:
            session.rename(f"{number}.part", "a.wav")
    assert files_in(root) == {"a.wav": 1, "1.part": 1}


def test_what_is_asked_in_between_ends_the_flight(session: Server, root: Path) -> None:
    session.put([b"first"], "a.part", "a.wav")
    session.put([b"second"], "b.part", "b.wav")
    session.rename("a.part", "a.wav")
    session.rename("b.part", "b.wav")
    assert files_in(root) == {"a.wav": 5, "b.wav": 6}


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_a_refused_file_is_told_in_the_servers_words_and_the_session_goes_on(
    session: Server, root: Path, size: int
) -> None:
    with pytest.raises(PathRefused) as refused:
        session.put([bytes(size)] * 5, "missing/a.part", "missing/a.wav")
    assert refused.value.words.startswith("55")
    session.put([b"x"], "b.part", "b.wav")
    session.rename("b.part", "b.wav")
    assert files_in(root) == {"b.wav": 1}


def test_a_source_that_fails_leaves_the_session_usable(session: Server, root: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"some"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.put(failing(), "a.part")
    session.remove("a.part")
    session.put([b"x"], "b.wav")
    assert files_in(root) == {"b.wav": 1}


def test_a_name_that_the_server_does_not_take_is_the_names_fault(
    session: Server, root: Path
) -> None:
    session.put([b"x"], "a.part", "x" * 300)
    with pytest.raises(NameRefused):
        session.rename("a.part", "x" * 300)
    session.remove("a.part")
    assert files_in(root) == {}


def test_a_wrong_password_is_told_as_ever(server: tuple[CustomerServer, Capabilities]) -> None:
    with pytest.raises(LoginRefused) as refused:
        open_session(server[0], capabilities=server[1], password="wrong")
    assert refused.value.words.startswith("530")


@pytest.mark.parametrize("capabilities", [PIPELINES, QUEUES])
def test_a_lost_confirmation_is_made_good_by_the_size(
    vsftpd: Vsftpd, recording: Path, capabilities: Capabilities
) -> None:
    with Proxy(vsftpd.customer, lose=b"226") as proxy, opened(recording) as source:
        session = open_session(vsftpd.customer, port=proxy.port, capabilities=capabilities)
        done = upload(session, source, job(), Ledger())
        session.close()
    assert done.verified is Verified.SIZE
    assert files_in(vsftpd.customer.root) == {"call.wav": recording.stat().st_size}


@pytest.mark.parametrize("capabilities", [PIPELINES, QUEUES])
def test_a_refusal_at_the_end_is_told_and_leaves_nothing(
    vsftpd: Vsftpd, recording: Path, capabilities: Capabilities
) -> None:
    replies = (b"226", b"552 Disk quota exceeded.\r\n")
    with Proxy(vsftpd.customer, instead=replies) as proxy, opened(recording) as source:
        session = open_session(vsftpd.customer, port=proxy.port, capabilities=capabilities)
        with pytest.raises(QuotaExceeded) as full:
            upload(session, source, job(), Ledger())
    assert full.value.words == "552 Disk quota exceeded."
    assert files_in(vsftpd.customer.root) == {}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, SIZE + 1_000))
def test_a_connection_cut_anywhere_never_leaves_a_truncated_file(
    vsftpd: Vsftpd, recording: Path, cut: int
) -> None:
    customer = vsftpd.customer
    for path in customer.root.iterdir():
        path.unlink()
    ledger = Ledger()
    with (
        suppress(AccountFailure, ServerBusy),
        Proxy(customer, cut_after=cut) as proxy,
        opened(recording) as source,
        closing(open_session(customer, port=proxy.port, capabilities=QUEUES)) as session,
    ):
        upload(session, source, job(1), ledger)
    assert files_in(customer.root).get("call.wav", SIZE) == SIZE
    intent = ledger.intents[-1] if ledger.intents else None
    with (
        closing(open_session(customer, capabilities=QUEUES)) as session,
        opened(recording) as source,
    ):
        again = job(2, intent=intent, leftovers=(job(1).part,))
        assert upload(session, source, again, Ledger()).remote_path == "call.wav"
    assert files_in(customer.root) == {"call.wav": SIZE}


class Forgetful(FTPHandler):  # type: ignore[misc]
    """Wants RNTO right behind RNFR."""

    def ftp_RNFR(self, path: str) -> None:
        """Forget it as soon as something else is to be done, or at once the first time."""
        super().ftp_RNFR(path)
        if not getattr(self, "was_asked", False):
            self.was_asked = True
            self._rnfr = None


def serving(tmp_path: Path, handler: type[FTPHandler]) -> PyFtpServer:
    root = tmp_path / "served"
    root.mkdir()
    return PyFtpServer(root, handler=handler)


def test_a_server_that_forgets_a_rename_gets_one_command_after_the_other(
    tmp_path: Path, recording: Path
) -> None:
    with serving(tmp_path, Forgetful) as server:
        with closing(open_session(server.customer, capabilities=PIPELINES)) as session:
            session.look = Look.MLST
            for number in range(2):
                with opened(recording) as source:
                    upload(session, source, job(number), Ledger(names=(f"{number}.wav",)))
            assert not session.pipelines  # type: ignore[attr-defined]
        assert files_in(server.customer.root) == {"0.wav": SIZE, "1.wav": SIZE}


class OneAtATime(FTPHandler):  # type: ignore[misc]
    """Throws away what came behind a command, as some small devices do."""

    def found_terminator(self) -> None:
        """Handle the line, and forget the rest."""
        super().found_terminator()
        self.ac_in_buffer = b""


def found(customer: CustomerServer, **changes: Any) -> Capabilities:
    report = settings_test.test_settings(
        settings_of(customer, **changes), SecretStr(customer.password), LIMITS, Egress()
    )
    assert report.ok, report.failure
    assert [*customer.root.rglob("*")] == []
    return report.capabilities


def test_a_server_that_lets_commands_wait_for_the_end_of_a_file_is_known(vsftpd: Vsftpd) -> None:
    stored = found(vsftpd.customer)
    assert (stored.pipelines, stored.queues) == (True, True)


def test_a_server_that_answers_while_a_file_is_on_its_way_is_known(
    pyftpd_server: PyFtpServer,
) -> None:
    stored = found(pyftpd_server.customer)
    assert (stored.pipelines, stored.queues) == (True, False)


def test_a_server_that_takes_one_command_at_a_time_is_left_alone(
    tmp_path: Path, recording: Path
) -> None:
    with serving(tmp_path, OneAtATime) as server:
        stored = found(server.customer)
        assert (stored.pipelines, stored.queues) == (False, False)
        with (
            closing(open_session(server.customer, capabilities=stored)) as session,
            opened(recording) as source,
        ):
            upload(session, source, job(), Ledger())


def test_a_file_larger_than_all_buffers_arrives_whole(session: Server, root: Path) -> None:
    blocks = [os.urandom(1_000_000) for _ in range(20)]
    session.put(blocks, "large.wav")
    assert (root / "large.wav").read_bytes() == b"".join(blocks)


def test_a_session_without_a_data_connection_is_told_of_it(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["cmds_denied=EPSV,PASV"]) as server:
        session = open_session(server.customer, capabilities=QUEUES)
        with pytest.raises(AccountFailure):
            session.put([b"x"], "a.part")
        session.close()
