"""What is left at the customer's: told by the test on save, and never in an upload's way."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import FX_FAILURE, FX_PERMISSION_DENIED
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

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
from tests.contract.ftp_handlers import HANG_UP, SILENCE, Hashing, odd
from transports import settings_test
from transports.base import Egress
from transports.free_names import find_look
from transports.job import Intent
from transports.settings_report import TestReport
from transports.takeover import clear

SIZE = 480_044


class Keeping(asyncssh.SFTPServer):
    """Removes nothing, and does not say what it takes."""

    def remove(self, path: bytes) -> None:
        """Refused."""
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "it must stay")

    rmdir = remove


class KeepingAll(Keeping):
    """Renames nothing either."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no renaming")

    posix_rename = rename


class Blunt(asyncssh.SFTPServer):
    """Says of everything that it cannot remove: failure."""

    def remove(self, path: bytes) -> None:
        """Where it is there, and is no temporary file of an earlier day."""
        name = path.decode()
        if not Path(self.map_path(path).decode()).exists() or "old" in name:
            raise asyncssh.SFTPError(FX_FAILURE, "Failure")
        super().remove(path)


class Busy(FTPHandler):  # type: ignore[misc]
    """Says of what it cannot remove that it is busy."""

    def ftp_DELE(self, path: str) -> None:
        """450 is a temporary refusal."""
        if not Path(path).exists() or "old" in path:
            self.respond("450 Requested file action not taken.")
            return
        super().ftp_DELE(path)


@contextmanager
def ftp(root: Path, handler: type[FTPHandler], **more: Any) -> Iterator[CustomerServer]:
    root.mkdir()
    with PyFtpServer(root, handler=handler, **more) as server:
        yield server.customer


@contextmanager
def sftp(root: Path, kind: type[asyncssh.SFTPServer]) -> Iterator[CustomerServer]:
    root.mkdir()
    with AsyncSshServer(root, sftp=kind) as server:
        yield server.customer


def report_of(customer: CustomerServer) -> TestReport:
    return settings_test.test_settings(
        settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
    )


UPLOAD_ONLY: list[Callable[[Path], Any]] = [
    lambda root: ftp(root, FTPHandler, permissions="elw"),
    lambda root: ftp(root, FTPHandler, permissions="elwm"),
    lambda root: ftp(root, FTPHandler, permissions="elwmf"),
    lambda root: ftp(root, Hashing, permissions="elwmf"),
    lambda root: sftp(root, Keeping),
    lambda root: sftp(root, KeepingAll),
]


