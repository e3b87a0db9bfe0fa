"""Names with signs and letters that servers refuse or spell in their own way."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import FX_FAILURE
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.contract.accounts import LIMITS, Ledger, job, open_session, opened, settings_of, upload
from tests.servers import Sshd, Vsftpd
from transports import settings_test
from transports.base import Egress

UMLAUTS = "Grüße.wav"


def names_in(folder: Path) -> list[bytes]:
    """As they stand on the disk."""
    return sorted(os.fsencode(path.name) for path in folder.iterdir())


def found(customer: CustomerServer, **changes: Any) -> Capabilities:
    """What the test on save has found; it leaves nothing."""
    settings, password = settings_of(customer, **changes), SecretStr(customer.password)
    report = settings_test.test_settings(settings, password, LIMITS, Egress())
    assert report.ok, report.failure
    assert names_in(customer.root) == []
    return report.capabilities


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", UMLAUTS.encode()), ("latin-1", UMLAUTS.encode("latin-1"))],
)
@pytest.mark.parametrize("kind", ["sshd", "vsftpd"])
def test_names_are_sent_in_the_encoding_that_was_chosen(
    kind: str, encoding: str, name: bytes, recording: Path, request: pytest.FixtureRequest
) -> None:
    server: Sshd | Vsftpd = request.getfixturevalue(kind)
    path = f"Gebühr/{UMLAUTS}"
    session = open_session(server.customer, name_encoding=encoding)
    with closing(session), opened(recording) as source:
        what = job(folder="Gebühr", expected_size=480_044)
        first = upload(session, source, what, Ledger(names=(path,)))
        second = upload(
            session, source, job(2, folder="Gebühr"), Ledger(names=(path, "Gebühr/Grüße (2).wav"))
        )
    assert (first.remote_path, second.remote_path) == (path, "Gebühr/Grüße (2).wav")
    folder = "Gebühr".encode(encoding)
    assert names_in(server.root) == [folder]
    stored = names_in(server.root / os.fsdecode(folder))
    assert stored == sorted([name, name.replace(b".wav", b" (2).wav")])


def test_a_server_that_takes_all_names_is_found_to(customer: CustomerServer) -> None:
    can = found(customer)
    assert (can.forbids, can.unicode) == ("", True)


class Choosy(asyncssh.SFTPServer):
    """Refuses some signs, and letters beyond ASCII."""

    signs = b"+;"

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        if set(path) & set(self.signs) or any(byte > 0x7F for byte in path):
            raise asyncssh.SFTPError(FX_FAILURE, "invalid name")
        return super().open(path, pflags, attrs)


class LikeWindows(Choosy):
    signs = b'*?"<>|'


@pytest.mark.parametrize(("kind", "forbids"), [(Choosy, "+;"), (LikeWindows, '*?"<>|')])
def test_the_signs_that_an_sftp_server_refuses_are_found(
    tmp_path: Path, kind: type[Choosy], forbids: str
) -> None:
    root = tmp_path / "choosy"
    root.mkdir()
    with AsyncSshServer(root, sftp=kind) as server:
        can = found(server.customer)
    assert (can.forbids, can.unicode) == (forbids, False)


class ChoosyFtp(FTPHandler):  # type: ignore[misc]
    """Refuses a sign."""

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        if "&" in file:
            self.respond("553 Invalid file name.")
            return None
        return super().ftp_STOR(file, mode)


def test_the_signs_that_an_ftp_server_refuses_are_found(tmp_path: Path) -> None:
    root = tmp_path / "choosy"
    root.mkdir()
    with PyFtpServer(root, handler=ChoosyFtp) as server:
        can = found(server.customer)
    assert (can.forbids, can.unicode) == ("&", True)
