"""FTP has two connections: bytes of a file may come before the command that they belong to.

Where a packet with STOR is lost, or the two go different ways, the server has bytes, or the first
of TLS, over a data connection for which nothing was asked yet. Each server is sent to so that the
file arrives all the same, in the same try.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities
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
from tests.contract.cut_line import PATIENT
from tests.contract.proxy import Proxy
from tests.servers import Proftpd, PureFtpd
from tests.servers.catalogue import SERVERS, Running
from tests.servers.pyftpd import PyFtpdTls
from transports.base import Egress, Limits
from transports.ftp import stores
from transports.job import Transfer, intend_each
from transports.settings_test import test_settings as try_settings
from transports.upload import upload as upload_all

LATE = 0.1
"""Seconds by which a command comes later than what goes over a data connection."""
FILES = 3
LONG = 120.0
"""Seconds that nobody here may wait for in vain."""


class LateCommands(Proxy):
    """What the server is told over the control connection comes late, by so many seconds."""

    late = LATE

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        if server.getpeername()[1] != self._target:
            super()._to_server(client, server)
            return
        while data := client.recv(16 * 1024):
            time.sleep(self.late)
            server.sendall(data)


class LateData(Proxy):
    """What goes to the server over a data connection comes late, but for its end."""

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        is_data = server.getpeername()[1] != self._target
        while data := client.recv(16 * 1024):
            time.sleep(LATE if is_data else 0)
            server.sendall(data)


def found(
    customer: CustomerServer, limits: Limits = LIMITS, port: int | None = None
) -> Capabilities:
    """What the test on save stores."""
    password = SecretStr(customer.password)
    settings = settings_of(customer, port=port or customer.port)
    report = try_settings(settings, password, limits, Egress())
    assert report.ok, report.failure
    return report.capabilities


@pytest.fixture(
    params=[
        pytest.param(each, marks=[pytest.mark.slow] if each.is_slow else [], id=each.key)
        for each in SERVERS
        if each.protocol.startswith("FTP")
    ],
)
def customer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CustomerServer]:
    """Of each server of FTP and FTPS."""
    running: Running
    with request.param.start(tmp_path / "files") as running:
        yield running.customer


def test_files_whose_bytes_come_before_their_command_arrive_in_one_try(
    customer: CustomerServer, recording: Path
) -> None:
    can = found(customer, PATIENT)
    transfers = [
        Transfer(lambda: opened(recording), job(number), Ledger(names=(f"{number}.wav",)))
        for number in range(FILES)
    ]
    with (
        LateCommands(customer) as proxy,
        closing(open_session(customer, PATIENT, port=proxy.port, capabilities=can)) as session,
    ):
        upload_all(session, transfers, intend_each)
    for each in transfers:
        path = customer.root / each.result().remote_path
        assert path.read_bytes() == recording.read_bytes()


class Queueing(FTPHandler):  # type: ignore[misc]
    """Answers what comes during a file after it, but ends a data connection over early bytes."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._in_buffer: list[bytes] = []
        self._waiting: list[bytes] = []

    def found_terminator(self) -> None:
        """Handle the line, unless a file is on its way."""
        is_busy = self.data_channel is not None and self.data_channel.receive
        if is_busy or self._in_dtp_queue is not None:
            self._waiting.append(b"".join(self._in_buffer))
            self._in_buffer, self._in_buffer_len = [], 0
            return
        super().found_terminator()

    def _on_dtp_close(self) -> None:
        super()._on_dtp_close()
        waiting, self._waiting = self._waiting, []
        for line in waiting:
            self._in_buffer = [line]
            self.found_terminator()


class Keeping(Queueing):
    """The same, but early bytes wait for their command, as at most servers."""

    class dtp_handler(FTPHandler.dtp_handler):  # type: ignore[misc] # noqa: N801 - pyftpdlib's name
        """Listens to nothing before its time."""

        def readable(self) -> bool:
            """Whether a file is to come."""
            return bool(self.receive)


