"""`busy` of docs/rules.md: a server that takes few sessions gets few, and nothing is counted."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import CustomerServer, PyFtpServer
from tests.contract.accounts import open_session
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.one_file import OneFileServer
from tests.servers.openssh import Sshd
from tests.servers.proftpd import Proftpd
from tests.servers.pure_ftpd import PureFtpd
from tests.servers.vsftpd import Vsftpd
from transports.errors import TransferError

NAMES = [f"call-{number:02}.wav" for number in range(12)]
CONTENT = bytes(range(256)) * 1024
Start = Callable[[Path], AbstractContextManager[Any]]

LIMITED: dict[str, tuple[Start, Protocol]] = {
    "vsftpd, one for each address": (partial(Vsftpd, extra=["max_per_ip=1"]), Protocol.FTP),
    "vsftpd, two for all": (partial(Vsftpd, extra=["max_clients=2"]), Protocol.FTP),
    "ProFTPD, one": (partial(Proftpd, extra=["MaxClientsPerHost 1"]), Protocol.FTP),
    "ProFTPD, two": (partial(Proftpd, extra=["MaxClientsPerUser 2"]), Protocol.FTP),
    "pure-ftpd, one": (partial(PureFtpd, extra=["--maxclientsperip=1"]), Protocol.FTP),
    "OpenSSH, one channel": (partial(Sshd, extra=["MaxSessions 1"]), Protocol.SFTP),
    "OpenSSH, one login at once": (partial(Sshd, extra=["MaxStartups 1"]), Protocol.SFTP),
}


@pytest.fixture
def courier(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Which would like to have six flights at once."""
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 6)
    return make_courier(retry_delays=(0.0,), max_tries=2, suspend_after=2)


def publish_together(courier: Platform, names: list[str]) -> list[str]:
    """All of them in the queue before the first is tried; each has a content of its own."""
    courier.core.ledger.accounts.pause("acme")
    ids = [
        courier.publish("acme", courier.recording(name, CONTENT + name.encode())) for name in names
    ]
    courier.wait_routed(ids)
    courier.core.ledger.accounts.resume("acme")
    return ids


def assert_nothing_counted(courier: Platform, ids: list[str]) -> None:
    rows = [courier.row(recording_id) for recording_id in ids]
    assert {(row["status"], row["tries"]) for row in rows} == {("delivered", 0)}
    run = courier.run_state("acme")
    assert (run.state, run.failures, run.suspensions) == (State.ACTIVE, 0, 0)


def wait_until_free(customer: CustomerServer) -> None:
    """Until the connection that looked whether the server listens is counted no more."""

    def takes_one() -> bool:
        try:
            open_session(customer).close()
        except TransferError:
            return False
        return True

    until(takes_one, "the server to take a session")


@pytest.mark.parametrize(("start", "protocol"), LIMITED.values(), ids=LIMITED)
def test_beyond_the_limit_of_a_real_server_nothing_is_counted_and_all_arrives(
    courier: Platform, tmp_path: Path, start: Start, protocol: Protocol
) -> None:
    with start(tmp_path / "server") as server, running(courier):
        wait_until_free(server.customer)
        courier.account("acme", server.customer, protocol, path="")
        for part in (NAMES[:6], NAMES[6:]):
            ids = publish_together(courier, part)
            for recording_id in ids:
                courier.wait_status(recording_id, "delivered")
            assert_nothing_counted(courier, ids)
        courier.account_for("acme", server.root)


@pytest.mark.parametrize("per", ["channel", "connection"])
def test_a_server_that_lets_one_file_be_open_gets_one_after_the_other(
    courier: Platform, tmp_path: Path, per: str
) -> None:
    """Its settings were never tested: it is found out while files are brought."""
    refusal = asyncssh.SFTPPermissionDenied
    with OneFileServer(tmp_path / "served", refusal, per=per) as server, running(courier):
        courier.account("acme", server.customer, Protocol.SFTP)
        ids = publish_together(courier, NAMES)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        assert_nothing_counted(courier, ids)
        courier.account_for("acme", server.root)


@dataclass
class Crowd:
    """What a server that lets in so many has seen."""

    allowed: int = 1
    now: int = 0
    most: int = 0
    refused: int = 0
    forgets: bool = True
    """Whether it sees at once that a session is over."""
    ended: int = 0


