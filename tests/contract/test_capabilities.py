"""What the test on save finds out of a server and stores, against every server."""

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.sftp import SFTPServerHandler
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Algorithms, Capabilities, HashAlgorithm, Look
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
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
from tests.contract.ftp_handlers import Hashing, Lying, ModernHashing, NeverOver, Silent
from tests.contract.ssh_server import ParamikoServer
from tests.servers import Sshd, Vsftpd
from transports import backends, settings_test
from transports.base import BLOCK, USUAL_REQUEST, Egress
from transports.errors import VerificationFailed
from transports.job import Verified

FTP = Capabilities(at_once=4, pipelines=True, look=Look.SIZE, resumes=True)
OPENSSH = Capabilities(
    look=Look.LSTAT,
    resumes=True,
    at_once=8,
    request_size=BLOCK,
    algorithms=Algorithms(
        kex="curve25519-sha256@libssh.org",
        cipher="aes128-gcm@openssh.com",
        mac="implicit",
        host_key="ssh-ed25519",
    ),
)


def found(customer: CustomerServer, **changes: Any) -> Capabilities:
    """What a test on save stores; nothing of it is left at the customer."""
    settings, password = settings_of(customer, **changes), SecretStr(customer.password)
    with leaving_nothing():
        report = settings_test.test_settings(settings, password, LIMITS, Egress())
    assert report.ok, report.failure
    assert [*customer.root.rglob("*")] == []
    took = report.capabilities.finish_seconds
    assert took is not None
    assert took >= 0
    return report.capabilities.model_copy(update={"finish_seconds": None})


@pytest.fixture
def paramiko_server(tmp_path: Path) -> Iterator[ParamikoServer]:
    root = tmp_path / "paramiko"
    root.mkdir()
    with ParamikoServer(root) as server:
        yield server


def test_what_openssh_can_do_is_stored(sshd: Sshd) -> None:
    stored = found(sshd.customer)
    assert stored.algorithms is not None
    assert stored.algorithms.kex in {"curve25519-sha256@libssh.org", "mlkem768x25519-sha256"}
    algorithms = stored.algorithms.model_copy(update={"kex": "curve25519-sha256@libssh.org"})
    assert stored.model_copy(update={"algorithms": algorithms}) == OPENSSH


def test_what_vsftpd_can_do_is_stored(vsftpd: Vsftpd) -> None:
    assert found(vsftpd.customer) == FTP.model_copy(update={"queues": True})


def test_what_asyncssh_can_do_is_stored(asyncssh_server: AsyncSshServer) -> None:
    stored = found(asyncssh_server.customer)
    assert stored.algorithms is not None
    assert stored.algorithms.cipher == "aes128-gcm@openssh.com"
    assert stored.model_copy(update={"algorithms": OPENSSH.algorithms}) == OPENSSH


def test_what_pyftpdlib_can_do_is_stored(pyftpd_server: PyFtpServer) -> None:
    assert found(pyftpd_server.customer) == FTP.model_copy(update={"look": Look.MLST})


def test_what_a_server_of_paramiko_can_do_is_stored(paramiko_server: ParamikoServer) -> None:
    stored = found(paramiko_server.customer)
    assert stored.hash is None, "of a large file it tells none"
    assert not stored.replace
    assert stored.request_size == USUAL_REQUEST, "it does not say, and takes several channels"
    assert stored.algorithms is not None
    assert stored.algorithms.host_key == "ecdsa-sha2-nistp256"


def test_the_mac_of_a_cipher_that_needs_one_is_stored(tmp_path: Path) -> None:
    lines = ["Ciphers aes256-ctr", "MACs hmac-sha2-512", "KexAlgorithms ecdh-sha2-nistp256"]
    with Sshd(tmp_path / "sshd", extra=lines) as server:
        stored = found(server.customer).algorithms
    assert stored == Algorithms(
        kex="ecdh-sha2-nistp256", cipher="aes256-ctr", mac="hmac-sha2-512", host_key="ssh-ed25519"
    )


