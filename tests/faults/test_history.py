"""The reader of the database's log sees what it is there to see."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Timestamp

from consumers.ledger import bucket_of
from tests.faults.history import History, changed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOON = NOW + timedelta(seconds=10)
BUCKET = bucket_of("acme")


def entry(collection: str, what: dict[str, Any], *, later: float = 0) -> dict[str, Any]:
    """An insert or a replacement, as the log has it."""
    wall = NOW + timedelta(seconds=later)
    return {"ts": Timestamp(1, 1), "ns": f"test.{collection}", "op": "u", "o": what, "wall": wall}


def lease(owner: str | None, epoch: int, expires: datetime = SOON) -> dict[str, Any]:
    return entry("leases", {"_id": BUCKET, "owner": owner, "epoch": epoch, "expires": expires})


def claim(worker: str, epoch: int, starts: int = 1, name: str = "one") -> dict[str, Any]:
    row = {"_id": name, "account_id": "acme", "status": "uploading", "epoch": epoch}
    return entry("deliveries", {**row, "starts": starts, "claim": {"worker": worker, "at": NOW}})


def broken(*entries: dict[str, Any]) -> str:
    history = History("", "test")
    for each in entries:
        history._take(each)
    return "\n".join(history.broken)


def test_one_owner_after_another_is_in_order() -> None:
    first = [lease("a", 1), claim("a", 1), lease(None, 1)]
    assert not broken(*first, lease("b", 2), claim("b", 2, starts=2))


def test_a_bucket_taken_while_it_is_anothers_is_seen() -> None:
    assert "b took it while it was a's" in broken(lease("a", 1), lease("b", 2))
    assert "without a new epoch" in broken(lease("a", 1, NOW), lease("b", 1))
    assert "the epoch fell" in broken(lease("a", 2), lease("a", 1))


def test_a_claim_without_a_lease_is_seen() -> None:
    assert "epoch 2 is b's" in broken(lease("a", 1, NOW), lease("b", 2), claim("a", 1))
    assert "its lease was over" in broken(lease("a", 1, NOW), claim("a", 1))
    later = [lease("b", 2), claim("b", 2)]
    assert "after b in epoch 2" in broken(*later, claim("a", 1, name="two"))


def test_a_late_settlement_of_an_older_epoch_is_seen() -> None:
    entries = [lease("a", 1, NOW), claim("a", 1), lease("b", 2), claim("b", 2, name="two")]
    done = {**claim("a", 1)["o"], "status": "delivered"}
    assert "became delivered after b" in broken(*entries, entry("deliveries", done))


def test_a_difference_is_applied_as_the_database_does() -> None:
    before = {"_id": 1, "run": {"epoch": 1, "state": "active"}, "gone": 1, "list": [1]}
    difference = {"d": {"gone": False}, "srun": {"u": {"epoch": 2}}, "i": {"new": 3}}
    after = changed(before, {"$v": 2, "diff": {**difference, "slist": {"a": True, "u0": 2}}})
    run = {"epoch": 2, "state": "active"}
    assert after == {"_id": 1, "run": run, "new": 3, "list": None}
