"""Servers that take only some names, or tell late what they have."""

import re
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import FX_OP_UNSUPPORTED
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.contract.accounts import (
    LIMITS,
    Ledger,
    files_in,
    open_session,
    opened,
    settings_of,
    upload,
)
from tests.contract.blind_servers import job_by
from transports import settings_test
from transports.base import Egress
from transports.errors import PathRefused, VerificationFailed
from transports.job import Verified
from transports.settings_report import TestReport

SIZE = 480_044


class OnlyWavFtp(FTPHandler):  # type: ignore[misc]
    """Takes recordings alone, by their name."""

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        """Refuse every other extension."""
        if not file.endswith(".wav"):
            self.respond("553 File name not allowed.")
            return None
        return super().ftp_STOR(file, mode)

    def ftp_RNTO(self, path: str) -> None:
        """Refuse every other extension."""
        if not path.endswith(".wav"):
            self.respond("553 File name not allowed.")
            return
        super().ftp_RNTO(path)


class OnlyWavFtpForNow(OnlyWavFtp):
    """The same, in other codes."""

    def respond(self, resp: str, *arguments: Any, **more: Any) -> None:
        """As if it were a matter of time, or of the command."""
        super().respond(resp.replace("553", self.code), *arguments, **more)

    code = "451"


class OnlyWavFtpUnknown(OnlyWavFtpForNow):
    """The same, in one more."""

    code = "504"


class RenamesToWav(OnlyWavFtp):
    """Takes every name at first, and then those of recordings alone."""

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        """Take it."""
        return FTPHandler.ftp_STOR(self, file, mode)


class OnlyWavSftp(asyncssh.SFTPServer):
    """Takes recordings alone, by their name."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Refuse every other extension."""
        if not path.endswith(b".wav"):
            raise asyncssh.SFTPPermissionDenied("File name not allowed")
        return super().open(path, pflags, attrs)


class OnlyWavSftpBlunt(asyncssh.SFTPServer):
    """The same, and says no more than that it failed."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Refuse every other extension, and more than one dot."""
        if not path.endswith(b".wav") or path.count(b".") > 1:
            raise asyncssh.SFTPFailure("File name not allowed")
        return super().open(path, pflags, attrs)


def report_of(customer: CustomerServer) -> TestReport:
    report = settings_test.test_settings(
        settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
    )
    assert report.ok, report.failure
    return report


