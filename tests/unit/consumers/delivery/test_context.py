"""How long a session of a process that ends waits for a database that is away."""

import threading
import time
from typing import Any, cast

import pymongo
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from consumers.delivery.context import MISSED_SECONDS, STOPPING_SECONDS, Context, Failures
from consumers.sharding.revocation import Revocation

PATIENCE = 60.0
"""Seconds that the database is waited for while nothing ends."""
FILES = 16


def test_a_process_that_ends_waits_once_for_a_database_that_is_away_and_not_for_each_file() -> None:
    stopping = threading.Event()
    nobody = cast("Any", None)
    context = Context("acme", 1, nobody, nobody, stopping, Failures(), Revocation(), "session")
    with context.in_time():
        assert pymongo._csot.remaining() is None, "only a process that ends is in a hurry"
    stopping.set()
    began, missed = time.monotonic(), 0
    url = "mongodb://127.0.0.1:1/courier?replicaSet=courier"
    with MongoClient[Any](url, timeoutMS=PATIENCE * 1000) as client:
        for _ in range(FILES):
            try:
                with context.in_time():
                    client.courier.deliveries.find_one()
            except PyMongoError:
                missed += 1
    took = time.monotonic() - began
    assert missed == FILES
    assert STOPPING_SECONDS <= took < PATIENCE, took
    assert STOPPING_SECONDS + FILES * MISSED_SECONDS < PATIENCE / 2
