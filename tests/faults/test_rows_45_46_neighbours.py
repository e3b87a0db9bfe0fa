"""Many accounts on one host: one has a wrong password; the host is away, and back."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Protocol
from consumers.delivery.pace import FIRST
from consumers.delivery.server_policy import WELL_SECONDS
from consumers.ledger import RunState
from deploy.local.customers import PyFtpServer, SmtpSink
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import Scene, wait
from tests.integration.platform import until
from tests.servers import TrixieSshd

MANY = 200
FILES = 5
SECONDS_A_FILE = 0.02
"""Of the host: it takes fifty files a second, whoever sends them. One that takes them faster than
this machine can send them would tell of this machine's processors alone."""
SUSPENDED = 30.0
FIFTEEN_MINUTES = 900.0
PROBED = 30.0
"""Seconds in which all have to be probed: hardly longer than the fifteen minutes."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_row_45_a_wrong_password_at_a_real_sshd_with_penalties_costs_no_neighbour_anything(
    make_scene: MakeScene, tmp_path: Path, smtp_sink: SmtpSink, tell: Tell
) -> None:
    """15 minutes are 30 seconds here, and one failed login is enough for sshd to shut the address
    out for 10. `make neighbours` has the real times."""
    ground = make_scene(suspend_seconds=SUSPENDED, retry_delays=(0.0, 0.5, 1.0, 2.0))
    penalties = "PerSourcePenalties authfail:10s min:1s max:20s"
    with TrixieSshd(tmp_path / "sshd", extra=[penalties]) as server:
        well = [f"well-{number:02}" for number in range(19)]
        for name in (*well, "wrong"):
            password = "wrong" if name == "wrong" else None
            alerts = (f"it@{name}.example",)
            ground.customer(
                name, server.customer, Protocol.SFTP, password=password, email_alerts=alerts
            )
        for _ in range(2):
            ground.start()
        ground.publish("wrong", 12)
        ids = _publish_for(ground, well, 4 * SUSPENDED)
        ground.wait_delivered(*ids)
        log = server.log.read_text(errors="replace")
        ground.account_for_all()
    runs = ground.platform.core.ledger.accounts.read_all()
    assert not [name for name in well if runs[name].suspensions or runs[name].failures]
    rows = ground.rows()
    assert not [name for name in ids if rows[name]["tries"]]
    assert {to for mail in smtp_sink.messages for to in mail.recipients} == {"it@wrong.example"}
    shut_out, refused = log.count("drop connection"), log.count("Failed password")
    assert shut_out, "the address was never shut out"
    assert refused <= runs["wrong"].suspensions + 1
    tell(
        f"{len(ids)} recordings of 19 accounts at their first try; {refused} logins with the wrong"
        f" password in {runs['wrong'].suspensions} suspensions, {shut_out} connections shut out"
    )


def _publish_for(ground: Scene, accounts: list[str], seconds: float) -> list[str]:
    """A recording a second, of one account after the other."""
    ids: list[str] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        ids += ground.publish(accounts[len(ids) % len(accounts)])
        wait(1)
    return ids


class Host:
    """Counts the logins that are under way at an FTP server."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way = 0
        self.most_before_success = 0
        self.most = 0
        self.first_success: float | None = None

    def reset(self) -> None:
        with self.lock:
            self.under_way = self.most = self.most_before_success = 0
            self.first_success = None

    def connected(self) -> None:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            if self.first_success is None:
                self.most_before_success = max(self.most_before_success, self.under_way)

    def logged_in(self) -> None:
        with self.lock:
            self.under_way -= 1
            self.first_success = self.first_success or time.monotonic()


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def counted(tmp_path: Path, host: Host) -> Iterator[PyFtpServer]:
    class Counting(FTPHandler):  # type: ignore[misc]
        def on_connect(self) -> None:
            host.connected()

        def on_login(self, username: str) -> None:
            host.logged_in()

        def on_file_received(self, file: str) -> None:
            time.sleep(SECONDS_A_FILE)  # in the only thread of the server

    (tmp_path / "host").mkdir()
    with PyFtpServer(tmp_path / "host", handler=Counting) as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_row_46_a_host_with_200_accounts_is_probed_by_one_at_a_time_and_drains_at_full_speed(
    make_scene: MakeScene, counted: PyFtpServer, host: Host, tell: Tell
) -> None:
    """The times are those of production, so that accounts share what one has met as they do there;
    only the fifteen minutes themselves are put forward. The ideal time is that of as many files of
    the same accounts without an outage, all due at once: measured before and after it."""
    ground = make_scene(suspend_seconds=FIFTEEN_MINUTES, retry_delays=(0.0, 0.2, 0.4, 0.8))
    names = [f"account-{number:03}" for number in range(MANY)]
    for name in names:
        ground.customer(name, counted.customer, Protocol.FTP)
    ground.start()
    ground.wait_delivered(*(each for name in names for each in ground.publish(name)))
    before = _drained_without_an_outage(ground, names)
    ids = _waiting(ground, names)
    counted.stop()
    wait(WELL_SECONDS)  # it is no outage that follows a login within this time
    probed = _probed_together(ground)
    host.reset()
    counted.start()
    _put_forward(ground)
    ground.wait_delivered(*ids, limit=300)
    assert host.first_success is not None
    took, most = time.monotonic() - host.first_success, host.most
    after = _drained_without_an_outage(ground, names)
    ground.account_for_all()
    tell(
        f"{MANY} accounts probed in vain within {probed:.1f} s of their time; back: at most"
        f" {host.most_before_success} login under way until the first success, {most} after;"
        f" {len(ids)} files drained in {took:.1f} s; without an outage, all due at once,"
        f" {before:.1f} s before and {after:.1f} s after it"
    )
    assert probed <= PROBED
    assert host.most_before_success <= FIRST
    assert took <= 1.2 * (before + after) / 2