@pytest.mark.parametrize("most", [1, 3])
def test_the_channels_that_openssh_takes_at_once_are_counted(tmp_path: Path, most: int) -> None:
    with Sshd(tmp_path / "sshd", extra=[f"MaxSessions {most}"]) as server:
        assert found(server.customer).at_once == most


def test_the_connections_that_vsftpd_takes_at_once_are_counted(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["max_per_ip=3"]) as server:
        # The one that looked whether it listens may be counted still.
        assert any(found(server.customer).at_once == 3 for _ in range(10))


def _ftp(tmp_path: Path, handler: type[FTPHandler], **more: Any) -> PyFtpServer:
    root = tmp_path / "served"
    root.mkdir()
    return PyFtpServer(root, handler=handler, **more)


def test_the_connections_that_pyftpdlib_takes_at_once_are_counted(tmp_path: Path) -> None:
    with _ftp(tmp_path, FTPHandler, max_connections_per_ip=3) as server:
        assert found(server.customer).at_once == 3


@pytest.mark.parametrize(
    ("handler", "algorithm"),
    [
        (Hashing, HashAlgorithm.SHA1),
        (ModernHashing, HashAlgorithm.SHA256),
        (Lying, None),
        (Silent, None),
        (FTPHandler, None),
    ],
)
def test_the_best_digest_that_is_right_is_stored(
    tmp_path: Path, handler: type[FTPHandler], algorithm: HashAlgorithm | None
) -> None:
    with _ftp(tmp_path, handler) as server:
        assert found(server.customer).hash is algorithm


def test_a_server_that_renames_over_no_file_is_known_for_it(tmp_path: Path) -> None:
    with _ftp(tmp_path, NeverOver) as server:
        stored = found(server.customer)
    assert stored.rename
    assert not stored.replace


def without(monkeypatch: pytest.MonkeyPatch, *names: bytes) -> None:
    """Have asyncssh's servers not name these extensions."""
    left = [pair for pair in SFTPServerHandler._extensions if pair[0] not in names]
    monkeypatch.setattr(SFTPServerHandler, "_extensions", left)


class SmallWrites(asyncssh.SFTPServer):
    """Hangs up on whoever writes more at once, as servers do for which a packet is too long."""

    most = 64 * 1024

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        """Write, or hang up."""
        if len(data) > self.most:
            self.connection.abort()
            raise asyncssh.SFTPFailure("too long")
        return super().write(file_obj, offset, data)


class NoLargeWrites(SmallWrites):
    """Takes nothing but what every server takes."""

    most = USUAL_REQUEST


