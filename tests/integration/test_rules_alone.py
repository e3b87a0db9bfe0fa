"""Rule 25 of docs/rules.md: a file with a lost start is its process's only upload."""

import time

import pytest

from config.accounts import Protocol
from consumers.delivery.dispatch import POLL
from consumers.delivery.policy import State
from consumers.ledger import Document
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.misbehaving import Mood


@pytest.fixture
def courier(make_courier: MakeCourier, customer: AsyncSshServer) -> Platform:
    """Two accounts at the same server."""
    made = make_courier(retry_delays=(0.0, 0.2), suspend_after=1, suspend_seconds=1.0)
    for account_id in ("acme", "beta"):
        made.account(account_id, customer.customer, Protocol.SFTP, path=account_id)
    return made


def lost_once(courier: Platform, name: str) -> str:
    """A recording of acme's in its queue, of which a worker has died."""
    courier.core.ledger.accounts.pause("acme")
    (recording,) = courier.publish_many("acme", [name])
    courier.wait_routed([recording])
    lost = {"starts": 1, "alone": 0}
    courier.core.database["deliveries"].update_one({"_id": recording}, {"$set": {"lost": lost}})
    return recording


def begun(courier: Platform, recording: str) -> bool:
    return courier.row(recording).get("status") == "uploading"


def wait_begun(courier: Platform, recording: str) -> Document:
    until(lambda: begun(courier, recording), f"{recording} to be begun")
    return courier.row(recording)


def published_and_begun(courier: Platform, mood: Mood, name: str) -> str:
    """An upload of beta's that ends when its name is no longer held."""
    mood.held_names.add(name)
    (recording,) = courier.publish_many("beta", [name])
    wait_begun(courier, recording)
    return recording


def test_it_waits_for_the_others_and_they_for_it(courier: Platform, mood: Mood) -> None:
    with running(courier):
        running_one = published_and_begun(courier, mood, "running.wav")
        lost = lost_once(courier, "lost.wav")
        mood.held_names.add("lost.wav")
        courier.core.ledger.accounts.resume("acme")
        time.sleep(2 * POLL)
        (next_one,) = courier.publish_many("beta", ["next.wav"])
        time.sleep(4 * POLL)
        assert not begun(courier, lost)
        assert not begun(courier, next_one)
        mood.held_names.discard("running.wav")
        assert wait_begun(courier, lost)["claim"]["alone"] is True
        courier.wait_status(running_one, "delivered")
        time.sleep(4 * POLL)
        assert not begun(courier, next_one)
        mood.held_names.clear()
        row = courier.wait_status(lost, "delivered")
        courier.wait_status(next_one, "delivered")
    assert "lost" not in row
    assert mood.renamed == ["running.wav", "lost.wav", "next.wav"]


def test_the_others_wait_for_it_for_a_limited_time(
    courier: Platform, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.slots.CLEARING_SECONDS", 2.0)
    with running(courier):
        running_one = published_and_begun(courier, mood, "running.wav")
        lost = lost_once(courier, "lost.wav")
        courier.core.ledger.accounts.resume("acme")
        others = [*courier.publish_many("beta", ["next.wav"])]
        others += courier.publish_many("acme", ["of-its-own-account.wav"])
        for other in others:
            courier.wait_status(other, "delivered")
        assert not begun(courier, lost)
        mood.held_names.clear()
        courier.wait_status(running_one, "delivered")
        courier.wait_status(lost, "delivered")


def test_one_that_takes_long_is_not_alone_for_ever(
    courier: Platform, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.dispatch.EXCLUSIVE_SECONDS", 2.0)
    with running(courier):
        lost = lost_once(courier, "lost.wav")
        mood.held_names.add("lost.wav")
        courier.core.ledger.accounts.resume("acme")
        assert wait_begun(courier, lost)["claim"]["alone"] is True
        (next_one,) = courier.publish_many("beta", ["next.wav"])
        courier.wait_status(next_one, "delivered")
        row = courier.row(lost)
        assert (row["status"], row["claim"]["alone"]) == ("uploading", False)
        mood.held_names.clear()
        courier.wait_status(lost, "delivered")


def test_a_probe_with_a_lost_start_is_alone_in_the_process_too(
    courier: Platform, mood: Mood
) -> None:
    mood.refused_names.add("lost.wav")
    with running(courier):
        running_one = published_and_begun(courier, mood, "running.wav")
        (recording,) = courier.publish_many("acme", ["lost.wav"])
        courier.wait_state("acme", State.SUSPENDED)
        lost = {"starts": 1, "alone": 0}
        courier.core.database["deliveries"].update_one({"_id": recording}, {"$set": {"lost": lost}})
        mood.refused_names.clear()
        courier.wait_state("acme", State.PROBING)
        time.sleep(4 * POLL)
        assert not begun(courier, recording)
        mood.held_names.add("lost.wav")
        mood.held_names.discard("running.wav")
        assert wait_begun(courier, recording)["claim"]["alone"] is True
        courier.wait_status(running_one, "delivered")
        mood.held_names.clear()
        courier.wait_status(recording, "delivered")
        courier.wait_state("acme", State.ACTIVE)
