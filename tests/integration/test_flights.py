"""Files that go to their server together: what befalls one, or all of them, in mid-flight."""

import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from config.accounts import Account, FtpSettings, Protocol
from consumers.amqp import topology
from consumers.delivery.connection_pool import ConnectionPool
from consumers.delivery.dispatch import NOTHING_TO_DO, Dispatch, Next
from consumers.delivery.flight import MOST_FILES
from consumers.ledger import Claim, RunState
from consumers.ledger.accounts import AccountStates
from consumers.ledger.claims import Claims
from consumers.sharding.leases import Leases
from deploy.local.customers import AsyncSshServer, PyFtpServer
from deploy.local.processes import Child
from tests.contract.proxy import Proxy
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers import Sshd, Vsftpd
from tests.servers.misbehaving import Moment, Mood
from transports.base import Server
from transports.errors import NotPermitted

NAMES = [f"call-{number:02}.wav" for number in range(32)]
BAD = ["call-03.wav", "call-07.wav", "call-11.wav"]
MOST_CALLS = 16
"""To MongoDB, of a session that delivers three files which arrive apart.

Of each the claim, the intent and the end: 9, one after another by rules 15 and 17. The session's
epoch before its first claim, and its end, by rule 22: 2. The account as it is before each further
claim, and at the end, with what has arrived meanwhile: 3. The password for the login: 1. Whether
files wait that have no message, or have left something at the customer: 1.
"""
LARGE = bytes(range(256)) * 1024


