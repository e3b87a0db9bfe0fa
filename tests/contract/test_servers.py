"""One suite for all servers that customers run: what is seen is what docs/servers.md says."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from pydantic import SecretStr

from config.accounts import Capabilities, FtpSettings, Look
from deploy.local.customers import CustomerServer
from tests.contract.accounts import Ledger, files_in, job, opened, settings_of, upload
from tests.contract.proxy import Proxy
from tests.contract.servers import QUESTIONS, TABLE, Answer, note
from tests.servers.catalogue import SERVERS, Entry
from transports import settings_test
from transports.backends import connect
from transports.base import Egress, Limits, Server, Unsupported
from transports.errors import NameRefused, SourceMismatch, TemporaryGone, TransferError
from transports.job import Job, Transfer, Uploaded, intend_each
from transports.names import join, numbered
from transports.settings_report import TestReport
from transports.sources.source import Source
from transports.upload import upload as upload_all

FOLDER = "calls/of today"
LIMITS_HERE = Limits(resolve=20, connect=20, login=60, reply=30, stall=20)
"""Generous ones: nothing here waits for its limit, also on a machine under load."""
TAKEN = b"of somebody else"
CUT_AFTER = 200_000


@dataclass
class Ground:
    """A server that runs, and what the settings test has found out of it."""

    entry: Entry
    customer: CustomerServer
    report: TestReport
    number: int = 0

    @property
    def can(self) -> Capabilities:
        return self.report.capabilities

    @property
    def place(self) -> Path:
        """The folder of the uploads on disk."""
        return self.customer.root / FOLDER

    def settings(self, **changes: Any) -> FtpSettings:
        known = {"path": FOLDER, "capabilities": self.can, "host_key": self.report.host_key}
        return settings_of(self.customer, **(known | changes))

    @contextlib.contextmanager
    def session(self, **changes: Any) -> Iterator[Server]:
        password = SecretStr(self.customer.password)
        with contextlib.closing(
            connect(self.settings(**changes), password, LIMITS_HERE, Egress())
        ) as server:
            yield server

    def job(self, folder: str = FOLDER, **changes: Any) -> Job:
        self.number += 1
        can = self.can
        known = {
            "folder": folder,
            "rename": can.rename and can.temporary,
            "hash": can.hash,
            "look": can.look,
            "rename_refuses": can.rename_refuses,
            "exclusive": can.exclusive,
            "removes": can.removes,
        }
        return job(self.number, **(known | changes))

    def note(self, question: str, seen: str) -> None:
        """Keep what was seen for the table."""
        note(Answer(self.entry.key, self.entry.version(), question, seen))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(each, marks=[pytest.mark.slow] if each.is_slow else [], id=each.key)
        for each in SERVERS
    ],
)
def ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    """Each server, its settings tested for a folder that is not there yet."""
    entry: Entry = request.param
    with entry.start(tmp_path_factory.mktemp("server") / "files") as running:
        customer = running.customer
        report = settings_test.test_settings(
            settings_of(customer, path=FOLDER), SecretStr(customer.password), LIMITS_HERE, Egress()
        )
        yield Ground(entry, customer, report)


def ledger_of(what: Job, name: str) -> Ledger:
    """The names that the recording may take: its own, or the next one that is free."""
    names = [join(what.folder, numbered(name, copy)) for copy in range(1, 6)]
    return Ledger(names=tuple(names[:1] if what.overwrite else names))


def sent(
    server: Server, recording: Path, what: Job, name: str, ledger: Ledger | None = None
) -> Uploaded:
    """The recording uploaded under its name, or the next one that is free."""
    with opened(recording) as source:
        return upload(server, source, what, ledger or ledger_of(what, name))


def name_of(path: str) -> str:
    return PurePosixPath(path).name


def test_the_settings_test_passes_and_leaves_no_file(ground: Ground) -> None:
    report, can = ground.report, ground.can
    assert report.ok, report.failure
    assert ground.place.is_dir()
    facts = [f"asked by {(can.look or Look.NOTHING).upper()}"]
    facts += [f"{can.hash.upper()} told"] if can.hash else []
    facts += [] if can.size else ["no size told"]
    facts += [] if can.rename else ["no rename: written in place"]
    facts += [f"without {command}" for command in can.avoids]
    facts += ["bare names"] if can.enters else []
    facts += ["in flights"] if can.pipelines else []
    ground.note("settings", "passed: " + ", ".join(facts))


def test_a_recording_arrives_whole(ground: Ground, recording: Path) -> None:
    with ground.session() as server:
        done = sent(server, recording, ground.job(), "whole.wav")
    assert (ground.place / "whole.wav").read_bytes() == recording.read_bytes()
    ground.note("recording", f"whole, by its {done.verified}")


def test_a_file_is_read_back_as_it_is(ground: Ground, recording: Path) -> None:
    with ground.session() as server:
        done = sent(server, recording, ground.job(), "read.wav")
    content = recording.read_bytes()
    with ground.session() as server:
        assert server.read(done.remote_path, len(content) + 1) == content
    with ground.session() as server:
        assert server.read(done.remote_path, 1000) == content[:1000]
    with ground.session() as server, pytest.raises(NameRefused):
        server.read(join(FOLDER, "nowhere.wav"), 1000)


def test_a_name_that_is_taken_is_left_alone(ground: Ground, recording: Path) -> None:
    with ground.session() as server:
        server.make_directory(FOLDER)
        (ground.place / "taken.wav").write_bytes(TAKEN)
        done = [sent(server, recording, ground.job(), "taken.wav") for _ in range(2)]
    assert (ground.place / "taken.wav").read_bytes() == TAKEN
    names = [name_of(each.remote_path) for each in done]
    for name in names:
        assert (ground.place / name).read_bytes() == recording.read_bytes()
    assert names == ["taken (2).wav", "taken (3).wav"]
    ground.note("taken", f"`{names[0]}`, then `{names[1]}`")


def test_overwriting_replaces_the_file(ground: Ground, recording: Path) -> None:
    with ground.session() as server:
        sent(server, recording, ground.job(), "over.wav")
        recording.write_bytes(recording.read_bytes()[::-1])
        sent(server, recording, ground.job(overwrite=True), "over.wav")
    assert (ground.place / "over.wav").read_bytes() == recording.read_bytes()
    assert not (ground.place / "over (2).wav").exists()
    in_one = ground.can.rename and ground.can.replace
    ground.note("overwrite", "replaced" if in_one else "removed first")


def test_several_at_once_arrive_whole(ground: Ground, recording: Path) -> None:
    together = ground.can.at_once or 1
    with ground.session() as first, contextlib.ExitStack() as stack:
        more = [
            stack.enter_context(contextlib.closing(first.another())) for _ in range(together - 1)
        ]
        jobs = [(server, ground.job()) for server in (first, *more)]
        with ThreadPoolExecutor(together) as pool:
            running = [
                pool.submit(sent, server, recording, what, f"together-{number}.wav")
                for number, (server, what) in enumerate(jobs)
            ]
            for each in running:
                each.result()
    for number in range(together):
        path = ground.place / f"together-{number}.wav"
        assert path.read_bytes() == recording.read_bytes()
    ground.note("together", str(together))


def test_a_flight_with_a_bad_one_and_a_taken_name_arrives(ground: Ground, recording: Path) -> None:
    jobs = [ground.job() for _ in range(9)]
    jobs[4] = replace(jobs[4], expected_size=1)  # not what its event says
    names = [f"flight-{number}.wav" for number in range(9)]
    with ground.session() as server:
        taken = sent(server, recording, ground.job(), names[7])
        transfers = [
            Transfer(lambda: opened(recording), what, ledger_of(what, name))
            for what, name in zip(jobs, names, strict=True)
        ]
        upload_all(server, transfers, intend_each)
    bad = transfers.pop(4)
    assert isinstance(bad.outcome, SourceMismatch)
    paths = [each.result().remote_path for each in transfers]
    assert len({*paths, taken.remote_path}) == 9
    assert {(ground.place / name_of(path)).read_bytes() for path in paths} == {
        recording.read_bytes()
    }
    left = [path.name for path in ground.place.glob("*.part")]
    assert left == ([bad.job.part] if bad.outcome.part_left else [])
    assert bad.outcome.part_left is not ground.can.removes


def test_an_upload_that_was_cut_is_whole_at_the_next_try(ground: Ground, recording: Path) -> None:
    cut, again = ground.job(), ground.job()
    ledger = ledger_of(cut, "cut.wav")
    with pytest.raises(TransferError):
        _send_half(ground, recording, cut, ledger)
    known = {"leftovers": (join(FOLDER, cut.part),), "intent": ledger.intent}
    with ground.session() as server:
        done = sent(server, recording, _with(again, **known), "cut.wav", ledger)
    name = name_of(done.remote_path)
    assert (ground.place / name).read_bytes() == recording.read_bytes()
    others = {left for left in files_in(ground.place) if left.endswith(".part") or "cut" in left}
    came_back = {cut.part} if ground.entry.brings_back else set[str]()
    assert others - came_back == {name}, "what was cut is gone"
    ground.note("cut", f"whole, as `{name}`" + "; the `.part` may come back" * bool(came_back))


class Swept(Ledger):
    """Of a recording whose temporary file is taken away right before it is renamed."""

    part = Path()

    def permit(self) -> None:
        """The last moment before the rename."""
        self.part.unlink(missing_ok=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_taken_away_before_its_rename_is_told_as_that(
    ground: Ground, recording: Path, *, overwrite: bool
) -> None:
    what = ground.job(overwrite=overwrite)
    ledger = Swept(names=ledger_of(what, "swept.wav").names)
    ledger.part = ground.place / what.part
    if not what.rename or ground.can.look is Look.NOTHING:
        return  # no temporary file, or nothing that tells of it
    if ground.entry.name.startswith("rclone"):
        return  # it removes what stands at the new name first, and looks into a cache of its own
    (ground.place / "swept.wav").write_bytes(TAKEN)
    before = files_in(ground.place)
    with ground.session() as server, pytest.raises(TemporaryGone) as failed:
        sent(server, recording, what, "swept.wav", ledger)
    assert not failed.value.part_left
    assert files_in(ground.place) == before


def test_a_folder_that_is_missing_is_made(ground: Ground, recording: Path) -> None:
    folder = f"{FOLDER}/of a/new one"
    with ground.session(path=folder) as server:
        sent(server, recording, ground.job(folder), "a.wav")
    assert (ground.customer.root / folder / "a.wav").read_bytes() == recording.read_bytes()
    ground.note("folder", "made")


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("unicode", "Grüße ☎ 日本.wav"),
        ("pattern", "call [1]*.wav"),
        ("long", "x" * 251 + ".wav"),
    ],
)
def test_an_awkward_name_is_kept_or_refused(
    ground: Ground, recording: Path, question: str, name: str
) -> None:
    before = _contents(ground.place)
    if question == "pattern":
        (ground.place / name).write_bytes(TAKEN)
        before[name] = TAKEN
    with ground.session() as server:
        try:
            done = sent(server, recording, ground.job(), name)
        except NameRefused as refused:
            seen = f"refused: {refused.words}"
        else:
            seen = _seen(name_of(done.remote_path), name)
    after = _contents(ground.place)
    new = set(after) - set(before)
    assert {path: after[path] for path in before} == before
    assert [after[path] for path in new] == ([] if "refused" in seen else [recording.read_bytes()])
    if new and question == "unicode" and new != {name}:
        seen = f"stands there as `{new.pop()}`"
    ground.note(question, seen)


def test_nothing_is_left_that_is_not_named(ground: Ground, recording: Path) -> None:
    with ground.session() as server:
        done = sent(server, recording, ground.job(), "gone.wav")
        server.remove(done.remote_path)
        with contextlib.suppress(Unsupported):
            assert not server.exists(done.remote_path)
        server.remove(done.remote_path)
    ours = [name for name in files_in(ground.customer.root) if "courier-" in name]
    assert [
        name for name in ours if not (ground.entry.brings_back and "courier-test" in name)
    ] == []
    ground.note("left", "nothing")


def test_the_table_has_a_row_for_each_server_and_a_column_for_each_question() -> None:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")]
    columns = [cell.strip() for cell in table[0].split(" | ")[4:]]
    assert " | ".join(columns) == " | ".join(QUESTIONS.values()) + " |"
    rows = [line.removeprefix("| ") for line in table[1:]]
    assert [row[: len(entry.key)] for row, entry in zip(rows, SERVERS, strict=True)] == [
        entry.key for entry in SERVERS
    ]
    assert "not tried" not in "".join(rows)


def _send_half(ground: Ground, recording: Path, what: Job, ledger: Ledger) -> None:
    """The connections break in the middle of the recording."""
    if ground.customer.tls is None:
        with (
            Proxy(ground.customer, cut_after=CUT_AFTER) as proxy,
            ground.session(port=proxy.port) as server,
        ):
            sent(server, recording, what, "cut.wav", ledger)
        return
    # TLS hides from a proxy where data connections go.
    with ground.session() as server, opened(recording) as source:
        upload(server, Cutting(source, server), what, ledger)


class Cutting:
    """A recording in whose middle the session is cut."""

    def __init__(self, source: Source, server: Server) -> None:
        self.size = source.size
        self._source = source
        self._server = server

    def __iter__(self) -> Iterator[bytes]:
        for block in self._source:
            yield block[:CUT_AFTER]
            self._server.cut()
            yield block[CUT_AFTER:]


def _with(what: Job, **changes: Any) -> Job:
    return Job(**(vars(what) | changes))


def _contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


def _seen(stood: str, wanted: str) -> str:
    if stood == wanted:
        return "as it was sent"
    return "numbered" if " (2)" in stood else f"as `{stood}`"
