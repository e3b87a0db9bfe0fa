"""When an account is due: arrivals, the end of a session, whose it is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from config.directory import Directory
from consumers.delivery.policy import State
from consumers.ledger import BUCKETS, Document, Ledger, bucket_of
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.runs import (
    ACME,
    EPOCH,
    EVERY,
    TINY,
    is_due,
    rest,
    suspend,
    until_timer_is_over,
)


def test_an_account_that_never_ran_is_active_and_not_due(
    database: Database[Document], directory: Directory
) -> None:
    directory.create("fresh")
    states = AccountStates(database)
    run = states.read("fresh")

    assert (run.state, run.paused, run.failures, run.outage_id) == (State.ACTIVE, False, 0, 0)
    assert (run.suspended_until, run.last_error, run.outage_retry_due) == (None, None, None)
    assert states.due(10, EVERY, []) == []
    assert states.read("unknown").state is State.ACTIVE


# --- arrivals -------------------------------------------------------------------------------


def test_an_arrival_makes_an_active_account_due(states: AccountStates) -> None:
    assert not is_due(states)

    states.arrived(ACME)

    assert is_due(states)
    assert states.read(ACME).routed == 1


def test_an_arrival_brings_a_later_time_forward(states: AccountStates) -> None:
    rest(states, wait=3600)
    assert not is_due(states)
    states.arrived(ACME)
    assert is_due(states)


def test_an_arrival_keeps_the_place_of_an_account_that_is_due_already(
    states: AccountStates, database: Database[Document]
) -> None:
    states.arrived(ACME)
    since = database["accounts"].find_one({"_id": ACME})
    states.arrived(ACME)
    assert since is not None
    after = database["accounts"].find_one({"_id": ACME})
    assert after is not None
    assert after["run"]["next_due"] == since["run"]["next_due"]


def test_an_arrival_waits_for_the_timer_of_a_suspended_account(states: AccountStates) -> None:
    suspend(states)
    states.arrived(ACME)

    assert not is_due(states)
    assert states.read(ACME).routed == 1


def test_an_arrival_after_the_timer_is_the_probe_at_once(states: AccountStates) -> None:
    suspend(states, TINY)
    until_timer_is_over(states)
    rest(states)
    assert not is_due(states), "there was nothing to probe with"

    states.arrived(ACME)
    assert is_due(states)
    assert states.read(ACME).state is State.SUSPENDED


def test_an_arrival_does_not_wake_a_paused_account(states: AccountStates) -> None:
    states.pause(ACME)
    rest(states)
    states.arrived(ACME)

    assert not is_due(states)
    assert states.resume(ACME)
    assert is_due(states)


def test_an_arrival_for_an_account_that_is_gone_is_harmless(
    states: AccountStates, database: Database[Document]
) -> None:
    states.arrived("gone")
    assert database["accounts"].find_one({"_id": "gone"}) is None


def test_arrivals_at_once_are_all_counted(states: AccountStates) -> None:
    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(states.arrived, ACME) for _ in range(64)]:
            done.result()

    assert states.read(ACME).routed == 64


# --- the end of a session -------------------------------------------------------------------


def test_a_session_that_ends_is_not_due_before_its_time(states: AccountStates) -> None:
    states.arrived(ACME)
    rest(states)
    assert not is_due(states)
    rest(states, wait=3600)
    assert not is_due(states)
    rest(states, until=states.read(ACME).now + timedelta(hours=1))
    assert not is_due(states)

    rest(states, wait=0)
    assert is_due(states)
    rest(states, until=states.read(ACME).now - timedelta(seconds=1))
    assert is_due(states)


EVENTS: dict[str, Callable[[AccountStates], object]] = {
    "arrived": lambda states: states.arrived(ACME),
    "resume": lambda states: states.resume(ACME),
    "settings_saved": lambda states: states.settings_saved(ACME),
    "wake": lambda states: states.wake(ACME),
}


@pytest.mark.parametrize("event", EVENTS)
def test_what_happens_while_a_session_ends_is_not_slept_over(
    states: AccountStates, event: str
) -> None:
    if event == "resume":
        states.pause(ACME)
    seen = states.read(ACME).routed
    EVENTS[event](states)

    states.reschedule(ACME, EPOCH, seen, None)
    assert is_due(states)
    rest(states)
    assert not is_due(states), "the next session has seen it"


def test_try_now_while_a_session_ends_is_not_slept_over(states: AccountStates) -> None:
    suspend(states)
    seen = states.read(ACME)
    assert states.try_now(ACME)

    states.reschedule(ACME, EPOCH, seen.routed, None, seen.suspended_until)
    assert is_due(states)


def test_of_parking_and_arriving_at_once_the_arrival_wins(states: AccountStates) -> None:
    for _ in range(25):
        seen = states.read(ACME).routed
        with ThreadPoolExecutor(2) as pool:
            parked = pool.submit(states.reschedule, ACME, EPOCH, seen, None)
            arrived = pool.submit(states.arrived, ACME)
            parked.result()
            arrived.result()
        assert is_due(states)
        rest(states)


# --- what is due ----------------------------------------------------------------------------


def test_the_longest_due_come_first_up_to_the_limit(
    states: AccountStates, directory: Directory, database: Database[Document]
) -> None:
    now = datetime.now(UTC)
    for number in range(6):
        directory.create(f"a{number}")
        states.wake(f"a{number}")
        moment = now + timedelta(hours=1) if number == 5 else now - timedelta(minutes=number + 1)
        database["accounts"].update_one({"_id": f"a{number}"}, {"$set": {"run.next_due": moment}})

    assert states.due(10, EVERY, []) == ["a4", "a3", "a2", "a1", "a0"]
    assert states.due(2, EVERY, []) == ["a4", "a3"]
    assert states.due(2, EVERY, ["a4", "a2"]) == ["a3", "a1"]


def test_what_is_due_is_found_by_an_index(
    states: AccountStates, directory: Directory, database: Database[Document]
) -> None:
    Ledger(database).ensure_indexes()
    for number in range(50):
        directory.create(f"a{number:02}")
        states.arrived(f"a{number:02}")
        if number >= 5:
            states.reschedule(f"a{number:02}", EPOCH, 1, None)
    database.command("profile", 2)
    assert len(states.due(10, EVERY, ["a00"])) == 4
    database.command("profile", 0)

    looked = database["system.profile"].find_one({"op": "query", "ns": f"{database.name}.accounts"})
    assert looked is not None
    assert looked["planSummary"] == "IXSCAN { run.next_due: 1 }"
    assert looked["docsExamined"] <= 6
    assert not looked.get("hasSortStage", False)


def test_an_account_is_due_only_for_whoever_owns_its_bucket(states: AccountStates) -> None:
    states.arrived(ACME)
    mine = bucket_of(ACME)
    assert states.due(10, [mine, (mine + 1) % BUCKETS], []) == [ACME]
    assert states.due(10, [(mine + 1) % BUCKETS], []) == []
