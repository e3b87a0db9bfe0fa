"""A connection that is lost over a question about a file: never the proof that nothing tells of it.

A server says by a reply what it cannot do. Where an upload took a cut for that, half a file would
pass for a whole one.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import HashAlgorithm, Look
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.contract.accounts import LIMITS, Ledger, job, open_session, opened, settings_of, upload
from tests.contract.ftp_handlers import HANG_UP, SILENCE, Hashing, odd
from transports import settings_test
from transports.base import Egress
from transports.errors import ConnectionLost, ProtocolFailed, Stalled

Serving = Callable[[Path], AbstractContextManager[CustomerServer]]


class Halving(FTPHandler):  # type: ignore[misc]
    """Confirms a file of which it has kept half."""

    def on_file_received(self, file: str) -> None:
        """It is short from now on."""
        os.truncate(file, Path(file).stat().st_size // 2)


class CuttingLooks(asyncssh.SFTPServer):
    """Keeps half of a file, and cuts the connection over the question for it."""

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", **more: Any) -> None:
        super().__init__(channel, **more)
        self._to = channel

    def close(self, file_obj: Any) -> None:
        """It is short from now on."""
        file_obj.truncate(file_obj.tell() // 2)
        super().close(file_obj)

    def lstat(self, path: bytes) -> Any:
        """Never told."""
        self._to.get_connection().abort()
        return super().lstat(path)


def ftp(answers: dict[str, str]) -> Serving:
    @contextmanager
    def serving(root: Path) -> Iterator[CustomerServer]:
        handler = type("HalvingAndOdd", (odd(answers), Halving), {})
        with PyFtpServer(root, handler=handler) as server:
            yield server.customer

    return serving


@contextmanager
def sftp(root: Path) -> Iterator[CustomerServer]:
    with AsyncSshServer(root, sftp=CuttingLooks) as server:
        yield server.customer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The customer's folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


CUTS = [
    (ftp({"SIZE": HANG_UP}), ConnectionLost),
    (ftp({"SIZE": SILENCE}), Stalled),
    (ftp({"SIZE": "213 " + "9" * 70_000}), ProtocolFailed),
    (ftp({"SIZE": "550 Not now.", "MLST": HANG_UP}), ConnectionLost),
    (sftp, ConnectionLost),
]


@pytest.mark.parametrize(("serving", "failure"), CUTS)
def test_half_a_file_gets_no_final_name_where_the_settings_were_never_tested(
    serving: Serving, failure: type[Exception], root: Path, recording: Path
) -> None:
    with serving(root) as customer:
        session = open_session(customer)
        with pytest.raises(failure), opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
    assert not (root / "call.wav").exists()


def test_a_file_is_not_written_to_its_place_where_the_rename_was_cut(
    root: Path, recording: Path
) -> None:
    """A server that renames nothing says so: a cut is no such word."""
    with PyFtpServer(root, handler=odd({"RNFR": HANG_UP})) as server:
        session = open_session(server.customer)
        with pytest.raises(ConnectionLost), opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
    assert not (root / "call.wav").exists()


def test_a_digest_over_which_the_connection_is_lost_is_not_missing(
    root: Path, recording: Path
) -> None:
    handler = type("HangingUp", (odd({"XSHA1": HANG_UP}), Hashing), {})
    with PyFtpServer(root, handler=handler) as server:
        session = open_session(server.customer)
        with pytest.raises(ConnectionLost), opened(recording) as source:
            upload(session, source, job(hash=HashAlgorithm.SHA1), Ledger())
        session.close()
    assert not (root / "call.wav").exists()


def hanging_up_once(verb: str) -> type[FTPHandler]:
    """Hangs up over the command when it comes for the first time."""

    seen = list[str]()

    class Once(FTPHandler):  # type: ignore[misc]
        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            if cmd == verb and not seen:
                seen.append(arg)
                self.close()
                return
            super().pre_process_command(line, cmd, arg)

    return Once


@pytest.mark.parametrize("verb", ["SIZE", "MLST", "RNFR"])
def test_the_test_on_save_asks_again_over_a_new_connection(root: Path, verb: str) -> None:
    with PyFtpServer(root, handler=hanging_up_once(verb)) as server:
        customer = server.customer
        report = settings_test.test_settings(
            settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
        )
    assert report.ok, report.failure
    found = report.capabilities
    assert (found.size, found.look, found.rename, found.avoids) == (True, Look.MLST, True, ())