class Listening(FTPHandler):  # type: ignore[misc]
    """Answers while a file is on its way, and keeps early bytes, as ProFTPD does."""

    dtp_handler = Keeping.dtp_handler


@pytest.mark.parametrize(
    ("handler", "queues", "early"),
    [
        (FTPHandler, False, False),
        (Queueing, False, False),
        (Listening, False, True),
        (Keeping, True, False),
    ],
)
def test_the_test_on_save_finds_out_whether_early_bytes_are_kept(
    tmp_path: Path, handler: type[FTPHandler], *, queues: bool, early: bool
) -> None:
    (tmp_path / "served").mkdir()
    with PyFtpServer(tmp_path / "served", handler=handler) as server:
        can = found(server.customer)
    assert (can.pipelines, can.queues, can.early) == (True, queues, early)


def test_who_ends_a_connection_over_early_bytes_is_known_behind_a_slow_line(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with (
        PyFtpServer(tmp_path / "served", handler=Queueing) as server,
        LateData(server.customer) as proxy,
    ):
        can = found(server.customer, PATIENT, proxy.port)
    assert (can.pipelines, can.queues, can.early) == (True, False, False)


def test_who_answers_during_a_file_is_known_where_commands_come_late(tmp_path: Path) -> None:
    """Taken for one who answers after it, its replies would be taken for those to other commands;
    and the file of the trial would stay, as its removal has had one of them."""
    with Proftpd(tmp_path / "server") as server, LateCommands(server.customer) as proxy:
        proxy.late = 0.05
        can = found(server.customer, PATIENT, proxy.port)
        assert (can.pipelines, can.queues, can.early) == (True, False, True)
        assert files_in(server.customer.root) == {}


@pytest.mark.parametrize("handler", [FTPHandler, Queueing])
def test_who_ends_a_connection_over_early_bytes_is_known_over_tls(
    tmp_path: Path, handler: type[FTPHandler]
) -> None:
    with PyFtpdTls(tmp_path / "server", handler=handler) as server:
        can = found(server.customer)
    assert (can.pipelines, can.queues, can.early) == (True, False, False)


class SlowToBegin(FTPHandler):  # type: ignore[misc]
    """Takes its time before it begins the first file."""

    was_slow = False

    def ftp_STOR(self, *arguments: Any, **more: Any) -> Any:
        """Begin, at last."""
        if not self.was_slow:
            self.was_slow = True
            time.sleep(8 * LATE)
        return super().ftp_STOR(*arguments, **more)


def test_a_beginning_that_is_late_once_is_waited_for_at_the_next_file(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_BEGIN_SECONDS", 4 * LATE)
    (tmp_path / "served").mkdir()
    can = Capabilities(pipelines=True)
    with (
        PyFtpServer(tmp_path / "served", handler=SlowToBegin) as server,
        LateCommands(server.customer) as proxy,
        closing(open_session(server.customer, port=proxy.port, capabilities=can)) as session,
    ):
        for name in ("first.wav", "second.wav"):
            with opened(recording) as source:
                upload(session, source, job(), Ledger(names=(name,)))


def test_a_beginning_that_was_heard_beside_the_handshake_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_BEGIN_SECONDS", LONG)
    began = time.monotonic()
    with PureFtpd(tmp_path / "server", tls="ftps") as server:
        assert found(server.customer).pipelines
    assert time.monotonic() - began < LONG


def test_no_reply_is_waited_for_that_was_heard_before_the_end_of_the_file(tmp_path: Path) -> None:
    """ProFTPD answers what comes during a file once more of the file comes."""
    patient = Limits(resolve=5, connect=5, login=LONG, reply=LONG, stall=LONG)
    began = time.monotonic()
    with Proftpd(tmp_path / "server") as server:
        can = found(server.customer, patient)
    assert (can.pipelines, can.queues, can.early) == (True, False, True)
    assert time.monotonic() - began < LONG
