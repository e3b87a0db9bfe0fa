"""The sums behind the charts."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from pymongo.database import Database

from config.documents import clock
from consumers.ledger import ALL, Document, Ledger
from consumers.ledger.hours import KEPT_DAYS, Hours, Sums
from consumers.observe import AccountChanged, FileEnded, TryEnded
from transports.diagnosis import files, reaching
from worker.history import History

HOUR = datetime(2026, 11, 29, 23, tzinfo=UTC)


@pytest.fixture
def hours(database: Database[Document]) -> Hours:
    found = Hours(database)
    found.ensure_indexes()
    return found


def test_what_several_workers_add_is_summed_and_the_oldest_is_the_oldest(hours: Hours) -> None:
    first = Sums(delivered=3, bytes=100, failed=Counter(customer=2), took=Counter({"4": 3}))
    hours.add({("acme", HOUR): first, ("beta", HOUR): Sums(suspensions=1)})
    hours.add({("acme", HOUR): Sums(delivered=1, took=Counter({"4": 1}), oldest=12.5)})
    hours.add({("acme", HOUR): Sums(dead_lettered=1, oldest=3.0)})

    (found,) = hours.read("acme", HOUR)
    assert found.at == HOUR
    assert found.sums == Sums(
        delivered=4,
        bytes=100,
        dead_lettered=1,
        failed=Counter(customer=2),
        took=Counter({"4": 4}),
        oldest=12.5,
    )


def test_hours_are_read_in_their_order_over_midnight(hours: Hours) -> None:
    times = [HOUR + timedelta(hours=number) for number in (3, 0, 1)]
    hours.add({("acme", at): Sums(delivered=at.hour) for at in times})
    assert [each.at for each in hours.read("acme", HOUR)] == sorted(times)
    assert [each.at for each in hours.read("acme", HOUR + timedelta(hours=1))] == sorted(times)[1:]
    assert list(hours.read("beta", HOUR)) == []


def test_nothing_is_asked_of_the_database_for_nothing(hours: Hours) -> None:
    hours.add({})


def test_names_of_accounts_are_never_taken_for_fields(hours: Hours) -> None:
    hours.add({("a.b$c", HOUR): Sums(delivered=1)})
    assert [each.sums.delivered for each in hours.read("a.b$c", HOUR)] == [1]


def test_what_is_kept_leaves_after_a_quarter_or_with_its_account(
    hours: Hours, database: Database[Document]
) -> None:
    ends = [each.get("expireAfterSeconds") for each in database["history"].list_indexes()]
    assert KEPT_DAYS * 86_400 in ends
    hours.add({("acme", HOUR): Sums(delivered=1), ("beta", HOUR): Sums(delivered=1)})
    hours.forget("acme")
    assert list(hours.read("acme", HOUR)) == []
    assert len(list(hours.read("beta", HOUR))) == 1


def test_the_oldest_file_that_waits_tells_how_late_everything_is(
    hours: Hours, database: Database[Document]
) -> None:
    assert hours.oldest_waiting(ALL) == hours.oldest_waiting("acme") == 0
    now = datetime.now(UTC)
    for number, (status, age) in enumerate(
        (("queued", 50), ("uploading", 900), ("delivered", 7000))
    ):
        row = {"_id": str(number), "account_id": "acme", "status": status}
        database["deliveries"].insert_one({**row, "created_at": now - timedelta(seconds=age)})
    assert 899 < hours.oldest_waiting(ALL) < 960
    assert 899 < hours.oldest_waiting("acme") < 960
    assert hours.oldest_waiting("beta") == 0


def test_a_file_that_was_brought_back_waits_since_then(
    hours: Hours, database: Database[Document]
) -> None:
    now, rows = datetime.now(UTC), database["deliveries"]

    def waits(name: str, arrived: int, came_back: int | None = None) -> None:
        times: Document = {"created_at": now - timedelta(seconds=arrived)}
        if came_back is not None:
            times |= {"was_dead": True, "unrouted_at": now - timedelta(seconds=came_back)}
        rows.insert_one({"_id": name, "account_id": "acme", "status": "queued", **times})

    for number in range(19):
        waits(f"again{number}", 70_000 + number, 40)
    assert 39 < hours.oldest_waiting("acme") < 100
    waits("own", 900)
    assert 899 < hours.oldest_waiting("acme") < 960
    for number in range(19, 30):
        waits(f"again{number}", 70_000 + number, 50)
    assert 49 < hours.oldest_waiting(ALL) < 110, "at least: so many are not looked at"


class AnHourAhead(datetime):
    """What a host whose clock is wrong takes for now."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "AnHourAhead":
        return cls.fromtimestamp(time.time() + 3600, tz)


def test_how_late_everything_is_goes_by_the_databases_clock(
    hours: Hours, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"_id": "r1", "account_id": "acme", "status": "queued", "created_at": clock(database)}
    database["deliveries"].insert_one(row)
    monkeypatch.setattr("consumers.ledger.hours.datetime", AnHourAhead)
    assert hours.oldest_waiting("acme") < 600


def test_what_a_worker_observes_stands_there_once_it_is_written(
    hours: Hours, database: Database[Document]
) -> None:
    Ledger(database).ensure_indexes()
    history = History(hours, without="canary")
    ended = TryEnded("acme", "r1", "sftp", 1, 0.5, size=480)  # type: ignore[arg-type]
    for account_id in ("acme", "canary"):
        history.observe(FileEnded("delivered", account_id, "r1", delivery_seconds=7.0))
        again = FileEnded("delivered", account_id, "r0", delivery_seconds=9e4, came_back=True)
        history.observe(again)
    history.observe(ended)
    for cause in (reaching.CONNECTION_REFUSED.code, files.NO_ROOM.code, "of another version"):
        failed = {"kind": "account", "cause": cause}
        history.observe(TryEnded("acme", "r2", "sftp", 1, 0.5, **failed))  # type: ignore[arg-type]
    history.observe(AccountChanged("acme", "suspended", 10))
    history.observe(FileEnded("dead_lettered", "acme", "r2"))
    history.write()
    history.write()

    since = datetime.now(UTC) - timedelta(hours=2)
    for account_id in ("acme", ALL):
        (found,) = hours.read(account_id, since)
        told = found.sums
        assert (told.delivered, told.bytes, told.suspensions, told.dead_lettered) == (2, 480, 1, 1)
        assert told.took == Counter({"3": 1})
        assert told.failed.total() == 3
        assert told.failed["platform"] >= 1
        assert told.oldest == 7.0
    assert list(hours.read("canary", since)) == []