@pytest.fixture(
    params=[OnlyWavFtp, OnlyWavFtpForNow, OnlyWavFtpUnknown, OnlyWavSftp, OnlyWavSftpBlunt]
)
def only_wav(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A customer whose server takes `*.wav` alone."""
    root = tmp_path / "served"
    root.mkdir()
    kind = request.param
    server = (
        AsyncSshServer(root, sftp=kind)
        if issubclass(kind, asyncssh.SFTPServer)
        else PyFtpServer(root, handler=kind)
    )
    with server:
        yield server.customer


def test_a_server_that_takes_final_names_alone_gets_the_file_under_its_name(
    only_wav: CustomerServer, recording: Path
) -> None:
    report = report_of(only_wav)
    can = report.capabilities
    assert not can.temporary
    (wrote,) = [step for step in report.steps if step.name == "wrote"]
    assert re.search(r"The server refuses courier-test-\w+\.part \(.*not allowed", wrote.detail)
    assert "sees half of one" in wrote.detail
    assert files_in(only_wav.root) == {}
    (only_wav.root / "call.wav").write_bytes(b"the customer's own")
    session = open_session(only_wav, capabilities=can)
    with opened(recording) as source:
        done = upload(session, source, job_by(can), Ledger())
    session.close()
    assert (done.remote_path, done.verified) == ("call (2).wav", Verified.SIZE)
    assert files_in(only_wav.root) == {"call.wav": 18, "call (2).wav": SIZE}


def test_where_every_name_is_refused_the_words_say_so(tmp_path: Path) -> None:
    class OnlyMp3(asyncssh.SFTPServer):
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            raise asyncssh.SFTPFailure("Only .mp3 here")

    with AsyncSshServer(tmp_path, sftp=OnlyMp3) as server:
        customer = server.customer
        report = settings_test.test_settings(
            settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
        )
    assert report.steps[-1].name == "wrote"
    assert report.steps[-1].detail.startswith("Only .mp3 here. ")
    assert report.steps[-1].detail.endswith(settings_test.REFUSED_ALIKE.strip())


def test_what_a_server_keeps_though_it_refuses_it_is_removed(tmp_path: Path) -> None:
    class Judging(FTPHandler):  # type: ignore[misc]
        """Sees the name only once it has the file."""

        def ftp_STOR(self, path: str, mode: str = "w") -> Any:
            self.is_wav = path.endswith(".wav")
            return super().ftp_STOR(path, mode)

        def respond(self, resp: str, *arguments: Any, **more: Any) -> None:
            if resp.startswith("226") and not self.is_wav:
                resp = "553 Not allowed."
            super().respond(resp, *arguments, **more)

    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=Judging) as server:
        assert not report_of(server.customer).capabilities.temporary
    assert files_in(root) == {}


def test_a_server_that_renames_to_final_names_alone_takes_temporary_ones(tmp_path: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=RenamesToWav) as server:
        can = report_of(server.customer).capabilities
    assert can.rename
    assert can.temporary


class Late(FTPHandler):  # type: ignore[misc]
    """Tells the size of a file when it is asked for the third time, and nothing before."""

    asked: dict[str, int]

    def ftp_SIZE(self, path: str) -> None:
        """0 at first."""
        asked = vars(type(self)).get("asked", {})
        type(self).asked = {**asked, path: asked.get(path, 0) + 1}
        if type(self).asked[path] < 3 and Path(path).exists():
            self.respond("213 0")
            return
        super().ftp_SIZE(path)


class NeverWhole(FTPHandler):  # type: ignore[misc]
    """Has lost some of it."""

    def ftp_SIZE(self, path: str) -> None:
        """One byte less."""
        self.respond(f"213 {Path(path).stat().st_size - 1}")


@pytest.mark.parametrize("is_tested", [True, False])
def test_a_size_that_is_told_late_is_asked_for_again(
    tmp_path: Path, recording: Path, *, is_tested: bool
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=type("Once", (Late,), {})) as server:
        can = report_of(server.customer).capabilities if is_tested else Capabilities()
        session = open_session(server.customer, capabilities=can)
        with opened(recording) as source:
            done = upload(session, source, job_by(Capabilities()), Ledger())
        session.close()
    assert done.verified is Verified.SIZE


def test_a_file_that_stays_too_small_is_not_delivered(tmp_path: Path, recording: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=NeverWhole) as server:
        session = open_session(server.customer)
        with pytest.raises(VerificationFailed), opened(recording) as source:
            upload(session, source, job_by(Capabilities()), Ledger())
        assert files_in(root) == {}


class Bucket(asyncssh.SFTPServer):
    """Has folders only where a file is in them."""

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Accept it, and forget it."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Make what is above."""
        Path(self.map_path(path).decode()).parent.mkdir(parents=True, exist_ok=True)
        return super().open(path, pflags, attrs)


class BucketFtp(FTPHandler):  # type: ignore[misc]
    """The same over FTP."""

    def ftp_MKD(self, path: str) -> None:
        """Accept it, and forget it."""
        self.respond(f'257 "{path}" directory created.')

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        """Make what is above."""
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        return super().ftp_STOR(file, mode)


class NoFolders(Bucket):
    """Makes none, and shows none."""

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Refuse it."""
        raise asyncssh.SFTPError(FX_OP_UNSUPPORTED, "no folders here")

    def stat(self, path: bytes) -> Any:
        """Of files alone."""
        if not Path(self.map_path(path).decode()).is_file():
            raise asyncssh.SFTPNoSuchFile("No such key")
        return super().stat(path)

    lstat = stat


class NoFoldersFtp(BucketFtp):
    """The same over FTP."""

    def ftp_MKD(self, path: str) -> None:
        """Refuse it."""
        self.respond("502 no folders here")

    ftp_CWD = ftp_MKD  # noqa: N815 - a command's name


BUCKETS = [Bucket, BucketFtp, NoFolders, NoFoldersFtp]


def bucket(root: Path, kind: Any) -> AsyncSshServer | PyFtpServer:
    root.mkdir()
    is_sftp = issubclass(kind, asyncssh.SFTPServer)
    return AsyncSshServer(root, sftp=kind) if is_sftp else PyFtpServer(root, handler=kind)


@pytest.mark.parametrize("kind", BUCKETS)
def test_a_folder_that_is_not_there_before_a_file_is_is_no_failure(
    tmp_path: Path, recording: Path, kind: Any
) -> None:
    with bucket(tmp_path / "served", kind) as server:
        session = open_session(server.customer)
        with opened(recording) as source:
            job = job_by(Capabilities(), folder="calls/today")
            upload(session, source, job, Ledger(names=("calls/today/call.wav",)))
        session.close()
    assert files_in(tmp_path / "served") == {"calls/today/call.wav": SIZE}


@pytest.mark.parametrize("kind", BUCKETS)
def test_the_test_on_save_passes_where_folders_are_made_by_files_alone(
    tmp_path: Path, kind: Any
) -> None:
    with bucket(tmp_path / "served", kind) as server:
        customer = server.customer
        wanted = settings_of(customer, path="calls/today")
        report = settings_test.test_settings(wanted, SecretStr(customer.password), LIMITS, Egress())
    assert report.ok, report.failure
    assert files_in(tmp_path / "served") == {}
    (told,) = [step.detail for step in report.steps if step.name == "path"]
    assert told.startswith("calls/today")
    assert ("no folders here" in told) == (kind in {NoFolders, NoFoldersFtp})


@pytest.mark.parametrize("kind", [NoFolders, NoFoldersFtp])
def test_where_the_folder_is_refused_and_then_the_file_the_folders_refusal_is_told(
    tmp_path: Path, recording: Path, kind: Any
) -> None:
    refused = {
        NoFolders: {"open": asyncssh.SFTPServer.open},
        NoFoldersFtp: {"ftp_STOR": FTPHandler.ftp_STOR},
    }
    with bucket(tmp_path / "served", type("Refusing", (kind,), refused[kind])) as server:
        session = open_session(server.customer)
        job = job_by(Capabilities(), folder="calls")
        with opened(recording) as source, pytest.raises(PathRefused) as failed:
            upload(session, source, job, Ledger(names=("calls/call.wav",)))
        session.close()
    assert failed.value.words.endswith("no folders here")
