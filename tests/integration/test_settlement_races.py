"""What others change between the reading and the writing of an account's state loses no count."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from consumers.ledger import Claim
from consumers.ledger.accounts import AccountStates
from consumers.ledger.outcomes import Outcomes
from consumers.observe import FileEnded, RaceLost
from deploy.local.customers import AsyncSshServer
from tests.integration.faked import Places
from tests.integration.platform import MakeCourier, running, until
from tests.integration.test_metric_numbers import counted
from tests.servers.fake import Place
from tests.servers.misbehaving import Mood
from transports.errors import NameRefused, PathRefused
from worker.service import Service

RACES = 12
"""More than any fixed number of attempts that was ever there."""


def race(
    monkeypatch: pytest.MonkeyPatch, transition: str, act: Callable[[], object]
) -> Counter[str]:
    """Somebody acts right before each of the first RACES writings of the transition."""
    calls: Counter[str] = Counter()
    original = getattr(AccountStates, transition)

    def overtaken(states: AccountStates, *arguments: Any, **more: Any) -> bool:
        calls[transition] += 1
        if calls[transition] <= RACES:
            act()
        done: bool = original(states, *arguments, **more)
        return done

    monkeypatch.setattr(AccountStates, transition, overtaken)
    return calls


def refuse(error: type[NameRefused | PathRefused], times: int) -> Place:
    """The first uploads fail."""
    calls: Counter[str] = Counter()

    def fails(step: str, _path: str) -> None:
        calls[step] += 1
        if step == "put" and calls[step] <= times:
            raise error("550 No")

    return Place(fails)


def observed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the log is told."""
    told: list[object] = []
    monkeypatch.setattr("worker.service.LogObserver", lambda: told.append)
    return told


def lost(told: list[object]) -> list[tuple[str, str]]:
    """The changes that lost their race, each with its recording."""
    return [(one.change, one.recording_id) for one in told if isinstance(one, RaceLost)]


def lost_by_change(service: Service) -> dict[str, float]:
    """As the metrics count them."""
    counts = counted(service, "courier_lost_races_total")
    return {change: count for change, count in counts.items() if count}


@pytest.mark.parametrize("suspend_after", [10, 1])
def test_a_failure_is_counted_however_often_others_are_first(
    make_courier: MakeCourier,
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    suspend_after: int,
) -> None:
    courier = make_courier(retry_delays=(600.0,), suspend_after=suspend_after)
    accounts = courier.core.database["accounts"]
    transition = "suspend" if suspend_after == 1 else "count_failure"
    calls = race(
        monkeypatch,
        transition,
        lambda: accounts.update_one({"_id": "acme"}, {"$inc": {"run.change": 1}}),
    )
    places.account(courier, "acme", refuse(NameRefused, 1))
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: courier.run_state("acme").failures == 1, "the failure")
        run = courier.run_state("acme")
    assert calls[transition] == RACES + 1
    assert run.state is (State.SUSPENDED if suspend_after == 1 else State.ACTIVE)
    assert courier.row(recording_id)["tries"] == 1


