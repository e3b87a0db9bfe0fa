"""The canary: a recording of our own a minute, the whole way, read back, and gone again."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyftpdlib.handlers import FTPHandler
from pymongo.database import Database

from config.accounts import DeliveryMethod, Protocol
from consumers.ledger import CanaryRuns, CanaryStatus, Document, Result, Run, recording_id
from consumers.upkeep.canary import problem_of
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from deploy.local.customers.ftp import EVERYTHING
from deploy.local.processes import Child
from tests.integration.platform import MakeCourier, Platform, platform, running, until
from tests.servers.misbehaving import Moment, Mood
from transports.sources.generated import content_of, url_of
from worker.checks import run_checks

NAME = "canary"


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(canary_account=NAME, retry_delays=(0.0,), suspend_after=100)


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute has a second."""
    monkeypatch.setattr("consumers.ledger.canary._MINUTE_MS", 1000)


def status(courier: Platform) -> CanaryStatus:
    return courier.core.ledger.canary.status(NAME)


def wait_result(courier: Platform, result: Result) -> CanaryStatus:
    until(
        lambda: status(courier).result is result,
        lambda: f"the canary to be {result}; it is {status(courier)}",
    )
    return status(courier)


def wait_closed(courier: Platform, row: Document) -> None:
    """Wait until nothing of this run is left to be done."""

    def is_closed() -> bool:
        document = courier.core.database["canary"].find_one({"_id": NAME}) or {}
        run = document.get("run")
        return run is None or recording_id(NAME, run["minute"]) != row["_id"]

    until(is_closed, f"{row['_id']} to be over")


def files_in(customer: CustomerServer) -> list[str]:
    return [path.name for path in customer.root.rglob("*") if path.is_file()]


@pytest.fixture(params=["sshd", "vsftpd"])
def real_server(request: pytest.FixtureRequest) -> CustomerServer:
    customer: CustomerServer = request.getfixturevalue(request.param).customer
    return customer


def test_a_run_goes_the_whole_way_and_leaves_nothing_at_the_server(
    courier: Platform, real_server: CustomerServer
) -> None:
    protocol = Protocol.SFTP if real_server.host_key else Protocol.FTP
    courier.account(NAME, real_server, protocol, path="beacon")
    with running(courier):
        found = wait_result(courier, Result.OK)
        row = courier.rows(NAME)[0]
        wait_closed(courier, row)
        assert not files_in(real_server)
    assert row["status"] == "delivered"
    assert row["remote_path"].startswith("beacon/courier-canary-")
    assert row["size"] == len(content_of(row["file_url"]))
    assert found.seconds is not None
    assert found.seconds > 0


@pytest.mark.usefixtures("_often")
def test_each_minute_has_one_recording_though_two_workers_see_to_it(
    courier: Platform, customer: AsyncSshServer, mood: Mood, tmp_path: Path
) -> None:
    courier.account(NAME, customer.customer, Protocol.SFTP)
    with (
        platform(courier.core.settings, tmp_path / "second") as second,
        running(courier),
        running(second),
    ):
        until(lambda: len(set(mood.renamed)) > 3, "some runs")
    assert len(mood.renamed) == len(set(mood.renamed))
    minutes = [int(row["_id"].rpartition("-")[2]) for row in courier.rows(NAME)]
    assert minutes == sorted(set(minutes))
    assert courier.queue_length("recordings.invalid") == 0


def test_no_run_is_begun_twice_and_none_is_counted_twice(database: Database[Document]) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = [CanaryRuns(database) for _ in range(8)]
        seen = list(pool.map(lambda each: each.see_to(NAME), runs))
        (minute,) = {each.minute for each in seen if each is not None}
        run = Run(NAME, minute, 0.0, is_counted=False, since_published=None)
        counted = list(pool.map(lambda each: each.count(run, Result.OK), runs))
    assert len([each for each in counted if each is not None]) == 1
    runs[0].close(run)
    after = runs[0].see_to(NAME)
    assert after is None or after.minute > minute


class Changing(FTPHandler):  # type: ignore[misc] # pyftpdlib has no types
    """Alters a file once it is in its place, as a scanner or a converter would."""

    alter: Callable[[bytes], bytes] = staticmethod(lambda content: content[:-1] + b"?")

    def ftp_RNTO(self, path: str) -> None:
        super().ftp_RNTO(path)
        file = Path(path)
        file.write_bytes(type(self).alter(file.read_bytes()))


