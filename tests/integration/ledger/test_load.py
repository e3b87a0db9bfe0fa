"""What there is to do, in numbers; and that these cost little with ten thousand accounts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandListener

from config.directory import Directory
from consumers.ledger import Document, Ledger, Load
from consumers.ledger.accounts import AccountStates
from consumers.ledger.states import _FRESH
from tests.integration.ledger.rows import claimed, deliver_one, dies, opened, uploaded
from tests.integration.ledger.runs import (
    ACME,
    EPOCH,
    SETTINGS,
    TINY,
    count,
    rest,
    suspend,
    until_timer_is_over,
)

AGES = (60.0, 3600.0)
LATE = 300.0
MANY = 10_000


@pytest.fixture
def ledger(database: Database[Document]) -> Ledger:
    ledger = Ledger(database)
    ledger.ensure_indexes()
    return ledger


def load(ledger: Ledger) -> Load:
    return ledger.loads.read(AGES, LATE)


def arrive(states: AccountStates, ledger: Ledger, *names: str, account_id: str = ACME) -> None:
    for name in names:
        opened(ledger, name, account_id)
    states.arrived(*[account_id] * len(names))


def age(database: Database[Document], recording_id: str, **ago: float) -> None:
    """The recording arrived so long ago."""
    since: datetime = database.command("hello")["localTime"] - timedelta(**ago)
    database["deliveries"].update_one({"_id": recording_id}, {"$set": {"created_at": since}})


def test_of_an_empty_platform_all_is_nothing(ledger: Ledger) -> None:
    assert load(ledger) == Load(0, 0, (0, 0, 0), 0, None)


def test_an_active_account_with_files_is_due_with_all_of_them(
    ledger: Ledger, states: AccountStates
) -> None:
    arrive(states, ledger, "one", "two", "three")
    claimed(ledger, "one")
    found = load(ledger)
    assert (found.due_accounts, found.due_files) == (1, 3)


def test_what_waits_for_a_retry_is_not_due(ledger: Ledger, states: AccountStates) -> None:
    arrive(states, ledger, "one")
    rest(states, wait=3600)
    found = load(ledger)
    assert (found.due_accounts, found.due_files) == (0, 0)


def test_the_backlog_of_a_suspended_account_is_not_due_and_its_probe_is(
    ledger: Ledger, states: AccountStates
) -> None:
    arrive(states, ledger, "one", "two", "three")
    assert suspend(states)
    assert (load(ledger).due_accounts, load(ledger).due_files) == (0, 0)
    assert states.try_now(ACME)
    assert (load(ledger).due_accounts, load(ledger).due_files) == (1, 1)


@pytest.mark.parametrize("why", ["paused", "switched off", "not permitted", "no settings"])
def test_the_backlog_of_an_account_that_may_not_work_is_not_due(
    ledger: Ledger, states: AccountStates, directory: Directory, why: str
) -> None:
    arrive(states, ledger, "one", "two")
    match why:
        case "paused":
            assert states.pause(ACME)
        case "switched off":
            directory.set_enabled(ACME, enabled=False)
        case "not permitted":
            directory.set_ftp_access(ACME, granted=False)
        case _:
            directory.forget_settings(ACME)
    found = load(ledger)
    assert (found.due_accounts, found.due_files) == (0, 0)
    assert found.ages[-1] == 2


def test_the_permission_comes_from_the_top(
    ledger: Ledger, states: AccountStates, directory: Directory
) -> None:
    directory.create("top", ftp_access=True)
    directory.create("middle", parent="top", ftp_access=True)
    directory.create("low", parent="middle", ftp_access=True)
    directory.save_settings("low", SETTINGS, SecretStr("secret"))
    arrive(states, ledger, "one", account_id="low")
    assert load(ledger).due_accounts == 1
    assert ledger.totals().accounts["active"] == 2
    directory.set_ftp_access("top", granted=False)
    assert load(ledger).due_accounts == 0
    assert ledger.totals().accounts["active"] == 1


def test_the_ages_of_what_waits_are_counted_up_to_each_bound(
    ledger: Ledger, database: Database[Document]
) -> None:
    for name, ago in {"new": 10, "minutes": 600, "minutes too": 700, "days": 200_000}.items():
        opened(ledger, name)
        age(database, name, seconds=ago)
    claimed(ledger, "minutes too")
    deliver_one(ledger, claimed(ledger, "done"), uploaded())
    assert load(ledger).ages == (1, 3, 4)


def test_the_last_delivery_is_the_latest(ledger: Ledger) -> None:
    for name in ("one", "two"):
        deliver_one(ledger, claimed(ledger, name, file_name=name), uploaded(f"/in/{name}"))
    row = ledger.queries.row("two")
    assert row is not None
    assert load(ledger).last_delivered == row["delivered_at"]


# --- overdue --------------------------------------------------------------------------------


@pytest.fixture
def late(database: Database[Document], states: AccountStates, ledger: Ledger) -> None:
    """Two files of acme that wait too long, one of them for an hour; and one that does not."""
    arrive(states, ledger, "hour", "minutes", "new")
    age(database, "hour", hours=1)
    age(database, "minutes", minutes=10)


@pytest.mark.usefixtures("late")
def test_what_waits_too_long_for_nobody_but_us_is_overdue(ledger: Ledger) -> None:
    assert load(ledger).overdue_files == 2


@pytest.mark.usefixtures("late")
def test_what_waits_for_a_suspended_a_failing_or_a_paused_account_is_not_overdue(
    ledger: Ledger, states: AccountStates
) -> None:
    assert count(states, 1)
    assert load(ledger).overdue_files == 0
    assert suspend(states, TINY)
    assert load(ledger).overdue_files == 0
    until_timer_is_over(states)
    assert states.begin_probe(ACME, EPOCH, states.read(ACME))
    assert load(ledger).overdue_files == 0
    assert states.recovered(ACME, EPOCH, states.read(ACME))
    assert load(ledger).overdue_files == 0  # they have waited for it all the same
    assert states.pause(ACME)
    assert load(ledger).overdue_files == 0


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("well_ago", [None, timedelta(minutes=30)])
def test_what_has_come_back_from_the_dead_letters_is_not_overdue(
    ledger: Ledger, database: Database[Document], well_ago: timedelta | None
) -> None:
    if well_ago:
        well = database.command("hello")["localTime"] - well_ago
        database["accounts"].update_one({"_id": ACME}, {"$set": {"run.well_since": well}})
    before = load(ledger).overdue_files
    dies(ledger, claimed(ledger, "minutes"))
    assert ledger.dead_letters.revive("minutes")
    assert load(ledger).overdue_files == before - 1


@pytest.mark.usefixtures("late")
def test_what_has_arrived_since_the_account_is_well_again_is_overdue(
    ledger: Ledger, database: Database[Document]
) -> None:
    well = database.command("hello")["localTime"] - timedelta(minutes=30)
    database["accounts"].update_one({"_id": ACME}, {"$set": {"run.well_since": well}})
    assert load(ledger).overdue_files == 1


# --- what it costs --------------------------------------------------------------------------


class Reads(CommandListener):
    """The commands that were sent."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: Any) -> None:
        self.commands.append(dict(event.command))

    def succeeded(self, event: Any) -> None:
        """No news."""

    def failed(self, event: Any) -> None:
        """Raised where it was asked."""


