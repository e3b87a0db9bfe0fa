"""The place at the customer that a recording reserves, and the number of its copy."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest
from pymongo import MongoClient

from consumers.ledger import Claim
from consumers.ledger.deliveries import Deliveries
from tests.integration.commands import Commands
from tests.integration.ledger.rows import (
    FOLDER,
    ME,
    OTHER,
    alone,
    claim_one,
    claimed,
    deliver_one,
    intent,
    opened,
    uploaded,
    waits,
)


def test_an_intent_is_found_by_the_next_start(files: Deliveries) -> None:
    first = claimed(files)
    assert files.intend(first, intent(first), FOLDER, 1)
    files.free_claims("acme", OTHER)

    second = claimed(files, claimant=alone(OTHER))
    assert (second.intent, second.copy) == (intent(first), 1)


def test_a_path_belongs_to_one_recording_of_an_account(files: Deliveries) -> None:
    first, second = claimed(files, "first"), claimed(files, "second")
    elsewhere = claimed(files, "elsewhere", account_id="other")

    assert files.intend(first, intent(first), FOLDER, 1)
    assert files.intend(first, intent(first), FOLDER, 1), "its own again"
    assert not files.intend(second, intent(second), FOLDER, 1)
    assert files.intend(second, intent(second, "/in/a (2).wav"), FOLDER, 2)
    assert files.intend(elsewhere, intent(elsewhere), FOLDER, 1)


def test_one_of_many_that_reserve_a_path_at_once_has_it(files: Deliveries) -> None:
    claims = [claimed(files, str(number)) for number in range(24)]
    with ThreadPoolExecutor(12) as pool:
        got = [*pool.map(lambda claim: files.intend(claim, intent(claim), FOLDER, 1), claims)]

    assert sorted(got) == [False] * 23 + [True]


def paths(files: Deliveries, claim: Claim, count: int = 2) -> list[tuple[int, str]]:
    return [*islice(files.copies(claim, FOLDER), count)]


def test_copies_are_numbered_from_those_there_are(files: Deliveries) -> None:
    first = claimed(files, "first")
    assert paths(files, first) == [(1, "/in/a.wav"), (2, "/in/a (2).wav")]
    files.intend(first, intent(first), FOLDER, 1)
    assert paths(files, first, 1) == [(1, "/in/a.wav")], "its own reservation is no other's"

    second = claimed(files, "second")
    assert paths(files, second, 3) == [
        *((1, "/in/a.wav"), (2, "/in/a (2).wav"), (3, "/in/a (3).wav"))
    ]
    files.intend(second, intent(second, "/in/a (2).wav"), FOLDER, 2)
    deliver_one(files, second, uploaded("/in/a (2).wav"))

    third = claimed(files, "third")
    assert paths(files, third) == [(1, "/in/a.wav"), (3, "/in/a (3).wav")]
    elsewhere = [*islice(files.copies(third, "/elsewhere"), 2)]
    assert elsewhere == [(1, "/elsewhere/a.wav"), (2, "/elsewhere/a (2).wav")]
    others = claimed(files, "elsewhere", account_id="other")
    assert paths(files, others) == [(1, "/in/a.wav"), (2, "/in/a (2).wav")]


def test_a_delivery_asks_the_database_three_times(mongodb_url: str) -> None:
    """For the claim, for the intent and for the end: nothing for a name that nobody has."""
    commands = Commands()
    with MongoClient[dict[str, Any]](mongodb_url, event_listeners=[commands]) as client:
        files = Deliveries(client.get_default_database())
        files.ensure_indexes()
        opened(files)
        commands.names.clear()

        claim = claim_one(files, "one", 1, ME, FOLDER)
        assert claim is not None
        copy, path = next(files.copies(claim, FOLDER))
        assert files.intend(claim, intent(claim, path), FOLDER, copy)
        assert deliver_one(files, claim, uploaded(path)) is not None
        asked = commands.names[:]

    assert asked == ["findAndModify", "update", "update"]


def test_a_reservation_lapses_with_a_failure_that_left_nothing(files: Deliveries) -> None:
    first, second = claimed(files, "first"), claimed(files, "second")
    files.intend(first, intent(first), FOLDER, 1)
    waits(files, first, part_left=False)

    assert files.intend(second, intent(second), FOLDER, 1)
    assert claimed(files, "first").intent is None


@pytest.mark.parametrize("end", ["waits", "release", "freed"])
def test_a_reservation_stays_where_the_file_may_stand_there(files: Deliveries, end: str) -> None:
    first, second = claimed(files, "first"), claimed(files, "second", claimant=OTHER)
    files.intend(first, intent(first), FOLDER, 1)
    if end == "waits":
        waits(files, first, part_left=True)
    elif end == "release":
        files.release(first)
    else:
        files.free_claims("acme", OTHER)

    assert not files.intend(second, intent(second), FOLDER, 1)
    assert claimed(files, "first", alone(ME)).intent == intent(first)
