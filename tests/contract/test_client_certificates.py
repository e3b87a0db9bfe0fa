"""FTPS servers that want a certificate of the client's, as Debian ships them."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.client_certificates import read_client_key
from deploy.local.customers import CustomerServer
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
from tests.contract.scripted import ScriptedServer
from tests.servers import Proftpd, Vsftpd
from tests.servers.certificates import Authority, Pair
from tests.servers.pyftpd import PyFtpdTls
from transports.base import Egress
from transports.errors import ClientCertificateRefused, ConnectionLost, TransferError
from transports.ftp.contact import MAY_WANT_CERTIFICATE
from transports.ftp.errors import ClientCertificateEnded, ClientCertificateNotAccepted
from transports.ftp.trust import HandshakeRefused
from transports.ftp.wire import Wire
from transports.settings_report import TestReport
from transports.settings_test import test_settings as try_settings

Server = Vsftpd | Proftpd | PyFtpdTls
_PIECE = 65536


def of_vsftpd(folder: Path, authority: Authority, newest: str | None = None) -> Vsftpd:
    lines = ["ssl_request_cert=YES", "require_cert=YES", "validate_cert=YES"]
    return Vsftpd(
        folder, tls="ftps", newest=newest, extra=[*lines, f"ca_certs_file={authority.file}"]
    )


def of_proftpd(folder: Path, authority: Authority, protocol: str = "TLSv1.2 TLSv1.3") -> Proftpd:
    lines = ["TLSVerifyClient on", f"TLSProtocol {protocol}"]
    return Proftpd(folder, tls="ftps", extra=[*lines, f"TLSCACertificateFile {authority.file}"])


def of_pyftpdlib(folder: Path, authority: Authority) -> PyFtpdTls:
    return PyFtpdTls(folder, clients=authority)


SERVERS: dict[str, Callable[[Path, Authority], Server]] = {
    "vsftpd": of_vsftpd,
    "vsftpd, TLS 1.2": partial(of_vsftpd, newest="TLSv1.2"),
    "ProFTPD": of_proftpd,
    "pyftpdlib": of_pyftpdlib,
    "ProFTPD, TLS 1.2": partial(of_proftpd, protocol="TLSv1.2"),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that the servers trust for clients."""
    return Authority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Pair:
    return authority.issue("acme")


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("ftps") / "server"
    with SERVERS[request.param](folder, authority) as running:
        yield running


def tried(customer: CustomerServer, pair: Pair | None) -> TestReport:
    """The test on save with the certificate."""
    chain, key = shown(pair)
    settings = settings_of(customer, client_certificate=chain)
    password = SecretStr(customer.password)
    return try_settings(settings, password, LIMITS, Egress(), client_key=key)


def shown(pair: Pair | None) -> tuple[str | None, SecretStr | None]:
    if pair is None:
        return None, None
    key = read_client_key(SecretStr(pair.key.read_text()), None)
    return pair.cert.read_text(), key


def test_recordings_arrive_where_the_certificate_is_shown(
    server: Server, own: Pair, recording: Path
) -> None:
    report = tried(server.customer, own)
    assert report.failure is None, report.steps
    assert report.capabilities.at_once == 4
    chain, key = shown(own)
    with closing(
        open_session(
            server.customer,
            capabilities=report.capabilities,
            client_certificate=chain,
            client_key=key,
        )
    ) as session:
        for name in ("first.wav", "second.wav"):
            with opened(recording) as source:
                upload(session, source, job(), Ledger(names=(name,)))
        assert session.read("first.wav", 500_000) == recording.read_bytes()
    assert files_in(server.customer.root) == dict.fromkeys(("first.wav", "second.wav"), 480_044)
    for name in ("first.wav", "second.wav"):
        (server.customer.root / name).unlink()


def test_without_one_it_is_told_what_is_missing(server: Server) -> None:
    failure = tried(server.customer, None).failure
    # Of TLS 1.2 it says no more than that the handshake has failed.
    assert isinstance(failure, ClientCertificateRefused | HandshakeRefused), failure
    assert not isinstance(failure, ClientCertificateNotAccepted)
    assert "Client Certificate" in failure.advice


