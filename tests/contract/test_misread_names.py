"""Servers whose listing misreads a name, or tells it in another spelling: it is not free."""

import unicodedata
from pathlib import Path

import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Look
from deploy.local.customers import PyFtpServer
from tests.contract.accounts import (
    Ledger,
)
from tests.contract.blind_servers import OWN, delivered, refusing, report_of


class Splitting(FTPHandler):  # type: ignore[misc]
    """Takes a name with a blank in it for two."""

    def ftp_NLST(self, path: str) -> None:
        """Neither of them is there."""
        if " " in Path(path).name:
            self.respond("550 No such file.")
            return
        super().ftp_NLST(path)


class ListingNoFolder(FTPHandler):  # type: ignore[misc]
    """Lists single files alone."""

    def ftp_NLST(self, path: str) -> None:
        """Refused as if nothing were there."""
        if Path(path).is_dir():
            self.respond("550 No files found.")
            return
        super().ftp_NLST(path)


class ListingNothing(FTPHandler):  # type: ignore[misc]
    """The same, in another way."""

    def ftp_NLST(self, path: str) -> None:
        """No line at all."""
        if Path(path).is_dir():
            self.push_dtp_data(b"", cmd="NLST")
            return
        super().ftp_NLST(path)


def assert_not_taken_for_free(
    handler: type[FTPHandler], name: str, root: Path, recording: Path
) -> None:
    """A file of the customer's stays, where nothing but this listing tells of it."""
    root.mkdir()
    (root / name).write_bytes(OWN)
    blind = type("Blind", (refusing(MLST="502 No.", SIZE="502 No."), handler), {})
    with PyFtpServer(root, handler=blind) as server:
        found = report_of(server.customer).capabilities
        assert found.look is Look.NLST
        done = delivered(server.customer, recording, found, Ledger(names=(name, f"2 {name}")))
    assert done.remote_path != name
    assert (root / name).read_bytes() == OWN


@pytest.mark.parametrize("handler", [Splitting, ListingNoFolder, ListingNothing])
@pytest.mark.parametrize("name", ["call 1.wav", "call[1].wav"])
def test_a_listing_that_may_misread_the_name_calls_it_not_free(
    handler: type[FTPHandler], name: str, tmp_path: Path, recording: Path
) -> None:
    assert_not_taken_for_free(handler, name, tmp_path / "served", recording)


class ListingLatin1(FTPHandler):  # type: ignore[misc]
    """Lists names in its own encoding."""

    def ftp_NLST(self, path: str) -> None:
        """One file alone by its name, and folders."""
        found = Path(path).iterdir() if Path(path).is_dir() else [Path(path)]
        lines = "".join(f"{each.name}\r\n" for each in found if each.exists())
        self.push_dtp_data(self.spelt(lines), cmd="NLST")

    def spelt(self, lines: str) -> bytes:
        """As it goes out."""
        return lines.encode("latin-1")


class ListingApart(ListingLatin1):
    """Lists letters and accents apart, as macOS keeps them."""

    def spelt(self, lines: str) -> bytes:
        """In UTF-8."""
        return unicodedata.normalize("NFD", lines).encode()


@pytest.mark.parametrize("handler", [ListingLatin1, ListingApart])
@pytest.mark.parametrize("name", ["Müller.wav", "Müller[1].wav"])
def test_a_name_that_is_listed_in_another_spelling_is_not_free(
    handler: type[FTPHandler], name: str, tmp_path: Path, recording: Path
) -> None:
    assert_not_taken_for_free(handler, name, tmp_path / "served", recording)
