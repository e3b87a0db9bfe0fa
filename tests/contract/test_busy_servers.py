"""What real servers say beyond their limits: they are busy, which is nobody's failure."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from deploy.local.customers import CustomerServer, PyFtpServer
from tests.contract.accounts import LIMITS, files_in, open_session, settings_of
from tests.contract.scripted import ScriptedServer
from tests.integration.platform import until
from tests.servers.openssh import Sshd
from tests.servers.proftpd import ModSftp, Proftpd
from tests.servers.pure_ftpd import PureFtpd
from tests.servers.vsftpd import Vsftpd
from transports.base import Egress, Server
from transports.errors import LoginRefused, ServerBusy, TransferError
from transports.settings_report import TestReport
from transports.settings_test import test_settings as try_settings

Start = Callable[[Path], AbstractContextManager[Any]]

LIMITED: dict[str, tuple[Start, str]] = {
    "vsftpd max_per_ip": (
        partial(Vsftpd, extra=["max_per_ip=1"]),
        "421 There are too many connections from your internet address.",
    ),
    "vsftpd max_clients": (
        partial(Vsftpd, extra=["max_clients=1"]),
        "421 There are too many connected users, please try later.",
    ),
    "ProFTPD MaxClientsPerHost": (
        partial(Proftpd, extra=["MaxClientsPerHost 1"]),
        "530 Sorry, the maximum number",
    ),
    "ProFTPD MaxClients": (
        partial(Proftpd, extra=["MaxClients 1"]),
        "530 Sorry, the maximum number",
    ),
    "ProFTPD MaxClientsPerUser": (
        partial(Proftpd, extra=["MaxClientsPerUser 1"]),
        "530 Sorry, the maximum number",
    ),
    "pure-ftpd -C": (
        partial(PureFtpd, extra=["--maxclientsperip=1"]),
        "421 Too many connections (1) from this IP",
    ),
    "pure-ftpd -c": (
        partial(PureFtpd, extra=["--maxclientsnumber=1"]),
        "421 1 users (the maximum) are already logged in",
    ),
}


@contextmanager
def logged_in(customer: CustomerServer) -> Iterator[Server]:
    """A session, once the connection that looked whether the server listens is counted no more."""

    def open_one() -> Server | None:
        try:
            return open_session(customer)
        except TransferError:
            return None

    with closing(until(open_one, "a first session")) as session:
        yield session


@pytest.mark.parametrize(("start", "words"), LIMITED.values(), ids=LIMITED)
def test_a_login_beyond_the_limit_finds_the_server_busy(
    tmp_path: Path, start: Start, words: str
) -> None:
    with (
        start(tmp_path / "server") as server,
        logged_in(server.customer),
        pytest.raises(ServerBusy) as busy,
    ):
        open_session(server.customer)
    assert busy.value.words.startswith(words)


@pytest.mark.parametrize(("start", "words"), LIMITED.values(), ids=LIMITED)
def test_one_session_more_beside_the_first_finds_it_busy_and_the_first_goes_on(
    tmp_path: Path, start: Start, words: str
) -> None:
    with start(tmp_path / "server") as server, logged_in(server.customer) as first:
        with pytest.raises(ServerBusy) as busy:
            first.another()
        assert busy.value.words.startswith(words)
        first.put([b"a recording"], "call.part")
        assert first.size("call.part") == len(b"a recording")


class LateToForget(FTPHandler):  # type: ignore[misc]
    """Counts a connection for a moment longer, as servers with a process for each do."""

    def close(self) -> None:
        """It is over, and counts."""
        is_over = self._closed
        super().close()
        if not is_over:
            self.server.ip_map.append(self.remote_ip)
            self.ioloop.call_later(0.4, self.server.ip_map.remove, self.remote_ip)


def test_the_test_on_save_waits_for_its_own_sessions_to_be_forgotten(tmp_path: Path) -> None:
    """Else what it tries in sessions of their own would be taken for refused."""
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=LateToForget, max_connections_per_ip=2) as server:
        report = settings_report_of(server.customer)
    assert report.ok, report.failure
    assert (report.capabilities.at_once, report.capabilities.resumes) == (2, True)
    assert report.steps[-1].ok, report.steps[-1]
    assert files_in(root) == {}


def test_a_file_that_the_test_on_save_could_not_even_begin_is_not_told_as_left(
    tmp_path: Path,
) -> None:
    class OneLogin(FTPHandler):  # type: ignore[misc]
        """Has room for the first login, and for no other one."""

        logins: ClassVar[list[str]] = []

        def on_login(self, username: str) -> None:
            self.logins.append(username)

        def ftp_USER(self, line: str) -> None:
            if self.logins:
                self.respond("421 Too many users.")
                self.close_when_done()
            else:
                super().ftp_USER(line)

    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=OneLogin) as server:
        report = settings_report_of(server.customer)
    assert report.ok, report.failure
    assert (report.capabilities.at_once, report.capabilities.resumes) == (1, None)
    assert report.steps[-1].ok, report.steps[-1]


def settings_report_of(customer: CustomerServer) -> TestReport:
    return try_settings(settings_of(customer), SecretStr(customer.password), LIMITS, Egress())


@pytest.mark.parametrize(
    "greeting",
    [
        b"421 Maximum number of clients reached\r\n",
        b"421 Too many users are connected, please try again later.\r\n",
        b"530 Too many connections\r\n",
    ],
)
def test_what_servers_of_windows_say_is_busy_too(greeting: bytes) -> None:
    with ScriptedServer([greeting]) as server, pytest.raises(ServerBusy):
        open_session(server.customer)


@pytest.mark.parametrize(
    "reply",
    [
        b"530 Too many failed login attempts, please try again later\r\n",
        b"421 Too many failed login attempts\r\n",
        b"530 Login incorrect.\r\n",
    ],
)
def test_a_password_tried_too_often_is_a_refused_login(reply: bytes) -> None:
    script = ScriptedServer([b"220 ready\r\n"], b"331 password\r\n", reply)
    with script as server, pytest.raises(LoginRefused):
        open_session(server.customer)


def test_openssh_that_ends_after_too_many_tries_has_refused_the_login(tmp_path: Path) -> None:
    """The words are about passwords, and not about connections."""
    with (
        Sshd(tmp_path / "sshd", extra=["MaxAuthTries 1"]) as server,
        pytest.raises(LoginRefused),
    ):
        open_session(server.customer, password="not this one")


def test_sessions_of_mod_sftp_beyond_the_limit_find_it_busy(tmp_path: Path) -> None:
    with (
        ModSftp(tmp_path / "server", extra=["MaxClientsPerHost 1"]) as server,
        logged_in(server.customer),
        pytest.raises(ServerBusy),
    ):
        open_session(server.customer)
