"""What is counted and selected of the rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from consumers.ledger import Document, Ledger, Selection, Status, queries
from consumers.ledger.rows import ACCOUNT_STATUS
from tests.integration.ledger.rows import claimed, deliver_one, dies, opened, row, uploaded, waits


def test_a_glance_tells_what_stands(ledger: Ledger) -> None:
    opened(ledger, "fresh")
    ledger.arrivals.next_generation("fresh")
    waits(ledger, claimed(ledger, "waiting"), delay=60)
    deliver_one(ledger, claimed(ledger, "done"), uploaded())

    rows = ledger.queries.summaries(["fresh", "waiting", "done", "unknown"])

    assert rows.keys() == {"fresh", "waiting", "done"}
    assert (rows["fresh"].status, rows["fresh"].generation, rows["fresh"].wait) == (
        Status.QUEUED,
        2,
        0,
    )
    assert (rows["waiting"].tries, rows["done"].status) == (1, Status.DELIVERED)
    assert 50 < rows["waiting"].wait <= 60
    assert ledger.queries.summaries([]) == {}


def test_the_next_retry_is_the_first_delay_to_end(ledger: Ledger) -> None:
    assert ledger.claims.next_retry("acme") is None
    for name, delay in (("late", 60), ("soon", 30)):
        waits(ledger, claimed(ledger, name), delay=delay)

    assert ledger.claims.next_retry("acme") == row(ledger, "soon")["not_before"]
    opened(ledger, "now")
    assert ledger.claims.next_retry("acme") is None


def test_what_waits_is_counted_with_the_oldest(
    ledger: Ledger, database: Database[Document]
) -> None:
    assert ledger.queries.waiting() == ledger.queries.waiting("acme")
    assert (ledger.queries.waiting().files, ledger.queries.waiting().oldest) == (0, None)
    for name in ("oldest", "uploading", "done", "dead"):
        opened(ledger, name)
    opened(ledger, "elsewhere", account_id="other")
    claimed(ledger, "uploading")
    deliver_one(ledger, claimed(ledger, "done"), uploaded())
    dies(ledger, claimed(ledger, "dead"))
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    database["deliveries"].update_one({"_id": "oldest"}, {"$set": {"created_at": hour_ago}})

    waiting = ledger.queries.waiting("acme")
    assert (waiting.files, waiting.oldest) == (2, hour_ago)
    assert 3590 < waiting.oldest_seconds < 3700
    assert ledger.queries.waiting().files == 3
    assert (ledger.queries.counts("acme").oldest, ledger.queries.counts("nobody").oldest) == (
        hour_ago,
        None,
    )
    counted = ledger.queries.counts_of(["acme", "other"])
    assert counted["acme"].oldest == hour_ago
    assert (counted["acme"].queued, counted["acme"].dead_letters) == (2, 1)
    assert counted["other"].queued == 1
    assert ledger.queries.dead_letters() == 1


@pytest.mark.parametrize("is_built", [True, False])
def test_the_oldest_on_its_way_is_found_while_its_index_is_not_built_yet(
    ledger: Ledger, database: Database[Document], *, is_built: bool
) -> None:
    for name in ("done", "first", "second"):
        opened(ledger, name)
    opened(ledger, "elsewhere", account_id="other")
    deliver_one(ledger, claimed(ledger, "done"), uploaded())
    if not is_built:
        database["deliveries"].drop_index(ACCOUNT_STATUS)

    oldest = ledger.queries.oldest("acme")
    assert oldest is not None
    assert (oldest["_id"], "events" in oldest) == ("first", False)
    assert ledger.queries.oldest("nobody") is None


def test_what_has_ended_is_counted_no_further_than_is_told(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_ENDED", 2)
    for name in ("one", "two", "three", "four"):
        deliver_one(ledger, claimed(ledger, name), uploaded(f"/in/{name}.wav"))
    dies(ledger, claimed(ledger, "dead"))

    assert ledger.queries.ended("acme") == {Status.DELIVERED: 3, Status.DEAD_LETTERED: 1}
    assert ledger.queries.ended("nobody") == {}


def test_rows_are_selected_by_what_is_asked(ledger: Ledger, database: Database[Document]) -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    for number, account in enumerate(["acme", "acme", "other", "acme"]):
        opened(ledger, str(number), account_id=account)
        when = start + timedelta(hours=number)
        database["deliveries"].update_one({"_id": str(number)}, {"$set": {"created_at": when}})
    dies(ledger, claimed(ledger, "1"))

    def found(limit: int = 0, **wanted: Any) -> list[str]:
        return [each["_id"] for each in ledger.queries.select(Selection(**wanted), limit)]

    assert found() == ["3", "2", "1", "0"]
    assert found(limit=2) == ["3", "2"]
    assert found(account_id="acme") == ["3", "1", "0"]
    assert found(recording_id="2") == ["2"]
    assert found(status=Status.DEAD_LETTERED) == ["1"]
    assert found(reason="account") == ["1"]
    assert found(reason="file") == []
    assert found(since=start + timedelta(hours=1)) == ["3", "2", "1"]
    assert found(until=start + timedelta(hours=1)) == ["0"]
    assert found(since=start, until=start + timedelta(hours=3), account_id="other") == ["2"]
