"""What FTP servers do that an uploader has to live with, or has to refuse."""

import io
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler

from deploy.local.customers import PyFtpServer
from tests.contract.accounts import LIMITS, Ledger, files_in, job, open_session, opened, upload
from tests.contract.proxy import Proxy
from tests.contract.scripted import ScriptedServer, endless
from tests.servers import Vsftpd
from transports.base import Unsupported
from transports.errors import (
    AccountFailure,
    LoginRefused,
    NameRefused,
    PathRefused,
    ProtocolFailed,
    QuotaExceeded,
    ServerBusy,
    TransferError,
)
from transports.job import Verified

UNSPECIFIED = str(ip_address(0))


def refusal(*answers: bytes, greeting: bytes = b"220 ready\r\n") -> TransferError:
    """The error of a logon to a server that answers like that."""
    with ScriptedServer([greeting], *answers) as server, pytest.raises(TransferError) as failed:
        open_session(server.customer)
    return failed.value


@pytest.mark.parametrize(
    "line", [b"220-Welcome\r\n", b"220-" + b"x" * 500, b"220-\r\n", b"\xff\xfe\r\n"]
)
def test_a_flood_of_greeting_is_refused_without_reading_it_all(line: bytes) -> None:
    with ScriptedServer(endless(line)) as server, pytest.raises(ProtocolFailed):
        open_session(server.customer)


def test_too_many_connections_is_busy_and_not_a_failure_of_the_logon() -> None:
    error = refusal(greeting=b"421 Too many users\r\n")
    assert isinstance(error, ServerBusy)
    assert error.words == "421 Too many users"


def test_too_many_connections_may_come_after_the_password() -> None:
    error = refusal(b"331 password\r\n", b"421 Too many sessions for you\r\n")
    assert isinstance(error, ServerBusy)


def test_a_refused_logon_is_told_in_the_servers_words_be_they_latin_1() -> None:
    error = refusal(b"331 Kennwort\r\n", "530 Anmeldung ungültig\r\n".encode("latin-1"))
    assert isinstance(error, LoginRefused)
    assert error.words == "530 Anmeldung ungültig"


def test_the_password_is_never_told_even_where_the_server_repeats_it() -> None:
    error = refusal(b"331 go\r\n", b"530 s3cret-of-the-test is wrong\r\n")
    assert error.words == "530 *** is wrong"
    assert "s3cret" not in repr(error)


def test_a_server_of_another_protocol_is_told_by_its_greeting() -> None:
    error = refusal(greeting=b"SSH-2.0-OpenSSH_9.2\r\n")
    assert isinstance(error, ProtocolFailed)
    assert error.words == "SSH-2.0-OpenSSH_9.2"


def test_the_servers_words_are_one_printable_line_of_bounded_length() -> None:
    error = refusal(b"331 go\r\n", b"530-a\x1b[31m\r\n b\r\n530 " + b"c" * 2000 + b"\r\n")
    assert error.words.startswith("530-a [31m b 530 ccc")
    assert error.words.isprintable()
    assert len(error.words) <= 500


@pytest.mark.parametrize("name", ["a\r\nDELE b.wav", "a\nb", "a\rb", "a\0b"])
def test_a_line_break_in_a_name_sends_nothing(pyftpd_server: PyFtpServer, name: str) -> None:
    (pyftpd_server.customer.root / "b.wav").write_bytes(b"x")
    session = open_session(pyftpd_server.customer)
    with pytest.raises(NameRefused):
        session.put([b"x"], name)
    with pytest.raises(NameRefused):
        session.make_directory(name)
    session.close()
    assert files_in(pyftpd_server.customer.root) == {"b.wav": 1}


def _serving(tmp_path: Path, handler: type[FTPHandler], **more: Any) -> PyFtpServer:
    root = tmp_path / "served"
    root.mkdir()
    return PyFtpServer(root, handler=handler, **more)


@pytest.mark.parametrize("address", ["192.0.2.1", "10.1.2.3", UNSPECIFIED, "255.255.255.255"])
def test_an_address_in_the_answer_to_pasv_is_ignored(
    tmp_path: Path, recording: Path, address: str
) -> None:
    """A server behind a NAT tells its own, which leads nowhere from here."""

    class Elsewhere(FTPHandler):  # type: ignore[misc]
        masquerade_address = address

        def ftp_EPSV(self, line: str) -> None:
            self.respond("500 EPSV not understood.")

    with _serving(tmp_path, Elsewhere) as server:
        session = open_session(server.customer)
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
        assert files_in(server.customer.root) == {"call.wav": 480_044}


@pytest.mark.parametrize("told", ["10.1.2.3", UNSPECIFIED])
def test_vsftpd_behind_a_nat_is_reached_at_the_address_of_its_control_connection(
    tmp_path: Path, recording: Path, told: str
) -> None:
    lines = ["cmds_denied=EPSV", f"pasv_address={told}"]
    with Vsftpd(tmp_path / "vsftpd", extra=lines) as server:
        session = open_session(server.customer)
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
        assert f"({told.replace('.', ',')}," in (server.folder / "protocol.log").read_text()
        assert files_in(server.customer.root) == {"call.wav": 480_044}


