"""The accounts' running state and each of its transitions, on a real MongoDB."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database

from alerts.suspension import Suspension
from config.accounts import Account, FtpSettings, Protocol
from config.directory import Directory
from config.secrets import Vault
from consumers.ledger import BUCKETS, Blame, LastError, Ledger, RunState, bucket_of
from consumers.ledger.accounts import AccountStates
from consumers.policy import State

EVERY = range(BUCKETS)

ACME = "acme"
EPOCH = 7
SETTINGS = FtpSettings(
    protocol=Protocol.FTP,
    host="ftp.customer.example",
    port=21,
    username="$acme",
    email_alerts=("it@customer.example", "ops@customer.example"),
)
ACCOUNT = Account(account_id=ACME, ftp_access=True, enabled=True, settings=SETTINGS)
REFUSED = LastError("account", "530 $$ROOT Login incorrect.", "Check the password.")
OLDEST = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
BLAME = Blame(ACCOUNT, REFUSED, queued=3, oldest=OLDEST)
TINY = 0.05
"""Seconds of a timer that a test waits for."""

Database_ = Database[dict[str, Any]]


@pytest.fixture
def database(mongodb_url: str) -> Iterator[Database_]:
    with MongoClient[dict[str, Any]](mongodb_url, tz_aware=True, w="majority") as client:
        yield client.get_default_database()


@pytest.fixture
def directory(database: Database_) -> Directory:
    directory = Directory(database, Vault([SecretStr(Fernet.generate_key().decode())]))
    directory.create(ACME, ftp_access=True)
    directory.save_settings(ACME, SETTINGS, SecretStr("secret"))
    return directory


@pytest.fixture
def states(database: Database_, directory: Directory) -> AccountStates:
    assert directory.find(ACME) is not None
    states = AccountStates(database)
    assert states.adopt(ACME, EPOCH)
    return states


def suspend(states: AccountStates, seconds: float = 900, failures: int = 10) -> bool:
    seen = states.read(ACME)
    return states.suspend(ACME, EPOCH, seen, failures=failures, seconds=seconds, blame=BLAME)


def count(states: AccountStates, failures: int, casualties_in: float | None = None) -> bool:
    seen = states.read(ACME)
    return states.count_failure(
        ACME, EPOCH, seen, failures=failures, error=REFUSED, casualties_in=casualties_in
    )


def rest(states: AccountStates, wait: float | None = None, until: datetime | None = None) -> None:
    """A session that has seen everything ends."""
    states.park(ACME, EPOCH, routed=states.read(ACME).routed, wait=wait, until=until)


def is_due(states: AccountStates) -> bool:
    return ACME in states.due(10, EVERY, [])


def until_timer_is_over(states: AccountStates) -> None:
    while (run := states.read(ACME)).seconds_until(run.suspended_until) > 0:
        pass


def test_an_account_that_never_ran_is_active_and_not_due(
    database: Database_, directory: Directory
) -> None:
    directory.create("fresh")
    states = AccountStates(database)
    run = states.read("fresh")

    assert (run.state, run.paused, run.failures, run.streak) == (State.ACTIVE, False, 0, 0)
    assert (run.suspended_until, run.last_error, run.casualties_due) == (None, None, None)
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
    states: AccountStates, database: Database_
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
    states: AccountStates, database: Database_
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

    states.park(ACME, EPOCH, routed=seen, wait=None)
    assert is_due(states)
    rest(states)
    assert not is_due(states), "the next session has seen it"


def test_try_now_while_a_session_ends_is_not_slept_over(states: AccountStates) -> None:
    suspend(states)
    seen = states.read(ACME)
    assert states.try_now(ACME)

    states.park(ACME, EPOCH, routed=seen.routed, wait=None, until=seen.suspended_until)
    assert is_due(states)


def test_of_parking_and_arriving_at_once_the_arrival_wins(states: AccountStates) -> None:
    for _ in range(25):
        seen = states.read(ACME).routed
        with ThreadPoolExecutor(2) as pool:
            parked = pool.submit(states.park, ACME, EPOCH, routed=seen, wait=None)
            arrived = pool.submit(states.arrived, ACME)
            parked.result()
            arrived.result()
        assert is_due(states)
        rest(states)


# --- failures and suspension ----------------------------------------------------------------


def test_a_failure_is_counted_with_its_words(states: AccountStates) -> None:
    before = states.read(ACME)
    assert count(states, 1)

    after = states.read(ACME)
    assert (after.failures, after.last_error, after.state) == (1, REFUSED, State.ACTIVE)
    assert (after.change, after.casualties_due) == (before.change, None)
    assert count(states, 2, casualties_in=900)
    due = states.read(ACME)
    assert 890 < due.seconds_until(due.casualties_due) <= 900


def test_a_suspension_is_one_update(states: AccountStates, database: Database_) -> None:
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
    count(states, 9, casualties_in=900)
    suspend(states)
    before = states.read(ACME)
    assert states.recovered(ACME, EPOCH, before)

    run = states.read(ACME)
    assert (run.state, run.failures, run.streak) == (State.ACTIVE, 0, before.streak + 1)
    assert (run.suspended_until, run.last_error, run.casualties_due) == (None, None, None)
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

    assert not states.begin_probe(ACME, EPOCH, probing), "it has begun"
    assert states.end_probe(ACME, EPOCH, probing)
    after = states.read(ACME)
    assert (after.state, after.suspended_until) == (State.SUSPENDED, seen.suspended_until)
    assert len([*states.pending_alerts()]) == 1, "nothing was suspended anew"


def test_a_probe_does_not_begin_before_the_timer_is_over(states: AccountStates) -> None:
    suspend(states, 900)

    assert not states.begin_probe(ACME, EPOCH, states.read(ACME))
    assert states.read(ACME).state is State.SUSPENDED


def test_only_a_suspended_account_is_probed(states: AccountStates) -> None:
    assert not states.begin_probe(ACME, EPOCH, states.read(ACME))
    assert not states.end_probe(ACME, EPOCH, states.read(ACME))
    assert states.read(ACME).state is State.ACTIVE


# --- what the world has overtaken -----------------------------------------------------------

CHANGES: dict[str, Callable[[AccountStates, int, RunState], bool]] = {
    "begin_probe": lambda states, epoch, seen: states.begin_probe(ACME, epoch, seen),
    "end_probe": lambda states, epoch, seen: states.end_probe(ACME, epoch, seen),
    "recovered": lambda states, epoch, seen: states.recovered(ACME, epoch, seen),
    "count_failure": lambda states, epoch, seen: states.count_failure(
        ACME, epoch, seen, failures=5, error=REFUSED, casualties_in=None
    ),
    "suspend": lambda states, epoch, seen: states.suspend(
        ACME, epoch, seen, failures=10, seconds=900, blame=BLAME
    ),
}
PEOPLE: dict[str, Callable[[AccountStates], object]] = {
    "pause": lambda states: states.pause(ACME),
    "settings_saved": lambda states: states.settings_saved(ACME),
}


def whole_run(database: Database_) -> dict[str, Any]:
    document = database["accounts"].find_one({"_id": ACME})
    assert document is not None
    run: dict[str, Any] = document["run"]
    return run


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("meanwhile", PEOPLE)
def test_a_decision_on_a_state_that_has_changed_changes_nothing(
    states: AccountStates, database: Database_, change: str, meanwhile: str
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
    states: AccountStates, database: Database_, change: str
) -> None:
    suspend(states, TINY)
    until_timer_is_over(states)
    if change == "end_probe":
        assert states.begin_probe(ACME, EPOCH, states.read(ACME))
    assert states.adopt(ACME, EPOCH + 1)
    before = whole_run(database)

    assert CHANGES[change](states, EPOCH, states.read(ACME)) is False
    states.park(ACME, EPOCH, routed=states.read(ACME).routed, wait=None)
    assert not states.adopt(ACME, EPOCH)
    assert whole_run(database) == before


def test_the_epoch_only_rises(states: AccountStates, database: Database_) -> None:
    assert states.adopt(ACME, EPOCH)
    assert states.adopt(ACME, EPOCH + 2)
    assert not states.adopt(ACME, EPOCH + 1)
    assert whole_run(database)["epoch"] == EPOCH + 2
    assert not states.adopt("unknown", EPOCH)


@pytest.mark.parametrize("change", ["recovered", "suspend"])
def test_of_two_decisions_on_one_state_one_holds(states: AccountStates, change: str) -> None:
    seen = states.read(ACME)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(CHANGES[change], states, EPOCH, seen) for _ in range(8)]

    assert sum(each.result() for each in done) == 1
    assert states.read(ACME).suspensions + states.read(ACME).streak == 1


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


# --- what is due ----------------------------------------------------------------------------


def test_the_longest_due_come_first_up_to_the_limit(
    states: AccountStates, directory: Directory, database: Database_
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
    states: AccountStates, directory: Directory, database: Database_
) -> None:
    Ledger(database).ensure_indexes()
    for number in range(50):
        directory.create(f"a{number:02}")
        states.arrived(f"a{number:02}")
        if number >= 5:
            states.park(f"a{number:02}", EPOCH, routed=1, wait=None)
    database.command("profile", 2)
    assert len(states.due(10, EVERY, ["a00"])) == 4
    database.command("profile", 0)

    looked = database["system.profile"].find_one({"op": "query", "ns": f"{database.name}.accounts"})
    assert looked is not None
    assert looked["planSummary"] == "IXSCAN { run.next_due: 1 }"
    assert looked["docsExamined"] <= 6
    assert not looked.get("hasSortStage", False)


# --- the gauges -----------------------------------------------------------------------------


def test_totals_count_the_accounts_by_the_state_people_see(
    states: AccountStates, directory: Directory, database: Database_
) -> None:
    def create(account_id: str) -> None:
        directory.create(account_id, ftp_access=True)
        directory.save_settings(account_id, SETTINGS, SecretStr("secret"))
        assert states.adopt(account_id, EPOCH)

    for name in ("suspended", "probing", "paused", "off"):
        create(name)
    directory.create("without-settings", ftp_access=True)
    directory.create("child", parent="without-settings", ftp_access=True)
    directory.save_settings("child", SETTINGS, SecretStr("secret"))
    database["accounts"].update_one({"_id": "without-settings"}, {"$set": {"ftp_access": False}})
    directory.set_enabled("off", enabled=False)
    states.pause("paused")
    for name in ("suspended", "probing"):
        seen = states.read(name)
        assert states.suspend(name, EPOCH, seen, failures=10, seconds=TINY, blame=BLAME)
    run = states.read("probing")
    while run.seconds_until(run.suspended_until) > 0:
        run = states.read("probing")
    assert states.begin_probe("probing", EPOCH, run)

    totals = Ledger(database).totals(directory)
    assert totals.accounts == {
        "active": 1,
        "suspended": 1,
        "probing": 1,
        "paused": 1,
        "disabled": 3,
    }
    assert (totals.queued, totals.dead_letters, totals.oldest_queued_seconds) == (0, 0, 0)


def test_an_account_is_due_only_for_whoever_owns_its_bucket(states: AccountStates) -> None:
    states.arrived(ACME)
    mine = bucket_of(ACME)
    assert states.due(10, [mine, (mine + 1) % BUCKETS], []) == [ACME]
    assert states.due(10, [(mine + 1) % BUCKETS], []) == []
