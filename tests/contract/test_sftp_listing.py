"""An SFTP server that tells whether a name is taken by nothing but the listing of its folder."""

from contextlib import closing
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from config.accounts import Look
from tests.contract.accounts import open_session
from tests.contract.blind_servers import OWN, Listing, delivered, report_of, sftp
from transports.base import CannotTell


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The customer's folder, with a file of the wanted name."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "call.wav").write_bytes(OWN)
    return folder


@pytest.mark.parametrize("taken", ["call.wav", "CALL.wav"])
def test_a_listing_in_many_pieces_is_read_to_its_end(taken: str, root: Path) -> None:
    (root / "call.wav").rename(root / taken)
    for number in range(1000):
        (root / f"{number}.wav").touch()
    with sftp(Listing)(root) as customer, closing(open_session(customer)) as session:
        assert session.exists("call.wav", Look.READDIR)
        assert session.exists("~/call.wav", Look.READDIR)
        assert not session.exists("call (2).wav", Look.READDIR)
        with pytest.raises(CannotTell):
            session.exists("missing/call.wav", Look.READDIR)


def test_a_folder_of_more_files_than_are_looked_through_tells_nothing(
    root: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.sftp.looks._MOST_LISTED", 100)
    with sftp(Listing)(root) as customer:
        found = report_of(customer).capabilities
        assert found.look is Look.READDIR
        for number in range(1000):
            (root / f"{number}.wav").touch()
        with closing(open_session(customer)) as session, pytest.raises(CannotTell):
            session.exists("never there", Look.READDIR)
        assert delivered(customer, recording, found).remote_path == "call-7.wav"
    assert (root / "call.wav").read_bytes() == OWN


class Endless(Listing):
    """Its listing is one name again and again."""

    async def scandir(self, path: bytes) -> Any:
        """Without an end."""
        while True:
            yield asyncssh.SFTPName(b"x.wav", attrs=asyncssh.SFTPAttrs(size=1))


class Nothing(Listing):
    """It lists nothing, of any folder."""

    async def scandir(self, path: bytes) -> Any:
        """Nothing."""
        names: list[asyncssh.SFTPName] = []
        for name in names:
            yield name


@pytest.mark.parametrize("kind", [Endless, Nothing])
def test_a_listing_without_an_end_or_of_nothing_tells_nothing(
    kind: type[asyncssh.SFTPServer], root: Path, recording: Path
) -> None:
    with sftp(kind)(root) as customer:
        found = report_of(customer).capabilities
        assert found.look is Look.NOTHING
        assert delivered(customer, recording, found).remote_path == "call-7.wav"
