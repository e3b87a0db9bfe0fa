"""Answers that come late or never: what they would have said is looked at."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any

import asyncssh
import pytest

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer
from tests.contract.accounts import Ledger, files_in, job, open_session, opened, upload
from transports.base import Limits
from transports.errors import ConnectionLost, Stalled, TransferError
from transports.job import Verified

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


SESSIONS = 4


class Together(asyncssh.SFTPServer):
    """Answers no close; cuts the connection once every session has closed its file."""

    closed = 0

    async def close(self, file_obj: object) -> None:
        """Wait for the others, and cut the connection."""
        super().close(file_obj)
        type(self).closed += 1
        while self.closed < SESSIONS:  # noqa: ASYNC110 - a server's event loop is its own
            await asyncio.sleep(0.01)
        self.channel.get_connection().abort()


class Halving(Together):
    """Has lost half of each file by the time at which it is asked again."""

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Another size than the one that was sent."""
        return asyncssh.SFTPAttrs(size=5)


def cutting(kind: type[Together] = Together) -> type[Together]:
    return type("Cutting", (kind,), {})


def cut_at_their_ends(server: AsyncSshServer) -> list[BaseException | None]:
    """How the uploads end that had sent everything when their connection was cut."""
    first = open_session(server.customer)
    sessions = [first, *(first.another() for _ in range(SESSIONS - 1))]
    with ThreadPoolExecutor(SESSIONS) as pool:
        running = [
            pool.submit(session.put, [b"0123456789"], f"{number}.part")
            for number, session in enumerate(sessions)
        ]
        ends = [each.exception(60) for each in running]
    for session in sessions:
        session.close()
    assert not any(session.connected for session in sessions)
    return ends


@pytest.mark.usefixtures("nothing_left")
def test_uploads_that_were_cut_at_their_ends_look_over_one_new_login(tmp_path: Path) -> None:
    with AsyncSshServer(tmp_path, sftp=cutting()) as server:
        assert cut_at_their_ends(server) == [None] * SESSIONS
        assert server.logins == 2
        assert files_in(tmp_path) == {f"{number}.part": 10 for number in range(SESSIONS)}


@pytest.mark.usefixtures("nothing_left")
def test_uploads_that_have_not_arrived_leave_no_new_connection(tmp_path: Path) -> None:
    with AsyncSshServer(tmp_path, sftp=cutting(Halving)) as server:
        assert [type(end) for end in cut_at_their_ends(server)] == [ConnectionLost] * SESSIONS
        assert server.logins == 2
        deadline = time.monotonic() + 30
        while server._connections and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not server._connections


@pytest.mark.usefixtures("nothing_left")
def test_a_new_login_that_is_refused_is_asked_for_once(tmp_path: Path) -> None:
    class Locking(Together):
        async def close(self, file_obj: object) -> None:
            server.password = "another one"
            await super().close(file_obj)

    with AsyncSshServer(tmp_path, sftp=cutting(Locking)) as server:
        assert [type(end) for end in cut_at_their_ends(server)] == [ConnectionLost] * SESSIONS
        assert server.logins == 2


@pytest.mark.usefixtures("nothing_left")
def test_who_gets_no_channel_of_the_new_login_logs_in_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: Counter[object] = Counter()
    make = asyncssh.SSHServerConnection.create_server_channel

    def one_each_but_of_the_first(connection: Any, *args: Any) -> Any:
        given[connection] += 1
        if given[connection] > 1 and connection is not next(iter(given)):
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "No more")
        return make(connection, *args)

    name = "create_server_channel"
    monkeypatch.setattr(asyncssh.SSHServerConnection, name, one_each_but_of_the_first)
    with AsyncSshServer(tmp_path, sftp=cutting()) as server:
        assert cut_at_their_ends(server) == [None] * SESSIONS
        assert server.logins == 1 + SESSIONS


class Losing(Slow):
    """Has lost half of the file by the time at which it is asked again."""

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
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
