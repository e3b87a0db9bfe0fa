"""Servers that do not tell whether a name is taken, or tell it wrong: "cannot tell" is not "free".

A file of the customer's own stands under the wanted name, and stands there afterwards.
"""

import asyncio
import os
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import FX_FAILURE, FX_OP_UNSUPPORTED, FX_PERMISSION_DENIED
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, ExistingFile, Look
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
from transports import settings_test
from transports.base import Egress
from transports.errors import NameRefused
from transports.job import Intent, Job, Uploaded
from transports.settings_report import TestReport

OWN = b"the customer's own"
SIZE = 480_044
Serving = Callable[[Path], AbstractContextManager[CustomerServer]]


def refusing(**commands: str) -> type[FTPHandler]:
    """An FTP server that gives these commands these answers, whatever they are about."""

    def answer(reply: str) -> Callable[..., None]:
        return lambda self, *_: self.respond(reply)

    verbs = {f"ftp_{verb}": answer(reply) for verb, reply in commands.items()}
    return type("Refusing", (FTPHandler,), verbs)


class Listing(asyncssh.SFTPServer):
    """Tells of no path what stands there, lists folders, and renames over files."""

    def lstat(self, path: bytes) -> Any:  # noqa: ARG002
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no looking")

    stat = lstat

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """As ever: asyncssh's own looks at each folder besides."""
        for name in await asyncio.to_thread(os.listdir, self.map_path(path)):
            yield asyncssh.SFTPName(os.fsencode(name), attrs=asyncssh.SFTPAttrs(size=1))

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Over whatever is there."""
        os.replace(self.map_path(oldpath), self.map_path(newpath))  # noqa: PTH105 - bytes

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """For writing alone."""
        if pflags & asyncssh.FXF_READ:
            raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no reading")
        return super().open(path, pflags, attrs)


class BlindSftp(Listing):
    """Lists nothing either."""

    def scandir(self, path: bytes) -> Any:  # noqa: ARG002
        """Refused."""
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no listing")


class RefusingTaken(BlindSftp):
    """Renames over no file."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused where the name is taken."""
        if Path(self.map_path(newpath).decode()).exists():
            raise asyncssh.SFTPFailure("Failure")
        super().rename(oldpath, newpath)


class NoRename(BlindSftp):
    """Renames nothing."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002
        """Refused."""
        raise asyncssh.SFTPError(FX_OP_UNSUPPORTED, "no renaming")

    posix_rename = rename


class NoRenameNoExcl(NoRename):
    """Writes over files though it was asked for a new one."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """As if that had not been said."""
        return super().open(path, pflags & ~asyncssh.FXF_EXCL, attrs)


def ftp(**commands: str) -> Serving:
    @contextmanager
    def serving(root: Path) -> Iterator[CustomerServer]:
        with PyFtpServer(root, handler=refusing(**commands)) as server:
            yield server.customer

    return serving


def sftp(kind: type[asyncssh.SFTPServer]) -> Serving:
    @contextmanager
    def serving(root: Path) -> Iterator[CustomerServer]:
        with AsyncSshServer(root, sftp=kind) as server:
            yield server.customer

    return serving


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The customer's folder, with a file of the wanted name."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "call.wav").write_bytes(OWN)
    return folder


def report_of(customer: CustomerServer, **changes: Any) -> TestReport:
    report = settings_test.test_settings(
        settings_of(customer, **changes), SecretStr(customer.password), LIMITS, Egress()
    )
    assert report.ok, report.failure
    return report


def job_by(can: Capabilities, attempt: int = 1, **changes: Any) -> Job:
    """As the ledger's journal makes it of what was found."""
    return replace(
        job(attempt, **changes),
        rename=can.rename and can.temporary,
        look=can.look,
        rename_refuses=can.rename_refuses,
        exclusive=can.exclusive,
        removes=can.removes,
    )


def delivered(
    customer: CustomerServer,
    recording: Path,
    can: Capabilities,
    ledger: Ledger | None = None,
    **job: Any,
) -> Uploaded:
    session = open_session(customer, capabilities=can)
    try:
        with opened(recording) as source:
            return upload(session, source, job_by(can, **job), ledger or Ledger())
    finally:
        session.close()


