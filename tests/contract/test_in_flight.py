"""Files on their way by each convention: what a sweeper sees, and what earlier starts leave."""

from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import FX_PERMISSION_DENIED
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.naming_settings import InFlight
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
from transports.base import Egress, Server
from transports.errors import PathRefused, SourceMismatch
from transports.job import Intent, Job, Transfer, intend_each
from transports.names import on_its_way, part_name, staging_of
from transports.sample_upload import Sample
from transports.settings_report import TestReport
from transports.sources.source import Source
from transports.upload import upload as upload_all

SIZE = 480_044
RENAMING = (InFlight.SUFFIX, InFlight.DOT, InFlight.FOLDER)
FOLDER = "in/2026"
FINAL = f"{FOLDER}/call.wav"


def job_by(convention: InFlight, attempt: int = 1, **changes: Any) -> Job:
    """To a folder of the recording's own beneath `in`."""
    values = {
        "folder": FOLDER,
        "above": ("in",),
        "staging": staging_of("in", convention),
        "rename": convention is not InFlight.NONE,
        **changes,
    }
    part = on_its_way(part_name("7", attempt), "call.wav", convention)
    return replace(job(attempt), part=part, **values)


class Watched:
    """A recording; in the middle of it somebody looks at the customer's folder."""

    def __init__(self, source: Source, root: Path) -> None:
        self.size = source.size
        self.seen: set[str] = set()
        self._source = source
        self._root = root

    def __iter__(self) -> Iterator[bytes]:
        for block in self._source:
            self.seen |= set(files_in(self._root))
            yield block


def sent(
    customer: CustomerServer, recording: Path, what: Job, ledger: Ledger | None = None
) -> set[str]:
    """The recording is delivered; what stood there meanwhile."""
    with closing(open_session(customer)) as session, opened(recording) as source:
        watched = Watched(source, customer.root)
        done = upload(session, watched, what, ledger or Ledger(names=(FINAL,)))
    assert done.remote_path == FINAL
    assert (customer.root / FINAL).read_bytes() == recording.read_bytes()
    return watched.seen


def put_there(customer: CustomerServer, path: str, content: bytes) -> None:
    """A file of the customer's user."""
    with closing(open_session(customer)) as session:
        for folder in reversed(Path(path).parents):
            session.make_directory(str(folder))
        session.put([content], path)


@pytest.mark.parametrize(
    ("convention", "part"),
    [
        (InFlight.SUFFIX, f"{FOLDER}/courier-*.part"),
        (InFlight.DOT, f"{FOLDER}/.courier-*.wav"),
        (InFlight.FOLDER, "in/courier-part/courier-*.wav"),
        (InFlight.NONE, FINAL),
    ],
)
def test_until_a_file_is_whole_it_stands_where_the_convention_says(
    customer: CustomerServer, recording: Path, convention: InFlight, part: str
) -> None:
    seen = sent(customer, recording, job_by(convention))
    (name,) = seen - ({FINAL} if convention is not InFlight.NONE else set())
    assert Path(name).match(part)
    assert files_in(customer.root) == {FINAL: SIZE}


@pytest.mark.parametrize("convention", RENAMING)
def test_a_sweeper_never_finds_a_file_that_is_not_whole_under_its_name(
    customer: CustomerServer, recording: Path, convention: InFlight
) -> None:
    """It takes whatever is no temporary file by the convention."""
    seen = sent(customer, recording, job_by(convention))
    temporary = {
        InFlight.SUFFIX: [name for name in seen if name.endswith(".part")],
        InFlight.DOT: [name for name in seen if Path(name).name.startswith(".")],
        InFlight.FOLDER: [name for name in seen if Path(name).parent.name == "courier-part"],
    }[convention]
    assert [*seen] == temporary


@pytest.mark.parametrize("convention", RENAMING)
def test_what_an_earlier_start_left_is_removed_whichever_convention_it_had(
    customer: CustomerServer, recording: Path, convention: InFlight
) -> None:
    left = [job_by(each, 1).part_path for each in RENAMING]
    for path in left:
        put_there(customer, path, b"half")
    sent(customer, recording, job_by(convention, 2, leftovers=tuple(left)))
    assert files_in(customer.root) == {FINAL: SIZE}


