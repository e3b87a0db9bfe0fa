"""Who may start a recording's upload, and whose word on its end counts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from consumers.ledger import Claimant, Ledger
from tests.integration.ledger.rows import (
    FOLDER,
    LATER,
    ME,
    OTHER,
    alone,
    claim_one,
    claimed,
    deliver_one,
    dies,
    opened,
    row,
    settlements,
    uploaded,
    waits,
)


def test_a_claim_counts_its_start_before_the_upload(ledger: Ledger) -> None:
    claim = claimed(ledger, size=7, sha256="a" * 64)

    stored = row(ledger)
    assert (stored["status"], stored["starts"], stored["epoch"]) == ("uploading", 1, 1)
    assert stored["claim"].items() >= {"worker": "worker-1", "session": "session-1"}.items()
    assert (claim.start, claim.tries, claim.from_outage, claim.leftovers) == (1, 0, False, ())
    assert (claim.size, claim.sha256, claim.intent) == (7, "a" * 64, None)


def test_what_a_message_has_brought_was_routed(ledger: Ledger) -> None:
    opened(ledger, "probed")
    probe = ledger.claims.claim_probe("acme", 0, ME, FOLDER, [])
    assert probe is not None
    ledger.outcomes.release(probe)
    assert [each.recording_id for each in ledger.arrivals.unrouted(timedelta(0), 10)] == ["probed"]

    ledger.outcomes.release(claimed(ledger, "probed"))
    assert ledger.arrivals.unrouted(timedelta(0), 10) == []


def test_a_recording_is_claimed_once(ledger: Ledger) -> None:
    opened(ledger)
    claimants = [Claimant("worker", f"session-{number}", 1) for number in range(32)]
    with ThreadPoolExecutor(16) as pool:
        claims = [*pool.map(lambda each: claim_one(ledger, "one", 1, each, FOLDER), claimants)]

    assert len([claim for claim in claims if claim is not None]) == 1
    assert row(ledger)["starts"] == 1


def test_a_probe_is_claimed_once(ledger: Ledger) -> None:
    opened(ledger)
    with ThreadPoolExecutor(16) as pool:
        claims = [
            *pool.map(lambda _: ledger.claims.claim_probe("acme", 0, ME, FOLDER, []), range(32)),
        ]

    assert len([claim for claim in claims if claim is not None]) == 1


def test_a_message_of_an_older_turn_starts_nothing(ledger: Ledger) -> None:
    opened(ledger)
    ledger.arrivals.next_generation("one")
    ledger.arrivals.next_generation("one")

    assert claim_one(ledger, "one", 2, ME, FOLDER) is None
    assert claim_one(ledger, "one", 3, ME, FOLDER) is not None


def test_a_file_is_not_claimed_before_its_delay_ends(ledger: Ledger) -> None:
    waits(ledger, claimed(ledger), delay=0.3)
    assert claim_one(ledger, "one", 1, ME, FOLDER) is None
    assert 0 < ledger.queries.summaries(["one"])["one"].wait <= 0.3

    waiting = row(ledger)["not_before"]
    while ledger.queries.summaries(["one"])["one"].wait > 0:
        pass
    assert claim_one(ledger, "one", 1, ME, FOLDER) is not None
    assert row(ledger)["claim"]["at"] >= waiting


def test_a_claim_of_an_older_epoch_is_refused(ledger: Ledger) -> None:
    waits(ledger, claimed(ledger, claimant=LATER))

    assert claim_one(ledger, "one", 1, ME, FOLDER) is None
    assert ledger.claims.claim_probe("acme", 0, ME, FOLDER, []) is None
    assert claim_one(ledger, "one", 1, LATER, FOLDER) is not None


def test_parts_of_earlier_starts_are_told_to_the_next(ledger: Ledger) -> None:
    first = claimed(ledger)
    waits(ledger, first, part_left=True)
    second = claimed(ledger)
    assert second.leftovers == (f"{FOLDER}/{first.part}",)
    assert second.part != first.part

    waits(ledger, second, part_left=False)
    third = claimed(ledger)
    assert third.leftovers == (f"{FOLDER}/{first.part}",)


def test_a_delivered_file_keeps_a_note_of_what_could_not_be_removed(ledger: Ledger) -> None:
    first = claimed(ledger)
    waits(ledger, first, part_left=True)
    second = claimed(ledger)
    waits(ledger, second, part_left=True)
    third = claimed(ledger)
    left = (f"{FOLDER}/{first.part}",)
    assert deliver_one(ledger, third, replace(uploaded(), left=left))
    assert row(ledger)["parts"] == [{"start": 1, "folder": FOLDER}]


@pytest.mark.parametrize("name", ["intend", "delivered", "waits", "dead_lettered", "release"])
def test_a_claim_that_was_taken_over_settles_nothing(ledger: Ledger, name: str) -> None:
    stale = claimed(ledger)
    ledger.claims.free("acme", OTHER)
    free = row(ledger)
    assert settlements(ledger)[name](stale) is False
    assert row(ledger) == free

    claimed(ledger, claimant=alone(OTHER))
    taken_over = row(ledger)
    assert settlements(ledger)[name](stale) is False
    assert row(ledger) == taken_over


@pytest.mark.parametrize("name", ["delivered", "waits", "dead_lettered", "release"])
def test_a_start_is_settled_once(ledger: Ledger, name: str) -> None:
    claim = claimed(ledger)
    assert settlements(ledger)[name](claim)
    settled = row(ledger)

    again = {other for other, settle in settlements(ledger).items() if settle(claim)}
    assert again <= {"delivered"} & {name}, "it is told again that it was this start"
    assert row(ledger) == settled


def test_the_same_sessions_earlier_start_settles_nothing(ledger: Ledger) -> None:
    first = claimed(ledger)
    waits(ledger, first)
    claimed(ledger)

    assert not any(settle(first) for settle in settlements(ledger).values())


def test_claims_whose_session_has_ended_are_freed_as_they_were(ledger: Ledger) -> None:
    queued = claimed(ledger, "queued")
    dies(ledger, claimed(ledger, "dead"), outage_id=3)
    casualty = ledger.claims.claim_outage_dead_letter("acme", 3, ME, FOLDER)
    elsewhere = claimed(ledger, "elsewhere", account_id="other")
    mine = claimed(ledger, "mine", claimant=LATER)
    assert casualty is not None
    assert row(ledger, "dead")["status"] == "uploading"

    assert ledger.claims.free("acme", LATER) == 2
    statuses = {name: row(ledger, name)["status"] for name in ("queued", "dead", "mine")}
    assert statuses == {"queued": "queued", "dead": "dead_lettered", "mine": "uploading"}
    assert row(ledger, "queued")["claim"] is None
    assert row(ledger, "queued")["tries"] == queued.tries
    assert row(ledger, "dead")["casualty"] == 3
    assert row(ledger, "elsewhere")["status"] == "uploading"
    assert deliver_one(ledger, mine, uploaded("/in/mine.wav")) is not None
    assert deliver_one(ledger, elsewhere, uploaded()) is not None


def test_an_owner_of_the_past_frees_no_claim_of_its_successor(ledger: Ledger) -> None:
    claimed(ledger, claimant=LATER)

    assert ledger.claims.free("acme", ME) == 0
    assert row(ledger)["status"] == "uploading"
