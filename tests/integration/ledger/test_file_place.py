"""The place at the customer that a recording reserves, and the number of its copy."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest
from pymongo import MongoClient

from consumers.ledger import Claim, Ledger
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


def test_an_intent_is_found_by_the_next_start(ledger: Ledger) -> None:
    first = claimed(ledger)
    assert ledger.remote_paths.intend(first, intent(first), FOLDER, 1)
    ledger.claims.free("acme", OTHER)

    second = claimed(ledger, claimant=alone(OTHER))
    assert (second.intent, second.copy) == (intent(first), 1)


def test_a_path_belongs_to_one_recording_of_an_account(ledger: Ledger) -> None:
    first, second = claimed(ledger, "first"), claimed(ledger, "second")
    elsewhere = claimed(ledger, "elsewhere", account_id="other")

    assert ledger.remote_paths.intend(first, intent(first), FOLDER, 1)
    assert ledger.remote_paths.intend(first, intent(first), FOLDER, 1), "its own again"
    assert not ledger.remote_paths.intend(second, intent(second), FOLDER, 1)
    assert ledger.remote_paths.intend(second, intent(second, "/in/a (2).wav"), FOLDER, 2)
    assert ledger.remote_paths.intend(elsewhere, intent(elsewhere), FOLDER, 1)


def test_one_of_many_that_reserve_a_path_at_once_has_it(ledger: Ledger) -> None:
    claims = [claimed(ledger, str(number)) for number in range(24)]
    with ThreadPoolExecutor(12) as pool:
        got = [
            *pool.map(
                lambda claim: ledger.remote_paths.intend(claim, intent(claim), FOLDER, 1), claims
            )
        ]

    assert sorted(got) == [False] * 23 + [True]


def paths(ledger: Ledger, claim: Claim, count: int = 2) -> list[tuple[int, str]]:
    return [*islice(ledger.remote_paths.copies(claim, FOLDER), count)]


def test_copies_are_numbered_from_those_there_are(ledger: Ledger) -> None:
    first = claimed(ledger, "first")
    assert paths(ledger, first) == [(1, "/in/a.wav"), (2, "/in/a (2).wav")]
    ledger.remote_paths.intend(first, intent(first), FOLDER, 1)
    assert paths(ledger, first, 1) == [(1, "/in/a.wav")], "its own reservation is no other's"

    second = claimed(ledger, "second")
    assert paths(ledger, second, 3) == [
        *((1, "/in/a.wav"), (2, "/in/a (2).wav"), (3, "/in/a (3).wav"))
    ]
    ledger.remote_paths.intend(second, intent(second, "/in/a (2).wav"), FOLDER, 2)
    deliver_one(ledger, second, uploaded("/in/a (2).wav"))

    third = claimed(ledger, "third")
    assert paths(ledger, third) == [(1, "/in/a.wav"), (3, "/in/a (3).wav")]
    elsewhere = [*islice(ledger.remote_paths.copies(third, "/elsewhere"), 2)]
    assert elsewhere == [(1, "/elsewhere/a.wav"), (2, "/elsewhere/a (2).wav")]
    others = claimed(ledger, "elsewhere", account_id="other")
    assert paths(ledger, others) == [(1, "/in/a.wav"), (2, "/in/a (2).wav")]


def test_a_delivery_asks_the_database_three_times(mongodb_url: str) -> None:
    """For the claim, for the intent and for the end: nothing for a name that nobody has."""
    commands = Commands()
    with MongoClient[dict[str, Any]](mongodb_url, event_listeners=[commands]) as client:
        ledger = Ledger(client.get_default_database())
        ledger.ensure_indexes()
        opened(ledger)
        commands.names.clear()

        claim = claim_one(ledger, "one", 1, ME, FOLDER)
        assert claim is not None
        copy, path = next(ledger.remote_paths.copies(claim, FOLDER))
        assert ledger.remote_paths.intend(claim, intent(claim, path), FOLDER, copy)
        assert deliver_one(ledger, claim, uploaded(path)) is not None
        asked = commands.names[:]

    assert asked == ["findAndModify", "update", "update"]


def test_a_reservation_lapses_with_a_failure_that_left_nothing(ledger: Ledger) -> None:
    first, second = claimed(ledger, "first"), claimed(ledger, "second")
    ledger.remote_paths.intend(first, intent(first), FOLDER, 1)
    waits(ledger, first, part_left=False)

    assert ledger.remote_paths.intend(second, intent(second), FOLDER, 1)
    assert claimed(ledger, "first").intent is None


@pytest.mark.parametrize("end", ["waits", "release", "freed"])
def test_a_reservation_stays_where_the_file_may_stand_there(ledger: Ledger, end: str) -> None:
    first, second = claimed(ledger, "first"), claimed(ledger, "second", claimant=OTHER)
    ledger.remote_paths.intend(first, intent(first), FOLDER, 1)
    if end == "waits":
        waits(ledger, first, part_left=True)
    elif end == "release":
        ledger.outcomes.release(first)
    else:
        ledger.claims.free("acme", OTHER)

    assert not ledger.remote_paths.intend(second, intent(second), FOLDER, 1)
    assert claimed(ledger, "first", alone(ME)).intent == intent(first)