@pytest.mark.parametrize("before", RENAMING)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_start_that_died_at_the_rename_is_taken_over_whatever_is_chosen_by_now(
    customer: CustomerServer, recording: Path, before: InFlight, *, overwrite: bool
) -> None:
    ledger = Ledger(names=(FINAL,))
    sent(customer, recording, job_by(before, 1, overwrite=overwrite), ledger)
    (intent,) = ledger.intents
    for now in InFlight:
        what = job_by(now, 2, overwrite=overwrite, intent=intent, leftovers=(intent.part,))
        with closing(open_session(customer)) as session, opened(recording) as source:
            done = upload(session, source, what, Ledger(names=("in/elsewhere.wav",)))
        assert (done.remote_path, done.sent) == (FINAL, False)
    assert files_in(customer.root) == {FINAL: SIZE}


@pytest.mark.parametrize("before", RENAMING)
@pytest.mark.parametrize("now", InFlight)
def test_a_start_that_died_before_the_rename_is_done_anew_and_leaves_nothing(
    customer: CustomerServer, recording: Path, before: InFlight, now: InFlight
) -> None:
    part = job_by(before, 1).part_path
    put_there(customer, part, recording.read_bytes())
    intent = Intent(part, "in/old/call.wav", SIZE, "0" * 64)
    sent(customer, recording, job_by(now, 2, intent=intent, leftovers=(part,)))
    assert files_in(customer.root) == {FINAL: SIZE}


@pytest.mark.parametrize("convention", InFlight)
def test_a_file_that_fails_leaves_nothing(
    customer: CustomerServer, recording: Path, convention: InFlight
) -> None:
    what = job_by(convention, expected_sha256="0" * 64)
    with (
        closing(open_session(customer)) as session,
        opened(recording) as source,
        pytest.raises(SourceMismatch),
    ):
        upload(session, source, what, Ledger((FINAL,)))
    assert files_in(customer.root) == {}


@pytest.mark.parametrize("convention", InFlight)
def test_a_test_file_goes_the_way_of_the_recording(
    customer: CustomerServer, convention: InFlight
) -> None:
    with closing(open_session(customer)) as session:
        sample = Sample(job_by(convention))
        sample.upload(session, Ledger())
    assert sample.left == ()
    assert files_in(customer.root) == {}


def report_of(customer: CustomerServer, **changes: Any) -> TestReport:
    settings = settings_of(customer, **changes)
    password = SecretStr(customer.password)
    return settings_test.test_settings(settings, password, LIMITS, Egress())


@pytest.mark.parametrize("convention", InFlight)
def test_the_test_on_save_writes_as_uploads_do_and_leaves_nothing(
    customer: CustomerServer, convention: InFlight
) -> None:
    changes = {"path": "in", "folder_template": "{date:%Y}/{number}", "in_flight": convention}
    report = report_of(customer, **changes)
    assert report.ok, report.failure
    (wrote,) = [step.detail for step in report.steps if step.name == "wrote"]
    told = {
        InFlight.SUFFIX: "in/courier-test-",
        InFlight.DOT: "in/.courier-test-",
        InFlight.FOLDER: "in/courier-part/courier-test-",
        InFlight.NONE: "in/courier-test-",
    }
    assert wrote.startswith(told[convention])
    assert ("whoever looks meanwhile" in wrote) == (convention is InFlight.NONE)
    folders = {"in", "in/courier-part"} if convention is InFlight.FOLDER else {"in"}
    there = {str(path.relative_to(customer.root)) for path in customer.root.rglob("*")}
    assert there == folders


