"""Who may start a recording's upload, and whose word on its end counts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from consumers.ledger import Claimant
from consumers.ledger.deliveries import Deliveries
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


def test_a_claim_counts_its_start_before_the_upload(files: Deliveries) -> None:
    claim = claimed(files, size=7, sha256="a" * 64)

    stored = row(files)
    assert (stored["status"], stored["starts"], stored["epoch"]) == ("uploading", 1, 1)
    assert stored["claim"].items() >= {"worker": "worker-1", "session": "session-1"}.items()
    assert (claim.start, claim.tries, claim.casualty, claim.leftovers) == (1, 0, False, ())
    assert (claim.size, claim.sha256, claim.intent) == (7, "a" * 64, None)


def test_what_a_message_has_brought_was_routed(files: Deliveries) -> None:
    opened(files, "probed")
    probe = files.claim_probe("acme", 0, ME, FOLDER, [])
    assert probe is not None
    files.release(probe)
    assert [each.recording_id for each in files.unrouted(timedelta(0), 10)] == ["probed"]

    files.release(claimed(files, "probed"))
    assert files.unrouted(timedelta(0), 10) == []


def test_a_recording_is_claimed_once(files: Deliveries) -> None:
    opened(files)
    claimants = [Claimant("worker", f"session-{number}", 1) for number in range(32)]
    with ThreadPoolExecutor(16) as pool:
        claims = [*pool.map(lambda each: claim_one(files, "one", 1, each, FOLDER), claimants)]

    assert len([claim for claim in claims if claim is not None]) == 1
    assert row(files)["starts"] == 1


def test_a_probe_is_claimed_once(files: Deliveries) -> None:
    opened(files)
    with ThreadPoolExecutor(16) as pool:
        claims = [
            *pool.map(lambda _: files.claim_probe("acme", 0, ME, FOLDER, []), range(32)),
        ]

    assert len([claim for claim in claims if claim is not None]) == 1


def test_a_message_of_an_older_turn_starts_nothing(files: Deliveries) -> None:
    opened(files)
    files.next_turn("one")
    files.next_turn("one")

    assert claim_one(files, "one", 2, ME, FOLDER) is None
    assert claim_one(files, "one", 3, ME, FOLDER) is not None


def test_a_file_is_not_claimed_before_its_delay_ends(files: Deliveries) -> None:
    waits(files, claimed(files), delay=0.3)
    assert claim_one(files, "one", 1, ME, FOLDER) is None
    assert 0 < files.glance(["one"])["one"].wait <= 0.3

    waiting = row(files)["not_before"]
    while files.glance(["one"])["one"].wait > 0:
        pass
    assert claim_one(files, "one", 1, ME, FOLDER) is not None
    assert row(files)["claim"]["at"] >= waiting


def test_a_claim_of_an_older_epoch_is_refused(files: Deliveries) -> None:
    waits(files, claimed(files, claimant=LATER))

    assert claim_one(files, "one", 1, ME, FOLDER) is None
    assert files.claim_probe("acme", 0, ME, FOLDER, []) is None
    assert claim_one(files, "one", 1, LATER, FOLDER) is not None


def test_parts_of_earlier_starts_are_told_to_the_next(files: Deliveries) -> None:
    first = claimed(files)
    waits(files, first, part_left=True)
    second = claimed(files)
    assert second.leftovers == (f"{FOLDER}/{first.part}",)
    assert second.part != first.part

    waits(files, second, part_left=False)
    third = claimed(files)
    assert third.leftovers == (f"{FOLDER}/{first.part}",)


def test_a_delivered_file_keeps_a_note_of_what_could_not_be_removed(files: Deliveries) -> None:
    first = claimed(files)
    waits(files, first, part_left=True)
    second = claimed(files)
    waits(files, second, part_left=True)
    third = claimed(files)
    left = (f"{FOLDER}/{first.part}",)
    assert deliver_one(files, third, replace(uploaded(), left=left))
    assert row(files)["parts"] == [{"start": 1, "folder": FOLDER}]


@pytest.mark.parametrize("name", ["intend", "delivered", "waits", "dead_lettered", "release"])
def test_a_claim_that_was_taken_over_settles_nothing(files: Deliveries, name: str) -> None:
    stale = claimed(files)
    files.free_claims("acme", OTHER)
    free = row(files)
    assert settlements(files)[name](stale) is False
    assert row(files) == free

    claimed(files, claimant=alone(OTHER))
    taken_over = row(files)
    assert settlements(files)[name](stale) is False
    assert row(files) == taken_over


@pytest.mark.parametrize("name", ["delivered", "waits", "dead_lettered", "release"])
def test_a_start_is_settled_once(files: Deliveries, name: str) -> None:
    claim = claimed(files)
    assert settlements(files)[name](claim)
    settled = row(files)

    again = {other for other, settle in settlements(files).items() if settle(claim)}
    assert again <= {"delivered"} & {name}, "it is told again that it was this start"
    assert row(files) == settled


def test_the_same_sessions_earlier_start_settles_nothing(files: Deliveries) -> None:
    first = claimed(files)
    waits(files, first)
    claimed(files)

    assert not any(settle(first) for settle in settlements(files).values())


def test_claims_whose_session_has_ended_are_freed_as_they_were(files: Deliveries) -> None:
    queued = claimed(files, "queued")
    dies(files, claimed(files, "dead"), casualty_of=3)
    casualty = files.claim_casualty("acme", 3, ME, FOLDER)
    elsewhere = claimed(files, "elsewhere", account_id="other")
    mine = claimed(files, "mine", claimant=LATER)
    assert casualty is not None
    assert row(files, "dead")["status"] == "uploading"

    assert files.free_claims("acme", LATER) == 2
    statuses = {name: row(files, name)["status"] for name in ("queued", "dead", "mine")}
    assert statuses == {"queued": "queued", "dead": "dead_lettered", "mine": "uploading"}
    assert row(files, "queued")["claim"] is None
    assert row(files, "queued")["tries"] == queued.tries
    assert row(files, "dead")["casualty"] == 3
    assert row(files, "elsewhere")["status"] == "uploading"
    assert deliver_one(files, mine, uploaded("/in/mine.wav")) is not None
    assert deliver_one(files, elsewhere, uploaded()) is not None


def test_an_owner_of_the_past_frees_no_claim_of_its_successor(files: Deliveries) -> None:
    claimed(files, claimant=LATER)

    assert files.free_claims("acme", ME) == 0
    assert row(files)["status"] == "uploading"
