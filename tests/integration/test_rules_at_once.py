"""Rules 6, 7 and 13 of docs/rules.md, and `busy`: several uploads at once for one account."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.accounts import Capabilities, FtpSettings, Protocol
from consumers.delivery.connection_pool import PooledConnection
from consumers.delivery.dispatch import POLL
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.contract.proxy import Proxy
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers import Sshd, Vsftpd
from tests.servers.misbehaving import Mood
from transports.base import Server

NAMES = [f"call-{number:02}.wav" for number in range(12)]
LARGE = bytes(range(256)) * 2048


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8))


def publish_together(courier: Platform, names: list[str], content: bytes = LARGE) -> list[str]:
    """All of them in the queue before the first is tried; each has a content of its own."""
    courier.core.ledger.accounts.pause("acme")
    ids = [
        courier.publish("acme", courier.recording(name, content + name.encode())) for name in names
    ]
    courier.wait_routed(ids)
    courier.core.ledger.accounts.resume("acme")
    return ids


def wait_delivered(courier: Platform, ids: list[str]) -> None:
    for recording_id in ids:
        courier.wait_status(recording_id, "delivered", 60)


def deliver_first(courier: Platform) -> None:
    """From then on a connection stands, and several may go at once."""
    wait_delivered(courier, publish_together(courier, ["first.wav"]))


def tries(courier: Platform, ids: list[str]) -> list[int]:
    return [courier.row(recording_id)["tries"] for recording_id in ids]


def uploading(courier: Platform) -> int:
    return courier.core.database["deliveries"].count_documents({"status": "uploading"})


def test_several_files_are_uploaded_at_once_over_one_login(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    mood.seconds_a_write = 0.05
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        wait_delivered(courier, publish_together(courier, NAMES))
        courier.account_for("acme", customer.root)
    assert mood.most_at_once > 1
    assert customer.logins == 1


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_than_the_account_is_set_to(
    courier: Platform, customer: AsyncSshServer, mood: Mood, most: int
) -> None:
    mood.seconds_a_write = 0.02
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=most)
    with running(courier):
        wait_delivered(courier, publish_together(courier, NAMES))
        courier.account_for("acme", customer.root)
    assert mood.most_at_once == most


def test_no_more_than_the_process_has_slots(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(upload_slots=1)
    mood.seconds_a_write = 0.02
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        wait_delivered(courier, publish_together(courier, NAMES))
        courier.account_for("acme", customer.root)
    assert mood.most_sessions == 1


@pytest.mark.parametrize("pipelines", [False, True])
def test_ftp_uploads_over_several_connections(
    courier: Platform, vsftpd: Vsftpd, *, pipelines: bool
) -> None:
    can = Capabilities(pipelines=pipelines)
    courier.account("acme", vsftpd.customer, Protocol.FTP, path="", capabilities=can)
    with running(courier):
        wait_delivered(courier, publish_together(courier, NAMES))
        courier.account_for("acme", vsftpd.root)


@pytest.mark.parametrize("most", [1, 2])
def test_a_server_that_refuses_more_channels_gets_fewer_and_nothing_is_counted(
    courier: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 6)
    with Sshd(tmp_path / "sshd", extra=[f"MaxSessions {most}"]) as server:
        _busy_is_no_failure(courier, server.customer, server.root, Protocol.SFTP)


def test_a_server_that_refuses_more_connections_gets_fewer_and_nothing_is_counted(
    courier: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 4)
    with Vsftpd(tmp_path / "vsftpd", extra=["max_per_ip=2"]) as server:
        _busy_is_no_failure(courier, server.customer, server.root, Protocol.FTP)


def _busy_is_no_failure(
    courier: Platform, customer: CustomerServer, root: Path, protocol: Protocol
) -> None:
    courier.account("acme", customer, protocol)
    with running(courier):
        ids = publish_together(courier, NAMES)
        wait_delivered(courier, ids)
        courier.account_for("acme", root)
    assert tries(courier, ids) == [0] * len(ids)
    assert courier.run_state("acme").failures == 0


def test_a_connection_lost_under_several_uploads_is_one_failure_and_a_try_for_each(
    make_courier: MakeCourier, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 4)
    # Each file by itself, however late the messages come.
    monkeypatch.setattr("consumers.delivery.connection_pool.FLIGHT_SECONDS", 0.0)
    monkeypatch.setattr(
        "consumers.delivery.connection_pool.STALE_SECONDS", 60
    )  # no question before the files
    courier = make_courier(retry_delays=(3.0,))
    with Proxy(sshd.customer) as proxy, running(courier):
        courier.account("acme", sshd.customer, Protocol.SFTP, port=proxy.port)
        deliver_first(courier)
        proxy.silent.set()
        opening = count_openings(monkeypatch)
        ids = courier.publish_many("acme", NAMES[:4])
        until(lambda: len(opening) == 4, "all to be begun")
        time.sleep(0.5)  # from there to the first word to the server
        proxy.reset()
        until(lambda: tries(courier, ids) == [1, 1, 1, 1], "a try of each file")
        until(lambda: courier.run_state("acme").failures, "the failure")
        assert courier.run_state("acme").failures == 1
        proxy.silent.clear()
        wait_delivered(courier, ids)
        courier.account_for("acme", sshd.root)
    assert courier.run_state("acme").failures == 0
    assert tries(courier, ids) == [1, 1, 1, 1]


def count_openings(monkeypatch: pytest.MonkeyPatch) -> list[PooledConnection]:
    """The uploads that come to the server from now on."""
    found: list[PooledConnection] = []
    original = PooledConnection.open

    def counted(line: PooledConnection, settings: FtpSettings) -> Server:
        found.append(line)
        return original(line, settings)

    monkeypatch.setattr(PooledConnection, "open", counted)
    return found


def test_after_a_failure_of_the_account_it_is_one_at_a_time_until_a_success(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    """Once there were more failures than files: flights that began before the first are over."""
    courier = make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8), suspend_after=100)
    mood.read_only = True
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        ids = publish_together(courier, NAMES)
        until(lambda: courier.run_state("acme").failures > len(NAMES), "failures")
        until(lambda: uploading(courier) <= 1, "what began before the first failure to have ended")
        mood.most_at_once, mood.held, mood.read_only = mood.open_now, True, False
        until(lambda: mood.open_now == 1, "an upload")
        assert uploading(courier) == 1
        mood.held = False
        wait_delivered(courier, ids)
        courier.account_for("acme", customer.root)


@contextlib.contextmanager
def suspended_beside_an_upload(
    courier: Platform, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Of two at once one is refused, which suspends the account, and the other one, held, runs.

    In flights of one: a file that is refused is written down once its flight has ended.
    """
    monkeypatch.setattr("consumers.delivery.dispatch.MOST_FILES", 1)
    mood.refused_names.add("call-01.wav")
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        deliver_first(courier)
        mood.held_names.add("call-00.wav")
        ids = publish_together(courier, NAMES)
        courier.wait_state("acme", State.SUSPENDED.value)
        yield ids