@pytest.fixture
def many(ledger: Ledger, database: Database[Document]) -> None:
    """Ten thousand accounts, a hundred of them with a file that waits for an hour."""
    ledger.ensure_indexes()
    now: datetime = database.command("hello")["localTime"]
    settings = SETTINGS.model_dump(mode="json")
    run = {**_FRESH, "epoch": EPOCH}
    database["accounts"].insert_many(
        {
            "_id": f"a{number}",
            "name": "",
            "parent": None if number < 100 else f"a{number % 100}",
            "ftp_access": True,
            "enabled": True,
            "settings": settings,
            "run": {
                **run,
                "next_due": now if number % 100 == 0 else None,
                "well_since": now - timedelta(minutes=30) if number % 200 == 0 else None,
            },
        }
        for number in range(MANY)
    )
    for number in range(0, MANY, 100):
        opened(ledger, f"r{number}", f"a{number}")
        age(database, f"r{number}", hours=1)


@pytest.fixture
def listened(mongodb_url: str) -> Iterator[tuple[Ledger, Reads]]:
    reads = Reads()
    with MongoClient[Document](mongodb_url, tz_aware=True, event_listeners=[reads]) as client:
        yield Ledger(client.get_default_database()), reads


@pytest.mark.usefixtures("many")
def test_ten_thousand_accounts_are_read_in_few_commands_and_by_indexes(
    listened: tuple[Ledger, Reads], database: Database[Document]
) -> None:
    ledger, reads = listened
    totals, found = ledger.totals(), ledger.loads.read(AGES, LATE)
    assert totals.accounts == {
        "active": MANY,
        "suspended": 0,
        "probing": 0,
        "paused": 0,
        "disabled": 0,
    }
    assert (found.due_accounts, found.due_files) == (100, 100)
    assert found.overdue_files == 50  # of those that are well for half an hour none is ours
    assert len(reads.commands) <= 30
    sent = [each for each in reads.commands if not {"hello", "getMore"} & each.keys()]
    plans = {str(each): _plan(database, each) for each in sent}
    scans = {command for command, plan in plans.items() if "COLLSCAN" in plan}
    assert len(scans) == 1, scans  # the one that counts accounts by their state, in one group
    assert "$group" in scans.pop()
    counts = {command: plan for command, plan in plans.items() if command.startswith("{'count'")}
    fetches = {command for command, plan in counts.items() if "FETCH" in plan}
    [of_few] = [command for command in counts if "was_dead" in command]
    assert fetches == {of_few}
    assert "'came_back'" in plans[of_few]


def _plan(database: Database[Document], command: dict[str, Any]) -> str:
    """How it is done, in MongoDB's words."""
    asked = {
        key: value
        for key, value in command.items()
        if key not in {"$db", "lsid", "$clusterTime", "$readPreference", "readConcern"}
        and not key.startswith("txn")
    }
    lenient = CodecOptions[Document](datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    explained = database.command("explain", asked, verbosity="queryPlanner", codec_options=lenient)
    return str(_winner(explained))


def _winner(explained: Document) -> Any:
    """The plan that is used: an aggregation tells it in its first stage, where it has several."""
    first = explained.get("stages", [{}])[0].get("$cursor", explained)
    return first["queryPlanner"]["winningPlan"]
