"""Files whose account was removed while their events were taken are given up, and no others."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from consumers.intake.admission import Admission, Message
from consumers.ledger import Arrival, Claimant
from consumers.observe import FilesDiscarded, Observation, Trouble
from consumers.upkeep.removal import BATCH, OWNERLESS_AGE, discard_ownerless, remove_account
from tests.integration.ledger.rows import claim_one
from tests.integration.platform import MakeCourier, Platform, running
from worker.core import Messaging, open_messaging


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    courier = make_courier()
    courier.core.ledger.ensure_indexes()
    return courier


@pytest.fixture
def messaging(courier: Platform) -> Iterator[Messaging]:
    with open_messaging(courier.core, lambda _: None) as messaging:
        yield messaging


def judged(courier: Platform, *recording_ids: str, account_id: str = "acme") -> list[Arrival]:
    """Events of the account, as the intake has found them good."""
    event = {"account_id": account_id, "file_url": "file:///r/a.wav"}
    bodies = [json.dumps({**event, "recording_id": each}).encode() for each in recording_ids]
    admission = Admission(courier.core.directory, courier.core.ledger.canary)
    verdicts = admission.judge([Message(body) for body in bodies])
    return [verdict for verdict in verdicts if isinstance(verdict, Arrival)]


def routed(courier: Platform, messaging: Messaging, arrivals: list[Arrival]) -> None:
    """The intake goes on with them: rows, and messages in the account's queue."""
    rows = courier.core.ledger.arrivals.open(arrivals)
    messaging.router.route_all([row.routing for row in rows if row.routing is not None])


def aged(courier: Platform, *recording_ids: str) -> None:
    """Their publish began as long ago as they are left alone."""
    courier.core.database["deliveries"].update_many(
        {"_id": {"$in": list(recording_ids)}},
        [{"$set": {"unrouted_at": {"$add": ["$unrouted_at", -milliseconds(OWNERLESS_AGE)]}}}],
    )


def milliseconds(age: timedelta) -> int:
    return round(age.total_seconds() * 1000)


def removed_meanwhile(
    courier: Platform, messaging: Messaging, *recording_ids: str, account_id: str = "acme"
) -> None:
    """The account is removed between the judgement of its events and their rows."""
    core = courier.core
    core.directory.create(account_id)
    arrivals = judged(courier, *recording_ids, account_id=account_id)
    assert len(arrivals) == len(recording_ids)
    remove_account(core.directory, core.ledger, messaging.broker, account_id)
    routed(courier, messaging, arrivals)


def discard(courier: Platform, messaging: Messaging) -> list[Observation]:
    seen: list[Observation] = []
    discard_ownerless(courier.core.ledger, messaging.broker, seen.append)
    return seen


def test_what_was_taken_for_an_account_removed_meanwhile_is_discarded_with_its_queue(
    courier: Platform, messaging: Messaging
) -> None:
    core = courier.core
    removed_meanwhile(courier, messaging, "waits", "runs")
    assert claim_one(core.ledger, "runs", 1, Claimant("w", "s", 1), ".") is not None
    aged(courier, "waits", "runs")
    assert courier.queue_length("deliveries.acme") == 2

    assert discard(courier, messaging) == [FilesDiscarded("acme", 2)]

    assert [courier.row(each)["status"] for each in ("waits", "runs")] == ["discarded"] * 2
    assert courier.queue_length("deliveries.acme") == 0
    assert core.ledger.totals().queued == 0
    assert discard(courier, messaging) == []


def test_a_queue_that_cannot_be_deleted_holds_up_no_other_account(
    courier: Platform, messaging: Messaging
) -> None:
    removed_meanwhile(courier, messaging, "theirs", account_id="another")
    removed_meanwhile(courier, messaging, "ours")
    aged(courier, "theirs", "ours")
    with courier._channel() as channel:
        channel.queue_delete("deliveries.another")
        channel.queue_declare("deliveries.another", exclusive=True)
        told = discard(courier, messaging)
        assert FilesDiscarded("acme", 1) in told
        (trouble,) = (each for each in told if isinstance(each, Trouble))
        assert trouble.words.startswith("another: ")
    assert discard(courier, messaging) == [FilesDiscarded("another", 1)]


def test_what_may_still_be_on_its_way_into_the_queue_is_left_for_a_later_round(
    courier: Platform, messaging: Messaging
) -> None:
    removed_meanwhile(courier, messaging, "young", "old")
    aged(courier, "old")

    assert discard(courier, messaging) == [FilesDiscarded("acme", 1)]
    assert courier.row("young")["status"] == "queued"
    aged(courier, "young")
    assert discard(courier, messaging) == [FilesDiscarded("acme", 1)]


def test_files_of_accounts_that_there_are_and_files_whose_story_ended_are_left_alone(
    courier: Platform, messaging: Messaging
) -> None:
    removed_meanwhile(courier, messaging, "ended")
    courier.core.database["deliveries"].update_one(
        {"_id": "ended"}, {"$set": {"status": "delivered"}}
    )
    courier.core.directory.create("other")
    routed(courier, messaging, judged(courier, "kept", account_id="other"))
    aged(courier, "ended", "kept")

    assert discard(courier, messaging) == []
    assert courier.row("kept")["status"] == "queued"
    assert courier.queued_ids("other") == ["kept"]
    courier.core.directory.remove("other")
    assert discard(courier, messaging) == [FilesDiscarded("other", 1)]
    assert courier.row("ended")["status"] == "delivered"


def test_the_look_for_them_reads_the_index_and_no_row_of_an_account_that_there_is(
    courier: Platform, messaging: Messaging
) -> None:
    courier.core.directory.create("acme")
    routed(courier, messaging, judged(courier, *(f"r{number}" for number in range(50))))
    database = courier.core.database
    database.command("profile", 2)
    courier.core.ledger.retention.ownerless(OWNERLESS_AGE, BATCH)
    database.command("profile", 0)

    [look] = database["system.profile"].find({"op": "command", "command.aggregate": "deliveries"})
    assert "DISTINCT_SCAN" in look["planSummary"]
    assert look["docsExamined"] <= 1  # the account, once


def test_the_service_does_it_by_itself(courier: Platform, messaging: Messaging) -> None:
    removed_meanwhile(courier, messaging, "waits")
    aged(courier, "waits")

    with running(courier):
        courier.wait_status("waits", "discarded")