def test_a_recovery_happens_however_often_others_are_first(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    accounts = courier.core.database["accounts"]
    calls = race(
        monkeypatch,
        "recovered",
        lambda: accounts.update_one({"_id": "acme"}, {"$inc": {"run.streak": 1}}),
    )
    places.account(courier, "acme", refuse(NameRefused, 3))
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        courier.wait_status(recording_id, "delivered")
        until(lambda: courier.run_state("acme").last_error is None, "the recovery")
        assert courier.run_state("acme").failures == 0
    assert calls["recovered"] == RACES + 1


def test_a_try_whose_row_is_another_sessions_by_then_is_told_and_no_dead_letter(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = make_courier(max_tries=1)
    told = observed(monkeypatch)
    dead_lettered = Outcomes.dead_lettered

    def overtaken(outcomes: Outcomes, claim: Claim, *arguments: Any) -> bool:
        taken_over = {"$set": {"claim.session": "another"}}
        courier.core.database["deliveries"].update_one({"_id": claim.recording_id}, taken_over)
        return dead_lettered(outcomes, claim, *arguments)

    monkeypatch.setattr(Outcomes, "dead_lettered", overtaken)
    places.account(courier, "acme", refuse(NameRefused, 1))
    with running(courier) as service:
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: lost(told) == [("failed_try", recording_id)], "what was lost")
        until(lambda: lost_by_change(service) == {"failed_try": 1}, "its count")
    assert not [one for one in told if isinstance(one, FileEnded)]


@pytest.mark.parametrize("max_tries", [5, 1])
def test_settings_saved_before_the_account_is_written_take_the_try_back_too(
    make_courier: MakeCourier,
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    max_tries: int,
) -> None:
    """The file's part is written by then: a try, or a dead letter where it was the last one."""
    courier = make_courier(retry_delays=(600.0,), max_tries=max_tries)
    saved = threading.Event()

    def save() -> None:
        if not saved.is_set():
            saved.set()
            courier.core.ledger.accounts.settings_saved("acme")

    race(monkeypatch, "count_failure", save)
    places.account(courier, "acme", refuse(PathRefused, 1))
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        row = courier.wait_status(recording_id, "delivered")
        courier.wait_length("dead-letters.acme", 0)
    assert saved.is_set()
    assert row["tries"] == 0
    assert courier.run_state("acme").failures == 0


def test_who_writes_all_the_time_loses_nobody_a_count(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    mood.refused_names.add("a.wav")
    courier.account("acme", customer.customer, Protocol.SFTP)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            courier.core.ledger.accounts.settings_saved("acme")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with running(courier):
            (recording_id,) = courier.publish_many("acme", ["a.wav"])
            courier.wait_status(recording_id, "dead_lettered")
            until(lambda: courier.run_state("acme").failures == 5, "every failure")
    finally:
        over.set()
        writer.join()


def test_an_account_that_is_anothers_or_gone_is_waited_for_by_nobody(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = make_courier(retry_delays=(600.0,))
    told = observed(monkeypatch)
    accounts = courier.core.database["accounts"]
    calls = race(
        monkeypatch,
        "count_failure",
        lambda: accounts.update_one({"_id": "acme"}, {"$inc": {"run.epoch": 100}}),
    )
    places.account(courier, "acme", refuse(NameRefused, 1))
    with running(courier) as service:
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: calls["count_failure"], "the failure")
        until(lambda: lost(told) == [("failure", recording_id)], "what was lost")
        until(lambda: lost_by_change(service) == {"failure": 1}, "its count")
    assert calls["count_failure"] == 1
    assert courier.run_state("acme").failures == 0


def test_a_recovery_of_an_account_that_is_anothers_by_then_is_told_and_counted(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    told = observed(monkeypatch)
    accounts = courier.core.database["accounts"]
    race(
        monkeypatch,
        "recovered",
        lambda: accounts.update_one({"_id": "acme"}, {"$inc": {"run.epoch": 100}}),
    )
    places.account(courier, "acme", refuse(NameRefused, 1))
    with running(courier) as service:
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: lost(told) == [("recovery", recording_id)], "what was lost")
        until(lambda: lost_by_change(service) == {"recovery": 1}, "its count")
        courier.wait_status(recording_id, "delivered")


def test_an_account_that_is_stored_anew_meanwhile_is_nobodys_to_change(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a backup, for one: its new running state is not the one that the try began with."""
    courier = make_courier(retry_delays=(0.0,))
    accounts = courier.core.database["accounts"]
    stored = threading.Event()

    def store() -> None:
        if not stored.is_set():
            stored.set()
            accounts.update_one({"_id": "acme"}, {"$unset": {"run": ""}})

    race(monkeypatch, "count_failure", store)
    places.account(courier, "acme", refuse(NameRefused, 1))
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        courier.wait_status(recording_id, "delivered")
    assert stored.is_set()
    assert courier.run_state("acme").failures == 0
