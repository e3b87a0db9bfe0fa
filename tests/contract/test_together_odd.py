"""Flights of many files to servers that lose, refuse or forget some of them."""

from contextlib import closing
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Look
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.contract.accounts import job, open_session
from tests.contract.many_files import (
    BAD,
    COUNT,
    PIPELINES,
    assert_arrived,
    failure,
    make_recordings,
    transfers_of,
)
from transports.errors import (
    AccountFailure,
    ConnectionLost,
    TransferError,
)
from transports.job import Uploaded, intend_each
from transports.upload import upload


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    return make_recordings(tmp_path)


class FewHandles(asyncssh.SFTPServer):
    """Has three files open at once, and no more."""

    most_seen = 0
    now = 0

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Refuse the fourth one."""
        if self.now == 3:
            raise asyncssh.SFTPFailure("Too many open files")
        self.now += 1
        type(self).most_seen = max(self.most_seen, self.now)
        try:
            return super().open(path, pflags, attrs)
        except BaseException:
            self.now -= 1
            raise

    def close(self, file_obj: object) -> Any:
        """One may be opened again."""
        self.now -= 1
        return super().close(file_obj)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder of a server of the test's own."""
    root = tmp_path / "served"
    root.mkdir()
    return root


def test_where_few_files_may_be_open_the_flight_goes_on_with_fewer(
    served: Path, recordings: list[Path]
) -> None:
    with (
        AsyncSshServer(served, sftp=FewHandles) as server,
        closing(open_session(server.customer)) as session,
    ):
        transfers = transfers_of(recordings)
        upload(session, transfers, intend_each)
        assert all(isinstance(each.outcome, Uploaded) for each in transfers)
    assert FewHandles.most_seen == 3
    assert_arrived(served, recordings, [f"{n}.wav" for n in range(COUNT)])


class FullForOne(asyncssh.SFTPServer):
    """Has no room for one of the files."""

    def write(self, file_obj: Any, offset: int, data: bytes) -> Any:
        """Refuse what goes to that one."""
        if file_obj.name.endswith(job(BAD).part.encode()):
            raise asyncssh.SFTPFailure("No space left")
        return super().write(file_obj, offset, data)


def test_one_for_which_there_is_no_room_leaves_the_flight(
    served: Path, recordings: list[Path]
) -> None:
    with (
        AsyncSshServer(served, sftp=FullForOne) as server,
        closing(open_session(server.customer)) as session,
    ):
        transfers = transfers_of(recordings)
        upload(session, transfers, intend_each)
    full = failure(transfers[BAD])
    assert isinstance(full, AccountFailure)
    assert full.common is None
    del recordings[BAD]
    assert_arrived(served, recordings, [f"{n}.wav" for n in range(COUNT) if n != BAD])


class HangsUpAtRename(asyncssh.SFTPServer):
    """Does the first rename, and is gone at the fourth one."""

    count = 0

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        """Hang up, once."""
        type(self).count += 1
        if self.count == 4:
            self.channel.get_connection().abort()
            raise asyncssh.SFTPConnectionLost("gone")
        return super().rename(oldpath, newpath)


def test_renames_whose_answers_are_lost_are_looked_after_over_a_new_connection(
    served: Path, recordings: list[Path]
) -> None:
    with (
        AsyncSshServer(served, sftp=HangsUpAtRename) as server,
        closing(open_session(server.customer)) as session,
    ):
        transfers = transfers_of(recordings)
        upload(session, transfers, intend_each)
    done = [n for n, each in enumerate(transfers) if isinstance(each.outcome, Uploaded)]
    lost = [each.outcome for each in transfers if isinstance(each.outcome, TransferError)]
    assert set(done) >= {0, 1, 2}
    assert 3 not in done
    assert len(lost) == COUNT - len(done)
    assert {type(each) for each in lost} == {ConnectionLost}
    assert len({id(each.common) for each in lost}) == 1
    assert {path.name for path in (served / "to").glob("*.wav")} == {f"{n}.wav" for n in done}


class ForgetsRenames(FTPHandler):  # type: ignore[misc]
    """Forgets some of the first RNFR."""

    asked = 0

    def ftp_RNFR(self, path: str) -> None:
        """Take it, and forget it."""
        super().ftp_RNFR(path)
        self.asked += 1
        if 2 <= self.asked <= BAD:
            self._rnfr = None


def test_where_a_pack_of_renames_is_not_taken_each_is_done_alone(
    served: Path, recordings: list[Path]
) -> None:
    with (
        PyFtpServer(served, handler=ForgetsRenames) as server,
        closing(open_session(server.customer, capabilities=PIPELINES)) as session,
    ):
        session.look = Look.MLST
        transfers = transfers_of(recordings)
        upload(session, transfers, intend_each)
        assert not session.pipelines  # type: ignore[attr-defined]
    assert_arrived(served, recordings, [f"{n}.wav" for n in range(COUNT)])
