"""Starts that were lost with their worker, and the file of which workers die."""

from dataclasses import replace

import pytest
from pymongo.database import Database

from consumers.ledger import Claimant, Document, Ledger
from tests.integration.ledger.rows import (
    FOLDER,
    ME,
    OTHER,
    alone,
    claim_one,
    claimed,
    crashed,
    dies,
    opened,
    row,
    settlements,
)


def test_a_start_that_was_lost_is_followed_by_one_alone(ledger: Ledger) -> None:
    turn = claimed(ledger).generation
    ledger.claims.free("acme", OTHER)

    assert row(ledger)["lost"] == {"starts": 1, "alone": 0, "files": 1}
    assert ledger.queries.summaries(["one"])["one"].crashed_with
    assert claim_one(ledger, "one", turn, OTHER, FOLDER) is None
    again = claim_one(ledger, "one", turn, alone(OTHER), FOLDER)
    assert again is not None
    assert again.exclusive
    assert row(ledger)["claim"]["alone"] is True


def test_a_row_from_before_lost_starts_were_counted_is_claimed_and_freed(
    ledger: Ledger, database: Database[Document]
) -> None:
    claimed(ledger)
    database["deliveries"].update_one({"_id": "one"}, {"$unset": {"claim.alone": ""}})
    assert not ledger.queries.summaries(["one"])["one"].crashed_with

    assert ledger.claims.free("acme", OTHER) == 1
    assert row(ledger)["lost"] == {"starts": 1, "alone": 0, "files": 1}


def test_a_session_that_could_only_not_write_its_end_down_has_lost_no_start(
    ledger: Ledger,
) -> None:
    """Its worker lives: the database was away."""
    claimed(ledger)
    assert ledger.claims.free("acme", replace(ME, session="session-9")) == 1
    assert "lost" not in row(ledger)
    claimed(ledger)
    ledger.claims.free("acme", OTHER)
    claimed(ledger, claimant=alone(ME))

    ledger.claims.free("acme", replace(ME, session="session-9"))
    assert row(ledger)["lost"] == {"starts": 1, "alone": 0, "files": 1}, (
        "and nothing is forgotten by it"
    )


@pytest.mark.parametrize("end", ["waits", "dead_lettered", "delivered"])
def test_a_start_that_comes_to_its_end_forgets_those_that_were_lost(
    ledger: Ledger, end: str
) -> None:
    crashed(ledger, 4)

    assert settlements(ledger)[end](claimed(ledger, claimant=alone(ME)))
    assert "lost" not in row(ledger)


def test_a_start_that_is_given_back_is_neither_lost_nor_forgets_what_was(
    ledger: Ledger,
) -> None:
    crashed(ledger, 2)

    ledger.outcomes.release(claimed(ledger, claimant=alone(ME)))
    assert row(ledger)["lost"] == {"starts": 2, "alone": 2, "files": 1}


def test_a_start_that_is_not_alone_any_more_is_not_counted_as_such(ledger: Ledger) -> None:
    crashed(ledger, 4)
    ledger.claims.shares_process(claimed(ledger, claimant=alone(OTHER)))
    ledger.claims.free("acme", ME)

    assert row(ledger)["lost"] == {"starts": 5, "alone": 4, "files": 1}
    assert ledger.dead_letters.crash_loops("acme") == []


def test_the_fifth_start_that_was_lost_alone_ends_the_file(ledger: Ledger) -> None:
    claimed(ledger, "other")
    ledger.claims.free("acme", OTHER)
    opened(ledger, "elsewhere", account_id="other")
    crashed(ledger, 4)
    assert ledger.dead_letters.crash_loops("acme") == []
    crashed(ledger, 1)

    [loop] = ledger.dead_letters.crash_loops("acme")
    assert (loop.routing.recording_id, loop.tries, loop.from_outage) == ("one", 0, False)
    assert not ledger.dead_letters.crash_loop_ends("other", 1)
    assert not ledger.dead_letters.crash_loop_ends("one", 0), "an owner of the past"
    assert ledger.dead_letters.crash_loop_ends("one", 1)
    assert not ledger.dead_letters.crash_loop_ends("one", 1)
    dead = row(ledger)
    assert (dead["status"], dead["reason"], dead["tries"]) == ("dead_lettered", "crash-loop", 0)
    assert dead["dead_at"] is not None
    assert ledger.dead_letters.crash_loops("acme") == []


def test_a_crash_loop_that_is_replayed_has_its_lost_starts_forgotten(ledger: Ledger) -> None:
    crashed(ledger, 5)
    assert ledger.dead_letters.crash_loop_ends("one", 1)

    assert ledger.dead_letters.revive("one") is not None
    assert "lost" not in row(ledger)
    assert claimed(ledger).tries == 0


def test_a_casualty_of_which_workers_die_is_one_no_more(ledger: Ledger) -> None:
    dies(ledger, claimed(ledger), outage_id=3)
    for number in range(5):
        dead = Claimant(f"dead-{number}", "session", 1)
        assert ledger.claims.claim_outage_dead_letter("acme", 3, alone(dead), FOLDER) is not None
        ledger.claims.free("acme", ME)
    assert ledger.claims.outage_dead_letter_crashed("acme", 3)
    assert not ledger.claims.has_outage_dead_letter("acme", 3), "it waits for its burial"

    [loop] = ledger.dead_letters.crash_loops("acme")
    assert loop.from_outage
    assert ledger.dead_letters.crash_loop_ends("one", 1)
    assert not ledger.claims.has_outage_dead_letter("acme", 3)
    assert (row(ledger)["status"], row(ledger)["reason"]) == ("dead_lettered", "crash-loop")


def test_the_probe_with_a_lost_start_is_told_before_it_is_claimed(ledger: Ledger) -> None:
    claimed(ledger, "oldest")
    opened(ledger, "next")
    assert not ledger.claims.probe_crashed("acme", 0, [])
    ledger.claims.free("acme", OTHER)

    assert ledger.claims.probe_crashed("acme", 0, [])
    assert not ledger.claims.probe_crashed("acme", 0, ["oldest"])
    probe = ledger.claims.claim_probe("acme", 0, alone(OTHER), FOLDER, [])
    assert probe is not None
    assert probe.recording_id == "oldest"
