"""How a start ends, and what becomes of a dead letter."""

from datetime import timedelta

import pytest

from consumers.ledger import LastError, Status
from consumers.ledger.deliveries import Deliveries
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


def test_a_delivered_file_is_final(files: Deliveries) -> None:
    claim = claimed(files)
    files.intend(claim, intent(claim), FOLDER, 1)

    seconds = deliver_one(files, claim, uploaded())

    assert seconds is not None
    assert 0 <= seconds < 10
    stored = row(files)
    assert stored["status"] == "delivered"
    assert (stored["remote_path"], stored["size"], stored["sha256"]) == ("/in/a.wav", 7, HASH)
    assert (stored["verified"], stored["claim"], stored["parts"]) == ("size", None, [])
    assert stored["delivered_at"] >= stored["created_at"]
    assert "intent" not in stored
    assert files.free_claims("acme", OTHER) == 0
    assert claim_one(files, "one", 1, ME, FOLDER) is None


@pytest.mark.parametrize(
    ("counted", "by_account", "tries", "account_tries"),
    [(True, True, 1, 1), (True, False, 1, 0), (False, True, 0, 0), (False, False, 0, 0)],
)
def test_a_failed_try_is_counted_as_it_was_decided(
    files: Deliveries, *, counted: bool, by_account: bool, tries: int, account_tries: int
) -> None:
    assert waits(files, claimed(files), 60, counted=counted, by_account=by_account)

    stored = row(files)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == (
        "queued",
        tries,
        account_tries,
    )
    wait = (stored["not_before"] - stored["last_error"]["at"]).total_seconds()
    assert wait == 60
    assert stored["last_error"]["words"] == "Connection refused"
    assert stored["claim"] is None


def test_a_released_file_is_as_it_was(files: Deliveries) -> None:
    waits(files, claimed(files))
    before = row(files)

    assert files.release(claimed(files))
    after = row(files)
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {"starts", "parts"}, "the start is kept, and what it may have left"


def test_a_released_casualty_is_a_dead_letter_still(files: Deliveries) -> None:
    dies(files, claimed(files), casualty_of=0)
    claim = files.claim_casualty("acme", 0, ME, FOLDER)
    assert claim is not None
    assert claim.casualty

    assert files.release(claim)
    assert row(files)["status"] == "dead_lettered"
    assert files.has_casualty("acme", 0)


def test_a_dead_letter_tells_why_and_when(files: Deliveries) -> None:
    error = LastError("source", "No such file", "Check the pipeline.")
    assert dies(files, claimed(files), by_account=False, error=error)

    stored = row(files)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == ("dead_lettered", 1, 0)
    assert (stored["reason"], stored["last_error"]["words"]) == ("source", "No such file")
    assert stored["dead_at"] >= stored["created_at"]
    assert "casualty" not in stored
    assert files.dead_letters() == 1


# --- dead letters --------------------------------------------------------------------------


def test_a_revived_dead_letter_starts_anew(files: Deliveries) -> None:
    opened(files)
    routing = files.next_turn("one")
    assert routing is not None
    files.routed([routing])
    waits(files, claimed(files))
    dies(files, claimed(files), casualty_of=0)

    revived = files.revive("one")

    assert revived is not None
    assert (revived.recording_id, revived.account_id, revived.turn) == ("one", "acme", 3)
    stored = row(files)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == ("queued", 0, 0)
    assert (stored["routed_at"], stored["not_before"], stored["reason"]) == (None, None, None)
    assert stored["dead_at"] is None
    assert "casualty" not in stored
    assert files.revive("one") is None, "once"
    assert files.casualties_before("acme", 9) == []
    assert claim_one(files, "one", 2, ME, FOLDER) is None, "its earlier message is outdated"
    assert [each.turn for each in files.unrouted(timedelta(0), 10)] == [3]
    assert claim_one(files, "one", 3, ME, FOLDER) is not None


def test_a_dead_letter_is_given_up_once(files: Deliveries) -> None:
    claim = claimed(files)
    assert not files.discard("one")
    dies(files, claim, casualty_of=0)

    assert files.discard("one")
    assert row(files)["status"] == "discarded"
    assert not files.discard("one")
    assert not files.has_candidate("acme", 0)
    assert files.casualties_before("acme", 9) == []
    assert files.revive("one") is None
    assert not files.discard("unknown")


def test_what_waits_for_a_removed_account_is_given_up(files: Deliveries) -> None:
    uploading = claimed(files, "uploading")
    opened(files, "queued")
    opened(files, "elsewhere", account_id="other")
    dies(files, claimed(files, "dead"))

    assert files.discard_queued("acme") == 2
    assert deliver_one(files, uploading, uploaded()) is None
    assert files.counts("acme").files == {
        **dict.fromkeys(Status, 0),
        Status.DISCARDED: 2,
        Status.DEAD_LETTERED: 1,
    }
    assert files.counts("other").files[Status.QUEUED] == 1
