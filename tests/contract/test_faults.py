"""What a network and a server can do to an upload in the middle."""

import os
import socket
import threading
import time
from pathlib import Path

import asyncssh
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.accounts import Capabilities, Protocol
from deploy.local.customers import AsyncSshServer, CustomerServer
from deploy.local.processes import free_port
from tests.contract.accounts import LIMITS, Ledger, files_in, job, open_session, opened, upload
from tests.contract.proxy import Proxy
from tests.contract.scripted import ScriptedServer
from transports.base import Limits
from transports.errors import (
    AccountFailure,
    ConnectFailed,
    ConnectionLost,
    Kind,
    NoAnswerToTls,
    NoGreeting,
    PathRefused,
    SilentBeforeLogin,
    Stalled,
    TransferError,
)

SIZE = 480_044
SLACK = 10
"""What a busy machine may take besides; the limits that are not under test are longer."""


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, SIZE + 20_000))
def test_a_connection_cut_anywhere_never_leaves_a_truncated_file(
    customer: CustomerServer, recording: Path, cut: int
) -> None:
    for path in customer.root.iterdir():
        path.unlink()
    ledger = Ledger()
    failure = _try_through(customer, recording, cut, ledger)
    assert failure is None or failure.kind in {Kind.ACCOUNT, Kind.BUSY}
    assert files_in(customer.root).get("call.wav", SIZE) == SIZE

    intent = ledger.intents[-1] if ledger.intents else None
    session = open_session(customer)
    with opened(recording) as source:
        done = upload(session, source, job(2, intent=intent, leftovers=(job(1).part,)), Ledger())
    session.close()
    assert done.remote_path == "call.wav"
    assert (customer.root / "call.wav").read_bytes() == recording.read_bytes()
    assert list(files_in(customer.root)) == ["call.wav"]


def _try_through(
    customer: CustomerServer, recording: Path, cut: int, ledger: Ledger
) -> TransferError | None:
    try:
        with Proxy(customer, cut_after=cut) as proxy, opened(recording) as source:
            session = open_session(customer, port=proxy.port)
            try:
                upload(session, source, job(1), ledger)
            finally:
                session.close()
    except TransferError as error:
        return error
    return None


@pytest.mark.usefixtures("nothing_left")
def test_a_server_that_stops_reading_is_left_within_the_limit(
    customer: CustomerServer, tmp_path: Path
) -> None:
    recording = tmp_path / "long.wav"
    recording.write_bytes(os.urandom(1024) * 30_000)
    with Proxy(customer, freeze_after=100_000) as proxy, opened(recording) as source:
        session = open_session(customer, port=proxy.port)
        started = time.monotonic()
        with pytest.raises(Stalled) as stalled:
            upload(session, source, job(), Ledger())
        took = time.monotonic() - started
    assert LIMITS.stall <= took < LIMITS.stall + SLACK
    assert stalled.value.part_left
    assert stalled.value.words == "The server was silent for 1.5 seconds"
    assert "call.wav" not in files_in(customer.root)


@pytest.mark.usefixtures("nothing_left")
def test_closing_from_another_thread_cuts_what_runs(
    customer: CustomerServer, tmp_path: Path
) -> None:
    recording = tmp_path / "long.wav"
    recording.write_bytes(os.urandom(1024) * 30_000)
    with Proxy(customer, freeze_after=100_000) as proxy, opened(recording) as source:
        session = open_session(customer, Limits(), port=proxy.port)
        closing = threading.Timer(0.5, session.close)
        closing.start()
        started = time.monotonic()
        with pytest.raises(ConnectionLost):
            upload(session, source, job(), Ledger())
        assert time.monotonic() - started < 0.5 + SLACK
        closing.join()


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("protocol", Protocol)
def test_a_server_that_never_greets_is_left_within_the_limit(protocol: Protocol) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(SilentBeforeLogin) as met:
            open_session(
                CustomerServer("127.0.0.1", silent.getsockname()[1], "a", "b", Path()),
                Limits(login=0.5),
                protocol=protocol,
            )
    assert time.monotonic() - started < 0.5 + SLACK
    is_implicit = protocol is Protocol.FTPS_IMPLICIT
    assert type(met.value) is (NoAnswerToTls if is_implicit else NoGreeting)
    assert met.value.diagnosis is NoGreeting.entry


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("protocol", "greeting", "failure"),
    [
        (Protocol.SFTP, b"SSH-2.0-hangs\r\n", SilentBeforeLogin),
        (Protocol.FTPS, b"220 ready\r\n", SilentBeforeLogin),
        (Protocol.FTP, b"220 ready\r\n", Stalled),
    ],
)
def test_a_server_that_hangs_after_its_greeting_does_so_before_or_after_it_was_told_an_account(
    protocol: Protocol, greeting: bytes, failure: type[TransferError]
) -> None:
    with ScriptedServer([greeting], b"") as hanging, pytest.raises(Stalled) as silent:
        open_session(hanging.customer, Limits(login=0.5), protocol=protocol)
    assert type(silent.value) is failure


