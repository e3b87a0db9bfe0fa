"""Workers share the accounts by leases: at most one valid owner of a bucket at any time."""

import subprocess
import sys
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from pymongo.database import Database

from consumers.ledger import BUCKETS, bucket_of
from consumers.sharding import leases
from consumers.sharding.leases import RENEWALS, Leases, wanted_by
from consumers.sharding.presence import Presence, workers
from transports.errors import NotPermitted

TTL = 60.0
"""Longer than all that a test does within it takes on a busy machine."""
SHORT = 3.0
"""Where it is to end: longer than one round takes."""


class Member:
    """One worker of the group, its rounds called by the test."""

    def __init__(self, database: Database[dict[str, Any]], name: str, ttl: float = TTL) -> None:
        self.presence = Presence(database, name)
        self.busy: set[int] = set()
        self.leases = Leases(database, self.presence, name, lambda: self.busy, ttl)
        self.leases.prepare()

    def round(self) -> set[int]:
        self.presence.tell("ready", len(self.leases.owned()))
        self.leases.round()
        return set(self.leases.owned())


def test_one_worker_owns_everything_after_its_first_round(
    database: Database[dict[str, Any]],
) -> None:
    assert Member(database, "one").round() == set(range(BUCKETS))


def test_two_workers_share_and_never_own_the_same_bucket(
    database: Database[dict[str, Any]],
) -> None:
    one, two = Member(database, "one"), Member(database, "two")
    one.round()
    assert two.round() == set()
    kept = one.round()
    taken = two.round()
    assert not kept & taken
    assert kept | taken == set(range(BUCKETS))
    assert kept == wanted_by("one", ["one", "two"])


def test_a_bucket_with_an_open_session_changes_hands_only_after_it(
    database: Database[dict[str, Any]],
) -> None:
    one, two = Member(database, "one"), Member(database, "two")
    one.round()
    account = next(
        name
        for name in map(str, range(10_000))
        if bucket_of(name) in wanted_by("two", ["one", "two"])
    )
    one.busy = {bucket_of(account)}
    epoch = one.leases.epoch(account)
    assert epoch is not None
    assert one.leases.until(account, epoch) is not None
    assert one.leases.until(account, epoch + 1) is None, "another epoch is not this session's"
    two.round()
    one.round()
    two.round()
    assert one.leases.epoch(account) is None, "no file is begun where another is wanted"
    assert one.leases.until(account, epoch) is None
    one.leases.permit(account, epoch)
    assert two.leases.epoch(account) is None
    one.busy = set()
    one.round()
    two.round()
    later = two.leases.epoch(account)
    assert later is not None
    assert later > epoch
    with pytest.raises(NotPermitted):
        one.leases.permit(account, epoch)


def test_a_frozen_worker_knows_by_its_own_clock_that_its_leases_are_over(
    database: Database[dict[str, Any]],
) -> None:
    one, two = Member(database, "one", SHORT), Member(database, "two", SHORT)
    one.round()
    epoch = one.leases.epoch("acme")
    assert epoch is not None
    time.sleep(SHORT * 1.2)
    assert one.leases.epoch("acme") is None
    assert one.leases.until("acme", epoch) is None
    with pytest.raises(NotPermitted):
        one.leases.permit("acme", epoch)
    assert two.round() == set(range(BUCKETS))
    one.round()
    with pytest.raises(NotPermitted):
        one.leases.permit("acme", epoch)


def test_files_are_begun_until_somewhat_before_the_end_of_the_lease(
    database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Member(database, "one")
    one.round()
    epoch = one.leases.epoch("acme")
    assert epoch is not None
    until = one.leases.until("acme", epoch)
    lease = database.get_collection("leases", CodecOptions(tz_aware=True)).find_one(
        {"_id": bucket_of("acme")}
    )
    assert lease is not None
    assert lease["expires"] - until == timedelta(seconds=TTL / RENEWALS)
    assert one.leases.until("acme", epoch + 1) is None
    late = time.monotonic() + TTL * (1 - 1 / RENEWALS)
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: late))
    assert one.leases.epoch("acme") is None
    assert one.leases.until("acme", epoch) is None
    assert one.leases.owned() == []
    one.leases.permit("acme", epoch)


def test_a_worker_that_comes_back_to_its_own_lease_begins_a_new_epoch(
    database: Database[dict[str, Any]],
) -> None:
    one = Member(database, "one", SHORT)
    one.round()
    before = one.leases.epoch("acme")
    time.sleep(SHORT * 1.2)
    one.round()
    after = one.leases.epoch("acme")
    assert before is not None
    assert after is not None
    assert after > before


def test_the_process_of_a_killed_worker_is_missed_at_once_on_its_own_machine(
    database: Database[dict[str, Any]], mongodb_url: str
) -> None:
    program = (
        "import sys; from pymongo import MongoClient; from tests.integration.test_leases import"
        " Member; Member(MongoClient(sys.argv[1]).get_default_database(), 'dead').round();"
        " print('owned', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, mongodb_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"owned\n"
        one = Member(database, "one")
        assert one.round() == set()
        process.kill()
    one.round()
    assert one.round() == set(range(BUCKETS))
    assert [each.worker for each in workers(database)] == ["one"]


def test_a_worker_that_ends_in_order_leaves_its_leases_free(
    database: Database[dict[str, Any]],
) -> None:
    one, two = Member(database, "one"), Member(database, "two")
    one.round()
    one.leases.release_all()
    assert two.round() == set(range(BUCKETS))