class OnlySounds(asyncssh.SFTPServer):
    """Takes files of sounds and texts alone, as a filter of names does."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        if pflags & asyncssh.FXF_CREAT and not path.endswith((b".wav", b".txt")):
            raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no such files here")
        return super().open(path, pflags, attrs)


@pytest.mark.parametrize(
    ("convention", "renames"),
    [(InFlight.SUFFIX, False), (InFlight.DOT, True), (InFlight.FOLDER, True)],
)
def test_a_server_that_takes_only_known_endings_gets_whole_files_by_a_dot_or_a_folder(
    tmp_path: Path, recording: Path, convention: InFlight, *, renames: bool
) -> None:
    root = tmp_path / "sounds"
    root.mkdir()
    with AsyncSshServer(root, sftp=OnlySounds) as server:
        found = report_of(server.customer, in_flight=convention).capabilities
        assert (found.temporary, found.rename) == (renames, renames)
        what = job_by(convention, rename=found.rename and found.temporary)
        seen = sent(server.customer, recording, what)
    assert (FINAL in seen) is not renames


def test_a_server_that_makes_no_folders_is_told_before_anything_is_saved(
    tmp_path: Path,
) -> None:
    class Flat(asyncssh.SFTPServer):
        def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
            raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no folders")

    root = tmp_path / "flat"
    root.mkdir()
    with AsyncSshServer(root, sftp=Flat) as server:
        assert report_of(server.customer).ok
        report = report_of(server.customer, folder_template="{number}")
    assert report.failure is not None
    assert report.failure.words == "no folders"
    assert report.failure.advice.endswith("or leave Subfolders empty.")
    assert report.steps[-1].name == "path"
    assert [*root.rglob("*")] == []


def flight(session: Server, source: Source, paths: list[str], attempt: int) -> list[Transfer]:
    """The same recording goes to each of the paths."""
    transfers = [
        Transfer(
            lambda: nullcontext(source),
            replace(
                job(),
                part=part_name(path, attempt),
                folder=str(Path(path).parent),
                above=("in", "in/2026"),
            ),
            Ledger(names=(path,)),
        )
        for path in paths
    ]
    upload_all(session, transfers, intend_each)
    return transfers


def test_a_flight_of_sixteen_goes_to_folders_of_their_own(
    customer: CustomerServer, recording: Path
) -> None:
    first = [f"in/2026/{number % 4}/{number}.wav" for number in range(16)]
    second = [f"in/2026/{number % 6}/{number}.wav" for number in range(16, 32)]
    with closing(open_session(customer)) as session, opened(recording) as source:
        for attempt, paths in enumerate((first, second)):
            for transfer in flight(session, source, paths, attempt):
                assert transfer.result().sent
    assert files_in(customer.root) == dict.fromkeys(sorted([*first, *second]), SIZE)


def test_a_folder_is_asked_for_once_a_login_and_made_by_one_command(
    tmp_path: Path, recording: Path
) -> None:
    asked: list[str] = []

    class Noting(FTPHandler):  # type: ignore[misc]
        """Notes what is asked of folders."""

        def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
            if cmd in {"MKD", "CWD"} and Path(args[0]) != root:  # nor the way back to the login
                asked.append(f"{cmd} {Path(args[0]).name}")
            super().process_command(cmd, *args, **kwargs)

    root = tmp_path / "noting"
    (root / "in/2026/1").mkdir(parents=True)
    paths = [f"in/2026/{number % 3}/{number}.wav" for number in range(16)]
    with (
        PyFtpServer(root, handler=Noting) as server,
        opened(recording) as source,
        closing(open_session(server.customer)) as session,
    ):
        first = flight(session, source, paths, 1)
        second = flight(session, source, ["in/2026/0/other.wav"], 2)
    assert all(transfer.result().sent for transfer in [*first, *second])
    assert asked == ["CWD in", "CWD 2026", "CWD 0", "MKD 0", "CWD 1", "CWD 2", "MKD 2"]


def test_folders_that_are_gone_meanwhile_cost_one_try_and_are_made_anew(
    customer: CustomerServer, recording: Path
) -> None:
    """A sweeper has taken the files away and removed the empty folders."""
    with closing(open_session(customer)) as session, opened(recording) as source:
        (done,) = flight(session, source, ["in/2026/1/a.wav"], 1)
        assert done.result().sent
        rmtree(customer.root / "in")
        other = session.another()
        (failed,) = flight(other, source, ["in/2026/1/b.wav"], 1)
        assert isinstance(failed.outcome, PathRefused)
        (again,) = flight(session, source, ["in/2026/1/b.wav"], 2)
        assert again.result().sent
    assert files_in(customer.root) == {"in/2026/1/b.wav": SIZE}