def test_one_of_an_authority_that_the_server_does_not_trust_is_told_as_such(
    server: Server, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").issue("acme")
    failure = tried(server.customer, other).failure
    assert type(failure) is ClientCertificateNotAccepted, failure
    assert "trusts the authority" in failure.advice


def test_one_that_has_ended_since_it_was_saved_is_told_as_such(
    server: Server, authority: Authority
) -> None:
    ended = authority.issue("acme", expired=True)
    failure = tried(server.customer, ended).failure
    assert type(failure) is ClientCertificateEnded, failure
    assert "issue another" in failure.advice


def test_a_server_that_wants_none_is_content_with_one(tmp_path: Path, own: Pair) -> None:
    with Vsftpd(tmp_path / "vsftpd", tls="ftps") as server:
        assert tried(server.customer, own).ok


# --- refused behind the handshake, as TLS 1.3 does it ---------------------------------------------


class Refusing(ScriptedServer):
    """Refuses the client by TLS 1.3, when that takes the handshake for over, and resets.

    `is_late`: only once the first command has come too. `says`: whether with TLS's alert.
    """

    def __init__(self, authority: Authority, *, is_late: bool, says: bool = True) -> None:
        super().__init__([b"220 ready\r\n"])
        self.asks = threading.Event()
        """Whether the client comes to its first command, or has sent that too."""
        self.gone = threading.Event()
        """Whether a client was hung up on."""
        self._tls = authority.server_context(authority.issue("127.0.0.1"), demands=True)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self.is_late = is_late
        self._says = says

    def _talk(self, connection: socket.socket) -> None:
        super()._talk(connection)
        connection.settimeout(10)
        self.heard.append(connection.recv(_PIECE))
        connection.sendall(b"234 go\r\n")
        self._refuse(connection)
        # As the system does it of itself where something of the client's was not read.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        self.gone.set()

    def _refuse(self, connection: socket.socket) -> None:
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(heard, said, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                answer = said.read()
                connection.sendall(answer)
                if answer:  # the client's next words end the handshake, for the client
                    self.asks.wait(10)
                heard.write(connection.recv(_PIECE))
            except ssl.SSLError:
                break
        if self._says:
            connection.sendall(said.read())


def refused_by(
    server: Refusing,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    pair: Pair | None = None,
) -> TransferError:
    """What the login fails with; a server that is not late is gone before the first command."""
    send = Wire.send

    def send_late(wire: Wire, data: bytes) -> None:
        if wire.tls is None:
            send(wire, data)
        elif server.is_late:
            send(wire, data)
            server.asks.set()
        else:
            server.asks.set()
            assert server.gone.wait(10)
            send(wire, data)

    monkeypatch.setattr(Wire, "send", send_late)
    chain, key = shown(pair)
    with pytest.raises(TransferError) as failed:
        open_session(
            server.customer,
            protocol="ftps",
            ca_certificates=authority.file.read_text(),
            client_certificate=chain,
            client_key=key,
        )
    return failed.value


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("shows", [False, True])
def test_the_refusal_is_told_whether_it_comes_before_the_first_command_or_behind_it(
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_late: bool,
    shows: bool,
) -> None:
    pair = Authority(tmp_path / "other").issue("acme") if shows else None
    with Refusing(authority, is_late=is_late) as server:
        failure = refused_by(server, authority, monkeypatch, pair)
    assert type(failure) is (ClientCertificateNotAccepted if shows else ClientCertificateRefused)
    assert server.heard == [b"AUTH TLS\r\n"]


def test_vsftpd_refuses_so_however_soon_the_first_command_comes(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, rest = Wire.send, 0.0

    def send_after_a_rest(wire: Wire, data: bytes) -> None:
        if wire.tls is not None:
            time.sleep(rest)
        send(wire, data)

    monkeypatch.setattr(Wire, "send", send_after_a_rest)
    with of_vsftpd(tmp_path / "vsftpd", authority) as server:
        for step in range(20):
            rest = step / 1000
            with pytest.raises(ClientCertificateRefused):
                open_session(server.customer)


@pytest.mark.parametrize("is_late", [False, True])
def test_of_a_server_that_hangs_up_without_a_word_it_is_told_that_it_may_want_one(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, *, is_late: bool
) -> None:
    with Refusing(authority, is_late=is_late, says=False) as server:
        failure = refused_by(server, authority, monkeypatch)
    assert type(failure) is ConnectionLost
    assert failure.advice.endswith(MAY_WANT_CERTIFICATE)