CASES = [
    (ftp(MLST="550 No such file."), Look.SIZE, "call (2).wav"),
    (ftp(MLST="500 Unknown command."), Look.SIZE, "call (2).wav"),
    (ftp(MLST="550 No.", SIZE="550 No."), Look.NLST, "call (2).wav"),
    (ftp(MLST="550 No.", SIZE="550 No.", NLST="502 No."), Look.NOTHING, "call-7.wav"),
    (ftp(MLST="250 Yes.", SIZE="502 No.", NLST="502 No."), Look.NOTHING, "call-7.wav"),
    (ftp(MLST="550 No.", RNFR="502 No."), Look.SIZE, "call (2).wav"),
    (
        ftp(MLST="550 No.", SIZE="550 No.", NLST="502 No.", RNFR="502 No."),
        Look.NOTHING,
        "call-7.wav",
    ),
    (sftp(Listing), Look.READDIR, "call (2).wav"),
    (sftp(BlindSftp), Look.NOTHING, "call-7.wav"),
    (sftp(RefusingTaken), Look.NOTHING, "call (2).wav"),
    (sftp(NoRename), Look.NOTHING, "call (2).wav"),
    (sftp(NoRenameNoExcl), Look.NOTHING, "call-7.wav"),
]


@pytest.mark.parametrize(("serving", "look", "name"), CASES)
def test_the_test_on_save_finds_out_what_tells_and_nothing_is_overwritten(
    serving: Serving, look: Look, name: str, root: Path, recording: Path
) -> None:
    with serving(root) as customer:
        report = report_of(customer)
        assert report.capabilities.look is look
        assert delivered(customer, recording, report.capabilities).remote_path == name
        assert files_in(root) == {"call.wav": len(OWN), name: SIZE}
    assert (root / "call.wav").read_bytes() == OWN
    told = [step.detail for step in report.steps if step.name == "names"]
    assert bool(told) == (look is Look.NOTHING)
    assert not told or ("carry their id" in told[0]) == (name == "call-7.wav")


@pytest.mark.parametrize(("serving", "look", "name"), CASES)
def test_settings_that_were_tested_before_overwrite_nothing(
    serving: Serving, look: Look, name: str, root: Path, recording: Path
) -> None:
    with serving(root) as customer:
        found = report_of(customer).capabilities
        before = Capabilities(rename=found.rename, size=found.size, replace=found.replace)
        done = delivered(customer, recording, before)
    assert done.remote_path == (name if look is not Look.NOTHING else done.remote_path)
    assert files_in(root) == {"call.wav": len(OWN), done.remote_path: SIZE}
    assert (root / "call.wav").read_bytes() == OWN


@pytest.mark.parametrize(("serving", "look", "name"), CASES)
def test_a_server_that_has_changed_since_its_test_overwrites_nothing(
    serving: Serving, look: Look, name: str, root: Path, recording: Path
) -> None:
    with serving(root) as customer:
        found = report_of(customer).capabilities
        first = Look.MLST if customer.host_key is None else Look.LSTAT
        once = found.model_copy(update={"look": first, "rename_refuses": False})
        done = delivered(customer, recording, once)
    assert look is Look.NOTHING or done.remote_path == name
    assert files_in(root) == {"call.wav": len(OWN), done.remote_path: SIZE}
    assert (root / "call.wav").read_bytes() == OWN


@pytest.mark.parametrize(("serving", "name"), [(serving, name) for serving, _, name in CASES])
def test_a_start_that_was_cut_is_not_taken_for_delivered_because_of_a_file_of_that_size(
    serving: Serving, name: str, root: Path, recording: Path
) -> None:
    own = os.urandom(SIZE)
    (root / "call.wav").write_bytes(own)
    part = job(1).part
    (root / part).write_bytes(recording.read_bytes())
    intent = Intent(part, "call.wav", SIZE, "")
    with serving(root) as customer:
        found = report_of(customer).capabilities
        done = delivered(customer, recording, found, attempt=2, intent=intent, leftovers=(part,))
    assert (done.sent, done.remote_path) == (True, name)
    assert files_in(root) == {"call.wav": SIZE, name: SIZE}
    assert (root / "call.wav").read_bytes() == own


def test_a_crash_after_the_name_with_the_id_was_taken_leaves_one_file(
    root: Path, recording: Path
) -> None:
    with sftp(BlindSftp)(root) as customer:
        found = report_of(customer).capabilities
        ledger = Ledger()
        delivered(customer, recording, found, ledger)
        again = delivered(customer, recording, found, attempt=2, intent=ledger.intents[-1])
    assert again.remote_path == "call-7.wav"
    assert files_in(root) == {"call.wav": len(OWN), "call-7.wav": SIZE}


@pytest.mark.parametrize(
    "serving", [ftp(MLST="500 No.", SIZE="500 No.", NLST="500 No."), sftp(BlindSftp)]
)
def test_who_has_chosen_to_overwrite_gets_the_name_without_the_id(
    serving: Serving, root: Path, recording: Path
) -> None:
    with serving(root) as customer:
        report = report_of(customer, existing_file=ExistingFile.OVERWRITE)
        (step,) = [step for step in report.steps if step.name == "names"]
        assert "as chosen" in step.detail
        ledger = Ledger(names=("call.wav",))
        done = delivered(customer, recording, report.capabilities, ledger, overwrite=True)
    assert done.remote_path == "call.wav"
    assert files_in(root) == {"call.wav": SIZE}


