"""Servers that do not tell whether a name is taken, or tell it wrong: "cannot tell" is not "free".

A file of the customer's own stands under the wanted name, and stands there afterwards.
"""

import os
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import FX_FAILURE, FX_OP_UNSUPPORTED, FX_PERMISSION_DENIED

from config.accounts import Capabilities, ExistingFile, Look
from tests.contract.accounts import (
    Ledger,
    files_in,
    job,
)
from tests.contract.blind_servers import (
    OWN,
    SIZE,
    BlindSftp,
    Listing,
    NoRename,
    NoRenameNoExcl,
    RefusingTaken,
    Serving,
    delivered,
    ftp,
    report_of,
    sftp,
)
from transports.errors import NameRefused
from transports.job import Intent


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The customer's folder, with a file of the wanted name."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "call.wav").write_bytes(OWN)
    return folder


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
