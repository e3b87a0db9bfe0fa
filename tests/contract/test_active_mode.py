"""FTP's active mode: for each file the server connects to us, at a port that an operator opened."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, Look
from deploy.local.customers import CustomerServer, PyFtpServer
from deploy.local.processes import free_ports
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
from tests.contract.conftest import leaving_nothing
from tests.servers import Proftpd, PureFtpd, Vsftpd
from transports.base import ActiveFtp, Egress
from transports.errors import ConnectFailed, Kind, NameRefused, OutgoingFailed, TransferError
from transports.ftp.errors import ActiveModeOff, CallBackFailed, NoPortFree
from transports.job import Transfer, intend_each
from transports.settings_report import TestReport
from transports.settings_test import test_settings as try_settings
from transports.upload import upload as upload_all

PORTS = 40
SIZE = 480_044
KNOWN = Capabilities(look=Look.MLST, at_once=1)
IN_PACKS = KNOWN.model_copy(update={"pipelines": True})
ONLY = ["pasv_enable=NO"]
SERVERS: dict[str, Callable[[Path], Vsftpd | Proftpd | PureFtpd]] = {
    "vsftpd": partial(Vsftpd, extra=ONLY),
    "vsftpd over TLS": partial(Vsftpd, tls="ftps", extra=ONLY),
    "vsftpd over TLS 1.2": partial(Vsftpd, tls="ftps", newest="TLSv1.2", extra=ONLY),
    "vsftpd, implicit": partial(Vsftpd, tls="ftps-implicit", extra=ONLY),
    "ProFTPD": Proftpd,
    "ProFTPD over TLS": partial(Proftpd, tls="ftps"),
    "pure-ftpd": PureFtpd,
    "pure-ftpd over TLS": partial(PureFtpd, tls="ftps"),
}


def allowed(ports: range | None = None, *addresses: str) -> Egress:
    """What an operator allows: ports that nobody else has by chance."""
    if ports is None:
        ports = free_ports(PORTS)
    return Egress(active=ActiveFtp(tuple(map(ip_address, addresses or ["127.0.0.1"])), ports))


def tried(customer: CustomerServer, egress: Egress, **changes: Any) -> TestReport:
    settings = settings_of(customer, active_mode=True, **changes)
    return try_settings(settings, SecretStr(customer.password), LIMITS, egress)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What a server serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vsftpd | Proftpd | PureFtpd]:
    with SERVERS[request.param](tmp_path_factory.mktemp("active") / "server") as running:
        yield running


def test_settings_are_tested_and_recordings_arrive(
    server: Vsftpd | Proftpd | PureFtpd, recording: Path
) -> None:
    egress = allowed()
    with leaving_nothing():
        report = tried(server.customer, egress, path="calls")
        assert report.failure is None, report.steps
        known = report.capabilities
        assert known.avoids == ()
        with closing(
            open_session(
                server.customer, active_mode=True, egress=egress, capabilities=known, path="calls"
            )
        ) as session:
            transfers = [
                Transfer(
                    lambda: opened(recording),
                    job(number, folder="calls"),
                    Ledger(names=(f"calls/{number}.wav",)),
                )
                for number in range(4)
            ]
            upload_all(session, transfers, intend_each)
            for each in transfers:
                assert session.read(each.result().remote_path, SIZE + 1) == recording.read_bytes()
    place = server.root / "calls"
    assert files_in(place) == {f"{number}.wav": SIZE for number in range(4)}
    for path in place.iterdir():
        path.unlink()
    place.rmdir()


def test_a_server_without_passive_transfers_needs_it(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=ONLY) as server:
        settings = settings_of(server.customer)
        report = try_settings(settings, SecretStr(server.password), LIMITS, allowed())
        assert isinstance(report.failure, ConnectFailed)
        assert tried(server.customer, allowed()).ok


def test_without_the_operator_nothing_listens(vsftpd: Vsftpd) -> None:
    report = tried(vsftpd.customer, Egress())
    assert isinstance(report.failure, ActiveModeOff)
    assert report.failure.kind is Kind.OURS
    assert "COURIER_ACTIVE_FTP_ADDRESSES" in report.failure.advice


def test_an_account_that_did_not_ask_for_it_gets_passive_transfers(
    vsftpd: Vsftpd, recording: Path
) -> None:
    with (
        closing(open_session(vsftpd.customer, egress=allowed())) as session,
        opened(recording) as source,
    ):
        upload(session, source, job(), Ledger())
    said = (vsftpd.folder / "protocol.log").read_text()
    assert "PORT" not in said


class TwiceCalled(FTPHandler):  # type: ignore[misc]
    """Somebody else is quicker than the server, from another address."""

    strangers: ClassVar[list[socket.socket]] = []

    def ftp_PORT(self, line: str) -> None:
        """The stranger comes first."""
        *host, high, low = line.split(",")
        place = (".".join(host), int(high) * 256 + int(low))
        stranger = socket.create_connection(place, 5, source_address=("127.0.0.2", 0))
        self.strangers.append(stranger)
        super().ftp_PORT(line)


@pytest.mark.parametrize("known", [KNOWN, IN_PACKS])
def test_only_the_servers_own_address_is_let_in(
    root: Path, recording: Path, known: Capabilities
) -> None:
    with PyFtpServer(root, handler=TwiceCalled) as server:
        session = open_session(
            server.customer, active_mode=True, egress=allowed(), capabilities=known
        )
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
    assert (root / "call.wav").read_bytes() == recording.read_bytes()
    assert TwiceCalled.strangers
    for stranger in TwiceCalled.strangers:
        stranger.settimeout(5)
        assert stranger.recv(1) == b"", "it was hung up on, and got not one byte"
        stranger.close()
    TwiceCalled.strangers.clear()


class NeverCalls(FTPHandler):  # type: ignore[misc]
    """Begins, and does not connect: a firewall is in between."""

    then = ""

    def ftp_PORT(self, line: str) -> None:
        """Taken."""
        self.respond("200 fine")

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        """Begun."""
        self.respond("150 go on")
        if self.then:
            self.respond(self.then)


class SaysSo(NeverCalls):
    """The same, and says so."""

    then = "425 Can't open data connection."


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (NeverCalls, "It did not connect to 127.0.0.1, port "),
        (SaysSo, "425 Can't open data connection."),
    ],
)
def test_a_server_that_does_not_connect_is_waited_for_so_long_and_told_as_such(
    root: Path, recording: Path, handler: type[FTPHandler], words: str
) -> None:
    limits = replace(LIMITS, connect=1, reply=1)
    with leaving_nothing(), PyFtpServer(root, handler=handler) as server:
        session = open_session(
            server.customer, limits, active_mode=True, egress=allowed(), capabilities=KNOWN
        )
        with pytest.raises(CallBackFailed) as failed, opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
    assert failed.value.words.startswith(words)
    assert failed.value.kind is Kind.ACCOUNT
    assert "firewalls at both ends" in failed.value.advice


def test_a_server_that_wants_no_active_mode_is_told_in_its_words(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["port_enable=NO"]) as server:
        failure = tried(server.customer, allowed()).failure
    assert isinstance(failure, CallBackFailed)
    assert failure.words.startswith("5")
    assert "switch Active Mode off" in failure.advice


def test_eprt_is_asked_for_where_port_is_not_known(root: Path, recording: Path) -> None:
    class NoPort(FTPHandler):  # type: ignore[misc]
        def ftp_PORT(self, line: str) -> None:
            self.respond("502 What?")

    with PyFtpServer(root, handler=NoPort) as server:
        session = open_session(server.customer, active_mode=True, egress=allowed())
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
    assert files_in(root) == {"call.wav": SIZE}


def test_over_ipv6_eprt_names_the_address(root: Path, recording: Path) -> None:
    with PyFtpServer(root, host="::1") as server:
        assert server.customer.host == "::1"
        egress = allowed(None, "127.0.0.1", "::1")
        session = open_session(server.customer, active_mode=True, egress=egress)
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
        assert files_in(root) == {"call.wav": SIZE}
        of_ipv4 = tried(server.customer, allowed()).failure
    assert isinstance(of_ipv4, ActiveModeOff)
    assert "no IPv6 address" in of_ipv4.words


def test_the_address_that_is_told_may_be_that_of_a_nat(root: Path, recording: Path) -> None:
    told = list[str]()

    class Behind(FTPHandler):  # type: ignore[misc]
        permit_foreign_addresses = True

        def ftp_PORT(self, line: str) -> None:
            told.append(line)
            super().ftp_PORT(line.replace("192,0,2,7,", "127,0,0,1,"))  # as the NAT does

    with PyFtpServer(root, handler=Behind) as server:
        egress = allowed(None, "192.0.2.7")
        session = open_session(server.customer, active_mode=True, egress=egress)
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
    assert files_in(root) == {"call.wav": SIZE}
    assert told
    assert all(line.startswith("192,0,2,7,") for line in told)


def test_where_no_port_is_free_nothing_is_counted(pyftpd_server: PyFtpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        session = open_session(
            pyftpd_server.customer, active_mode=True, egress=allowed(range(port, port + 1))
        )
        with pytest.raises(NoPortFree) as failed:
            session.put([b"x"], "a.part")
        session.close()
    assert failed.value.kind is Kind.OURS


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("bind", errno.EADDRNOTAVAIL),
        ("listen", errno.ENOBUFS),
        ("accept", errno.EMFILE),
        ("accept", errno.ENFILE),
    ],
)
def test_where_the_machine_cannot_listen_nothing_is_counted(
    call: str, number: int, vsftpd: Vsftpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_session(vsftpd.customer, active_mode=True, egress=allowed())) as session:
        monkeypatch.setattr(socket.socket, call, partial(refuse, number))
        with pytest.raises(OutgoingFailed) as failed:
            session.put([b"x"], "a.part")
    assert failed.value.kind is Kind.OURS
    assert os.strerror(number) in failed.value.words


def test_where_no_socket_is_to_be_had_nothing_is_counted(
    vsftpd: Vsftpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_session(vsftpd.customer, active_mode=True, egress=allowed())) as session:
        monkeypatch.setattr(socket, "socket", partial(refuse, errno.EMFILE))
        with pytest.raises(OutgoingFailed) as failed:
            session.put([b"x"], "a.part")
    assert failed.value.words == "The platform cannot open a connection: Too many open files"


def refuse(number: int, *_: object) -> NoReturn:
    """What a system call does that fails."""
    raise OSError(number, os.strerror(number))


def test_a_refusal_is_heard_though_no_connection_comes(pyftpd_server: PyFtpServer) -> None:
    session = open_session(pyftpd_server.customer, active_mode=True, egress=allowed())
    with pytest.raises(NameRefused):
        session.read("nowhere.wav", 10)
    assert not session.exists("nowhere.wav", Look.NLST)
    with pytest.raises(TransferError):
        session.put([b"x"], "nowhere/a.part")
    session.put([b"x"], "a.part")
    assert session.read("a.part", 10) == b"x"
    session.close()