@pytest.mark.parametrize("serving", UPLOAD_ONLY)
def test_everything_that_the_test_leaves_is_named(
    serving: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extensions = asyncssh.sftp.SFTPServerHandler._extensions
    kept = [pair for pair in extensions if pair[0] != b"limits@openssh.com"]
    monkeypatch.setattr(asyncssh.sftp.SFTPServerHandler, "_extensions", kept)
    root = tmp_path / "served"
    with serving(root) as customer:
        report = report_of(customer)
    assert report.ok, report.failure
    assert not report.capabilities.removes
    last = report.steps[-1]
    assert (last.name, last.ok) == ("removed", False)
    left = {path.name for path in root.rglob("*")}
    assert set(re.findall(r"courier-test-[^ ;,)]+", last.detail)) == left
    assert len(left) <= 2


class Cutting(asyncssh.SFTPServer):
    """Cuts the connection at times."""

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", **more: Any) -> None:
        super().__init__(channel, **more)
        self._to = channel

    def cut(self) -> None:
        """Without a word."""
        self._to.get_connection().abort()


class Fragile(Cutting):
    """When a file is to be removed: it never comes to it."""

    def remove(self, path: bytes) -> None:
        """Stays."""
        self.cut()


class FragileFolders(Cutting):
    """Once a folder was removed."""

    def rmdir(self, path: bytes) -> None:
        """Is gone."""
        super().rmdir(path)
        self.cut()


@pytest.mark.parametrize(
    ("serving", "stays"),
    [
        (lambda root: ftp(root, odd({"DELE": HANG_UP})), True),
        (lambda root: ftp(root, odd({"DELE": SILENCE})), True),
        (lambda root: sftp(root, Fragile), True),
        (lambda root: sftp(root, FragileFolders), False),
    ],
)
def test_a_server_that_does_not_bear_a_removal_passes_and_what_stays_is_named(
    serving: Callable[[Path], Any], tmp_path: Path, *, stays: bool
) -> None:
    root = tmp_path / "served"
    with serving(root) as customer:
        report = report_of(customer)
    assert report.ok, report.failure
    assert report.capabilities.removes is not stays
    assert (report.capabilities.at_once or 1) > 1
    left = {path.name for path in root.rglob("*")}
    assert set(re.findall(r"courier-test-[^ ;,)]+", report.steps[-1].detail)) >= left
    assert len(left) == int(stays)


def test_what_a_test_that_failed_has_left_is_named(tmp_path: Path) -> None:
    class Shortening(FTPHandler):  # type: ignore[misc]
        def ftp_SIZE(self, path: str) -> None:
            self.respond("213 1000")

    root = tmp_path / "served"
    with ftp(root, Shortening, permissions="elwmf") as customer:
        report = report_of(customer)
    assert not report.ok
    (left,) = root.iterdir()
    assert report.steps[-1].detail.endswith(f"Left there: {left.name}.")


@pytest.mark.parametrize("serving", [lambda root: ftp(root, Busy), lambda root: sftp(root, Blunt)])
def test_a_leftover_that_cannot_be_removed_is_noted_and_the_upload_goes_on(
    serving: Callable[[Path], Any], tmp_path: Path, recording: Path
) -> None:
    root = tmp_path / "served"
    with serving(root) as customer:
        (root / "old-1.part").write_bytes(b"half")
        session = open_session(customer)
        with opened(recording) as source:
            leftovers = ("gone.part", "old-1.part", "gone-too.part")
            done = upload(session, source, job(2, leftovers=leftovers), Ledger())
        session.close()
    assert done.remote_path == "call.wav"
    assert done.left == ("old-1.part",)
    assert files_in(root) == {"call.wav": SIZE, "old-1.part": 4}


def in_use_at_first(then: str) -> type[FTPHandler]:
    """Removes an earlier day's file not at the first time, as one that is still open; `then`: how
    the second request for it ends."""
    asked: list[str] = []

    class Open(FTPHandler):  # type: ignore[misc]
        def ftp_DELE(self, path: str) -> None:
            if "old" not in path or (asked and then == "removed"):
                super().ftp_DELE(path)
            elif asked and then == "hung up":
                self.close()
            else:
                asked.append(path)
                self.respond("550 It is in use.")

    return Open


@pytest.mark.parametrize(
    ("then", "left"), [("removed", ()), ("in use", ("old-1.part",)), ("hung up", ("old-1.part",))]
)
def test_a_leftover_that_was_in_use_is_removed_once_the_file_stands_in_its_place(
    then: str, left: tuple[str, ...], tmp_path: Path, recording: Path
) -> None:
    root = tmp_path / "served"
    with ftp(root, in_use_at_first(then)) as customer:
        (root / "old-1.part").write_bytes(b"half")
        session = open_session(customer)
        with opened(recording) as source:
            done = upload(session, source, job(2, leftovers=("old-1.part",)), Ledger())
        session.close()
    assert (done.remote_path, done.left) == ("call.wav", left)
    assert files_in(root) == {"call.wav": SIZE, **dict.fromkeys(left, 4)}


@pytest.mark.parametrize("serving", [lambda root: ftp(root, Busy), lambda root: sftp(root, Blunt)])
def test_the_test_on_save_passes_there(serving: Callable[[Path], Any], tmp_path: Path) -> None:
    with serving(tmp_path / "served") as customer:
        report = report_of(customer)
    assert report.ok, report.failure
    assert report.steps[-1].ok


UNANSWERED: list[Callable[[Path], Any]] = [
    lambda root: ftp(root, FTPHandler),
    lambda root: sftp(root, asyncssh.SFTPServer),
]
INTENT = Intent("courier-test-5.part", "call.wav", 4, "")


def cleared(customer: CustomerServer, ledger: Ledger, *, overwrites: bool = False) -> bool:
    """Whether all is gone of a file of two starts that is not tried again."""
    paths = ("courier-test-4.part", INTENT.part)
    with closing(open_session(customer)) as session:
        return clear(session, INTENT, paths, ledger.withdraw, overwrites=overwrites)


@pytest.mark.parametrize("serving", UNANSWERED)
@pytest.mark.parametrize("overwrites", [True, False])
def test_a_rename_that_was_not_done_leaves_waste_once_a_file_stands_in_its_place(
    serving: Callable[[Path], Any], tmp_path: Path, *, overwrites: bool
) -> None:
    root, ledger = tmp_path / "served", Ledger(intent=INTENT)
    with serving(root) as customer:
        for name in ("courier-test-4.part", INTENT.part, "call.wav"):
            (root / name).write_bytes(b"four")
        assert cleared(customer, ledger, overwrites=overwrites)
    assert (files_in(root), ledger.intent) == ({"call.wav": 4}, None)


@pytest.mark.parametrize("serving", UNANSWERED)
def test_what_may_be_the_only_copy_stays(serving: Callable[[Path], Any], tmp_path: Path) -> None:
    root, ledger = tmp_path / "served", Ledger(intent=INTENT)
    with serving(root) as customer:
        (root / INTENT.part).write_bytes(b"four")
        assert not cleared(customer, ledger, overwrites=True)
        assert (files_in(root), ledger.intent) == ({INTENT.part: 4}, INTENT)
        assert cleared(customer, ledger)
    assert (files_in(root), ledger.intent) == ({}, None)


@pytest.mark.parametrize("serving", UNANSWERED)
def test_a_rename_that_was_done_keeps_its_intent(
    serving: Callable[[Path], Any], tmp_path: Path
) -> None:
    root, ledger = tmp_path / "served", Ledger(intent=INTENT)
    with serving(root) as customer:
        (root / "call.wav").write_bytes(b"four")
        (root / "other.part").write_bytes(b"seen")
        with closing(open_session(customer)) as session:
            find_look(session, "other.part")
            assert clear(session, INTENT, [INTENT.part], ledger.withdraw, overwrites=False)
    assert (files_in(root)["call.wav"], ledger.intent) == (4, INTENT)


def test_where_nothing_tells_what_stands_there_all_of_it_stays(tmp_path: Path) -> None:
    root, ledger = tmp_path / "served", Ledger(intent=INTENT)
    blind = odd({"MLST": "502 no", "SIZE": "502 no", "NLST": "502 no"})
    with ftp(root, blind) as customer:
        (root / INTENT.part).write_bytes(b"four")
        assert not cleared(customer, ledger)
    assert (files_in(root), ledger.intent) == ({INTENT.part: 4}, INTENT)


def test_a_file_that_another_session_tries_again_is_left_alone(tmp_path: Path) -> None:
    root, ledger = tmp_path / "served", Ledger(intent=INTENT, is_lost=True)
    with ftp(root, FTPHandler) as customer:
        (root / INTENT.part).write_bytes(b"four")
        assert not cleared(customer, ledger)
    assert files_in(root) == {INTENT.part: 4}
