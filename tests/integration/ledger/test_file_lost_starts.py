"""Starts that were lost with their worker, and the file of which workers die."""

from dataclasses import replace

import pytest
from pymongo.database import Database

from consumers.ledger import Claimant, Document
from consumers.ledger.deliveries import Deliveries
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


def test_a_start_that_was_lost_is_followed_by_one_alone(files: Deliveries) -> None:
    turn = claimed(files).turn
    files.free_claims("acme", OTHER)

    assert row(files)["lost"] == {"starts": 1, "alone": 0, "files": 1}
    assert files.glance(["one"])["one"].lost_with
    assert claim_one(files, "one", turn, OTHER, FOLDER) is None
    again = claim_one(files, "one", turn, alone(OTHER), FOLDER)
    assert again is not None
    assert again.alone
    assert row(files)["claim"]["alone"] is True


def test_a_row_from_before_lost_starts_were_counted_is_claimed_and_freed(
    files: Deliveries, database: Database[Document]
) -> None:
    claimed(files)
    database["deliveries"].update_one({"_id": "one"}, {"$unset": {"claim.alone": ""}})
    assert not files.glance(["one"])["one"].lost_with

    assert files.free_claims("acme", OTHER) == 1
    assert row(files)["lost"] == {"starts": 1, "alone": 0, "files": 1}


def test_a_session_that_could_only_not_write_its_end_down_has_lost_no_start(
    files: Deliveries,
) -> None:
    """Its worker lives: the database was away."""
    claimed(files)
    assert files.free_claims("acme", replace(ME, session="session-9")) == 1
    assert "lost" not in row(files)
    claimed(files)
    files.free_claims("acme", OTHER)
    claimed(files, claimant=alone(ME))

    files.free_claims("acme", replace(ME, session="session-9"))
    assert row(files)["lost"] == {"starts": 1, "alone": 0, "files": 1}, (
        "and nothing is forgotten by it"
    )


@pytest.mark.parametrize("end", ["waits", "dead_lettered", "delivered"])
def test_a_start_that_comes_to_its_end_forgets_those_that_were_lost(
    files: Deliveries, end: str
) -> None:
    crashed(files, 4)

    assert settlements(files)[end](claimed(files, claimant=alone(ME)))
    assert "lost" not in row(files)


def test_a_start_that_is_given_back_is_neither_lost_nor_forgets_what_was(
    files: Deliveries,
) -> None:
    crashed(files, 2)

    files.release(claimed(files, claimant=alone(ME)))
    assert row(files)["lost"] == {"starts": 2, "alone": 2, "files": 1}


def test_a_start_that_is_not_alone_any_more_is_not_counted_as_such(files: Deliveries) -> None:
    crashed(files, 4)
    files.shares_process(claimed(files, claimant=alone(OTHER)))
    files.free_claims("acme", ME)

    assert row(files)["lost"] == {"starts": 5, "alone": 4, "files": 1}
    assert files.crash_loops("acme") == []


def test_the_fifth_start_that_was_lost_alone_ends_the_file(files: Deliveries) -> None:
    claimed(files, "other")
    files.free_claims("acme", OTHER)
    opened(files, "elsewhere", account_id="other")
    crashed(files, 4)
    assert files.crash_loops("acme") == []
    crashed(files, 1)

    [loop] = files.crash_loops("acme")
    assert (loop.routing.recording_id, loop.tries, loop.casualty) == ("one", 0, False)
    assert not files.crash_loop_ends("other", 1)
    assert not files.crash_loop_ends("one", 0), "an owner of the past"
    assert files.crash_loop_ends("one", 1)
    assert not files.crash_loop_ends("one", 1)
    dead = row(files)
    assert (dead["status"], dead["reason"], dead["tries"]) == ("dead_lettered", "crash-loop", 0)
    assert dead["dead_at"] is not None
    assert files.crash_loops("acme") == []


def test_a_crash_loop_that_is_replayed_has_its_lost_starts_forgotten(files: Deliveries) -> None:
    crashed(files, 5)
    assert files.crash_loop_ends("one", 1)

    assert files.revive("one") is not None
    assert "lost" not in row(files)
    assert claimed(files).tries == 0


def test_a_casualty_of_which_workers_die_is_one_no_more(files: Deliveries) -> None:
    dies(files, claimed(files), casualty_of=3)
    for number in range(5):
        dead = Claimant(f"dead-{number}", "session", 1)
        assert files.claim_casualty("acme", 3, alone(dead), FOLDER) is not None
        files.free_claims("acme", ME)
    assert files.casualty_lost_start("acme", 3)

    [loop] = files.crash_loops("acme")
    assert loop.casualty
    assert files.crash_loop_ends("one", 1)
    assert not files.has_casualty("acme", 3)
    assert (row(files)["status"], row(files)["reason"]) == ("dead_lettered", "crash-loop")


def test_the_probe_with_a_lost_start_is_told_before_it_is_claimed(files: Deliveries) -> None:
    claimed(files, "oldest")
    opened(files, "next")
    assert not files.probe_lost_start("acme", 0, [])
    files.free_claims("acme", OTHER)

    assert files.probe_lost_start("acme", 0, [])
    assert not files.probe_lost_start("acme", 0, ["oldest"])
    probe = files.claim_probe("acme", 0, alone(OTHER), FOLDER, [])
    assert probe is not None
    assert probe.recording_id == "oldest"