def crowded(crowd: Crowd) -> type[FTPHandler]:
    """Says 421 to the password of whoever comes beyond it."""

    class Crowded(FTPHandler):  # type: ignore[misc]
        is_in = False

        def ftp_PASS(self, line: str) -> None:
            if crowd.now >= crowd.allowed:
                crowd.refused += 1
                self.respond("421 Too many connections.")
                self.close_when_done()
                return
            super().ftp_PASS(line)

        def on_login(self, username: str) -> None:
            self.is_in = True
            crowd.now += 1
            crowd.most = max(crowd.most, crowd.now)

        def on_disconnect(self) -> None:
            if self.is_in:
                crowd.ended += 1
                crowd.now -= crowd.forgets

    return Crowded


def never_stores(words: str) -> type[FTPHandler]:
    """Lets everybody in, and says this to each file."""

    class NeverStores(FTPHandler):  # type: ignore[misc]
        def ftp_STOR(self, file: str, mode: str = "w") -> None:
            self.respond(words)
            if words.startswith("421"):
                self.close_when_done()

    return NeverStores


def few_data_connections(crowd: Crowd) -> type[FTPHandler]:
    """Lets many log in, and has one data connection for all of them."""

    class FewDataConnections(FTPHandler):  # type: ignore[misc]
        everybody: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()

        def on_connect(self) -> None:
            self.everybody.add(self)

        def ftp_EPSV(self, line: str) -> None:
            if not self._is_refused():
                super().ftp_EPSV(line)

        def ftp_PASV(self, line: str) -> None:
            if not self._is_refused():
                super().ftp_PASV(line)

        def _is_refused(self) -> bool:
            others = [each for each in self.everybody if each is not self]
            if not any(each._dtp_acceptor or each.data_channel for each in others):
                return False
            crowd.refused += 1
            self.respond("425 Can't open data connection.")
            return True

    return FewDataConnections


def test_data_connections_that_are_refused_beside_others_count_for_nothing(
    courier: Platform, tmp_path: Path
) -> None:
    crowd = Crowd()
    root = tmp_path / "served"
    root.mkdir()
    ids: list[str] = []
    with PyFtpServer(root, handler=few_data_connections(crowd)) as server, running(courier):
        courier.account("acme", server.customer, Protocol.FTP)
        while not crowd.refused:
            more = publish_together(courier, [f"{len(ids)}-{name}" for name in NAMES])
            ids += more
            for recording_id in more:
                courier.wait_status(recording_id, "delivered")
        assert_nothing_counted(courier, ids)
        courier.account_for("acme", root)


def test_a_server_that_has_more_room_again_gets_more_step_by_step(
    courier: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.observed_limit.FIRST_PAUSE", 0.2)
    crowd = Crowd(allowed=1)
    root = tmp_path / "served"
    root.mkdir()
    ids: list[str] = []

    def after_more(came_true: Callable[[], bool]) -> bool:
        more = publish_together(courier, [f"{len(ids)}-{name}" for name in NAMES[:8]])
        ids.extend(more)
        for recording_id in more:
            courier.wait_status(recording_id, "delivered")
        return came_true()

    with PyFtpServer(root, handler=crowded(crowd)) as server, running(courier):
        courier.account("acme", server.customer, Protocol.FTP)
        until(lambda: after_more(lambda: crowd.refused > 0), "a refusal")
        assert crowd.most == 1
        crowd.allowed = 2
        until(lambda: after_more(lambda: crowd.most == 2), "two at once")
        assert_nothing_counted(courier, ids)
        courier.account_for("acme", root)


def test_a_server_that_counts_a_session_that_is_over_is_waited_for(
    courier: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.worker.LINGER", 0.1)
    crowd = Crowd(allowed=1, forgets=False)
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=crowded(crowd)) as server, running(courier):
        courier.account("acme", server.customer, Protocol.FTP)
        ids = publish_together(courier, ["first.wav"])
        courier.wait_status(ids[0], "delivered")
        until(lambda: crowd.ended == 1, "the session to end")
        ids += publish_together(courier, ["second.wav"])
        until(lambda: crowd.refused >= 2, "two refusals")
        assert courier.run_state("acme").failures == 0
        crowd.now, crowd.forgets = 0, True
        courier.wait_status(ids[1], "delivered")
        assert_nothing_counted(courier, ids)
        courier.account_for("acme", root)


@pytest.mark.parametrize(
    "words",
    ["425 Too many open connections.", "421 Maximum session duration exceeded."],
    ids=["data connections", "a session's time"],
)
def test_a_server_that_lets_the_only_session_in_and_is_busy_then_is_a_failure_people_hear_of(
    courier: Platform, tmp_path: Path, words: str
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=never_stores(words)) as server, running(courier):
        courier.account("acme", server.customer, Protocol.FTP)
        publish_together(courier, ["call.wav"])
        run = courier.wait_state("acme", State.SUSPENDED)
        assert run.failures == 2
        assert run.last_error is not None
        assert run.last_error.kind == "account"