class Truncating(Changing):
    alter = staticmethod(lambda content: content[:1000])


class Growing(Changing):
    alter = staticmethod(lambda content: content * 100)


class Sweeping(FTPHandler):  # type: ignore[misc] # pyftpdlib has no types
    """Takes each file away once it is in its place."""

    def ftp_RNTO(self, path: str) -> None:
        super().ftp_RNTO(path)
        Path(path).unlink()


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (Changing, "is not what was sent: 16044 bytes of 16044"),
        (Truncating, "is not what was sent: 1000 bytes of 16044"),
        (Growing, "is not what was sent: more bytes of 16044"),
        (Sweeping, "cannot be read back: 550 No such file or directory."),
    ],
)
def test_what_was_altered_at_the_server_is_wrong_and_removed_all_the_same(
    courier: Platform, tmp_path: Path, handler: type[FTPHandler], words: str
) -> None:
    (tmp_path / "odd").mkdir()
    with PyFtpServer(tmp_path / "odd", handler=handler) as server:
        courier.account(NAME, server.customer, Protocol.FTP)
        with running(courier):
            found = wait_result(courier, Result.WRONG)
            assert words in found.words
            wait_closed(courier, courier.rows(NAME)[0])
        assert not files_in(server.customer)


@pytest.mark.usefixtures("_often")
def test_a_run_that_takes_too_long_is_late_and_the_only_one_until_it_has_come(
    courier: Platform, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.upkeep.canary.LATE_SECONDS", 2.0)
    mood.held = True
    courier.account(NAME, customer.customer, Protocol.SFTP)
    with running(courier):
        wait_result(courier, Result.LATE)
        seen = status(courier).looked_at
        until(lambda: status(courier).looked_at > seen, "the worker to see to it still")
        (row,) = courier.rows(NAME)
        mood.held = False
        wait_closed(courier, row)
        wait_result(courier, Result.OK)
    assert courier.row(row["_id"])["status"] == "delivered"


@pytest.mark.usefixtures("_often")
def test_a_dead_letter_of_the_canary_is_a_failed_run_and_gone(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    mood.read_only = True
    courier.account(NAME, customer.customer, Protocol.SFTP)
    with running(courier):
        found = wait_result(courier, Result.FAILED)
        assert found.words == "You may not write here"
        row = courier.rows(NAME)[0]
        wait_closed(courier, row)
        assert courier.row(row["_id"])["status"] == "discarded"
        mood.read_only = False
        wait_result(courier, Result.OK)
        courier.wait_length(f"dead-letters.{NAME}", 0)
    assert not files_in(customer.customer)


@pytest.mark.usefixtures("_often")
def test_a_file_that_cannot_be_removed_ends_the_runs_and_is_told(
    courier: Platform, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    may = EVERYTHING.replace("d", "")
    with PyFtpServer(tmp_path / "kept", permissions=may) as server:
        courier.account(NAME, server.customer, Protocol.FTP)
        with running(courier):
            found = wait_result(courier, Result.FAILED)
            assert "does not let its file be removed: 550" in found.words
            seen = found.looked_at
            until(lambda: status(courier).looked_at > seen, "the worker to see to it still")
        assert len(files_in(server.customer)) == 1


@pytest.mark.parametrize("moment", ["opened", "uploaded", "renamed"])
def test_a_run_whose_worker_is_killed_is_finished_by_another_one_and_counted_once(
    courier: Platform,
    customer: AsyncSshServer,
    mood: Mood,
    canary_program: Child,
    moment: Moment,
) -> None:
    courier.account(NAME, customer.customer, Protocol.SFTP)
    mood.when[moment] = canary_program.kill
    canary_program.start()
    until(lambda: canary_program.pid is None, "the program to be killed")
    canary_program.start()
    row = until(lambda: next(iter(courier.rows(NAME)), None), "the run")
    wait_closed(courier, row)
    assert wait_result(courier, Result.OK).result is Result.OK
    assert courier.row(row["_id"])["status"] == "delivered"
    names = [name for name in mood.renamed if name == row["file_name"]]
    assert names == [row["file_name"]]
    assert row["file_name"] not in files_in(customer.customer)


@pytest.fixture
def canary_program(program: Child) -> Iterator[Child]:
    """`courier run` with the canary, not started yet."""
    child = Child(
        program.name, program.argv, program.log, {**program.env, "COURIER_CANARY_ACCOUNT": NAME}
    )
    try:
        yield child
    finally:
        child.kill()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"account_id": "acme", "recording_id": recording_id("acme", 7)},
        {"account_id": "acme"},
        {"recording_id": "another"},
        {"file_url": "canary://acme/7.wav"},
        {"file_url": "canary://canary/../../etc/passwd"},
    ],
)
def test_an_event_of_others_does_not_get_the_canarys_recordings(
    make_courier: MakeCourier, changes: dict[str, str]
) -> None:
    courier = make_courier()
    for name in (NAME, "acme"):
        courier.core.directory.create(name, ftp_access=True)
    event = {
        "recording_id": recording_id(NAME, 7),
        "account_id": NAME,
        "file_url": url_of(NAME, 7),
    }
    with running(courier):
        courier.publish_raw(json.dumps({**event, **changes}).encode())
        courier.wait_length("recordings.invalid", 1)
        ((headers, _),) = courier.messages("recordings.invalid")
    assert "canary" in headers["x-courier-reason"] or "file://" in headers["x-courier-reason"]
    assert not courier.rows(NAME)
    assert not courier.rows("acme")