@pytest.fixture
def courier(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Flights are as large as what waits allows, however slow this machine is."""
    monkeypatch.setattr("consumers.delivery.connection_pool.FLIGHT_SECONDS", 3600.0)
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8), suspend_after=100)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the flights, in their order."""
    found: list[int] = []
    claim = Claims.claim

    def counted(part: Claims, *arguments: Any) -> list[Claim]:
        claims = claim(part, *arguments)
        found.append(len(claims))
        return claims

    monkeypatch.setattr(Claims, "claim", counted)
    return found


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is not set, sessions take in what comes and begin nothing: their login is kept."""
    monkeypatch.setattr("consumers.delivery.worker.LINGER", 600.0)
    is_open = threading.Event()
    is_open.set()
    next_flight = Dispatch.next_flight

    def gated(dispatch: Dispatch, account: Account, run: RunState) -> Next:
        return next_flight(dispatch, account, run) if is_open.is_set() else NOTHING_TO_DO

    monkeypatch.setattr(Dispatch, "next_flight", gated)
    return is_open


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One for each that a session has asked for."""
    found: list[str] = []
    log_in = ConnectionPool._log_in

    def counted(login: ConnectionPool, settings: FtpSettings) -> Server:
        found.append(settings.host)
        return log_in(login, settings)

    monkeypatch.setattr(ConnectionPool, "_log_in", counted)
    return found


def wait_behind_a_login(courier: Platform, gate: threading.Event, names: list[str]) -> list[str]:
    """The login stands, and all of these are held before the first of them is tried."""
    (first,) = courier.publish_many("acme", ["first.wav"])
    courier.wait_status(first, "delivered")
    gate.clear()
    ids = [
        courier.publish(
            "acme", courier.recording(f"{number}.bin", LARGE + name.encode()), file_name=name
        )
        for number, name in enumerate(names)
    ]
    courier.wait_routed(ids)
    courier.wait_length("deliveries.acme", 0)
    return ids


def publish_behind_a_login(courier: Platform, gate: threading.Event, names: list[str]) -> list[str]:
    ids = wait_behind_a_login(courier, gate, names)
    gate.set()
    return ids


def wait_delivered(courier: Platform, ids: list[str]) -> None:
    for recording_id in ids:
        courier.wait_status(recording_id, "delivered")


def test_of_a_flight_of_which_three_are_refused_the_others_arrive_over_sftp(
    courier: Platform,
    customer: AsyncSshServer,
    mood: Mood,
    gate: threading.Event,
    sizes: list[int],
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.refused_names.update(BAD)
    with running(courier):
        _good_arrive_and_bad_die(courier, gate, customer.root)
    assert max(sizes) > len(BAD)


def test_of_a_flight_of_which_three_are_refused_the_others_arrive_over_ftp(
    courier: Platform, tmp_path: Path, gate: threading.Event, sizes: list[int]
) -> None:
    refused = ",".join(f"*{name}" for name in BAD)
    with Vsftpd(tmp_path / "vsftpd", extra=[f"deny_file={{{refused}}}"]) as server:
        courier.account("acme", server.customer, Protocol.FTP)
        with running(courier):
            _good_arrive_and_bad_die(courier, gate, server.root)
    assert max(sizes) > len(BAD)


def _good_arrive_and_bad_die(courier: Platform, gate: threading.Event, root: Path) -> None:
    ids = publish_behind_a_login(courier, gate, NAMES)
    dead = [ids[NAMES.index(name)] for name in BAD]
    wait_delivered(courier, [each for each in ids if each not in dead])
    for recording_id in dead:
        row = courier.wait_status(recording_id, "dead_lettered")
        assert (row["tries"], row["reason"]) == (5, "file")
    courier.account_for("acme", root, dead=dead)
    good = [courier.row(each) for each in ids if each not in dead]
    assert [row["tries"] for row in good] == [0] * len(good)


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_recordings_that_are_missing_cost_the_others_of_their_flight_no_login(
    courier: Platform,
    customer: AsyncSshServer,
    pyftpd_server: PyFtpServer,
    gate: threading.Event,
    sizes: list[int],
    logins: list[str],
    monkeypatch: pytest.MonkeyPatch,
    protocol: Protocol,
) -> None:
    """Nothing is wrong with the session over which they would have gone."""
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 1)
    server = customer.customer if protocol is Protocol.SFTP else pyftpd_server.customer
    courier.account("acme", server, protocol)
    with running(courier):
        ids = wait_behind_a_login(courier, gate, NAMES)
        dead = [ids[NAMES.index(name)] for name in BAD]
        for recording_id in dead:
            (courier.folder / f"{ids.index(recording_id)}.bin").unlink()
        connected = len(logins)
        gate.set()
        wait_delivered(courier, [each for each in ids if each not in dead])
        for recording_id in dead:
            row = courier.wait_status(recording_id, "dead_lettered")
            assert (row["tries"], row["reason"]) == (5, "source")
        courier.account_for("acme", server.root, dead=dead)
    assert courier.run_state("acme").failures == 0
    assert max(sizes) > len(BAD)
    assert len(logins) == connected


def test_a_connection_cut_in_mid_flight_is_one_failure_and_no_file_is_lost(
    courier: Platform,
    sshd: Sshd,
    gate: threading.Event,
    sizes: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "consumers.delivery.connection_pool.STALE_SECONDS", 600
    )  # no question before the files
    counted: list[int] = []
    count_failure = AccountStates.count_failure

    def count(states: AccountStates, *arguments: Any, failures: int, **more: Any) -> bool:
        counted.append(failures)
        return count_failure(states, *arguments, failures=failures, **more)

    monkeypatch.setattr(AccountStates, "count_failure", count)
    with Proxy(sshd.customer) as proxy, running(courier):
        courier.account("acme", sshd.customer, Protocol.SFTP, port=proxy.port)
        ids = wait_behind_a_login(courier, gate, NAMES)
        proxy.silent.set()
        gate.set()
        rows = courier.core.database["deliveries"]
        until(lambda: rows.count_documents({"status": "uploading"}) >= MOST_FILES, "a flight")
        proxy.reset()
        proxy.silent.clear()
        wait_delivered(courier, ids)
        courier.account_for("acme", sshd.root)
    tries = Counter(courier.row(each)["tries"] for each in ids)
    assert set(tries) <= {0, 1}, "a try at most of each that was begun"
    assert tries[1], "of some it was one"
    # A file that came last may write down that the loss was counted, after others have arrived: 0.
    assert max(counted) == 1, "one failure, however many files it cut"
    assert max(sizes) == MOST_FILES


def test_a_lease_lost_in_mid_flight_ends_the_renaming_and_counts_for_nothing(
    courier: Platform,
    customer: AsyncSshServer,
    mood: Mood,
    gate: threading.Event,
    sizes: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    permit, asked, is_over = Leases.permit, Counter[str](), threading.Event()

    def over_after_three(leases: Leases, account_id: str, epoch: int) -> None:
        asked["permit"] += 1
        if is_over.is_set() or (asked["permit"] > 4):
            is_over.set()
            raise NotPermitted("The lease is over")
        permit(leases, account_id, epoch)

    with running(courier):
        monkeypatch.setattr(Leases, "permit", over_after_three)
        ids = publish_behind_a_login(courier, gate, NAMES)
        until(is_over.is_set, "the lease to be over")
        rows = courier.core.database["deliveries"]
        until(lambda: not rows.count_documents({"status": "uploading"}), "what flew to be back")
        renamed = len(mood.renamed)
        assert renamed < len(ids)
        is_over.clear()
        monkeypatch.setattr(Leases, "permit", permit)
        wait_delivered(courier, ids)
        courier.account_for("acme", customer.root)
    assert [courier.row(each)["tries"] for each in ids] == [0] * len(ids)
    assert courier.run_state("acme").failures == 0
    assert max(sizes) > 1


def test_a_claim_that_comes_after_the_leases_end_by_the_databases_clock_begins_nothing(
    courier: Platform, customer: AsyncSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session took its lease for valid when it asked, and was frozen right after that."""
    courier.account("acme", customer.customer, Protocol.SFTP)
    claim, claims = Claims.claim, Counter[str]()

    def counted(*arguments: Any) -> list[Claim]:
        claims["asked"] += 1
        return claim(*arguments)

    with running(courier), monkeypatch.context() as patch:
        patch.setattr(Claims, "claim", counted)
        patch.setattr(Leases, "until", lambda *_: datetime.fromtimestamp(0, UTC))
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: claims["asked"] > 2 or courier.row(recording_id).get("starts"), "some claims")
        assert courier.row(recording_id)["starts"] == 0
        patch.undo()
        wait_delivered(courier, [recording_id])
    assert courier.row(recording_id)["starts"] == 1


def test_names_that_clash_in_the_bulk_of_a_flight_cost_none_of_the_others_theirs(
    courier: Platform, customer: AsyncSshServer, gate: threading.Event, sizes: list[int]
) -> None:
    """Two become one by the characters that are replaced; a third is reserved by a row, though the
    customer has taken its file away."""
    courier.account("acme", customer.customer, Protocol.SFTP, replace_characters=True)
    with running(courier):
        (taken,) = courier.publish_many("acme", ["taken.wav"])
        courier.wait_status(taken, "delivered")
        (customer.root / "taken.wav").unlink()
        names = ["a:b.wav", "a?b.wav", "taken.wav", *NAMES[:13]]
        ids = publish_behind_a_login(courier, gate, names)
        wait_delivered(courier, ids)
    found = [courier.row(each)["remote_path"].removeprefix("./") for each in ids]
    assert sorted(found[:2]) == ["a_b (2).wav", "a_b.wav"]
    assert found[2:] == ["taken (2).wav", *NAMES[:13]]
    for recording_id, path in zip(ids, found, strict=True):
        assert (customer.root / path).read_bytes() == courier._published[recording_id]
    assert max(sizes) > 1


def test_a_message_that_waits_for_its_retry_is_not_acknowledged_with_those_above_it(
    make_courier: MakeCourier,
    customer: AsyncSshServer,
    mood: Mood,
    gate: threading.Event,
    sizes: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumers.delivery.connection_pool.FLIGHT_SECONDS", 3600.0)
    courier = make_courier(retry_delays=(600.0,))
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.refused_names.add(NAMES[0])
    with running(courier):
        parked, *ids = publish_behind_a_login(courier, gate, NAMES)
        wait_delivered(courier, ids)
        assert courier.row(parked)["tries"] == 1
    courier.wait_length("deliveries.acme", 1)
    assert courier.queued_ids("acme") == [parked]
    courier.account_for("acme", customer.root, queued=[parked])
    assert max(sizes) > 1


@pytest.mark.parametrize("moment", ["uploaded", "renamed"])
def test_killed_in_a_flight_each_file_stands_there_once_and_no_try_is_counted(
    courier: Platform, customer: AsyncSshServer, mood: Mood, program: Child, moment: Moment
) -> None:
    topology.declare_once(
        courier.core.settings.rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
    )
    courier.account("acme", customer.customer, Protocol.SFTP)
    program.start()
    (first,) = courier.publish_many("acme", ["first.wav"])
    courier.wait_status(first, "delivered")
    mood.when[moment] = program.kill
    ids = courier.publish_many("acme", NAMES)
    until(lambda: program.pid is None, "the program to be killed")
    program.start()
    wait_delivered(courier, ids)
    courier.account_for("acme", customer.root)
    assert [courier.row(each)["tries"] for each in ids] == [0] * len(ids)
    assert sorted(mood.renamed) == sorted(["first.wav", *NAMES])
    assert courier.run_state("acme").failures == 0
    assert not [row for row in courier.rows("acme") if "lost" in row]


class Calls(CommandListener):
    """The commands that an account's session and its flights send to MongoDB."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        """In the thread that sends it."""
        if threading.current_thread().name.startswith(("session", "flight")):
            about = event.command.get(event.command_name)
            self.seen.append(f"{event.command_name} {about}")

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Of all clients that are made from now on."""
    found = Calls()
    connected = MongoClient.__init__

    def watched(client: MongoClient[Any], *arguments: Any, **options: Any) -> None:
        connected(client, *arguments, event_listeners=[found], **options)

    monkeypatch.setattr(MongoClient, "__init__", watched)
    return found


def test_a_small_accounts_session_asks_mongodb_for_little(
    calls: Calls,
    make_courier: MakeCourier,
    customer: AsyncSshServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three files that arrive apart: of each the claim, the intent and its end, and beside that
    what the session reads of its account, and its beginning and its end."""
    monkeypatch.setattr("consumers.delivery.worker.LINGER", 1.0)
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier) as service:
        (first,) = courier.publish_many("acme", ["first.wav"])
        courier.wait_status(first, "delivered")
        until(lambda: not service._scheduler.sessions, "the session to end")
        calls.seen.clear()
        for name in NAMES[:3]:
            (recording_id,) = courier.publish_many("acme", [name])
            courier.wait_status(recording_id, "delivered")
        until(lambda: not service._scheduler.sessions, "the session to end")
    assert len(calls.seen) <= MOST_CALLS, "\n".join(calls.seen)
    assert customer.logins == 2
