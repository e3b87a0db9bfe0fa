"""A recording's row from its event to its account's queue."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.intake.events import decode
from consumers.ledger import Claimant, LastError, Ledger, Opened, Routing, Status, trace_of
from consumers.ledger.arrivals import Arrivals
from tests.integration.ledger.rows import (
    FOLDER,
    ME,
    claim_one,
    claimed,
    deliver_one,
    opened,
    row,
    uploaded,
    waits,
)
from transports.job import Intent

HOSTILE = ["$set", "$$ROOT", "$account_id", "a.b.$c", ".", "..a", "ünï ☎ 😀", "{'$gt': 1}", " $ "]


# --- arrival -------------------------------------------------------------------------------


def test_an_event_opens_a_row(ledger: Ledger) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    new = opened(ledger, size=7, sha256="A" * 64, number="+44", recorded_at="2026-11-23T14:05:00Z")

    assert (new.outcome, new.routed, new.status) == ("new", False, Status.QUEUED)
    assert new.routing is not None
    assert (new.routing.recording_id, new.routing.generation) == ("one", 1)
    stored = row(ledger)
    assert stored["status"] == "queued"
    assert before < stored["created_at"] < datetime.now(UTC) + timedelta(seconds=1)
    assert (stored["account_id"], stored["file_name"], stored["size"]) == ("acme", "a.wav", 7)
    assert (stored["sha256"], stored["number"]) == ("a" * 64, "+44")
    assert (stored["tries"], stored["turn"], stored["epoch"]) == (0, 1, 0)
    assert {"turn", "epoch", "claim", "parts"} <= stored.keys()


def test_the_same_event_again_changes_nothing(ledger: Ledger) -> None:
    opened(ledger)
    before = row(ledger)

    again = opened(ledger, file_name="other.wav")

    assert again == Opened("again", routed=False, status=Status.QUEUED, trace=trace_of(before))
    assert row(ledger) == before


def test_an_event_of_a_routed_row_says_so(ledger: Ledger) -> None:
    opened(ledger)
    routing = ledger.arrivals.next_generation("one")
    assert routing is not None
    ledger.arrivals.routed([routing])

    again = Opened("again", routed=True, status=Status.QUEUED, trace=trace_of(row(ledger)))
    assert opened(ledger) == again


@pytest.mark.parametrize("changed", [{"account_id": "other"}, {"file_url": "file:///r/b.wav"}])
def test_another_account_or_url_is_a_conflict(ledger: Ledger, changed: dict[str, Any]) -> None:
    opened(ledger)
    before = row(ledger)

    assert opened(ledger, **changed).outcome == "conflict"
    assert row(ledger) == before


def test_a_skipped_recording_is_final_from_the_start(ledger: Ledger) -> None:
    assert opened(ledger, skipped=True).status is Status.SKIPPED
    again = Opened("again", routed=False, status=Status.SKIPPED, trace=trace_of(row(ledger)))
    assert opened(ledger, skipped=True) == again
    assert ledger.arrivals.next_generation("one") is None
    assert claim_one(ledger, "one", 1, ME, FOLDER) is None
    assert ledger.arrivals.unrouted(timedelta(0), 10) == []


def test_one_of_many_that_open_at_once_is_new(ledger: Ledger) -> None:
    with ThreadPoolExecutor(16) as pool:
        outcomes = [each.outcome for each in pool.map(lambda _: opened(ledger), range(64))]

    assert sorted(outcomes) == ["again"] * 63 + ["new"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_taken_for_an_expression(ledger: Ledger, text: str) -> None:
    recording_id = text if text.isascii() else "one"
    name = text if text not in {".", ".."} else "a.wav"
    more: dict[str, Any] = {"number": recording_id, "file_name": name, text: {text: text}}
    opened(ledger, recording_id, file_url="file:///$set/$$NOW.wav", **more)
    claimant = Claimant(text, text, 1)
    claim = claim_one(ledger, recording_id, 1, claimant, text)
    assert claim is not None
    assert (claim.file_name, claim.session) == (name.strip(" "), text)
    assert json.loads(claim.body)[text] == {text: text}

    reservation = Intent(text, text, 1, text)
    assert ledger.remote_paths.intend(claim, reservation, text, 1)
    assert waits(ledger, claim, error=LastError("account", text, text), part_left=True)
    stored = row(ledger, recording_id)
    assert stored["last_error"].items() >= {"words": text, "advice": text}.items()
    assert stored["parts"] == [{"start": 1, "folder": text}]

    again = claim_one(ledger, recording_id, 1, claimant, text)
    assert again is not None
    assert again.intent == reservation
    assert deliver_one(ledger, again, uploaded(text)) is not None
    assert row(ledger, recording_id)["remote_path"] == text


# --- routing -------------------------------------------------------------------------------


def test_each_publish_has_a_turn_of_its_own(ledger: Ledger) -> None:
    opened(ledger)

    first, second = ledger.arrivals.next_generation("one"), ledger.arrivals.next_generation("one")

    assert first is not None
    assert second is not None
    assert (first.generation, second.generation) == (2, 3)
    assert (second.recording_id, second.account_id) == ("one", "acme")
    assert decode(second.body, None).recording_id == "one"


def test_what_is_published_anew_outdates_its_messages_from_the_end(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that meets them between two of these writes takes none before an earlier one."""
    names = ["one", "two", "three"]
    for name in names:
        opened(ledger, name)
    raise_one, valid = Arrivals.next_generation, []

    def looked_at(arrivals: Arrivals, recording_id: str) -> Routing | None:
        valid.append([name for name in names if row(ledger, name)["turn"] == 1])
        return raise_one(arrivals, recording_id)

    monkeypatch.setattr(Arrivals, "next_generation", looked_at)

    raised = ledger.arrivals.next_generations([*names, "unknown"])

    assert [(each.recording_id, each.generation) for each in raised] == [(n, 2) for n in names]
    assert valid == [names, names, names[:2], names[:1]]


def test_only_the_turn_that_stands_is_noted_as_routed(ledger: Ledger) -> None:
    opened(ledger)
    first, second = ledger.arrivals.next_generation("one"), ledger.arrivals.next_generation("one")
    assert first is not None
    assert second is not None

    ledger.arrivals.routed([first])
    assert row(ledger)["routed_at"] is None
    ledger.arrivals.routed([second])
    assert row(ledger)["routed_at"] is not None


def test_a_turn_is_raised_only_for_what_is_queued(ledger: Ledger) -> None:
    claim = claimed(ledger)
    assert ledger.arrivals.next_generation("one") is None
    deliver_one(ledger, claim, uploaded())
    assert ledger.arrivals.next_generation("one") is None
    assert ledger.arrivals.next_generation("unknown") is None


def test_what_was_never_routed_is_found_once_it_is_old_enough(ledger: Ledger) -> None:
    for name in ("routed", "first", "second", "uploading"):
        opened(ledger, name)
    routing = ledger.arrivals.next_generation("routed")
    assert routing is not None
    ledger.arrivals.routed([routing])
    claimed(ledger, "uploading")

    assert ledger.arrivals.unrouted(timedelta(minutes=1), 10) == []
    assert [each.recording_id for each in ledger.arrivals.unrouted(timedelta(0), 10)] == [
        "first",
        "second",
    ]
    assert [each.recording_id for each in ledger.arrivals.unrouted(timedelta(0), 1)] == ["first"]
