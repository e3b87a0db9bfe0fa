"""How a start ends, and what becomes of a dead letter."""

from datetime import timedelta

import pytest

from consumers.ledger import LastError, Ledger, Status
from tests.integration.ledger.rows import (
    FOLDER,
    HASH,
    ME,
    OTHER,
    claim_one,
    claimed,
    deliver_one,
    dies,
    intent,
    opened,
    row,
    uploaded,
    waits,
)

# --- the end of a start --------------------------------------------------------------------


def test_a_delivered_file_is_final(ledger: Ledger) -> None:
    claim = claimed(ledger)
    ledger.remote_paths.intend(claim, intent(claim), FOLDER, 1)

    seconds = deliver_one(ledger, claim, uploaded())

    assert seconds is not None
    assert 0 <= seconds < 10
    stored = row(ledger)
    assert stored["status"] == "delivered"
    assert (stored["remote_path"], stored["size"], stored["sha256"]) == ("/in/a.wav", 7, HASH)
    assert (stored["verified"], stored["claim"], stored["parts"]) == ("size", None, [])
    assert stored["delivered_at"] >= stored["created_at"]
    assert "intent" not in stored
    assert ledger.claims.free("acme", OTHER) == 0
    assert claim_one(ledger, "one", 1, ME, FOLDER) is None


@pytest.mark.parametrize(
    ("counted", "by_account", "tries", "account_tries"),
    [(True, True, 1, 1), (True, False, 1, 0), (False, True, 0, 0), (False, False, 0, 0)],
)
def test_a_failed_try_is_counted_as_it_was_decided(
    ledger: Ledger, *, counted: bool, by_account: bool, tries: int, account_tries: int
) -> None:
    assert waits(ledger, claimed(ledger), 60, counted=counted, by_account=by_account)

    stored = row(ledger)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == (
        "queued",
        tries,
        account_tries,
    )
    wait = (stored["not_before"] - stored["last_error"]["at"]).total_seconds()
    assert wait == 60
    assert stored["last_error"]["words"] == "Connection refused"
    assert stored["claim"] is None


def test_a_released_file_is_as_it_was(ledger: Ledger) -> None:
    waits(ledger, claimed(ledger))
    before = row(ledger)

    assert ledger.outcomes.release(claimed(ledger))
    after = row(ledger)
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {"starts", "parts"}, "the start is kept, and what it may have left"


def test_a_released_casualty_is_a_dead_letter_still(ledger: Ledger) -> None:
    dies(ledger, claimed(ledger), outage_id=0)
    claim = ledger.claims.claim_outage_dead_letter("acme", 0, ME, FOLDER)
    assert claim is not None
    assert claim.from_outage

    assert ledger.outcomes.release(claim)
    assert row(ledger)["status"] == "dead_lettered"
    assert ledger.claims.has_outage_dead_letter("acme", 0)


def test_a_dead_letter_tells_why_and_when(ledger: Ledger) -> None:
    error = LastError("source", "No such file", "Check the pipeline.")
    assert dies(ledger, claimed(ledger), by_account=False, error=error)

    stored = row(ledger)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == ("dead_lettered", 1, 0)
    assert (stored["reason"], stored["last_error"]["words"]) == ("source", "No such file")
    assert stored["dead_at"] >= stored["created_at"]
    assert "casualty" not in stored
    assert ledger.queries.dead_letters() == 1


# --- dead letters --------------------------------------------------------------------------


def test_a_revived_dead_letter_starts_anew(ledger: Ledger) -> None:
    opened(ledger)
    routing = ledger.arrivals.next_generation("one")
    assert routing is not None
    ledger.arrivals.routed([routing])
    waits(ledger, claimed(ledger))
    dies(ledger, claimed(ledger), outage_id=0)

    revived = ledger.dead_letters.revive("one")

    assert revived is not None
    assert (revived.recording_id, revived.account_id, revived.generation) == ("one", "acme", 3)
    stored = row(ledger)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == ("queued", 0, 0)
    assert (stored["routed_at"], stored["not_before"], stored["reason"]) == (None, None, None)
    assert stored["dead_at"] is None
    assert "casualty" not in stored
    assert ledger.dead_letters.revive("one") is None, "once"
    assert ledger.dead_letters.from_past_outages("acme", 9) == []
    assert claim_one(ledger, "one", 2, ME, FOLDER) is None, "its earlier message is outdated"
    assert [each.generation for each in ledger.arrivals.unrouted(timedelta(0), 10)] == [3]
    assert claim_one(ledger, "one", 3, ME, FOLDER) is not None


def test_a_dead_letter_is_given_up_once(ledger: Ledger) -> None:
    claim = claimed(ledger)
    assert not ledger.dead_letters.discard("one")
    dies(ledger, claim, outage_id=0)

    assert ledger.dead_letters.discard("one")
    assert row(ledger)["status"] == "discarded"
    assert not ledger.dead_letters.discard("one")
    assert not ledger.claims.has_candidate("acme", 0)
    assert ledger.dead_letters.from_past_outages("acme", 9) == []
    assert ledger.dead_letters.revive("one") is None
    assert not ledger.dead_letters.discard("unknown")


def test_what_waits_for_a_removed_account_is_given_up(ledger: Ledger) -> None:
    uploading = claimed(ledger, "uploading")
    opened(ledger, "queued")
    opened(ledger, "elsewhere", account_id="other")
    dies(ledger, claimed(ledger, "dead"))

    assert ledger.retention.discard_queued("acme") == 2
    assert deliver_one(ledger, uploading, uploaded()) is None
    assert ledger.queries.ended("acme") == {Status.DISCARDED: 2, Status.DEAD_LETTERED: 1}
    assert ledger.queries.counts("acme").queued == 0
    assert ledger.queries.counts("other").queued == 1