class OneChannel(AsyncSshServer):
    """Closes whatever channel is opened beside the first one of a connection."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._open: weakref.WeakKeyDictionary[object, object] = weakref.WeakKeyDictionary()

    def _answering(self, channel: "asyncssh.SSHServerChannel[bytes]") -> asyncssh.SFTPServer:
        if self._open.setdefault(channel.get_connection(), channel) is not channel:
            channel.close()
        return super()._answering(channel)


@pytest.mark.parametrize(
    ("sftp", "expected"),
    [(asyncssh.SFTPServer, BLOCK), (SmallWrites, 64 * 1024), (NoLargeWrites, None)],
)
def test_the_largest_write_over_one_channel_is_tried_where_a_server_does_not_tell_and_then_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recording: Path,
    sftp: type[asyncssh.SFTPServer],
    expected: int | None,
) -> None:
    without(monkeypatch, b"limits@openssh.com")
    root = tmp_path / "served"
    root.mkdir()
    with OneChannel(root, sftp=sftp) as server:
        stored = found(server.customer)
        assert stored.at_once == 1
        assert stored.request_size == expected
        session = open_session(server.customer, capabilities=stored)
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
        assert files_in(root) == {"call.wav": recording.stat().st_size}


def test_over_several_channels_requests_of_one_packet_go_where_a_server_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, b"limits@openssh.com")
    root = tmp_path / "served"
    root.mkdir()
    with AsyncSshServer(root) as server:
        stored = found(server.customer)
    assert stored.at_once == OPENSSH.at_once
    assert stored.request_size == USUAL_REQUEST


def test_every_session_of_a_test_wants_the_key_that_the_first_has_seen(
    asyncssh_server: AsyncSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, b"limits@openssh.com")
    seen: list[str | None] = []

    def connected(settings: Any, *arguments: Any, **more: Any) -> Any:
        seen.append(settings.host_key)
        return backends.connect(settings, *arguments, **more)

    monkeypatch.setattr("transports.settings_test.connect", connected)
    found(asyncssh_server.customer)
    assert seen[0] is None
    assert set(seen[1:]) == {asyncssh_server.customer.host_key}


@pytest.mark.parametrize("handler", [Hashing, ModernHashing])
def test_an_upload_is_verified_by_the_servers_digest(
    tmp_path: Path, recording: Path, handler: type[FTPHandler]
) -> None:
    with _ftp(tmp_path, handler) as server:
        stored = found(server.customer)
        session = open_session(server.customer, capabilities=stored)
        with opened(recording) as source:
            done = upload(session, source, job(hash=stored.hash), Ledger())
        session.close()
    assert stored.hash is not None
    assert done.verified is Verified.by(stored.hash)


def test_an_upload_is_verified_by_the_digest_of_an_sftp_server(
    paramiko_server: ParamikoServer, recording: Path
) -> None:
    recording.write_bytes(recording.read_bytes()[:50_000])
    session = open_session(paramiko_server.customer)
    with opened(recording) as source:
        done = upload(session, source, job(hash=HashAlgorithm.MD5), Ledger())
    session.close()
    assert done.verified is Verified.MD5


def test_a_server_that_tells_no_digest_any_more_is_verified_by_its_size(
    session: Any, recording: Path
) -> None:
    with opened(recording) as source:
        done = upload(session, source, job(hash=HashAlgorithm.SHA256), Ledger())
    assert done.verified is Verified.SIZE


def test_another_digest_is_a_failure_of_the_file_and_leaves_nothing(
    tmp_path: Path, recording: Path
) -> None:
    with _ftp(tmp_path, Lying) as server:
        session = open_session(server.customer)
        with pytest.raises(VerificationFailed) as failed, opened(recording) as source:
            upload(session, source, job(hash=HashAlgorithm.SHA1), Ledger())
        assert files_in(server.customer.root) == {}
    assert failed.value.words.startswith("The server's SHA1 of the file is ")


def test_a_file_of_that_size_with_another_content_is_not_taken_for_ours(
    tmp_path: Path, recording: Path
) -> None:
    with _ftp(tmp_path, ModernHashing) as server:
        ledger, sha256 = Ledger(), HashAlgorithm.SHA256
        session = open_session(server.customer)
        with opened(recording) as source:
            upload(session, source, job(1, hash=sha256), ledger)
            (intent,) = ledger.intents
            again = upload(session, source, job(2, hash=sha256, intent=intent), ledger)
            assert (again.sent, again.verified) == (False, Verified.SHA256)
            place = server.customer.root / "call.wav"
            place.write_bytes(place.read_bytes()[::-1])
            anew = upload(session, source, job(3, hash=sha256, intent=intent), ledger)
        session.close()
    assert (anew.sent, anew.remote_path) == (True, "call (2).wav")


def test_settings_stored_before_there_were_capabilities_of_these_names_still_load() -> None:
    before = {"size": False, "rename": True}
    assert Capabilities.model_validate(before) == Capabilities(size=False)
    whole = OPENSSH.model_copy(update={"hash": HashAlgorithm.SHA1})
    assert Capabilities.model_validate(whole.model_dump(mode="json")) == whole
