"""Flights of many files against real servers: each file has an end of its own."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities
from deploy.local.customers import CustomerServer, PyFtpServer
from tests.contract.accounts import Ledger, files_in, job, open_session
from tests.contract.many_files import (
    BAD,
    COUNT,
    PIPELINES,
    PLAIN,
    QUEUES,
    SIZE,
    assert_arrived,
    failure,
    make_recordings,
    transfers_of,
)
from tests.contract.proxy import Proxy
from tests.servers import Vsftpd
from transports.base import Put, PutResult, Server
from transports.errors import (
    AccountFailure,
    Kind,
    NameRefused,
    PathRefused,
    QuotaExceeded,
    ServerBusy,
    SourceMissing,
    SourceUnreadable,
    TransferError,
)
from transports.job import Intent, Transfer, Uploaded, Verified, intend_each
from transports.sources.source import Source
from transports.upload import upload

SERVERS = {
    "sshd": PLAIN,
    "asyncssh_server": PLAIN,
    "vsftpd": PLAIN,
    "vsftpd queues": QUEUES,
    "vsftpd pipelines": PIPELINES,
    "pyftpd_server": PLAIN,
    "pyftpd_server pipelines": PIPELINES,
}

Ground = tuple[CustomerServer, Capabilities]


@pytest.fixture(params=SERVERS, name="ground")
def ground_of(request: pytest.FixtureRequest) -> Ground:
    customer: CustomerServer = request.getfixturevalue(request.param.partition(" ")[0]).customer
    return customer, SERVERS[request.param]


@pytest.fixture(name="session")
def session_of(ground: Ground) -> Iterator[Server]:
    with closing(open_session(ground[0], capabilities=ground[1])) as session:
        yield session


@pytest.fixture(name="root")
def root_of(ground: Ground) -> Path:
    return ground[0].root


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    return make_recordings(tmp_path)


@pytest.mark.usefixtures("nothing_left")
def test_flights_arrive_whole_one_after_another(
    session: Server, root: Path, recordings: list[Path]
) -> None:
    for start in (0, 8):
        transfers = transfers_of(recordings[start : start + 8], start=start)
        for number, each in enumerate(transfers):
            each.journal = Ledger((f"to/{start + number}.wav",))
        upload(session, transfers, intend_each)
        assert {each.result().verified for each in transfers} == {Verified.SIZE}
    assert_arrived(root, recordings, [f"{number}.wav" for number in range(COUNT)])


def test_one_that_is_missing_and_one_whose_name_is_taken_cost_the_others_nothing(
    session: Server, root: Path, recordings: list[Path]
) -> None:
    session.make_directory("to")
    (root / "to" / "3.wav").write_bytes(b"of somebody else")
    recordings[BAD].unlink()
    transfers = transfers_of(recordings)
    upload(session, transfers, intend_each)
    missing = transfers.pop(BAD)
    assert isinstance(missing.outcome, SourceMissing)
    assert not missing.outcome.part_left
    names = [each.result().remote_path.partition("/")[2] for each in transfers]
    wanted = [f"{number}.wav" for number in range(COUNT) if number != BAD]
    assert names == ["3 (2).wav" if name == "3.wav" else name for name in wanted]
    assert (root / "to" / "3.wav").read_bytes() == b"of somebody else"
    (root / "to" / "3.wav").unlink()
    del recordings[BAD]
    assert_arrived(root, recordings, names)


def test_a_second_flight_finds_each_name_taken_and_takes_the_next(
    session: Server, root: Path, recordings: list[Path]
) -> None:
    for start in (0, COUNT):
        transfers = transfers_of(recordings, start=start)
        upload(session, transfers, intend_each)
        assert all(isinstance(each.outcome, Uploaded) for each in transfers)
    names = [f"{n}.wav" for n in range(COUNT)] + [f"{n} (2).wav" for n in range(COUNT)]
    assert_arrived(root, recordings * 2, names)


def test_a_name_that_the_server_does_not_take_is_that_files_failure(
    session: Server, root: Path, recordings: list[Path]
) -> None:
    transfers = transfers_of(recordings)
    transfers[BAD].journal = Ledger(("missing/odd.wav",))
    upload(session, transfers, intend_each)
    refused = failure(transfers[BAD])
    assert isinstance(refused, NameRefused)
    assert "odd.wav" in refused.advice
    del recordings[BAD]
    assert_arrived(root, recordings, [f"{n}.wav" for n in range(COUNT) if n != BAD])


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_a_file_that_cannot_be_opened_is_told_and_the_others_are_written(
    session: Server, root: Path, bad: int
) -> None:
    def block() -> Any:
        return nullcontext([b"x" * 100_000])

    paths = [f"{'missing/' if number == bad else ''}{number}.part" for number in range(5)]
    puts = [Put(path, block) for path in paths]
    session.put_all(puts)
    assert isinstance(puts.pop(bad).outcome, PathRefused)
    assert all(isinstance(each.outcome, PutResult) for each in puts)
    assert files_in(root) == {each.path: 100_000 for each in puts}
    session.put([b"x"], "next.part")


@contextmanager
def breaking() -> Iterator[Source]:
    class Breaking:
        size = SIZE

        def __iter__(self) -> Iterator[bytes]:
            yield b"some"
            raise SourceUnreadable("Input/output error")

    yield Breaking()


@pytest.mark.parametrize("bad", [0, BAD, COUNT - 1])
def test_one_that_breaks_off_while_it_is_read_leaves_nothing(
    session: Server, root: Path, recordings: list[Path], bad: int
) -> None:
    transfers = transfers_of(recordings)
    transfers[bad].open_source = breaking
    upload(session, transfers, intend_each)
    assert isinstance(transfers[bad].outcome, SourceUnreadable)
    del recordings[bad]
    assert_arrived(root, recordings, [f"{n}.wav" for n in range(COUNT) if n != bad])


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(3_000, COUNT * SIZE + 30_000))
def test_a_connection_cut_anywhere_is_one_failure_and_the_next_start_brings_each_file_once(
    ground: Ground, recordings: list[Path], cut: int
) -> None:
    customer, can = ground
    for path in files_in(customer.root):
        (customer.root / path).unlink()
    transfers = transfers_of(recordings)
    try:
        with (
            Proxy(customer, cut_after=cut) as proxy,
            closing(open_session(customer, port=proxy.port, capabilities=can)) as session,
        ):
            upload(session, transfers, intend_each)
    except (AccountFailure, ServerBusy):
        return  # before the login stood
    failures = [each.outcome for each in transfers if isinstance(each.outcome, TransferError)]
    assert len({id(each.common) for each in failures if each.common}) <= 1
    assert {each.kind for each in failures} <= {Kind.ACCOUNT, Kind.BUSY}
    whole = {f"to/{number}.wav": SIZE for number in range(COUNT)}
    final = {path: size for path, size in files_in(customer.root).items() if path.endswith(".wav")}
    assert final.items() <= whole.items()
    again = [again_of(each, number) for number, each in enumerate(transfers)]
    with closing(open_session(customer, capabilities=can)) as session:
        upload(session, [each for each in again if each is not None], intend_each)
    assert all(each is None or isinstance(each.outcome, Uploaded) for each in again)
    assert files_in(customer.root) == whole


def again_of(before: Transfer, number: int) -> Transfer | None:
    """The next start of a file; None where it was delivered."""
    if isinstance(before.outcome, Uploaded):
        return None
    assert isinstance(before.journal, Ledger)
    intent: Intent | None = before.journal.intent
    failed = isinstance(before.outcome, TransferError) and before.outcome.part_left
    left = (f"to/{before.job.part}",) if failed or before.part_left else ()
    what = job(COUNT + number, folder="to", leftovers=left, intent=intent)
    return Transfer(before.open_source, what, Ledger((f"to/{number}.wav",)))


@pytest.mark.parametrize("capabilities", [PLAIN, PIPELINES, QUEUES])
def test_a_confirmation_that_is_lost_is_made_good_and_what_was_not_begun_is_left(
    vsftpd: Vsftpd, recordings: list[Path], capabilities: Capabilities
) -> None:
    with (
        Proxy(vsftpd.customer, lose=b"226") as proxy,
        closing(
            open_session(vsftpd.customer, port=proxy.port, capabilities=capabilities)
        ) as session,
    ):
        transfers = transfers_of(recordings)
        upload(session, transfers, intend_each)
    assert isinstance(transfers[0].outcome, Uploaded)
    assert [each.outcome for each in transfers[1:]] == [None] * (COUNT - 1)
    assert_arrived(vsftpd.customer.root, recordings[:1], ["0.wav"])


class CutShort(FTPHandler):  # type: ignore[misc]
    """Loses the end of a file, and its connection, before it confirms that it has come."""

    def respond(self, resp: str, **more: Any) -> None:
        """Any reply but that one."""
        if resp.startswith("226"):
            for path in Path(self.fs.root).rglob("*.part"):
                os.truncate(path, 10)
            self.close()
        else:
            super().respond(resp, **more)


def test_a_connection_lost_with_the_end_of_a_file_is_told_as_one_that_others_may_have_lost_too(
    tmp_path: Path, recordings: list[Path]
) -> None:
    """Each flight of an FTP account has a connection of its own; all may be lost at once."""
    (tmp_path / "short").mkdir()
    with (
        PyFtpServer(tmp_path / "short", handler=CutShort) as server,
        closing(open_session(server.customer)) as session,
    ):
        transfers = transfers_of(recordings[:3])
        upload(session, transfers, intend_each)
    lost = failure(transfers[0])
    assert lost.common is not None
    assert [each.outcome for each in transfers[1:]] == [None, None]


@pytest.mark.parametrize("capabilities", [PIPELINES, QUEUES])
def test_where_the_connection_ends_behind_the_last_file_all_are_asked_about_anew(
    vsftpd: Vsftpd, recordings: list[Path], capabilities: Capabilities
) -> None:
    with (
        Proxy(vsftpd.customer, lose=b"213") as proxy,
        closing(
            open_session(vsftpd.customer, port=proxy.port, capabilities=capabilities)
        ) as session,
    ):
        transfers = transfers_of(recordings)
        upload(session, transfers, intend_each)
    assert {each.result().verified for each in transfers} == {Verified.SIZE}
    assert_arrived(vsftpd.customer.root, recordings, [f"{n}.wav" for n in range(COUNT)])


@pytest.mark.parametrize("capabilities", [PIPELINES, QUEUES])
def test_a_refusal_at_the_end_of_one_is_its_own(
    vsftpd: Vsftpd, recordings: list[Path], capabilities: Capabilities
) -> None:
    with (
        Proxy(vsftpd.customer, instead=(b"226", b"552 Disk quota exceeded.\r\n")) as proxy,
        closing(
            open_session(vsftpd.customer, port=proxy.port, capabilities=capabilities)
        ) as session,
    ):
        transfers = transfers_of(recordings)
        upload(session, transfers, intend_each)
    full = [each for each in transfers if isinstance(each.outcome, QuotaExceeded)]
    done = [each for each in transfers if isinstance(each.outcome, Uploaded)]
    assert len(full) >= 1
    assert len(full) + len(done) == COUNT
    assert len(files_in(vsftpd.customer.root)) == len(done)
