"""Recordings whose story has long ended are forgotten; dead letters and queued ones never."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

from consumers.ledger import Ledger
from worker.service import FORGOTTEN_AT_ONCE

AGE = timedelta(days=90)


def test_only_what_ended_long_ago_is_forgotten(mongodb_url: str) -> None:
    old, new = (datetime.now(UTC) - timedelta(days=days) for days in (91, 89))
    endings = {
        "delivered": {"delivered_at": old},
        "delivered-late": {"delivered_at": new},
        "skipped": {"created_at": old},
        "discarded": {"discarded_at": old},
        "discarded-late": {"discarded_at": new},
        "dead_lettered": {"dead_at": old},
        "queued": {},
        "uploading": {},
    }
    with MongoClient[dict[str, Any]](mongodb_url, tz_aware=True, w="majority") as client:
        database = client.get_default_database()
        for name, ended in endings.items():
            status = name.removesuffix("-late")
            row = {"_id": name, "status": status, "created_at": old, "arrival": ObjectId()}
            database["deliveries"].insert_one({**row, **ended})
        assert Ledger(database).retention.forget_final(AGE, FORGOTTEN_AT_ONCE) == 3
        left = {row["_id"] for row in database["deliveries"].find()}
        assert left == endings.keys() - {"delivered", "skipped", "discarded"}


def test_it_is_done_in_small_steps(mongodb_url: str) -> None:
    old = datetime.now(UTC) - timedelta(days=100)
    with MongoClient[dict[str, Any]](mongodb_url, tz_aware=True, w="majority") as client:
        database = client.get_default_database()
        database["deliveries"].insert_many(
            {"status": "delivered", "delivered_at": old} for _ in range(FORGOTTEN_AT_ONCE + 1)
        )
        ledger = Ledger(database)
        steps = [ledger.retention.forget_final(AGE, FORGOTTEN_AT_ONCE) for _ in range(3)]
        assert steps == [FORGOTTEN_AT_ONCE, 1, 0]
