"""FTPS with real servers as Debian ships them: verified, every file over TLS, sessions resumed."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.accounts import Protocol
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
from tests.servers import Proftpd, PureFtpd, Vsftpd
from tests.servers.certificates import fingerprint
from transports.base import Egress
from transports.errors import (
    CertificateChanged,
    CertificateUntrusted,
    EncryptionAsked,
    ImplicitTlsAsked,
    LoginRefused,
    NoTlsAnswers,
    PlainAnswers,
    TransferError,
)
from transports.settings_report import TestReport
from transports.settings_test import test_settings as try_settings

Server = Vsftpd | Proftpd | PureFtpd
SERVERS: dict[str, Callable[[Path], Server]] = {
    "vsftpd": partial(Vsftpd, tls="ftps"),
    "vsftpd, TLS 1.2": partial(Vsftpd, tls="ftps", newest="TLSv1.2"),
    "vsftpd, implicit": partial(Vsftpd, tls="ftps-implicit"),
    "ProFTPD": partial(Proftpd, tls="ftps"),
    "ProFTPD, TLS 1.2": partial(Proftpd, tls="ftps", extra=["TLSProtocol TLSv1.2"]),
    "ProFTPD, implicit": partial(Proftpd, tls="ftps-implicit"),
    "pure-ftpd": partial(PureFtpd, tls="ftps"),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with SERVERS[request.param](tmp_path_factory.mktemp("ftps") / "server") as running:
        yield running


@pytest.fixture(scope="module")
def report(server: Server) -> TestReport:
    """What the test on save shows of the server."""
    return tried(server.customer)


@pytest.fixture(scope="module")
def vsftpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vsftpd]:
    with Vsftpd(tmp_path_factory.mktemp("ftps") / "vsftpd", tls="ftps") as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vsftpd]:
    with Vsftpd(tmp_path_factory.mktemp("ftps") / "plain") as running:
        yield running


def tried(customer: CustomerServer, **changes: object) -> TestReport:
    settings = settings_of(customer, **changes)
    return try_settings(settings, SecretStr(customer.password), LIMITS, Egress())


def test_settings_are_tested_and_then_recordings_arrive(
    server: Server, report: TestReport, recording: Path, request: pytest.FixtureRequest
) -> None:
    assert report.failure is None, report.steps
    steps = {step.name: step.detail for step in report.steps}
    version = "TLS 1.2" if "TLS 1.2" in request.node.name else "TLS 1.3"
    assert steps["encrypted"].startswith(version)
    assert steps["certificate"].startswith("for 127.0.0.1, issued by trustme")
    assert "valid until " in steps["certificate"]
    assert "PROT P" in steps["protected"]
    found = report.capabilities.model_copy(update={"look": None})
    for capabilities in (found, report.capabilities):
        server_session = open_session(server.customer, capabilities=capabilities)
        try:
            for name in ("first.wav", "second.wav"):
                with opened(recording) as source:
                    ledger = Ledger(names=(f"{capabilities.look}-{name}",))
                    done = upload(server_session, source, job(), ledger)
                arrived = server.root / done.remote_path
                assert arrived.read_bytes() == recording.read_bytes()
                arrived.unlink()
        finally:
            server_session.close()
    assert files_in(server.root) == {}


def test_flights_work_as_without_tls(report: TestReport) -> None:
    """Commands that are sent together, and those behind a transfer, are no less right over TLS."""
    assert report.capabilities.pipelines
    assert report.capabilities.at_once == 4


def test_files_of_every_size_and_reading_and_listing_go_over_tls(
    server: Server, report: TestReport
) -> None:
    session = open_session(server.customer, capabilities=report.capabilities)
    try:
        for size in (0, 1, 16_384, 16_385, 3_000_000):
            content = bytes(range(256)) * (size // 256) + bytes(size % 256)
            name = f"{size}.bin"
            session.put([content[:70_000], content[70_000:]], name)
            assert (server.root / name).read_bytes() == content
            assert session.size(name) == size
            assert session.read(name, 4_000_000) == content
            session.remove(name)
            assert not session.exists(name)
    finally:
        session.close()


def test_a_wrong_password_is_told_as_such(vsftpd: Vsftpd) -> None:
    with pytest.raises(LoginRefused):
        open_session(vsftpd.customer, password="wrong")


def test_an_unknown_authority_is_told_with_the_fingerprint_and_without_the_password(
    vsftpd: Vsftpd,
) -> None:
    report = tried(vsftpd.customer, ca_certificates=None)
    assert isinstance(report.failure, CertificateUntrusted)
    assert report.failure.shown == fingerprint(vsftpd.pair)
    assert [step.name for step in report.steps] == [
        "resolved",
        "connected",
        "encrypted",
        "certificate",
    ]
    assert "issued by trustme" in report.steps[-1].detail
    log = (vsftpd.folder / "protocol.log").read_text()
    assert "USER" not in log.splitlines()[-1]


def test_a_pinned_certificate_needs_no_authority(vsftpd: Vsftpd) -> None:
    shown = fingerprint(vsftpd.pair)
    pinned = settings_of(vsftpd.customer, ca_certificates=None, host_keys=(shown,))
    assert pinned.host_keys == (shown,)
    report = try_settings(pinned, SecretStr(vsftpd.customer.password), LIMITS, Egress())
    assert report.failure is None
    assert f"{shown}, which is pinned" in {step.detail for step in report.steps}


def test_another_certificate_than_the_pinned_one_is_refused_before_the_password(
    vsftpd: Vsftpd,
) -> None:
    other = ":".join(["AB"] * 32)
    with pytest.raises(CertificateChanged) as changed:
        open_session(vsftpd.customer, host_keys=(other,), ca_certificates=None)
    assert (changed.value.pinned, changed.value.shown) == ((other,), fingerprint(vsftpd.pair))


def test_the_servers_own_certificate_may_stand_for_its_authority(vsftpd: Vsftpd) -> None:
    own = vsftpd.pair.cert.read_text()
    open_session(vsftpd.customer, ca_certificates=own).close()


@pytest.mark.parametrize("protocol", [Protocol.FTPS, Protocol.FTPS_IMPLICIT])
def test_a_server_without_tls_is_told_with_what_to_choose(
    plain: Vsftpd, protocol: Protocol
) -> None:
    expected = NoTlsAnswers if protocol is Protocol.FTPS else PlainAnswers
    with pytest.raises(TransferError) as failed:
        open_session(plain.customer, protocol=protocol)
    assert type(failed.value) is expected
    assert "choose FTP" in failed.value.advice


def test_a_server_that_wants_tls_is_told_to_whoever_asks_without(vsftpd: Vsftpd) -> None:
    with pytest.raises(EncryptionAsked) as asked:
        open_session(vsftpd.customer, protocol=Protocol.FTP)
    assert "choose FTPS (explicit)" in asked.value.advice


@pytest.mark.parametrize("protocol", [Protocol.FTP, Protocol.FTPS])
def test_a_port_of_implicit_tls_is_told_to_whoever_asks_otherwise(
    tmp_path: Path, protocol: Protocol
) -> None:
    with (
        Vsftpd(tmp_path / "vsftpd", tls="ftps-implicit") as server,
        pytest.raises(ImplicitTlsAsked) as asked,
    ):
        open_session(server.customer, protocol=protocol)
    assert "choose FTPS (implicit)" in asked.value.advice


def test_a_server_of_explicit_tls_is_told_to_whoever_asks_for_the_implicit(vsftpd: Vsftpd) -> None:
    with pytest.raises(PlainAnswers) as failed:
        open_session(vsftpd.customer, protocol=Protocol.FTPS_IMPLICIT)
    assert "choose FTPS (explicit)" in failed.value.advice