def test_a_lost_confirmation_is_made_good_by_the_size(
    ftp_customer: CustomerServer, recording: Path
) -> None:
    ledger = Ledger()
    with Proxy(ftp_customer, lose=b"226") as proxy, opened(recording) as source:
        session = open_session(ftp_customer, port=proxy.port)
        done = upload(session, source, job(), ledger)
        session.close()
    assert done.sent
    assert files_in(ftp_customer.root) == {"call.wav": recording.stat().st_size}


def test_a_lost_answer_to_the_rename_is_recognised_by_the_next_try(
    ftp_customer: CustomerServer, recording: Path
) -> None:
    ledger = Ledger()
    with Proxy(ftp_customer, lose=b"250 Renam") as proxy, opened(recording) as source:
        session = open_session(ftp_customer, port=proxy.port)
        with pytest.raises(ConnectionLost) as lost:
            upload(session, source, job(1), ledger)
    assert lost.value.part_left
    session = open_session(ftp_customer)
    with opened(recording) as source:
        done = upload(session, source, job(2, intent=ledger.intents[0]), ledger)
    session.close()
    assert not done.sent
    assert files_in(ftp_customer.root) == {"call.wav": recording.stat().st_size}


@pytest.mark.parametrize(
    ("server", "words"), [("sshd", "Permission denied"), ("vsftpd", "553 Could not create file.")]
)
def test_a_folder_without_the_right_to_write_is_told_in_the_servers_words(
    request: pytest.FixtureRequest, server: str, words: str, recording: Path
) -> None:
    customer: CustomerServer = request.getfixturevalue(server).customer
    folder = customer.root / "closed"
    folder.mkdir(mode=0o555)
    asks_ahead = Capabilities(pipelines=True, queues=server == "vsftpd")
    session, refused_job = open_session(customer, capabilities=asks_ahead), job(folder="closed")
    with pytest.raises(PathRefused) as refused, opened(recording) as source:
        upload(session, source, refused_job, Ledger(names=("closed/call.wav",)))
    assert refused_job.progress.sent == 0, "the server has taken nothing of it"
    assert refused.value.words == words
    assert not refused.value.part_left
    assert files_in(customer.root) == {}


class FullBehind(asyncssh.SFTPServer):
    """Has room for so many bytes of a file."""

    room = 300_000

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Refused where it reaches further."""
        if offset + len(data) > self.room:
            raise asyncssh.SFTPFailure("No space left")
        written: int = super().write(file_obj, offset, data)  # type: ignore[assignment]
        return written


def test_of_a_file_that_was_refused_in_its_midst_only_what_was_confirmed_counts_as_sent(
    tmp_path: Path, recording: Path
) -> None:
    refused_job = job()
    server = AsyncSshServer(tmp_path, sftp=FullBehind)
    with server, opened(recording) as source, pytest.raises(AccountFailure):
        upload(open_session(server.customer), source, refused_job, Ledger())
    assert 0 < refused_job.progress.sent <= FullBehind.room < SIZE


def test_nobody_listening_is_told_in_the_systems_words(customer: CustomerServer) -> None:
    with pytest.raises(ConnectFailed) as refused:
        open_session(customer, port=free_port())
    assert refused.value.words == "Connection refused"
