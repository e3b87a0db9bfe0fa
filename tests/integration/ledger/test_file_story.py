"""What a row keeps of its story: with which update, and how much of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from consumers.ledger import By, Claimant, Document, LastError, Ledger, Selection
from consumers.ledger.story import KEPT, MAX_TOLD
from tests.integration.commands import Commands
from tests.integration.ledger.rows import (
    AWAY,
    FAILED,
    FOLDER,
    ME,
    OTHER,
    alone,
    claimed,
    crashed,
    deliver_one,
    dies,
    intent,
    opened,
    row,
    uploaded,
    waits,
)
from transports.phases import Phase

HOSTILE = "$$ROOT $claim.worker \x00" + "x" * 600
TOLD = replace(FAILED, phase=Phase.LOGIN, sent=3)
HELD = replace(TOLD, counted=False)


def events(ledger: Ledger, recording_id: str = "one") -> list[Document]:
    found: list[Document] = row(ledger, recording_id).get("events", [])
    return found


def last(ledger: Ledger) -> Document:
    return events(ledger)[-1]


def test_a_delivered_file_tells_its_try(ledger: Ledger) -> None:
    claim = claimed(ledger)
    began = row(ledger)["claim"]["at"]
    ledger.remote_paths.intend(claim, intent(claim), FOLDER, 1)
    deliver_one(ledger, claim, uploaded())

    assert last(ledger) == {
        "what": "delivered",
        "n": 1,
        "at": row(ledger)["delivered_at"],
        "began": began,
        "worker": ME.worker,
        "bytes": 7,
        "verified": "size",
    }


def test_what_an_earlier_try_had_brought_was_found_and_not_sent(ledger: Ledger) -> None:
    claim = claimed(ledger)
    ledger.remote_paths.intend(claim, intent(claim), FOLDER, 1)
    deliver_one(ledger, claim, replace(uploaded(), sent=False))

    assert (last(ledger)["bytes"], last(ledger)["found"]) == (0, True)


def test_a_failed_try_tells_how_far_it_came_and_who_said_what(ledger: Ledger) -> None:
    error = LastError("account", "530 no", "Check it.", "server", "login-refused")
    assert waits(ledger, claimed(ledger), 60, error=error, phase=Phase.LOGIN, sent=3)

    told = last(ledger)
    stored = row(ledger)
    assert told["at"] == stored["last_error"]["at"]
    assert told["until"] == stored["not_before"]
    assert (told["phase"], told["bytes"], told["worker"]) == ("login", 3, ME.worker)
    assert (told["said"], told["said_by"], told["cause"]) == ("530 no", "server", "login-refused")
    assert (told["counted"], told["tries"], told["kind"]) == (True, 1, "account")
    assert told["advice"] == "Check it."


def test_a_fifth_try_tells_that_it_was_the_last_and_whether_the_file_returns(
    ledger: Ledger,
) -> None:
    dies(ledger, claimed(ledger), outage_id=0)
    assert (last(ledger)["dead"], last(ledger)["returns"]) == (True, True)


@pytest.mark.parametrize("lost", ["delivered", "waits", "dead_lettered", "release"])
def test_an_update_that_does_not_hold_tells_nothing(ledger: Ledger, lost: str) -> None:
    stale = claimed(ledger)
    ledger.claims.free("acme", OTHER)
    before = events(ledger)

    ends: dict[str, Callable[[], object]] = {
        "delivered": lambda: deliver_one(ledger, stale, uploaded()),
        "waits": lambda: waits(ledger, stale),
        "dead_lettered": lambda: dies(ledger, stale),
        "release": lambda: ledger.outcomes.release(stale, why=HELD),
    }
    assert not ends[lost]()
    assert events(ledger) == before


def test_a_claim_whose_worker_died_is_told_as_lost(ledger: Ledger) -> None:
    claimed(ledger)
    ledger.claims.free("acme", OTHER)
    assert (last(ledger)["what"], last(ledger)["died"]) == ("lost", True)
    assert last(ledger)["worker"] == ME.worker

    claimed(ledger, claimant=alone(ME))
    ledger.claims.free("acme", replace(ME, session="another"))
    assert last(ledger)["died"] is False, "the worker lives, and could not write down the end"


def test_a_crash_loop_a_replay_and_what_is_given_up_are_told(ledger: Ledger) -> None:
    crashed(ledger, 5)
    assert ledger.dead_letters.crash_loop_ends("one", 1)
    assert [each["what"] for each in events(ledger)] == [*["lost"] * 5, "dead_lettered"]

    routed_at = row(ledger)["routed_at"]
    assert ledger.dead_letters.revive("one", By.OUTAGE)
    assert (last(ledger)["what"], last(ledger)["by"]) == ("replayed", "outage")
    assert last(ledger)["routed_at"] == routed_at, "the row itself forgets it"

    dies(ledger, claimed(ledger, claimant=alone(ME)))
    assert ledger.dead_letters.discard("one")
    assert (last(ledger)["what"], last(ledger)["by"]) == ("discarded", "people")

    opened(ledger, "two")
    ledger.retention.discard_queued("acme")
    assert events(ledger, "two")[-1]["by"] == "removal"


def test_a_redelivery_is_told_with_where_the_file_stood(ledger: Ledger) -> None:
    claim = claimed(ledger)
    ledger.remote_paths.intend(claim, intent(claim), FOLDER, 1)
    deliver_one(ledger, claim, uploaded())
    before = row(ledger)
    assert ledger.redelivery.again("one", 0)
    told = last(ledger)
    assert (told["what"], told["n"], told["asked"]) == ("redelivered", 2, 1)
    assert told["path"] == before["remote_path"]
    assert told["delivered_at"] == before["delivered_at"]
    assert told["routed_at"] == before["routed_at"]
    assert not ledger.redelivery.again("one", 0), "it is on its way"
    assert len(events(ledger)) == 2


def test_a_long_place_is_kept_in_short(ledger: Ledger) -> None:
    claim = claimed(ledger)
    long = "ä" * 3 * MAX_TOLD
    ledger.remote_paths.intend(claim, intent(claim, long), FOLDER, 1)
    deliver_one(ledger, claim, uploaded(long))
    assert ledger.redelivery.again("one", 0)
    assert last(ledger)["path"] == long[: MAX_TOLD - 1] + "…"


def test_a_try_that_is_taken_back_stays_told(ledger: Ledger) -> None:
    claim = claimed(ledger)
    waits(ledger, claim, 60)

    assert ledger.outcomes.uncount(claim)
    assert (row(ledger)["tries"], row(ledger)["not_before"]) == (0, None)
    assert [each["what"] for each in events(ledger)] == ["failed", "taken_back"]


def test_a_row_keeps_its_first_event_and_the_newest(ledger: Ledger) -> None:
    for _ in range(3 * KEPT):
        waits(ledger, claimed(ledger))

    numbers = [each["n"] for each in events(ledger)]
    assert numbers == [1, *range(2 * KEPT + 2, 3 * KEPT + 1)]
    assert len(numbers) == KEPT


def test_what_costs_nothing_and_is_alike_is_one_event_with_a_count(ledger: Ledger) -> None:
    waits(ledger, claimed(ledger))
    for _ in range(2 * KEPT):
        assert ledger.outcomes.release(claimed(ledger), why=HELD)
    other = replace(HELD, phase=Phase.CONNECTING)
    assert ledger.outcomes.release(claimed(ledger), why=other)
    assert ledger.outcomes.release(claimed(ledger), why=HELD)

    first, alike, apart, again = events(ledger)
    assert [each["n"] for each in events(ledger)] == [1, 2, 3, 4]
    assert (alike["times"], alike["what"]) == (2 * KEPT, "failed")
    assert first["at"] <= alike["since"] <= alike["at"] <= apart["at"]
    assert "times" not in apart
    assert "times" not in again


def test_words_are_kept_short_and_are_never_an_expression(ledger: Ledger) -> None:
    error = replace(AWAY, words=HOSTILE, advice=HOSTILE)
    waits(ledger, claimed(ledger), error=error)
    dies(ledger, claimed(ledger), error=error)

    for told in events(ledger):
        assert told["said"] == HOSTILE[: MAX_TOLD - 1] + "…"
        assert told["advice"] == told["said"]


def test_a_hostile_workers_name_is_no_expression(ledger: Ledger) -> None:
    hostile = Claimant("$$ROOT", "$claim", 1)
    claim = claimed(ledger, claimant=hostile)
    ledger.remote_paths.intend(claim, intent(claim), FOLDER, 1)
    deliver_one(ledger, claim, uploaded())
    assert last(ledger)["worker"] == "$$ROOT"


def test_a_list_leaves_the_stories_out(ledger: Ledger) -> None:
    waits(ledger, claimed(ledger))
    assert events(ledger)
    [listed] = ledger.queries.select(Selection(account_id="acme"))
    assert "events" not in listed


def test_a_row_of_an_earlier_version_gets_its_first_event(
    ledger: Ledger, database: Database[Document]
) -> None:
    claim = claimed(ledger)
    database["deliveries"].update_one({"_id": "one"}, {"$unset": {"events": ""}})
    waits(ledger, claim)
    assert [each["n"] for each in events(ledger)] == [1]


def test_the_story_costs_no_command(mongodb_url: str) -> None:
    asked = Commands()
    with MongoClient[Any](
        mongodb_url, tz_aware=True, w="majority", event_listeners=[asked]
    ) as client:
        ledger = Ledger(client.get_default_database())
        ledger.ensure_indexes()
        claims = [claimed(ledger, f"r{number}", file_name=f"{number}.wav") for number in range(3)]
        for claim in claims:
            path = f"/in/{claim.file_name}"
            ledger.remote_paths.intend(claim, intent(claim, path), FOLDER, 1)
        asked.names.clear()

        deliver_one(ledger, claims[0], uploaded("/in/0.wav"))
        waits(ledger, claims[1])
        ledger.outcomes.release(claims[2], why=HELD)

        assert asked.names == ["update", "findAndModify", "findAndModify"]
