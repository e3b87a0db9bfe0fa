"""An account that waits for its delivery window, or for a busy server: arrivals change nothing."""

from datetime import datetime, timedelta

import pytest
from pymongo.database import Database

from consumers.ledger import Document, LastError, Ledger
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.rows import opened
from tests.integration.ledger.runs import ACME, EPOCH, is_due, suspend


def hold(states: AccountStates, seconds: float = 3600, routed: int | None = None) -> datetime:
    """A session ends outside of the window; until when the account is held."""
    run = states.read(ACME)
    until = run.now + timedelta(seconds=seconds)
    seen = run.routed if routed is None else routed
    states.reschedule(ACME, EPOCH, seen, None, until, is_held=True)
    return until


def next_due(database: Database[Document]) -> datetime | None:
    document = database["accounts"].find_one({"_id": ACME})
    assert document is not None
    moment: datetime | None = document["run"]["next_due"]
    return moment


def test_what_arrives_waits_for_the_same_moment(
    states: AccountStates, database: Database[Document]
) -> None:
    until = hold(states)
    states.arrived(ACME, ACME)
    assert not is_due(states)
    due = next_due(database)
    assert due is not None
    assert abs(due - until) < timedelta(milliseconds=2)
    assert states.held() == [ACME]


def test_what_arrived_while_the_session_ended_costs_one_more_session_and_no_third(
    states: AccountStates,
) -> None:
    states.arrived(ACME)
    hold(states, routed=0)
    assert is_due(states)
    states.arrived(ACME)
    hold(states, routed=0)
    assert not is_due(states)


@pytest.mark.parametrize("act", ["resume", "settings_saved", "wake"])
def test_what_people_do_has_it_looked_at_at_once_and_arrivals_count_again(
    states: AccountStates, act: str
) -> None:
    hold(states)
    if act == "resume":
        assert states.pause(ACME)
    getattr(states, act)(ACME)
    assert is_due(states)
    assert states.held() == []


def test_what_somebody_does_while_a_held_session_ends_is_not_slept_over(
    states: AccountStates,
) -> None:
    hold(states)
    seen = states.read(ACME).routed
    states.wake(ACME)
    hold(states, routed=seen)
    assert is_due(states)


def test_it_is_due_by_itself_once_the_moment_comes(states: AccountStates) -> None:
    until = hold(states, seconds=0.3)
    while states.read(ACME).now < until:
        pass
    assert is_due(states)
    assert states.held() == []


def test_the_next_session_ends_it(states: AccountStates) -> None:
    hold(states)
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, None)
    states.arrived(ACME)
    assert is_due(states)


def test_try_now_opens_the_window_until_the_session_that_saw_it_has_nothing_left(
    states: AccountStates,
) -> None:
    hold(states)
    assert not states.try_now(ACME), "it is not suspended"
    assert states.try_now(ACME, waits_for_window=True)
    assert is_due(states)
    assert states.read(ACME).opens_window
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, 0)
    assert states.read(ACME).opens_window
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, None, closes_window=True)
    assert not states.read(ACME).opens_window


def test_who_says_try_now_again_while_the_session_ends_has_it_opened_anew(
    states: AccountStates,
) -> None:
    hold(states)
    assert states.try_now(ACME, waits_for_window=True)
    seen = states.read(ACME).routed
    assert states.try_now(ACME, waits_for_window=True)
    states.reschedule(ACME, EPOCH, seen, None, closes_window=True)
    assert is_due(states)
    assert states.read(ACME).opens_window


def test_what_kept_it_from_logging_in_is_shown_until_the_next_session_begins(
    states: AccountStates,
) -> None:
    """That may last for hours, and deliver all the while."""
    blocked = LastError("busy", "Your server has blocked our address", "Wait.")
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, 5, is_held=True, waiting=blocked)
    shown = states.read(ACME).last_error
    assert shown is not None
    assert shown.words == blocked.words
    assert states.fence(ACME, EPOCH) is not None
    assert states.read(ACME).last_error is None


@pytest.mark.parametrize("ends", [False, True])
def test_what_is_ours_to_mend_is_shown_until_it_goes_on_or_a_session_ends_without(
    states: AccountStates, *, ends: bool
) -> None:
    closed = LastError("ours", "The platform's proxy does not answer", "Mend it.")
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, 5, waiting=closed)
    fenced = states.fence(ACME, EPOCH)
    assert fenced is not None
    assert fenced.run.waiting == closed
    run = states.read(ACME)
    assert (run.last_error, run.server_error) == (closed, None)
    if ends:
        states.reschedule(ACME, EPOCH, run.routed, None)
    else:
        states.goes_on(ACME, EPOCH)
    assert states.read(ACME).last_error is None


def test_a_fault_of_the_program_is_shown_in_place_of_what_kept_it_before(
    states: AccountStates,
) -> None:
    closed = LastError("ours", "The platform's proxy does not answer", "Mend it.")
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, 5, waiting=closed)
    states.rest_after_fault(ACME, EPOCH)
    shown = states.read(ACME).last_error
    assert shown is not None
    assert shown.words != closed.words


def test_try_now_of_a_suspended_account_opens_it_too(states: AccountStates) -> None:
    suspend(states)
    assert states.try_now(ACME)
    run = states.read(ACME)
    assert (run.opens_window, run.seconds_until(run.suspended_until)) == (True, 0)


def test_a_pause_is_not_overridden(states: AccountStates) -> None:
    assert states.pause(ACME)
    assert not states.try_now(ACME, waits_for_window=True)


def test_files_that_wait_for_it_are_no_lateness_of_ours(
    ledger: Ledger, states: AccountStates, database: Database[Document]
) -> None:
    """Neither while the window is closed nor after it has opened."""
    for name in ("one", "two"):
        opened(ledger, name, ACME)
    states.arrived(ACME, ACME)
    long_ago = states.read(ACME).now - timedelta(hours=30)
    database["deliveries"].update_many({}, {"$set": {"created_at": long_ago}})
    assert ledger.loads.read((10,), 300).overdue_files == 2
    assert ledger.totals().oldest_queued_seconds > 100_000
    until = hold(states, seconds=1.0)
    found = ledger.loads.read((10,), 300)
    assert (found.due_accounts, found.due_files, found.overdue_files) == (0, 0, 0)
    assert ledger.totals().oldest_queued_seconds == 0
    assert ledger.totals().queued == 2
    while states.read(ACME).now < until:
        pass
    found = ledger.loads.read((10,), 300)
    assert (found.due_accounts, found.due_files, found.overdue_files) == (1, 2, 0)


def test_a_run_of_an_earlier_version_has_its_window_as_it_is(
    states: AccountStates, database: Database[Document]
) -> None:
    unset = {"$unset": {"run.opens_window": "", "run.rests_until": ""}}
    database["accounts"].update_one({"_id": ACME}, unset)
    assert not states.read(ACME).opens_window
    hold(states)
    assert not is_due(states)