def test_pasv_is_tried_where_the_port_of_epsv_is_closed(tmp_path: Path, recording: Path) -> None:
    class Closed(FTPHandler):  # type: ignore[misc]
        def ftp_EPSV(self, line: str) -> None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
            self.respond(f"229 Entering extended passive mode (|||{port}|).")

    with _serving(tmp_path, Closed) as server:
        session = open_session(server.customer)
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()


def test_a_full_quota_is_told_in_the_servers_words(
    pyftpd_server: PyFtpServer, recording: Path
) -> None:
    replies = (b"226", b"552 Disk quota exceeded.\r\n")
    with Proxy(pyftpd_server.customer, instead=replies) as proxy, opened(recording) as source:
        session = open_session(pyftpd_server.customer, port=proxy.port)
        with pytest.raises(QuotaExceeded) as full:
            upload(session, source, job(), Ledger())
    assert full.value.words == "552 Disk quota exceeded."
    assert not full.value.part_left
    assert files_in(pyftpd_server.customer.root) == {}


def test_a_disk_that_fills_in_the_middle_is_told_in_the_servers_words(
    tmp_path: Path, recording: Path
) -> None:
    class Disk(AbstractedFS):  # type: ignore[misc]
        def open(self, filename: str, mode: str) -> io.FileIO:
            Path(filename).touch()
            return io.FileIO("/dev/full", mode)

    class Handler(FTPHandler):  # type: ignore[misc]
        abstracted_fs = Disk

    with _serving(tmp_path, Handler) as server:
        session = open_session(server.customer)
        with pytest.raises(AccountFailure) as full, opened(recording) as source:
            upload(session, source, job(), Ledger())
        assert full.value.words.startswith("426 ")
        assert files_in(server.customer.root) == {}


def test_connections_beyond_the_limit_are_busy(tmp_path: Path) -> None:
    with _serving(tmp_path, FTPHandler, max_connections_per_ip=1) as server:
        session = open_session(server.customer)
        with pytest.raises(ServerBusy) as busy:
            open_session(server.customer)
        session.close()
    assert busy.value.words.startswith("421")


@pytest.mark.parametrize("denied", ["SIZE", "SIZE,MDTM,FEAT"])
def test_a_server_that_tells_no_sizes_is_believed_by_its_reply(
    tmp_path: Path, recording: Path, denied: str
) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=[f"cmds_denied={denied}"]) as server:
        (server.customer.root / "call.wav").write_bytes(b"of somebody else")
        session = open_session(server.customer)
        with opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        session.close()
    assert (done.verified, done.remote_path) == (Verified.REPLY, "call (2).wav")


def test_without_sizes_a_finished_upload_is_recognised_by_its_names(
    tmp_path: Path, recording: Path
) -> None:
    ledger = Ledger()
    with Vsftpd(tmp_path / "vsftpd", extra=["cmds_denied=SIZE"]) as server:
        session = open_session(server.customer)
        with opened(recording) as source:
            upload(session, source, job(1), ledger)
            again = upload(session, source, job(2, intent=ledger.intents[0]), ledger)
        session.close()
    assert (again.sent, again.verified) == (False, Verified.REPLY)


@pytest.mark.parametrize("denied", ["RNFR", "RNTO,RNFR"])
def test_a_server_that_refuses_renames_gets_the_file_under_its_name(
    tmp_path: Path, recording: Path, denied: str
) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=[f"cmds_denied={denied}"]) as server:
        session = open_session(server.customer)
        session.put([b"x"], "a.part")
        with pytest.raises(Unsupported):
            session.rename("a.part", "a.wav")
        session.remove("a.part")
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
        assert files_in(server.customer.root) == {"call.wav": 480_044}


def test_a_folder_that_is_there_needs_no_right_to_make_folders(
    tmp_path: Path, recording: Path
) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["cmds_denied=MKD"]) as server:
        folder = server.customer.root / "calls"
        folder.mkdir()
        folder.chmod(0o777)
        session = open_session(server.customer)
        with opened(recording) as source:
            upload(session, source, job(folder="calls"), Ledger(names=("calls/a.wav",)))
        with pytest.raises(PathRefused) as refused:
            session.make_directory("others")
        session.close()
    assert refused.value.words == "550 Permission denied."


def test_a_user_who_may_not_write_is_told_so(tmp_path: Path, recording: Path) -> None:
    with _serving(tmp_path, FTPHandler, permissions="el") as server:
        session = open_session(server.customer, LIMITS)
        with pytest.raises(PathRefused) as refused, opened(recording) as source:
            upload(session, source, job(), Ledger())
    assert refused.value.words.startswith("550")


def test_a_name_refused_without_renames_is_the_names_fault(tmp_path: Path, recording: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["deny_file={*poison*}"]) as server:
        session = open_session(server.customer)
        with pytest.raises(NameRefused), opened(recording) as source:
            upload(session, source, job(rename=False), Ledger(names=("poison.wav",)))
        assert files_in(server.customer.root) == {}
