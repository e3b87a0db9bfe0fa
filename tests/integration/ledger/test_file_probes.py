"""Which file is tried first: the probe, an outage's casualties, none that overtakes."""

from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from consumers.ledger import Document, Ledger
from tests.integration.ledger.rows import (
    FOLDER,
    ME,
    claim_one,
    claimed,
    deliver_one,
    dies,
    opened,
    row,
    uploaded,
    waits,
)


def test_the_probe_is_the_oldest_file_whatever_it_waits_for(ledger: Ledger) -> None:
    for name in ("dead", "first", "second", "third"):
        opened(ledger, name)
    opened(ledger, "older-elsewhere", account_id="other")
    dies(ledger, claimed(ledger, "dead"))
    waits(ledger, claimed(ledger, "first"), delay=3600)

    def probe(*passed: str) -> str | None:
        claim = ledger.claims.claim_probe("acme", 0, ME, FOLDER, passed)
        if claim is None:
            return None
        ledger.outcomes.release(claim)
        return claim.recording_id

    assert probe() == "first"
    assert probe("first") == "second"
    assert probe("first", "second", "third") is None
    assert ledger.claims.has_candidate("acme", 0)
    assert not ledger.claims.has_candidate("acme", 0, ["first", "second", "third"])


def test_files_of_the_same_moment_are_probed_in_their_order(
    ledger: Ledger, database: Database[Document]
) -> None:
    for name in ("z", "a", "m"):
        opened(ledger, name)
    database["deliveries"].update_many({}, {"$set": {"created_at": datetime.now(UTC)}})

    claim = ledger.claims.claim_probe("acme", 0, ME, FOLDER, [])
    assert claim is not None
    assert claim.recording_id == "z"


def test_an_outages_casualty_is_a_candidate_in_its_own_streak(ledger: Ledger) -> None:
    opened(ledger, "dead")
    opened(ledger, "queued")
    dies(ledger, claimed(ledger, "dead"), outage_id=4)

    other_streak = ledger.claims.claim_probe("acme", 5, ME, FOLDER, [])
    assert other_streak is not None
    assert other_streak.recording_id == "queued"
    assert ledger.claims.claim_outage_dead_letter("acme", 5, ME, FOLDER) is None
    assert not ledger.claims.has_outage_dead_letter("acme", 5)

    probe = ledger.claims.claim_probe("acme", 4, ME, FOLDER, [])
    assert probe is not None
    assert (probe.recording_id, probe.from_outage) == ("dead", True)
    assert deliver_one(ledger, probe, uploaded()) is not None
    assert "casualty" not in row(ledger, "dead")


def test_casualties_of_outages_that_are_over_are_told_oldest_first(ledger: Ledger) -> None:
    for number, streak in enumerate([1, 0, 2, None]):
        dies(ledger, claimed(ledger, str(number)), outage_id=streak)

    assert ledger.dead_letters.from_past_outages("acme", 0) == []
    assert ledger.dead_letters.from_past_outages("acme", 2) == ["0", "1"]
    assert ledger.dead_letters.from_past_outages("acme", 3) == ["0", "1", "2"]
    assert ledger.dead_letters.from_past_outages("other", 3) == []


def stages(plan: Any) -> set[str]:
    """The names of all stages in an explained plan."""
    if isinstance(plan, dict):
        here = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
        return here.union(*(stages(each) for each in plan.values()))
    return set().union(*(stages(each) for each in plan)) if isinstance(plan, list) else set()


def test_a_probe_is_found_by_an_index_in_order(
    ledger: Ledger, database: Database[Document]
) -> None:
    ledger.ensure_indexes()  # those that stand are left as they are
    for number in range(20):
        opened(ledger, str(number))
    rows = database["deliveries"]
    query = ledger.claims._candidates("acme", 0, [])
    order = [("created_at", 1), ("arrival", 1)]

    plan = rows.find(query).sort(order).limit(1).explain()["queryPlanner"]["winningPlan"]
    assert "COLLSCAN" not in stages(plan)
    waiting = rows.find({"account_id": "acme", "status": {"$in": ["queued", "uploading"]}})
    plan = waiting.sort(order).limit(1).explain()["queryPlanner"]["winningPlan"]
    assert stages(plan).isdisjoint({"COLLSCAN", "SORT"})


def test_none_of_a_name_that_is_being_uploaded_overtakes(ledger: Ledger) -> None:
    for name in ("one", "two", "three"):
        row = opened(ledger, name, file_name="other.wav" if name == "three" else "call.wav")
        assert row.routing is not None
        ledger.arrivals.routed([row.routing])
    assert claim_one(ledger, "one", 1, ME, FOLDER)
    claim = ledger.claims.claim_overtaking("acme", 1, ME, FOLDER, ["call.wav"])
    assert claim is not None
    assert claim.recording_id == "three"
    assert ledger.claims.claim_overtaking("acme", 1, ME, FOLDER, ["call.wav", "other.wav"]) is None