def test_at_a_suspension_what_runs_finishes_and_changes_nothing_else(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two at once one is refused: the first failure suspends, the other one is delivered."""
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 2)
    courier = make_courier(suspend_after=1, suspend_seconds=3.0)
    with suspended_beside_an_upload(courier, customer, mood, monkeypatch) as ids:
        courier.wait_length("deliveries.acme", len(ids))
        assert courier.row(ids[0])["status"] == "uploading"
        mood.held_names.clear()
        courier.wait_status(ids[0], "delivered")
        run = courier.run_state("acme")
        assert (run.state, run.failures) == (State.SUSPENDED, 1)
        mood.refused_names.clear()
        wait_delivered(courier, ids)
        courier.account_for("acme", customer.root)


def test_no_probe_begins_beside_an_upload_that_still_runs(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 2)
    courier = make_courier(suspend_after=1, suspend_seconds=0.5)
    with suspended_beside_an_upload(courier, customer, mood, monkeypatch) as ids:
        ends = courier.run_state("acme").suspended_until
        mood.refused_names.clear()
        until(lambda: not courier.run_state("acme").seconds_until(ends), "the timer to be over")
        starts = [courier.row(recording_id)["starts"] for recording_id in ids]
        time.sleep(4 * POLL)
        assert courier.run_state("acme").state is State.SUSPENDED
        assert [courier.row(recording_id)["starts"] for recording_id in ids] == starts
        mood.held_names.clear()
        wait_delivered(courier, ids)
        courier.account_for("acme", customer.root)


def test_a_message_that_comes_again_belongs_to_the_upload_that_runs(
    courier: Platform, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not held for as long as a long upload takes: the broker would close the channel."""
    monkeypatch.setattr("consumers.delivery.messages.HOLD_LIMIT", 1.0)
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.held = True
    with running(courier):
        ids = publish_together(courier, NAMES[:2])
        until(lambda: mood.open_now == 2, "both uploads")
        accounts = courier.core.database["accounts"]
        # As long as two givings back take; the messages are this session's again after each.
        until(lambda: accounts.find_one({"_id": "acme", "run.state": "active"}), "it to go on")
        mood.held = False
        wait_delivered(courier, ids)
        courier.account_for("acme", customer.root)
    assert [courier.row(recording_id)["starts"] for recording_id in ids] == [1, 1]


def test_of_two_recordings_of_a_name_the_later_one_gets_the_number(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    """It waits for the one before it, and others do not wait for it."""
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        deliver_first(courier)
        mood.held_names.add("call.wav")
        earlier, later = (
            courier.publish("acme", courier.recording(name, name.encode()), file_name="call.wav")
            for name in ("earlier.wav", "later.wav")
        )
        (other,) = courier.publish_many("acme", ["other.wav"])
        wait_delivered(courier, [other])
        assert courier.row(later)["starts"] == 0
        mood.held_names.clear()
        wait_delivered(courier, [earlier, later])
        courier.account_for("acme", customer.root)
    assert courier.row(earlier)["remote_path"].endswith("call.wav")
    assert courier.row(later)["remote_path"].endswith("call (2).wav")


def test_failures_that_have_nothing_in_common_count_one_by_one(
    courier: Platform, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each closes its channel, the last one the connection: that is no lost connection."""
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 3)
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        deliver_first(courier)
        mood.refused_names.update(NAMES[:3])
        mood.held_names.update(NAMES[:3])
        ids = courier.publish_many("acme", NAMES[:3])
        until(lambda: mood.open_now == 0 and len(mood.uploads) >= 4, "all three to be renamed")
        mood.held_names.clear()
        until(lambda: sum(tries(courier, ids)) >= 3, "three failures")
        until(lambda: courier.run_state("acme").failures >= sum(tries(courier, ids)), "their count")
        mood.refused_names.clear()
        wait_delivered(courier, ids)
        courier.account_for("acme", customer.root)


def test_a_kept_session_of_a_lost_connection_costs_no_file_a_try(
    make_courier: MakeCourier, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 4)
    monkeypatch.setattr("consumers.delivery.connection_pool.STALE_SECONDS", 60)
    courier = make_courier(retry_delays=(0.0,))
    with Proxy(sshd.customer) as proxy, running(courier):
        courier.account("acme", sshd.customer, Protocol.SFTP, port=proxy.port)
        ids = publish_together(courier, NAMES)
        wait_delivered(courier, ids)
        proxy.reset()
        more = courier.publish_many("acme", ["more-1.wav", "more-2.wav"])
        wait_delivered(courier, more)
        courier.account_for("acme", sshd.root)
    assert sum(tries(courier, more)) <= 1


def test_where_a_login_fails_those_who_waited_for_it_fail_with_it_and_it_is_one_failure(
    make_courier: MakeCourier, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three begin while the connection stands, and find it gone when they come to the server."""
    monkeypatch.setattr("consumers.delivery.connection_pool.AT_ONCE_NEARBY", 3)
    monkeypatch.setattr(
        "consumers.delivery.connection_pool.STALE_SECONDS", 0
    )  # the kept one is asked, and is gone
    courier = make_courier(retry_delays=(3.0,))
    opened = threading.Barrier(4)
    with Proxy(sshd.customer) as proxy, running(courier):
        courier.account("acme", sshd.customer, Protocol.SFTP, port=proxy.port)
        deliver_first(courier)
        original = PooledConnection.open

        def together(line: PooledConnection, settings: FtpSettings) -> Server:
            with contextlib.suppress(threading.BrokenBarrierError):
                opened.wait(20)
            return original(line, settings)

        monkeypatch.setattr(PooledConnection, "open", together)
        ids = courier.publish_many("acme", NAMES[:3])
        until(lambda: opened.n_waiting == 3, "three to have begun")
        proxy.close()
        opened.wait(20)
        until(lambda: tries(courier, ids) == [1, 1, 1], "a try of each file")
        until(lambda: courier.run_state("acme").failures, "the failure")
        assert courier.run_state("acme").failures == 1


def test_a_worker_in_a_hurry_cuts_a_session_that_is_about_to_begin_too(
    courier: Platform, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry, begun, go_on = threading.Event(), threading.Event(), threading.Event()
    original = PooledConnection.open

    def late(line: PooledConnection, settings: FtpSettings) -> Server:
        begun.set()
        go_on.wait(20)
        return original(line, settings)

    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier) as service:
        deliver_first(courier)
        monkeypatch.setattr(PooledConnection, "open", late)
        (second,) = courier.publish_many("acme", ["second.wav"])
        assert begun.wait(20)
        stopping = threading.Thread(target=service.stop, args=(hurry,))
        stopping.start()
        hurry.set()
        until(lambda: not customer._connections, "the kept session to be cut")
        go_on.set()
        stopping.join(20)
        assert not stopping.is_alive()
        row = courier.row(second)
    assert (row["status"], row["tries"]) == ("queued", 0)
    assert mood.uploads == [mood.uploads[0]]
