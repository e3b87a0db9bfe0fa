"""An account's failures, its suspension with the alert, the probe, the recovery."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pymongo.database import Database

from alerts.suspension import Suspension
from consumers.delivery.policy import State
from consumers.ledger import Document
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.runs import (
    ACME,
    EPOCH,
    OLDEST,
    REFUSED,
    TINY,
    count,
    is_due,
    suspend,
    until_timer_is_over,
)

# --- failures and suspension ----------------------------------------------------------------


def test_a_failure_is_counted_with_its_words(states: AccountStates) -> None:
    before = states.read(ACME)
    assert count(states, 1)

    after = states.read(ACME)
    assert (after.failures, after.last_error, after.state) == (1, REFUSED, State.ACTIVE)
    assert (after.change, after.outage_retry_due) == (before.change, None)
    assert count(states, 2, outage_retry_in=900)
    due = states.read(ACME)
    assert 890 < due.seconds_until(due.outage_retry_due) <= 900


def test_a_suspension_is_one_update(states: AccountStates, database: Database[Document]) -> None:
    with database["accounts"].watch(full_document="updateLookup") as changes:
        assert suspend(states, failures=10)
        change = changes.next()
        assert changes.try_next() is None
    run = change["fullDocument"]["run"]
    assert (run["state"], run["failures"], run["suspensions"]) == ("suspended", 10, 1)
    assert run["last_error"]["words"] == REFUSED.words
    assert run["next_due"] == run["suspended_until"]
    alert = run["alerts"][0]
    assert alert["until"] == run["suspended_until"]
    assert alert["until"] - alert["at"] == timedelta(seconds=900)


def test_the_pending_alert_has_all_facts_of_its_suspension(states: AccountStates) -> None:
    suspend(states)

    alerts = [*states.pending_alerts()]
    run = states.read(ACME)
    assert run.suspended_until is not None
    assert alerts == [
        Suspension(
            account_id=ACME,
            number=1,
            failures=10,
            host="ftp.customer.example",
            username="$acme",
            protocol="ftp",
            seconds=900,
            words=REFUSED.words,
            advice=REFUSED.advice,
            recipients=("it@customer.example", "ops@customer.example"),
            queued=3,
            oldest=OLDEST,
            at=run.suspended_until - timedelta(seconds=900),
            until=run.suspended_until,
            repeated=1,
        )
    ]


def test_suspensions_are_numbered_and_their_alerts_kept_until_stored(
    states: AccountStates,
) -> None:
    for failures in (10, 11, 12):
        assert suspend(states, failures=failures)
    pending = [each for each in states.pending_alerts() if isinstance(each, Suspension)]
    first, second, third = pending
    assert [each.number for each in (first, second, third)] == [1, 2, 3]
    assert [each.failures for each in (first, second, third)] == [10, 11, 12]

    states.alert_stored(second)
    states.alert_stored(second)
    assert [each.number for each in states.pending_alerts()] == [1, 3]
    states.alert_stored(first)
    states.alert_stored(third)
    assert [*states.pending_alerts()] == []


def test_a_suspended_account_is_due_when_its_time_is_over(states: AccountStates) -> None:
    states.arrived(ACME)
    suspend(states, 0.3)
    assert not is_due(states)

    until_timer_is_over(states)
    assert is_due(states)


def test_a_recovery_forgets_the_failures_and_raises_the_streak(states: AccountStates) -> None:
    count(states, 9, outage_retry_in=900)
    suspend(states)
    before = states.read(ACME)
    assert states.recovered(ACME, EPOCH, before)

    run = states.read(ACME)
    assert (run.state, run.failures, run.outage_id) == (State.ACTIVE, 0, before.outage_id + 1)
    assert (run.suspended_until, run.last_error, run.outage_retry_due) == (None, None, None)
    assert run.suspensions == 1, "they are numbered for ever"
    assert run.change > before.change
    assert is_due(states)
    assert len([*states.pending_alerts()]) == 1


# --- probing --------------------------------------------------------------------------------


def test_a_probe_begins_and_ends(states: AccountStates) -> None:
    suspend(states, TINY)
    until_timer_is_over(states)
    seen = states.read(ACME)

    assert states.begin_probe(ACME, EPOCH, seen)
    probing = states.read(ACME)
    assert (probing.state, probing.failures) == (State.PROBING, 10)
    assert is_due(states), "should this worker die"
    assert probing.asks_since == seen.suspended_until, "one login answers all that are due by then"

    assert not states.begin_probe(ACME, EPOCH, probing), "it has begun"
    assert states.end_probe(ACME, EPOCH, probing)
    after = states.read(ACME)
    assert (after.state, after.suspended_until) == (State.SUSPENDED, seen.suspended_until)
    assert len([*states.pending_alerts()]) == 1, "nothing was suspended anew"


def test_a_probe_does_not_begin_before_the_timer_is_over(states: AccountStates) -> None:
    suspend(states, 900)

    assert not states.begin_probe(ACME, EPOCH, states.read(ACME))
    assert states.read(ACME).state is State.SUSPENDED


PEOPLE: dict[str, Callable[[AccountStates], object]] = {
    "try now": lambda states: states.try_now(ACME),
    "new settings": lambda states: states.settings_saved(ACME),
    "resumed": lambda states: states.pause(ACME) and states.resume(ACME),
    "switched on": lambda states: states.wake(ACME),
}


@pytest.mark.parametrize("act", PEOPLE.values(), ids=PEOPLE)
def test_a_probe_asks_for_what_holds_since_somebody_has_done_something(
    states: AccountStates, act: Callable[[AccountStates], object]
) -> None:
    suspend(states, TINY)
    until_timer_is_over(states)
    before = states.read(ACME).now
    act(states)
    assert states.begin_probe(ACME, EPOCH, states.read(ACME))
    since = states.read(ACME).asks_since
    assert since is not None
    assert since >= before


def test_only_a_suspended_account_is_probed(states: AccountStates) -> None:
    assert not states.begin_probe(ACME, EPOCH, states.read(ACME))
    assert not states.end_probe(ACME, EPOCH, states.read(ACME))
    assert states.read(ACME).state is State.ACTIVE


# --- a probe that somebody began ------------------------------------------------------------


def probe_by_hand(states: AccountStates) -> None:
    assert states.try_now(ACME)
    until_timer_is_over(states)
    assert states.begin_probe(ACME, EPOCH, states.read(ACME))


def test_a_failed_try_now_suspends_again_and_alerts_nobody(states: AccountStates) -> None:
    suspend(states)
    probe_by_hand(states)

    assert suspend(states, failures=11, seconds=TINY)

    assert [alert.number for alert in states.pending_alerts()] == [1]
    assert (states.read(ACME).state, states.read(ACME).failures) == (State.SUSPENDED, 11)
    until_timer_is_over(states)
    states.begin_probe(ACME, EPOCH, states.read(ACME))
    suspend(states, failures=12)
    assert [alert.number for alert in states.pending_alerts()] == [1, 3]


def test_nobody_looks_any_more_where_a_try_now_found_nothing_to_try(states: AccountStates) -> None:
    suspend(states)
    probe_by_hand(states)
    assert states.end_probe(ACME, EPOCH, states.read(ACME))
    states.begin_probe(ACME, EPOCH, states.read(ACME))

    suspend(states, failures=11)

    assert [alert.number for alert in states.pending_alerts()] == [1, 2]


def test_nobody_looks_any_more_where_a_try_now_waited_long_for_something_to_try(
    states: AccountStates, database: Database[Document]
) -> None:
    suspend(states)
    states.try_now(ACME)
    minutes = {"$subtract": ["$run.suspended_until", 120_000]}
    database["accounts"].update_one({"_id": ACME}, [{"$set": {"run.suspended_until": minutes}}])
    assert states.begin_probe(ACME, EPOCH, states.read(ACME))

    suspend(states, failures=11)

    assert [alert.number for alert in states.pending_alerts()] == [1, 2]


def test_a_pause_and_new_settings_end_what_a_try_now_began(states: AccountStates) -> None:
    suspend(states)
    ends: tuple[Callable[[str], object], ...] = (states.pause, states.settings_saved)
    for number, forget in enumerate(ends, 2):
        states.try_now(ACME)
        forget(ACME)
        states.resume(ACME)
        until_timer_is_over(states)
        assert states.begin_probe(ACME, EPOCH, states.read(ACME))
        suspend(states, failures=9 + number)
        assert [alert.number for alert in states.pending_alerts()][-1] == number
