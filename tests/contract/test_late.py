"""A server that scans or hashes a file at its end confirms it late."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, Look
from deploy.local.customers import PyFtpServer
from tests.contract.accounts import LIMITS, Ledger, files_in, job, open_session, opened, upload
from transports.base import Limits
from transports.errors import ConnectionLost
from transports.ftp.server import FtpServer
from transports.job import Verified
from transports.network.dialing import Connection


class Scanning(FTPHandler):  # type: ignore[misc]
    """Confirms a file later than the stall limit."""

    logins: ClassVar[list[str]] = []
    seconds = 2 * LIMITS.stall

    def on_login(self, username: str) -> None:
        """Note it."""
        self.logins.append(username)

    def respond(self, resp: str, *arguments: Any, **more: Any) -> None:
        """Everything else at once."""
        if resp.startswith("226"):
            threading.Event().wait(self.seconds)
        super().respond(resp, *arguments, **more)


def test_a_late_confirmation_is_waited_for_as_long_as_the_test_has_seen(
    tmp_path: Path, recording: Path
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    Scanning.logins.clear()
    with PyFtpServer(root, handler=Scanning) as server:
        session = open_session(server.customer, capabilities=Capabilities(finish_seconds=20))
        with opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        session.close()
    assert done.verified is Verified.SIZE
    assert len(Scanning.logins) == 1, (
        "it was waited for, and not looked for over another connection"
    )
    assert files_in(root) == {"call.wav": 480_044}


def test_the_limit_of_the_end_grows_with_the_size_and_with_what_was_seen() -> None:
    limits = Limits(stall=60)
    assert limits.finish(0) == 180
    assert limits.finish(1_000_000_000) == 1180
    assert limits.finish(0, 75) == 225
    assert limits.finish(0, 1) == 180


@pytest.mark.parametrize("end", [FtpServer.cut, FtpServer.close])
def test_a_session_that_is_ended_while_it_is_made_anew_stays_ended(
    tmp_path: Path, end: Callable[[FtpServer], None]
) -> None:
    class Forgetting(FTPHandler):  # type: ignore[misc]
        """Takes a file and hangs up without a word."""

        def respond(self, resp: str, *arguments: Any, **more: Any) -> None:
            if resp.startswith("226"):
                self.close()
            else:
                super().respond(resp, *arguments, **more)

    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=Forgetting) as server:
        session = open_session(server.customer)
        assert isinstance(session, FtpServer)
        connection = session._connection
        dial = connection.access.dial

        def dial_and_end() -> Connection:
            dialed = dial()
            end(session)
            return dialed

        connection.access = connection.access._replace(dial=dial_and_end)
        with pytest.raises(ConnectionLost):
            session.put([b"x"], "call.wav.part")
        assert not session.connected


class Mute(FTPHandler):  # type: ignore[misc]
    """Never says that it has a file, and notes what comes."""

    seen: ClassVar[list[str]] = []

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """As ever."""
        if cmd in {"STOR", "PASS"}:
            self.seen.append(cmd)
        super().pre_process_command(line, cmd, arg)

    def respond(self, resp: str, *arguments: Any, **more: Any) -> None:
        """Everything else."""
        if not resp.startswith("226"):
            super().respond(resp, *arguments, **more)


@pytest.mark.parametrize("is_in_packs", [False, True])
def test_a_confirmation_that_never_comes_is_looked_for_in_a_new_login_and_nothing_is_sent_again(
    tmp_path: Path,
    recording: Path,
    is_in_packs: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    Mute.seen.clear()
    known = Capabilities(at_once=1, look=Look.MLST, pipelines=is_in_packs)
    with PyFtpServer(root, handler=Mute) as server:
        session = open_session(server.customer, replace(LIMITS, stall=0.5), capabilities=known)
        with opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        session.close()
    assert (done.sent, done.verified) == (True, Verified.SIZE)
    assert Mute.seen == ["PASS", "STOR", "PASS"]
    assert files_in(root) == {"call.wav": 480_044}
