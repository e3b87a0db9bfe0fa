"""Servers on which a job takes files away: final ones at once, or those that are on their way."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, Look
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
from tests.contract.blind_servers import job_by
from transports import settings_test
from transports.base import Egress
from transports.errors import Kind, SingledOut, TemporaryGone
from transports.ftp.errors import RenameRefused
from transports.job import Transfer, Uploaded, intend_each
from transports.sample_upload import Sample
from transports.settings_report import TestReport
from transports.upload import upload as upload_all

SIZE = 480_044
TESTED = Capabilities(at_once=1, look=Look.MLST)
IN_PACKS = TESTED.model_copy(update={"pipelines": True})


def swept(path: Path) -> None:
    """Into the folder beside the served one, as a job would."""
    target = path.parent.parent / "swept"
    target.mkdir(exist_ok=True)
    number = len(list(target.iterdir()))
    path.rename(target / f"{number} {path.name}")


class FinalFtp(FTPHandler):  # type: ignore[misc]
    """Takes a file away as soon as it has its name."""

    def ftp_RNTO(self, path: str) -> Any:
        """It is gone before the answer."""
        done = super().ftp_RNTO(path)
        if Path(path).is_file():
            swept(Path(path))
        return done


class FinalSftp(asyncssh.SFTPServer):
    """The same over SFTP."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """It is gone before the answer."""
        super().rename(oldpath, newpath)
        swept(Path(self.map_path(newpath).decode()))

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """As `rename`."""
        super().posix_rename(oldpath, newpath)
        swept(Path(self.map_path(newpath).decode()))


class TemporaryFtp(FTPHandler):  # type: ignore[misc]
    """Takes away whatever ends in `.part`."""

    def on_file_received(self, file: str) -> None:
        """It is gone before the answer."""
        if file.endswith(".part"):
            swept(Path(file))


class TemporarySftp(asyncssh.SFTPServer):
    """The same over SFTP."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """It is gone as soon as it is there; what is written goes on."""
        opened_file = super().open(path, pflags, attrs)
        if path.endswith(b".part") and pflags & asyncssh.FXF_WRITE:
            swept(Path(self.map_path(path).decode()))
        return opened_file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What the server serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def customer(request: pytest.FixtureRequest, root: Path) -> Iterator[CustomerServer]:
    """Of a server of the kind."""
    kind = request.param
    is_sftp = issubclass(kind, asyncssh.SFTPServer)
    server = AsyncSshServer(root, sftp=kind) if is_sftp else PyFtpServer(root, handler=kind)
    with server:
        yield server.customer


def report_of(customer: CustomerServer) -> TestReport:
    report = settings_test.test_settings(
        settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
    )
    assert report.ok, report.failure
    return report


@pytest.mark.parametrize("customer", [FinalFtp, FinalSftp], indirect=True)
def test_files_that_are_taken_away_at_once_have_arrived_once_each(
    customer: CustomerServer, root: Path, recording: Path
) -> None:
    report = report_of(customer)
    can = report.capabilities
    assert can.rename
    assert files_in(root) == {}
    before = set((root.parent / "swept").iterdir())
    with closing(open_session(customer, capabilities=can)) as session:
        transfers = [
            Transfer(
                lambda: opened(recording), job_by(can, number), Ledger(names=(f"{number}.wav",))
            )
            for number in (1, 2, 3)
        ]
        upload_all(session, transfers, intend_each)
    assert all(isinstance(each.outcome, Uploaded) for each in transfers)
    arrived = set((root.parent / "swept").iterdir()) - before
    assert sorted(path.name.partition(" ")[2] for path in arrived) == ["1.wav", "2.wav", "3.wav"]
    assert {path.read_bytes() for path in arrived} == {recording.read_bytes()}
    assert files_in(root) == {}


@pytest.mark.parametrize("customer", [TemporaryFtp, TemporarySftp], indirect=True)
def test_where_temporary_files_are_taken_away_at_once_the_test_on_save_finds_out_and_tells(
    customer: CustomerServer, root: Path, recording: Path
) -> None:
    report = report_of(customer)
    can = report.capabilities
    assert (can.temporary, can.rename, can.size) == (False, False, True)
    assert can.look not in {None, Look.NOTHING}
    (step,) = [step for step in report.steps if step.name == "renamed"]
    assert step.detail.startswith("Something on the server takes away what ends in .part")
    with (
        closing(open_session(customer, capabilities=can)) as session,
        opened(recording) as source,
    ):
        assert upload(session, source, job_by(can), Ledger()).remote_path == "call.wav"
    assert files_in(root) == {"call.wav": SIZE}


@pytest.mark.parametrize("known", [TESTED, IN_PACKS])
@pytest.mark.parametrize("customer", [TemporaryFtp], indirect=True)
def test_a_temporary_file_that_is_gone_is_a_failed_try_with_what_to_do(
    customer: CustomerServer, root: Path, recording: Path, known: Capabilities
) -> None:
    """Where the job began after the settings were tested."""
    session = open_session(customer, capabilities=known)
    with pytest.raises(TemporaryGone) as failed, opened(recording) as source:
        upload(session, source, job(), Ledger())
    session.close()
    assert failed.value.kind is Kind.FILE
    assert "leave alone what ends in .part" in failed.value.advice
    assert files_in(root) == {}


class OneOnly(FTPHandler):  # type: ignore[misc]
    """Lets all files be renamed but the larger ones, of which a scanner has not let go."""

    def ftp_RNFR(self, path: str) -> None:
        """Refuse it."""
        if Path(path).exists() and Path(path).stat().st_size > 100_000:
            self.respond("550 The file is in use.")
            return
        super().ftp_RNFR(path)


@pytest.mark.parametrize("known", [TESTED, IN_PACKS])
@pytest.mark.parametrize("customer", [OneOnly], indirect=True)
def test_a_rename_that_is_refused_to_one_file_is_a_failed_try_and_no_file_in_place(
    customer: CustomerServer, root: Path, recording: Path, known: Capabilities
) -> None:
    session = open_session(customer, capabilities=known)
    with pytest.raises(RenameRefused) as failed, opened(recording) as source:
        upload(session, source, job(), Ledger())
    session.close()
    assert (failed.value.kind, failed.value.words) == (Kind.ACCOUNT, "550 The file is in use.")
    assert not failed.value.part_left
    assert files_in(root) == {}
    with closing(open_session(customer, capabilities=known)) as another:
        Sample(job()).upload(another, Ledger())  # so it is this file's failure, and is told as such
    assert SingledOut.kind is Kind.FILE
    assert files_in(root) == {}


class NoMore(FTPHandler):  # type: ignore[misc]
    """Renames nothing any more."""

    def ftp_RNFR(self, path: str) -> None:
        """Refuse it."""
        self.respond("502 RNFR is switched off.")


@pytest.mark.parametrize("customer", [NoMore], indirect=True)
def test_a_server_that_renames_nothing_any_more_fails_until_its_settings_are_tested_again(
    customer: CustomerServer, root: Path, recording: Path
) -> None:
    session = open_session(customer, capabilities=TESTED)
    with pytest.raises(RenameRefused) as failed, opened(recording) as source:
        upload(session, source, job(), Ledger())
    session.close()
    assert "save the settings again" in failed.value.advice
    can = report_of(customer).capabilities
    assert not can.rename
    with closing(open_session(customer, capabilities=can)) as again, opened(recording) as source:
        upload(again, source, job_by(can), Ledger())
    assert files_in(root) == {"call.wav": SIZE}
