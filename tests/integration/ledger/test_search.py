"""Recordings are found by what is known of them, and no search reads more than it may."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from bson import CodecOptions, DatetimeConversion, ObjectId
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from config.errors import FieldRefused, SearchUnavailable
from consumers.ledger import (
    Document,
    Ledger,
    Place,
    Search,
    Status,
    Time,
    tails_of,
)
from consumers.ledger.search import Searches
from consumers.ledger.search_keys import keys_of
from consumers.ledger.writer import GroupCommit
from consumers.upkeep import findable
from consumers.upkeep.findable import Findable
from tests.integration.ledger.rows import AWAY, claimed, dies, opened, row, waits
from tests.integration.ledger.test_file_probes import stages
from transports.diagnosis import Whose

START = datetime(2026, 11, 23, tzinfo=UTC)
ROWS = 400
FEW = 30
"""Rows that a page of these tests looks at, at most."""
NUMBERS = ("+441632960001", "01632 960001", "+441632960002", "+4930123456", None)
_NOT_EXPLAINED = {"lsid", "$clusterTime", "$db", "maxTimeMS", "readConcern", "$readPreference"}


_ANY_YEAR = CodecOptions[Document](datetime_conversion=DatetimeConversion.DATETIME_AUTO)


class Asked(monitoring.CommandListener):
    """The commands that were sent."""

    def __init__(self) -> None:
        self.commands: list[Document] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in {"find", "count", "aggregate"}:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


def made(number: int, chance: random.Random) -> Document:
    """A row; many arrive at one moment, and calls are told to the minute."""
    arrived = START + timedelta(minutes=number // 9)
    recorded = arrived - timedelta(minutes=chance.choice([1, 1, 1, 600]))
    telephone = chance.choice(NUMBERS)
    told = chance.choice([recorded.isoformat(), None])
    whose = chance.choice([None, None, "customer", "platform"])
    return {
        "_id": f"id-{number}",
        "account_id": chance.choice(["acme", "acme", "other", "third"]),
        "number": telephone,
        "file_name": f"{recorded:%Y%m%d-%H%M}_{number}.wav",
        "recorded_at": told,
        "created_at": arrived,
        "arrival": ObjectId(),
        "status": chance.choice(["delivered", "delivered", "queued", "dead_lettered"]),
        "last_error": None if whose is None else {"whose": whose, "words": "no"},
        **keys_of(telephone, told, arrived),
    }


@pytest.fixture
def rows(ledger: Ledger, database: Database[Document]) -> list[Document]:
    """Of three accounts; what is chosen at random is the same each time."""
    assert ledger.search_indexes.is_filled()
    chance = random.Random(14)  # noqa: S311 - no secret
    found = [made(number, chance) for number in range(ROWS)]
    database["deliveries"].insert_many(found)
    return found


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def searches(mongodb_url: str, asked: Asked) -> Iterator[Searches]:
    """With a limit that these few rows reach, and time that any machine has."""
    with MongoClient[Document](mongodb_url, tz_aware=True, event_listeners=[asked]) as client:
        rows = client.get_default_database()["deliveries"]
        yield Searches(rows, GroupCommit(rows), most=FEW, seconds=60)


def combinations() -> list[Search]:
    times = (None, (START + timedelta(minutes=10), START + timedelta(minutes=25)))
    return [
        Search(
            account_id=account,
            number=tails_of(number) if number else None,
            name_begins=name if name and not name.startswith("*") else None,
            name_has=name[1:] if name and name.startswith("*") else None,
            status=status,
            whose=whose,
            by=by,
            since=between and between[0],
            until=between and between[1],
            newest_first=len(str(status)) % 2 == 0,
        )
        for account, number, name, status, whose, by, between in product(
            (None, "acme"),
            (None, "01632 960001"),
            (None, "20261123-00", "*7.WAV"),
            (None, Status.DEAD_LETTERED),
            (None, Whose.CUSTOMER),
            Time,
            times,
        )
    ]


def wanted(search: Search, row: Document) -> bool:
    """Whether the row is what is searched for, by the words of the search."""
    moment = row["recorded"] if search.by is Time.RECORDED else row["created_at"]
    has = search.name_has
    checks = (
        search.account_id in {None, row["account_id"]},
        search.number is None or row["number"] in NUMBERS[:2],
        row["file_name"].startswith(search.name_begins or ""),
        has is None or has.lower() in row["file_name"],
        search.status in {None, row["status"]},
        search.whose is None or (row["last_error"] or {}).get("whose") == search.whose,
        search.since is None or moment >= search.since,
        search.until is None or moment < search.until,
    )
    return all(checks)


def ordered(search: Search, rows: list[Document]) -> list[str]:
    field = search.by.field
    found = [row for row in rows if wanted(search, row)]
    found.sort(key=lambda row: (row[field], row["arrival"]), reverse=search.newest_first)
    return [row["_id"] for row in found]


def numbers_in(explained: Any, name: str) -> list[int]:
    """All values of this name in an explained plan."""
    if isinstance(explained, dict):
        here = [explained[name]] if isinstance(explained.get(name), int) else []
        return here + [n for each in explained.values() for n in numbers_in(each, name)]
    if isinstance(explained, list):
        return [n for each in explained for n in numbers_in(each, name)]
    return []


def test_each_combination_of_fields_finds_all_that_match_in_order_and_reads_no_more_than_it_may(
    rows: list[Document], searches: Searches, asked: Asked, database: Database[Document]
) -> None:
    explained: set[str] = set()
    for search in combinations():
        asked.commands.clear()
        assert [each["_id"] for each in searches.rows(search, 7)] == ordered(search, rows)
        for command in asked.commands[:12]:
            plain = {k: v for k, v in command.items() if k not in _NOT_EXPLAINED}
            if "getMore" in plain or str(plain) in explained:
                continue
            explained.add(str(plain))
            told = database.command(
                "explain", plain, verbosity="executionStats", codec_options=_ANY_YEAR
            )
            assert "COLLSCAN" not in stages(told), plain
            assert "IXSCAN" in stages(told) or "COUNT_SCAN" in stages(told), plain
            for name in ("totalKeysExamined", "totalDocsExamined"):
                assert max(numbers_in(told, name)) <= 2 * FEW + 50, (plain, told)
    assert len(explained) > 300


def test_what_is_counted_is_counted_to_a_limit(rows: list[Document], searches: Searches) -> None:
    assert searches.count(Search()) == FEW + 1
    assert searches.count(Search(number=tails_of("+4930 123456"), account_id="nobody")) == 0
    few = Search(name_begins="20261123-0010")
    assert searches.count(few) == len(ordered(few, rows))
    assert searches.count(Search(name_has="7.wav")) is None


def test_a_page_that_has_looked_far_enough_says_so_and_the_next_goes_on(
    rows: list[Document], searches: Searches
) -> None:
    nowhere = Search(name_has="nowhere")
    first = searches.page(nowhere)
    assert (first.rows, first.looked_until) == ([], rows[-FEW]["created_at"])
    second = searches.page(nowhere, first.next)
    assert second.looked_until is not None
    assert second.looked_until < rows[-FEW]["created_at"]
    assert list(searches.rows(nowhere)) == []


def test_a_place_outlives_its_row_and_behind_the_last_there_is_nothing(
    rows: list[Document], searches: Searches, database: Database[Document]
) -> None:
    page = searches.page(Search(), limit=5)
    assert page.next is not None
    assert Place.read(str(page.next)) == page.next
    database["deliveries"].delete_one({"_id": page.rows[-1]["_id"]})
    assert searches.page(Search(), page.next, 1).rows[0]["_id"] == rows[-6]["_id"]
    beyond = Place(START - timedelta(days=1), ObjectId())
    assert searches.page(Search(), beyond).rows == []
    outside = Search(since=START + timedelta(hours=10), until=START + timedelta(hours=11))
    assert searches.page(outside, Place(START + timedelta(hours=20), ObjectId())).rows == []


def test_the_call_of_a_minute_from_a_number_is_found_at_once(ledger: Ledger) -> None:
    event: dict[str, Any] = {"number": "+441632960001", "recorded_at": "2026-11-23T14:05:31Z"}
    opened(ledger, "wanted", **event)
    opened(ledger, "later", **{**event, "recorded_at": "2026-11-23T14:06:00Z"})
    opened(ledger, "another", **{**event, "number": "+441632960002"})
    minute = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
    search = Search(
        number=tails_of("01632 960 001"),
        by=Time.RECORDED,
        since=minute,
        until=minute + timedelta(minutes=1),
    )
    assert [each["_id"] for each in ledger.searches.page(search).rows] == ["wanted"]
    assert [each["_id"] for each in ledger.searches.page(Search(recording_id="later")).rows] == [
        "later"
    ]


def test_an_end_that_many_numbers_have_is_refused_by_its_field(ledger: Ledger) -> None:
    for number in range(11):
        opened(ledger, str(number), number=f"+44{number + 10}960001")
    with pytest.raises(FieldRefused, match="More than 10 numbers end so") as refusal:
        ledger.searches.page(Search(number=tails_of("960001")))
    assert refusal.value.field == "number"
    assert ledger.searches.page(Search(number=tails_of("+4410960001"))).rows


def test_whose_fault_the_last_failure_was_is_kept_with_it(ledger: Ledger) -> None:
    refused = replace(AWAY, cause="login-refused")
    opened(ledger, "well")
    waits(ledger, claimed(ledger, "failed"), error=refused)
    dies(ledger, claimed(ledger, "dead"), error=refused)
    waits(ledger, claimed(ledger, "unknown"))

    def found(**wanted: Any) -> set[str]:
        return {each["_id"] for each in ledger.searches.page(Search(**wanted)).rows}

    assert row(ledger, "dead")["last_error"]["whose"] == "customer"
    assert found(whose=Whose.CUSTOMER) == {"failed", "dead"}
    assert found(whose=Whose.CUSTOMER, status=Status.DEAD_LETTERED) == {"dead"}
    assert found(whose=Whose.PLATFORM) == set()


def test_rows_of_the_version_before_are_found_once_they_are_filled_in(
    ledger: Ledger, database: Database[Document]
) -> None:
    opened(ledger, "old", number="+441632960001", recorded_at="2026-11-23T14:05:31Z")
    waits(ledger, claimed(ledger, "failed"))
    deliveries = database["deliveries"]
    deliveries.update_many({}, {"$unset": {"digits": "", "recorded": "", "last_error.whose": ""}})
    deliveries.update_one({"_id": "failed"}, {"$set": {"last_error.cause": "login-refused"}})
    by_number = Search(number=tails_of("960001"))
    assert not ledger.search_indexes.is_filled()
    assert ledger.searches.page(by_number).rows == []
    assert len(ledger.searches.page(Search()).rows) == 2

    Findable(ledger, lambda: [0]).look()

    assert ledger.search_indexes.is_filled()
    assert [each["_id"] for each in ledger.searches.page(by_number).rows] == ["old"]
    recorded = Search(by=Time.RECORDED)
    assert {each["_id"] for each in ledger.searches.page(recorded).rows} == {"old", "failed"}
    faults = ledger.searches.page(Search(whose=Whose.CUSTOMER))
    assert [each["_id"] for each in faults.rows] == ["failed"]


def test_a_file_that_a_worker_of_the_version_before_gave_up_after_that_is_found_by_its_fault(
    ledger: Ledger, database: Database[Document]
) -> None:
    dies(ledger, claimed(ledger, "dead"), error=replace(AWAY, cause="login-refused"))
    dies(ledger, claimed(ledger, "unknown"), error=replace(AWAY, cause="of-another-version"))
    database["deliveries"].update_many({}, {"$unset": {"last_error.whose": ""}})
    assert ledger.search_indexes.is_filled()

    Findable(ledger, lambda: [0]).look()

    faults = ledger.searches.page(Search(whose=Whose.CUSTOMER))
    assert [each["_id"] for each in faults.rows] == ["dead"]
    assert "whose" not in row(ledger, "unknown")["last_error"]


def test_dead_letters_are_looked_at_a_few_at_a_time_and_by_one_worker(
    ledger: Ledger, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findable, "FAULTS", 2)
    for number in range(5):
        dies(ledger, claimed(ledger, str(number)), error=replace(AWAY, cause="login-refused"))
    dies(ledger, claimed(ledger, "before causes"), error=AWAY)
    database["deliveries"].update_many({}, {"$unset": {"last_error.whose": ""}})

    Findable(ledger, lambda: [1, 2]).look()
    assert ledger.searches.page(Search(whose=Whose.CUSTOMER)).rows == []
    one = Findable(ledger, lambda: [0])
    found = []
    for _ in range(4):
        one.look()
        found.append(len(ledger.searches.page(Search(whose=Whose.CUSTOMER)).rows))
    assert found[0] <= 2
    assert found[-1] == 5
    assert sorted(found) == found


def test_the_index_of_an_earlier_version_makes_room(
    ledger: Ledger, database: Database[Document]
) -> None:
    database["deliveries"].create_index([("created_at", -1)])
    ledger.ensure_indexes()
    ledger.ensure_indexes()
    assert "created_at_-1" not in database["deliveries"].index_information()


@pytest.mark.usefixtures("rows")
def test_a_search_that_takes_too_long_is_ended_with_what_to_do(
    database: Database[Document],
) -> None:
    deliveries = database["deliveries"]
    searches = Searches(deliveries, GroupCommit(deliveries), seconds=0.000001)
    with pytest.raises(SearchUnavailable, match="took too long"):
        searches.page(Search(name_has="nowhere"))


@pytest.mark.usefixtures("rows")
def test_a_search_before_its_indexes_are_built_says_so(
    searches: Searches, database: Database[Document]
) -> None:
    database["deliveries"].drop_index("recorded")
    with pytest.raises(SearchUnavailable, match="not there yet"):
        searches.page(Search(by=Time.RECORDED))
