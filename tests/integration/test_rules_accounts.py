"""Rule 12 of docs/rules.md, and what one account may do to another: nothing."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.misbehaving import Mood, moody_server

NAMES = [f"call-{number:02}.wav" for number in range(10)]


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8))


@pytest.fixture
def others(tmp_path: Path) -> Iterator[AsyncSshServer]:
    """The server of another account."""
    with moody_server(tmp_path / "others", Mood()) as server:
        yield server


def nothing_is_claimed(courier: Platform, server: AsyncSshServer, ids: list[str]) -> None:
    """The account rests; all its files wait in the broker, in order, and others are worked."""
    courier.wait_length("deliveries.acme", len(ids))
    accounts = courier.core.database["accounts"]
    until(lambda: accounts.find_one({"_id": "acme", "run.next_due": None}), "the account to rest")
    number = len(courier.rows("beta"))
    (other,) = courier.publish_many("beta", [f"beta-{number}.wav"])
    courier.wait_status(other, "delivered")
    courier.account_for("acme", server.root, queued=ids)
    assert courier.queued_ids("acme") == ids
    assert {row["starts"] for row in courier.rows("acme")} == {0}
    assert server.logins == 0


def test_a_paused_account_keeps_its_files_until_somebody_resumes_it(
    courier: Platform, customer: AsyncSshServer, mood: Mood, others: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    courier.account("beta", others.customer, Protocol.SFTP)
    accounts = courier.core.ledger.accounts
    with running(courier):
        assert accounts.pause("acme")
        assert not accounts.pause("acme")
        ids = courier.publish_many("acme", NAMES)
        nothing_is_claimed(courier, customer, ids)
        assert not accounts.try_now("acme")
        courier.save("acme", customer.customer, Protocol.SFTP, uploads=1)
        nothing_is_claimed(courier, customer, ids)
    with running(courier):
        nothing_is_claimed(courier, customer, ids)
        assert accounts.resume("acme")
        assert not accounts.resume("acme")
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert mood.renamed == NAMES


def test_a_pause_lets_the_running_upload_end_and_returns_the_rest_in_order(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.held = True
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        courier.wait_status(ids[0], "uploading")
        courier.wait_routed(ids)
        courier.core.ledger.accounts.pause("acme")
        mood.held = False
        courier.wait_status(ids[0], "delivered")
        courier.account_for("acme", customer.root, queued=ids[1:])
        assert courier.queued_ids("acme") == ids[1:]
        courier.core.ledger.accounts.resume("acme")
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert mood.renamed == NAMES


def test_resuming_ends_a_pause_and_not_a_suspension(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, password="wrong")
    accounts = courier.core.ledger.accounts
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        before = courier.wait_state("acme", State.SUSPENDED)
        courier.wait_length("deliveries.acme", len(ids))
        accounts.pause("acme")
        assert accounts.resume("acme")
        run = courier.run_state("acme")
        assert (run.state, run.suspended_until) == (State.SUSPENDED, before.suspended_until)
        courier.account_for("acme", customer.root, queued=ids)
        assert customer.logins == 1


def test_a_disabled_account_and_one_without_permission_keep_their_files(
    courier: Platform, customer: AsyncSshServer, mood: Mood, others: AsyncSshServer
) -> None:
    courier.core.directory.create("parent", ftp_access=True)
    courier.core.directory.create("acme", parent="parent", ftp_access=True)
    courier.save("acme", customer.customer, Protocol.SFTP, uploads=1)
    courier.account("beta", others.customer, Protocol.SFTP)
    documents = courier.core.database["accounts"]
    wake = courier.core.ledger.accounts.wake
    with running(courier):
        courier.core.directory.set_enabled("acme", enabled=False)
        ids = courier.publish_many("acme", NAMES)
        nothing_is_claimed(courier, customer, ids)
        documents.update_one({"_id": "parent"}, {"$set": {"ftp_access": False}})
        courier.core.directory.set_enabled("acme", enabled=True)
        wake("acme")
        nothing_is_claimed(courier, customer, ids)
        documents.update_one({"_id": "parent"}, {"$set": {"ftp_access": True}})
        documents.update_one({"_id": "acme"}, {"$set": {"ftp_access": False}})
        wake("acme")
        nothing_is_claimed(courier, customer, ids)
        documents.update_one({"_id": "acme"}, {"$set": {"ftp_access": True}})
        wake("acme")
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert mood.renamed == NAMES


def test_an_account_without_settings_keeps_its_files_until_they_are_saved(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.core.directory.create("acme", ftp_access=True)
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        courier.wait_length("deliveries.acme", len(ids))
        courier.save("acme", customer.customer, Protocol.SFTP)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)


def test_a_dead_customer_does_not_slow_another(
    courier: Platform, customer: AsyncSshServer, tmp_path: Path
) -> None:
    silent = Mood(held=True)
    with moody_server(tmp_path / "silent", silent) as black_hole:
        for number in range(5):
            courier.account(f"dead-{number}", black_hole.customer, Protocol.SFTP, path=str(number))
        courier.account("acme", customer.customer, Protocol.SFTP)
        with running(courier):
            alone = _seconds_for(courier, "alone")
            stuck = [
                courier.publish_many(f"dead-{number}", [f"{number}-{name}" for name in NAMES])
                for number in range(5)
            ]
            for ids in stuck:
                courier.wait_status(ids[0], "uploading")
            # The quicker of two: something else may take the machine meanwhile.
            beside = min(_seconds_for(courier, f"beside-{turn}") for turn in range(2))
            silent.held = False
            for ids in stuck:
                for recording_id in ids:
                    courier.wait_status(recording_id, "delivered")
            # Once more: what else takes the machine may have begun meanwhile.
            alone = max(alone, _seconds_for(courier, "alone-again"))
            courier.account_for("acme", customer.root)
    assert beside < 2 * alone + 1


def test_one_slot_serves_all_accounts_in_turn(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(upload_slots=1)
    names = [f"account-{number}" for number in range(6)]
    for name in names:
        courier.account(name, customer.customer, Protocol.SFTP, path=name)
    with running(courier):
        ids = [
            recording_id
            for each in range(4)
            for name in names
            for recording_id in courier.publish_many(name, [f"{name}-{each}.wav"])
        ]
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        for name in names:
            courier.wait_length(f"deliveries.{name}", 0)
    assert sorted(mood.renamed) == sorted(
        f"{name}-{each}.wav" for name in names for each in range(4)
    )
    assert mood.most_sessions == 1


def _seconds_for(courier: Platform, prefix: str) -> float:
    """How long twenty recordings take from the first's publication to the last's place."""
    began = time.monotonic()
    ids = courier.publish_many("acme", [f"{prefix}-{number}.wav" for number in range(20)])
    for recording_id in ids:
        courier.wait_status(recording_id, "delivered")
    return time.monotonic() - began


def test_a_graceful_stop_lets_the_upload_end(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.held = True
    with running(courier) as service:
        ids = courier.publish_many("acme", NAMES)
        courier.wait_status(ids[0], "uploading")
        courier.wait_routed(ids)
        stopping = threading.Thread(target=service.stop, args=(threading.Event(),))
        stopping.start()
        until(lambda: not service._intake._thread.is_alive(), "the service to begin to stop")
        mood.held = False
        stopping.join(20)
        assert not stopping.is_alive()
        courier.account_for("acme", customer.root, queued=ids[1:])
        assert courier.queued_ids("acme") == ids[1:]
    with running(courier):
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert mood.renamed == NAMES


def test_an_upload_that_outlasts_the_grace_time_is_given_back_and_counts_for_nothing(
    courier: Platform,
    customer: AsyncSshServer,
    mood: Mood,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.service.GRACE_SECONDS", 0.3)
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.held = True
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        courier.wait_status(ids[0], "uploading")
        courier.wait_routed(ids)
    row = courier.row(ids[0])
    assert (row["status"], row["tries"]) == ("queued", 0)
    assert courier.run_state("acme").failures == 0
    courier.wait_length("deliveries.acme", len(ids))
    assert courier.queued_ids("acme") == ids
    mood.held = False
    with running(courier):
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert mood.renamed == NAMES
