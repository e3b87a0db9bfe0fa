"""Servers that say OK to what they do not do: what is there afterwards is what counts."""

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
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
from transports.errors import VerificationFailed
from transports.settings_report import TestReport

SIZE = 480_044


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What the server serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


class Mkdir(asyncssh.SFTPServer):
    """A bucket: has folders only where a file is in them."""

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Accept it, and forget it."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Make what is above."""
        Path(self.map_path(path).decode()).parent.mkdir(parents=True, exist_ok=True)
        return super().open(path, pflags, attrs)


class Remove(asyncssh.SFTPServer):
    """Removes nothing."""

    def remove(self, path: bytes) -> None:
        """Accept it, and forget it."""


class Rename(asyncssh.SFTPServer):
    """Renames nothing."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Accept it, and forget it."""

    posix_rename = rename


class Close(asyncssh.SFTPServer):
    """Keeps no file."""

    def open(self, *_: Any) -> Any:
        """Its bytes go nowhere."""
        return Path(os.devnull).open("r+b", buffering=0)


class MkdirFtp(FTPHandler):  # type: ignore[misc]
    """The same over FTP."""

    def ftp_MKD(self, path: str) -> None:
        """Accept it, and forget it."""
        self.respond(f'257 "{path}" directory created.')

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        """Make what is above."""
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        return super().ftp_STOR(file, mode)


class RemoveFtp(FTPHandler):  # type: ignore[misc]
    """Removes nothing."""

    def ftp_DELE(self, path: str) -> None:
        """Accept it, and forget it."""
        self.respond("250 File removed.")


class RenameFtp(FTPHandler):  # type: ignore[misc]
    """Renames nothing."""

    def ftp_RNTO(self, path: str) -> None:
        """Accept it, and forget it."""
        self.respond("250 Renaming ok.")


class CloseFtp(FTPHandler):  # type: ignore[misc]
    """Keeps no file."""

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        """Its bytes go nowhere."""
        return super().ftp_STOR(os.devnull, mode)


@contextmanager
def serving(kind: Any, root: Path) -> Iterator[CustomerServer]:
    is_sftp = issubclass(kind, asyncssh.SFTPServer)
    server = AsyncSshServer(root, sftp=kind) if is_sftp else PyFtpServer(root, handler=kind)
    with server:
        yield server.customer


def report_of(customer: CustomerServer, path: str = ".") -> TestReport:
    return settings_test.test_settings(
        settings_of(customer, path=path), SecretStr(customer.password), LIMITS, Egress()
    )


def delivered(customer: CustomerServer, recording: Path, report: TestReport, folder: str) -> str:
    """Where the recording is said to stand after an upload by what was found."""
    can = report.capabilities
    with closing(open_session(customer, capabilities=can)) as session, opened(recording) as source:
        names = (f"{folder}/call.wav",)
        return upload(session, source, job_by(can, folder=folder), Ledger(names=names)).remote_path


@pytest.mark.parametrize("kind", [Mkdir, MkdirFtp])
def test_a_folder_that_was_made_and_is_not_there_is_neither_a_failure_nor_left(
    kind: Any, root: Path, recording: Path
) -> None:
    with serving(kind, root) as customer:
        report = report_of(customer, "calls/today")
        assert report.ok
        assert (report.steps[-1].name, report.steps[-1].ok) == ("removed", True)
        assert delivered(customer, recording, report, "calls/today") == "calls/today/call.wav"
    assert files_in(root) == {"calls/today/call.wav": SIZE}


@pytest.mark.parametrize("kind", [Remove, RemoveFtp])
def test_a_file_that_was_removed_and_is_there_is_named(
    kind: Any, root: Path, recording: Path
) -> None:
    with serving(kind, root) as customer:
        report = report_of(customer)
        left = set(files_in(root))
        assert delivered(customer, recording, report, ".") == "./call.wav"
    assert (report.ok, report.capabilities.removes) == (True, False)
    assert not report.steps[-1].ok
    assert set(re.findall(r"courier-test-[^ ;,)]+", report.steps[-1].detail)) == left
    assert len(left) == 1


@pytest.mark.parametrize("kind", [Rename, RenameFtp])
def test_a_rename_that_was_done_and_was_not_is_none(kind: Any, root: Path, recording: Path) -> None:
    with serving(kind, root) as customer:
        report = report_of(customer)
        assert files_in(root) == {}
        assert (report.ok, report.capabilities.rename) == (True, False)
        assert delivered(customer, recording, report, ".") == "./call.wav"
    assert files_in(root) == {"call.wav": SIZE}


@pytest.mark.parametrize("kind", [Close, CloseFtp])
def test_a_file_that_was_taken_and_is_not_there_is_not_delivered_to_settings_that_saw_sizes(
    kind: Any, root: Path, recording: Path
) -> None:
    with serving(kind, root) as customer:
        session = open_session(customer)
        with closing(session), opened(recording) as source, pytest.raises(VerificationFailed):
            upload(session, source, job_by(Capabilities()), Ledger())
    assert files_in(root) == {}