def test_a_pattern_in_a_name_is_no_pattern(tmp_path: Path, recording: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    (root / "call [1].wav").write_bytes(OWN)
    serving = ftp(MLST="550 No.", SIZE="550 No.")
    with serving(root) as customer:
        found = report_of(customer).capabilities
        names = ("call [1].wav", "call [1] (2).wav")
        done = delivered(customer, recording, found, Ledger(names=names))
    assert done.remote_path != "call [1].wav"
    assert (root / "call [1].wav").read_bytes() == OWN


class Splitting(FTPHandler):  # type: ignore[misc]
    """Takes a name with a blank in it for two."""

    def ftp_NLST(self, path: str) -> None:  # noqa: N802
        """Neither of them is there."""
        if " " in Path(path).name:
            self.respond("550 No such file.")
            return
        super().ftp_NLST(path)


class ListingNoFolder(FTPHandler):  # type: ignore[misc]
    """Lists single files alone."""

    def ftp_NLST(self, path: str) -> None:  # noqa: N802
        """Refused as if nothing were there."""
        if Path(path).is_dir():
            self.respond("550 No files found.")
            return
        super().ftp_NLST(path)


class ListingNothing(FTPHandler):  # type: ignore[misc]
    """The same, in another way."""

    def ftp_NLST(self, path: str) -> None:  # noqa: N802
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

    def ftp_NLST(self, path: str) -> None:  # noqa: N802
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


def test_a_bucket_that_finds_whatever_it_is_asked_for_gets_the_next_name(
    root: Path, recording: Path
) -> None:
    class Bucket(asyncssh.SFTPServer):
        def lstat(self, path: bytes) -> Any:
            if os.path.exists(self.map_path(path)):  # noqa: PTH110 - bytes
                return super().lstat(path)
            return asyncssh.SFTPAttrs(size=0, permissions=0o40755)

        stat = lstat

    with sftp(Bucket)(root) as customer:
        found = report_of(customer).capabilities
        assert found.look is Look.OPEN
        assert delivered(customer, recording, found).remote_path == "call (2).wav"
    assert files_in(root) == {"call.wav": len(OWN), "call (2).wav": SIZE}


@pytest.mark.parametrize("code", [FX_OP_UNSUPPORTED, FX_PERMISSION_DENIED, FX_FAILURE])
@pytest.mark.parametrize(
    ("kind", "name"), [(NoRename, "call-7.wav"), (asyncssh.SFTPServer, "call (2).wav")]
)
def test_a_server_that_knows_no_new_files_is_written_to_all_the_same(
    kind: type[asyncssh.SFTPServer], name: str, code: int, root: Path, recording: Path
) -> None:
    class NotNew(kind):  # type: ignore[misc, valid-type]
        rename = NoRename.rename
        posix_rename = NoRename.rename

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            if pflags & asyncssh.FXF_EXCL:
                raise asyncssh.SFTPError(code, "no such flag")
            return super().open(path, pflags, attrs)

    with sftp(NotNew)(root) as customer:
        found = report_of(customer).capabilities
        assert delivered(customer, recording, found).remote_path == name
    assert files_in(root) == {"call.wav": len(OWN), name: SIZE}


def test_half_a_file_that_was_refused_under_its_name_does_not_stay(
    root: Path, recording: Path
) -> None:
    (root / "call.wav").unlink()

    class Refusing(asyncssh.SFTPServer):
        rename = NoRename.rename
        posix_rename = NoRename.rename

        def write(self, file_obj: object, offset: int, data: bytes) -> Any:
            if offset > SIZE // 2:
                raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no more")
            return super().write(file_obj, offset, data)

    with sftp(Refusing)(root) as customer:
        found = report_of(customer).capabilities
        assert found.exclusive
        with pytest.raises(NameRefused):
            delivered(customer, recording, found)
    assert files_in(root) == {}


def test_a_file_that_came_while_the_recording_was_sent_is_neither_overwritten_nor_removed(
    root: Path, recording: Path
) -> None:
    """Written in place, after a look that called the name free."""
    (root / "call.wav").unlink()

    class Overtaken(Ledger):
        def permit(self) -> None:
            if not (root / "call.wav").exists():
                (root / "call.wav").write_bytes(OWN)

    class Seeing(asyncssh.SFTPServer):
        rename = NoRename.rename
        posix_rename = NoRename.rename

    with sftp(Seeing)(root) as customer:
        found = report_of(customer).capabilities
        assert (found.look, found.exclusive) == (Look.LSTAT, True)
        done = delivered(customer, recording, found, Overtaken())
    assert done.remote_path == "call (2).wav"
    assert (root / "call.wav").read_bytes() == OWN
