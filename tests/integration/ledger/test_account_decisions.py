"""Decisions that the world has overtaken, and those that people take."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database

from consumers.delivery.policy import State
from consumers.ledger import Document, RunState
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.runs import (
    ACME,
    BLAME,
    EPOCH,
    REFUSED,
    TINY,
    is_due,
    suspend,
    until_timer_is_over,
)

# --- what the world has overtaken -----------------------------------------------------------

CHANGES: dict[str, Callable[[AccountStates, int, RunState], bool]] = {
    "begin_probe": lambda states, epoch, seen: states.begin_probe(ACME, epoch, seen),
    "end_probe": lambda states, epoch, seen: states.end_probe(ACME, epoch, seen),
    "recovered": lambda states, epoch, seen: states.recovered(ACME, epoch, seen),
    "count_failure": lambda states, epoch, seen: states.count_failure(
        ACME, epoch, seen, failures=5, error=REFUSED, outage_retry_in=None
    ),
    "suspend": lambda states, epoch, seen: states.suspend(
        ACME, epoch, seen, failures=10, seconds=900, alert=BLAME
    ),
}
PEOPLE: dict[str, Callable[[AccountStates], object]] = {
    "pause": lambda states: states.pause(ACME),
    "settings_saved": lambda states: states.settings_saved(ACME),
}


def whole_run(database: Database[Document]) -> dict[str, Any]:
    document = database["accounts"].find_one({"_id": ACME})
    assert document is not None
    run: dict[str, Any] = document["run"]
    return run


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("meanwhile", PEOPLE)
def test_a_decision_on_a_state_that_has_changed_changes_nothing(
    states: AccountStates, database: Database[Document], change: str, meanwhile: str
) -> None:
    suspend(states, TINY)
    until_timer_is_over(states)
    if change == "end_probe":
        assert states.begin_probe(ACME, EPOCH, states.read(ACME))
    seen = states.read(ACME)
    PEOPLE[meanwhile](states)
    before = whole_run(database)

    assert CHANGES[change](states, EPOCH, seen) is False
    assert whole_run(database) == before


@pytest.mark.parametrize("change", CHANGES)
def test_a_worker_that_has_lost_the_account_changes_nothing(
    states: AccountStates, database: Database[Document], change: str
) -> None:
    suspend(states, TINY)
    until_timer_is_over(states)
    if change == "end_probe":
        assert states.begin_probe(ACME, EPOCH, states.read(ACME))
    assert states.fence(ACME, EPOCH + 1)
    before = whole_run(database)

    assert CHANGES[change](states, EPOCH, states.read(ACME)) is False
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, None)
    assert not states.fence(ACME, EPOCH)
    assert whole_run(database) == before


def test_the_epoch_only_rises(states: AccountStates, database: Database[Document]) -> None:
    assert states.fence(ACME, EPOCH)
    assert states.fence(ACME, EPOCH + 2)
    assert not states.fence(ACME, EPOCH + 1)
    assert whole_run(database)["epoch"] == EPOCH + 2
    assert not states.fence("unknown", EPOCH)


@pytest.mark.parametrize("change", ["recovered", "suspend"])
def test_of_two_decisions_on_one_state_one_holds(states: AccountStates, change: str) -> None:
    seen = states.read(ACME)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(CHANGES[change], states, EPOCH, seen) for _ in range(8)]

    assert sum(each.result() for each in done) == 1
    assert states.read(ACME).suspensions + states.read(ACME).outage_id == 1


# --- people's decisions ---------------------------------------------------------------------


def test_a_pause_ends_by_resume_alone(states: AccountStates) -> None:
    assert states.pause(ACME)
    assert not states.pause(ACME), "it is paused already"
    states.settings_saved(ACME)
    states.wake(ACME)
    states.try_now(ACME)
    states.arrived(ACME)
    assert states.read(ACME).paused

    assert states.resume(ACME)
    assert not states.resume(ACME), "there is nothing to resume"
    assert not states.read(ACME).paused


def test_resume_ends_the_pause_and_not_the_suspension(states: AccountStates) -> None:
    suspend(states)
    states.pause(ACME)
    before = states.read(ACME)
    assert states.resume(ACME)

    after = states.read(ACME)
    assert (after.state, after.failures) == (State.SUSPENDED, 10)
    assert after.suspended_until == before.suspended_until
    assert not is_due(states)


def test_try_now_makes_a_suspended_account_due_with_its_count(states: AccountStates) -> None:
    assert not states.try_now(ACME), "it is not suspended"
    suspend(states, failures=12)
    assert states.try_now(ACME)

    run = states.read(ACME)
    assert is_due(states)
    assert (run.state, run.failures) == (State.SUSPENDED, 12)
    assert run.seconds_until(run.suspended_until) == 0
    assert states.begin_probe(ACME, EPOCH, run)


def test_saved_settings_make_a_suspended_account_due_with_its_count(
    states: AccountStates,
) -> None:
    suspend(states, failures=12)
    before = states.read(ACME)
    states.settings_saved(ACME)

    run = states.read(ACME)
    assert is_due(states)
    assert (run.state, run.failures) == (State.SUSPENDED, 12)
    assert run.change > before.change, "what failed with the old ones is told by it"
    assert states.begin_probe(ACME, EPOCH, run)


def test_waking_keeps_a_suspensions_timer(states: AccountStates) -> None:
    states.wake(ACME)
    assert is_due(states)
    suspend(states)
    states.wake(ACME)
    assert not is_due(states)
