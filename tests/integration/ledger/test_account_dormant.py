"""An outage that lasts for days: its account is tried rarely, until somebody takes care of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pymongo.database import Database

from alerts.suspension import Suspension
from config.accounts import AlertFrequency
from consumers.delivery.policy import State
from consumers.ledger import Document, RunState
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.runs import ACME, BLAME, EPOCH, suspend


def become_dormant(states: AccountStates) -> None:
    seen = states.read(ACME)
    assert states.suspend(
        ACME, EPOCH, seen, failures=300, seconds=21_600, alert=BLAME, dormant=True
    )


def let_pass(database: Database[Document], time: timedelta) -> None:
    """Let the outage have begun so much earlier."""
    milliseconds = round(time.total_seconds() * 1000)
    moments = {
        f"run.{name}": {"$subtract": [f"$run.{name}", milliseconds]}
        for name in ("lasting_since", "outage_since", "outage_told")
    }
    database["accounts"].update_one({"_id": ACME}, [{"$set": moments}])


def test_an_outage_lasts_from_its_first_suspension_on(
    states: AccountStates, database: Database[Document]
) -> None:
    assert states.read(ACME).lasts == 0
    suspend(states)
    let_pass(database, timedelta(days=3))
    suspend(states)
    run = states.read(ACME)
    assert run.lasts >= 3 * 86_400
    assert run.dormant_since is None
    assert states.recovered(ACME, EPOCH, run)
    assert states.read(ACME).lasts == 0


def test_an_outage_from_before_this_was_counted_lasts_since_its_first_suspension(
    states: AccountStates, database: Database[Document]
) -> None:
    suspend(states)
    let_pass(database, timedelta(days=3))
    database["accounts"].update_one({"_id": ACME}, {"$unset": {"run.lasting_since": ""}})
    assert states.read(ACME).lasts >= 3 * 86_400
    suspend(states)
    assert states.read(ACME).lasts >= 3 * 86_400


def test_what_a_dormant_account_is_shown_as_and_since_when(states: AccountStates) -> None:
    suspend(states)
    become_dormant(states)
    first = states.read(ACME)
    assert first.state is State.SUSPENDED
    assert first.dormant_since is not None
    become_dormant(states)
    assert states.read(ACME).dormant_since == first.dormant_since
    alerts = [each for each in states.pending_alerts() if isinstance(each, Suspension)]
    assert [each.dormant_since for each in alerts] == [None, *2 * [first.dormant_since]]
    assert alerts[1].at == first.dormant_since


CARES: dict[str, Callable[[AccountStates], object]] = {
    "settings_saved": lambda states: states.settings_saved(ACME),
    "try_now": lambda states: states.try_now(ACME),
}


@pytest.mark.parametrize("care", CARES)
def test_whoever_takes_care_of_it_ends_that_and_its_days_count_anew(
    states: AccountStates, database: Database[Document], care: str
) -> None:
    suspend(states)
    let_pass(database, timedelta(days=30))
    become_dormant(states)

    CARES[care](states)

    run = states.read(ACME)
    assert run.dormant_since is None
    assert run.lasts < 86_400
    assert run.suspended_until is not None
    assert run.suspended_until <= run.now, "it is tried at once"
    assert states.begin_probe(ACME, EPOCH, run)
    suspend(states)
    assert states.read(ACME).lasts < 86_400
    assert states.read(ACME).outage_since is not None


def test_it_ends_with_the_outage_and_not_by_a_pause(states: AccountStates) -> None:
    suspend(states)
    become_dormant(states)
    states.pause(ACME)
    states.resume(ACME)
    states.wake(ACME)
    run: RunState = states.read(ACME)
    assert run.dormant_since is not None
    assert states.recovered(ACME, EPOCH, run)
    assert states.read(ACME).dormant_since is None


def test_who_is_told_once_an_outage_is_told_that_it_is_dormant(
    states: AccountStates, database: Database[Document]
) -> None:
    quiet = {"$set": {"settings.alert_frequency": AlertFrequency.OUTAGE.value}}
    database["accounts"].update_one({"_id": ACME}, quiet)
    suspend(states)
    suspend(states)
    become_dormant(states)
    become_dormant(states)
    told = [bool(alert.recipients) for alert in states.pending_alerts()]
    assert told == [True, False, True, False]
