"""What is counted and selected of the rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from consumers.ledger import Document, Selection, Status
from consumers.ledger.deliveries import Deliveries
from tests.integration.ledger.rows import claimed, deliver_one, dies, opened, row, uploaded, waits


def test_a_glance_tells_what_stands(files: Deliveries) -> None:
    opened(files, "fresh")
    files.next_turn("fresh")
    waits(files, claimed(files, "waiting"), delay=60)
    deliver_one(files, claimed(files, "done"), uploaded())

    rows = files.glance(["fresh", "waiting", "done", "unknown"])

    assert rows.keys() == {"fresh", "waiting", "done"}
    assert (rows["fresh"].status, rows["fresh"].turn, rows["fresh"].wait) == (Status.QUEUED, 2, 0)
    assert (rows["waiting"].tries, rows["done"].status) == (1, Status.DELIVERED)
    assert 50 < rows["waiting"].wait <= 60
    assert files.glance([]) == {}


def test_the_next_retry_is_the_first_delay_to_end(files: Deliveries) -> None:
    assert files.next_retry("acme") is None
    for name, delay in (("late", 60), ("soon", 30)):
        waits(files, claimed(files, name), delay=delay)

    assert files.next_retry("acme") == row(files, "soon")["not_before"]
    opened(files, "now")
    assert files.next_retry("acme") is None


def test_what_waits_is_counted_with_the_oldest(
    files: Deliveries, database: Database[Document]
) -> None:
    assert files.waiting() == files.waiting("acme")
    assert (files.waiting().files, files.waiting().oldest) == (0, None)
    for name in ("oldest", "uploading", "done", "dead"):
        opened(files, name)
    opened(files, "elsewhere", account_id="other")
    claimed(files, "uploading")
    deliver_one(files, claimed(files, "done"), uploaded())
    dies(files, claimed(files, "dead"))
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    database["deliveries"].update_one({"_id": "oldest"}, {"$set": {"created_at": hour_ago}})

    waiting = files.waiting("acme")
    assert (waiting.files, waiting.oldest) == (2, hour_ago)
    assert 3590 < waiting.oldest_seconds < 3700
    assert files.waiting().files == 3
    assert (files.counts("acme").oldest, files.counts("nobody").oldest) == (hour_ago, None)
    counted = files.counts_by_account()
    assert counted["acme"].oldest == hour_ago
    assert counted["acme"].files == {
        **dict.fromkeys(Status, 0),
        Status.QUEUED: 1,
        Status.UPLOADING: 1,
        Status.DEAD_LETTERED: 1,
    }
    assert counted["other"].files[Status.QUEUED] == 1
    assert files.dead_letters() == 1


def test_rows_are_selected_by_what_is_asked(
    files: Deliveries, database: Database[Document]
) -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    for number, account in enumerate(["acme", "acme", "other", "acme"]):
        opened(files, str(number), account_id=account)
        when = start + timedelta(hours=number)
        database["deliveries"].update_one({"_id": str(number)}, {"$set": {"created_at": when}})
    dies(files, claimed(files, "1"))

    def found(limit: int = 0, **wanted: Any) -> list[str]:
        return [each["_id"] for each in files.select(Selection(**wanted), limit)]

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
