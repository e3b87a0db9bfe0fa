"""Answers that come late or never: what they would have said is looked at."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import asyncssh
import pytest

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer
from tests.contract.accounts import Ledger, files_in, job, open_session, opened
from transports.base import Limits
from transports.errors import ConnectionLost, Stalled, TransferError
from transports.upload import Verified, upload

LATE = 4.0
"""Seconds after which a slow server answers."""
LIMITS = Limits(resolve=5, connect=5, login=30, reply=LATE / 2, stall=LATE / 2)
SLOW = Capabilities(finish_seconds=20)
"""Of a server that took so long in the test on save."""


class Slow(asyncssh.SFTPServer):
    """Takes its time over what `slow` names, or cuts the connection once that is done (`cuts`)."""

    slow: frozenset[str] = frozenset()
    cuts: frozenset[str] = frozenset()
    seconds = LATE
    opens: int = 0

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Open, after a while."""
        type(self).opens += 1
        await self._take_time("open")
        return super().open(path, pflags, attrs)

    async def close(self, file_obj: object) -> None:
        """Close, after a while or with the connection."""
        super().close(file_obj)
        await self._take_time("close")
        self._cut("close")

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename, after a while or with the connection."""
        await self._take_time("rename")
        super().rename(oldpath, newpath)
        self._cut("rename")

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write, and say so after a while."""
        written: Any = super().write(file_obj, offset, data)
        await self._take_time("write")
        return int(written)

    async def _take_time(self, what: str) -> None:
        if what in self.slow:
            await asyncio.sleep(self.seconds)

    def _cut(self, what: str) -> None:
        if what in self.cuts:
            type(self).cuts = frozenset()
            self.channel.get_connection().abort()


def _server(folder: Path, **behaviour: Any) -> AsyncSshServer:
    root = folder / "served"
    root.mkdir()
    return AsyncSshServer(root, sftp=type("Behaving", (Slow,), behaviour))


@pytest.mark.parametrize("what", ["open", "write", "close", "rename"])
def test_a_late_answer_of_a_server_known_to_be_slow_is_no_failure(
    tmp_path: Path, recording: Path, what: str
) -> None:
    with _server(tmp_path, slow={what}) as server:
        session = open_session(server.customer, LIMITS, capabilities=SLOW)
        with opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        session.close()
        assert files_in(server.root) == {"call.wav": 480_044}
        assert server.logins == 1
    assert done.verified is Verified.SIZE


@pytest.mark.parametrize("what", ["close", "rename"])
@pytest.mark.usefixtures("nothing_left")
def test_an_answer_that_never_comes_is_made_good_over_a_new_connection(
    tmp_path: Path, recording: Path, what: str
) -> None:
    behaviour: dict[str, Any] = {"slow": {what}, "seconds": 3600} if what == "close" else {}
    with _server(tmp_path, cuts={what}, **behaviour) as server:
        session = open_session(server.customer, LIMITS)
        with opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        assert session.connected
        session.close()
        assert files_in(server.root) == {"call.wav": 480_044}
        assert server.logins == 2
    assert done.sent
    assert done.verified is Verified.SIZE


def test_a_connection_cut_at_the_close_is_made_good_too(tmp_path: Path, recording: Path) -> None:
    with _server(tmp_path, cuts={"close"}) as server:
        session = open_session(server.customer, LIMITS)
        with opened(recording) as source:
            upload(session, source, job(), Ledger())
        session.close()
        assert files_in(server.root) == {"call.wav": 480_044}


class Losing(Slow):
    """Has lost half of the file by the time at which it is asked again."""

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:  # noqa: ARG002 - of every file
        """Half of its size."""
        return asyncssh.SFTPAttrs(size=240_022)


def test_what_has_not_arrived_whole_is_a_failure_as_ever(tmp_path: Path, recording: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    cutting = type("Cutting", (Losing,), {"cuts": {"close"}})
    with AsyncSshServer(root, sftp=cutting) as server:
        session = open_session(server.customer, LIMITS)
        with pytest.raises(ConnectionLost), opened(recording) as source:
            upload(session, source, job(), Ledger())


@pytest.mark.usefixtures("nothing_left")
def test_a_session_that_was_ended_makes_no_connection_for_what_it_lost(tmp_path: Path) -> None:
    written = Event()

    def blocks() -> Iterator[bytes]:
        yield b"x"
        written.set()

    failures: list[TransferError] = []

    def put() -> None:
        try:
            session.put(blocks(), "a.part")
        except TransferError as error:
            failures.append(error)

    with _server(tmp_path, slow={"close"}, seconds=3600) as server:
        session = open_session(server.customer, Limits(stall=600))
        thread = Thread(target=put)
        thread.start()
        assert written.wait(30)
        session.cut()
        thread.join(30)
        session.close()
        assert server.logins == 1
    assert isinstance(failures[0], ConnectionLost | Stalled)
