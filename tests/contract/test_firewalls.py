"""A control connection that is silent while a long file goes over another one."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, Look
from deploy.local.customers import PyFtpServer
from tests.contract.accounts import LIMITS, Ledger, files_in, job, open_session, upload
from tests.contract.firewall import Firewall
from tests.contract.proxy import Proxy
from tests.servers import Vsftpd
from transports.errors import ConnectionLost
from transports.job import Verified

IDLE = 3.0
"""Seconds of silence until the firewall forgets a connection."""
PIECE = b"recording" * 1000
NEVER = 1000.0


class Slow:
    """A recording that comes in pieces, for so many seconds in all."""

    def __init__(self, seconds: float, pieces: int = 20) -> None:
        self.size = pieces * len(PIECE)
        self._pause = seconds / pieces
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._pieces):
            time.sleep(self._pause)
            yield PIECE


class Counting(FTPHandler):  # type: ignore[misc]
    """Notes each file that is sent, and each login."""

    seen: ClassVar[list[str]] = []

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """As ever."""
        if cmd in {"STOR", "PASS"}:
            self.seen.append(cmd)
        super().pre_process_command(line, cmd, arg)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PyFtpServer]:
    (tmp_path / "served").mkdir()
    Counting.seen.clear()
    with PyFtpServer(tmp_path / "served", handler=Counting) as running:
        yield running


def test_a_firewall_does_not_forget_a_control_connection_in_a_long_upload(
    server: PyFtpServer,
) -> None:
    recording = Slow(2.5 * IDLE)
    with Firewall(server.customer, idle=IDLE) as firewall:
        limits = replace(LIMITS, keep_alive=1)
        with closing(open_session(server.customer, limits, port=firewall.port)) as session:
            done = upload(session, recording, job(), Ledger())
        assert firewall.forgotten == set()
    assert done.verified is Verified.SIZE
    assert Counting.seen == ["PASS", "STOR"]
    assert files_in(server.customer.root) == {"call.wav": recording.size}


def test_where_it_is_forgotten_all_the_same_the_file_is_looked_for_and_not_sent_again(
    server: PyFtpServer,
) -> None:
    recording = Slow(2.5 * IDLE)
    with Firewall(server.customer, idle=IDLE) as firewall:
        limits = replace(LIMITS, keep_alive=NEVER)
        with closing(open_session(server.customer, limits, port=firewall.port)) as session:
            done = upload(session, recording, job(), Ledger())
        assert firewall.forgotten
    assert done.sent
    assert Counting.seen == ["PASS", "STOR", "PASS"]
    assert files_in(server.customer.root) == {"call.wav": recording.size}


def test_a_file_that_is_not_whole_there_is_a_failed_try_and_no_file(server: PyFtpServer) -> None:
    """The same, where the data was cut as well."""
    recording = Slow(2)
    with Proxy(server.customer, cut_after=recording.size // 2) as proxy:
        session = open_session(server.customer, port=proxy.port)
        with pytest.raises(ConnectionLost):
            upload(session, recording, job(), Ledger())
        session.close()
    assert "call.wav" not in files_in(server.customer.root)


def test_commands_go_over_it_meanwhile_where_the_server_keeps_them_for_the_end(
    tmp_path: Path,
) -> None:
    """What ends idle connections in between may be a gateway that no keep-alive of TCP passes."""
    recording = Slow(3)
    known = Capabilities(look=Look.SIZE, at_once=1, pipelines=True, queues=True)
    with Vsftpd(tmp_path / "vsftpd") as server:
        limits = replace(LIMITS, keep_alive=0.3)
        with closing(open_session(server.customer, limits, capabilities=known)) as session:
            first = upload(session, recording, job(1), Ledger())
            second = upload(session, Slow(0), job(2), Ledger(names=("next.wav",)))
        said = (server.folder / "protocol.log").read_text()
        assert files_in(server.root) == {"call.wav": recording.size, "next.wav": recording.size}
    assert (first.verified, second.verified) == (Verified.SIZE, Verified.SIZE)
    assert said.count('"NOOP"') >= 3
    assert said.count('FTP command: Client "127.0.0.1", "STOR') == 2
    assert said.count('"PASS') == 1


@pytest.mark.parametrize("queues", [False, True])
def test_no_command_is_sent_during_a_file_to_a_server_that_may_answer_it_at_once(
    server: PyFtpServer,
    queues: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Without the trial of the test on save nothing says that it keeps them."""
    asked = list[str]()

    class Listening(Counting):
        def ftp_NOOP(self, line: str) -> None:
            asked.append(line)
            super().ftp_NOOP(line)

    server.stop()
    server._handler = Listening
    server.start()
    known = Capabilities(look=Look.SIZE, at_once=1, pipelines=queues)
    limits = replace(LIMITS, keep_alive=0.1)
    with closing(open_session(server.customer, limits, capabilities=known)) as session:
        upload(session, Slow(1), job(), Ledger())
    assert asked == []