def _waiting(ground: Scene, names: list[str]) -> list[str]:
    """As many files of as many accounts, all paused and at rest."""
    states = ground.platform.core.ledger.accounts
    for name in names:
        states.pause(name)
    ids = [each for name in names for each in ground.publish(name, FILES)]
    ground.platform.wait_routed(ids)
    accounts = ground.platform.core.database["accounts"]
    until(lambda: accounts.find_one({"run.next_due": {"$ne": None}}) is None, "sessions to end")
    return ids


def _drained_without_an_outage(ground: Scene, names: list[str]) -> float:
    """Seconds for as many files of as many accounts, all of which are due at once."""
    wait(4)  # the logins are over
    ids = _waiting(ground, names)
    began = time.monotonic()
    at_once = {"run.paused": False, "run.next_due": "$$NOW"}
    ground.platform.core.database["accounts"].update_many({}, [{"$set": at_once}])
    ground.wait_delivered(*ids, limit=300)
    return time.monotonic() - began


def _probed_together(ground: Scene) -> float:
    """All were suspended at one moment, and their time ends at one: each is probed, in vain.
    Seconds from then to the last probe."""
    accounts = ground.platform.core.database["accounts"]
    before = {name: run.suspensions for name, run in _runs(ground).items()}
    soon = {"$add": ["$$NOW", 2000]}
    due = {"run.suspended_until": soon, "run.next_due": soon}
    state = {"run.state": "suspended", "run.failures": 10, "run.paused": False}
    accounts.update_many({}, [{"$set": {**state, **due}}])
    began = time.monotonic() + 2
    until(
        lambda: all(run.suspensions > before[name] for name, run in _runs(ground).items()),
        "all to be probed",
        300,
    )
    return time.monotonic() - began


def _put_forward(ground: Scene) -> None:
    """All that the database knows of suspensions and servers happened so much earlier that the
    first account is due now, and all others as they would be."""
    database, runs = ground.platform.core.database, _runs(ground)
    first = min(run.seconds_until(run.suspended_until) for run in runs.values())
    for collection, moments in (
        ("accounts", ("run.suspended_until", "run.next_due")),
        ("servers", ("away.at", "away.until", "away.asked_at")),
    ):
        earlier = {each: {"$subtract": [f"${each}", int(first * 1000)]} for each in moments}
        database[collection].update_many({moments[0]: {"$type": "date"}}, [{"$set": earlier}])


def _runs(ground: Scene) -> dict[str, RunState]:
    return ground.platform.core.ledger.accounts.read_all()