def problems(courier: Platform) -> str:
    (found,) = (each for each in run_checks(courier.core) if each.name == "canary")
    assert found.ok == (problem_of(courier.core.directory, NAME) is None)
    return found.detail


def test_check_says_what_is_wrong_with_the_account_in_the_order_in_which_it_is_mended(
    courier: Platform, pyftpd_server: PyFtpServer
) -> None:
    directory = courier.core.directory
    assert "there is no account 'canary'" in problems(courier)
    directory.create(NAME)
    assert "has no FTP access" in problems(courier)
    directory.set_ftp_access(NAME, granted=True)
    assert "has no FTP settings" in problems(courier)
    courier.save(NAME, pyftpd_server.customer, Protocol.FTP)
    directory.set_enabled(NAME, enabled=False)
    assert "is switched off" in problems(courier)
    directory.set_enabled(NAME, enabled=True)
    directory.set_default_method(NAME, DeliveryMethod.EMAIL)
    assert "to e-mail" in problems(courier)
    directory.set_default_method(NAME, DeliveryMethod.FTP)
    courier.save(NAME, pyftpd_server.customer, Protocol.FTP, capabilities={"removes": False})
    assert "lets no file be removed" in problems(courier)
    courier.save(NAME, pyftpd_server.customer, Protocol.FTP)
    assert problems(courier) == "account 'canary' can be used; no run has ended yet"


@pytest.mark.usefixtures("_often")
def test_a_misconfigured_account_is_a_failed_run_and_no_event(courier: Platform) -> None:
    with running(courier):
        found = wait_result(courier, Result.FAILED)
        assert found.words == "there is no account 'canary': 'courier accounts create' makes it"
    assert not courier.rows(NAME)
    (told,) = (each for each in run_checks(courier.core) if each.name == "canary")
    assert not told.ok


def test_rows_of_the_canary_are_forgotten_after_a_day_and_no_others(
    courier: Platform, database: Database[Document]
) -> None:
    old: dict[str, Any] = {"account_id": NAME, "status": "delivered", "file_url": url_of(NAME, 7)}
    rows = {
        "old": {},
        "dead": {"status": "dead_lettered"},
        "own": {"file_url": "file:///r/a.wav"},
        "another": {"account_id": "acme"},
    }
    now = database.command("hello")["localTime"]
    for name, changes in rows.items():
        row = {"_id": name, **old, **changes, "created_at": now.replace(year=now.year - 1)}
        database["deliveries"].insert_one({**row, "remote_path": name})
    database["deliveries"].insert_one({"_id": "new", **old, "created_at": now})
    assert courier.core.ledger.retention.forget_generated(NAME, timedelta(days=1)) == 1
    left = {row["_id"] for row in database["deliveries"].find()}
    assert left == rows.keys() - {"old"} | {"new"}
