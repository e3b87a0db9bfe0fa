"""recordings.ready -> deliveries.<account>, for an event that can be used."""

import json

import pytest
from pika.exceptions import ChannelClosedByBroker

from config.accounts import DeliveryMethod
from config.directory import Number
from consumers.amqp import topology
from consumers.intake.events import CLOUD_EVENT
from tests.integration.intake.route import (
    ACCOUNT,
    EVERY,
    INVALID,
    QUEUE,
    Route,
    event,
    intake,
    open_row,
)

# --- the way of a good event ----------------------------------------------------------------


def test_an_event_is_routed_to_its_accounts_queue(route: Route) -> None:
    with intake(route):
        route.publish(event(caller="anna"))
        [taken] = route.taken()

    assert (taken.outcome, taken.account_id, taken.recording_id) == ("routed", ACCOUNT, "one")
    [(properties, body)] = route.messages(QUEUE, 1)
    assert json.loads(body) == json.loads(event(caller="anna"))
    assert (properties.message_id, properties.delivery_mode) == ("one", 2)
    assert properties.headers["x-courier-turn"] == 1
    assert (route.row()["status"], route.row()["turn"]) == ("queued", 1)
    assert route.row()["routed_at"] is not None
    assert route.ledger.accounts.read(ACCOUNT).routed == 1
    assert route.ledger.accounts.due(1, EVERY, []) == [ACCOUNT]
    assert route.woken.is_set()
    assert route.ready("recordings.ready") == route.ready(INVALID) == 0


@pytest.mark.parametrize("key", ["recording.ready", "recording.ready.eu.west"])
def test_both_routing_keys_of_the_contract_arrive(route: Route, key: str) -> None:
    with intake(route):
        route.publish(event(), key)
        assert route.taken()[0].outcome == "routed"


def test_the_order_of_the_events_is_that_of_the_queue(route: Route) -> None:
    names = [str(number) for number in range(50)]
    with intake(route):
        for name in names:
            route.publish(event(name))
        route.taken(50)

    assert [each.message_id for each, _ in route.messages(QUEUE, 50)] == names


def test_an_event_in_a_cloudevents_envelope_is_routed_as_the_event(route: Route) -> None:
    envelope = {"specversion": "1.0", "id": "7", "source": "/p", "type": "recording.ready"}
    body = json.dumps({**envelope, "data": json.loads(event())}).encode()
    with intake(route):
        route.publish(body, content_type=CLOUD_EVENT)
        assert route.taken()[0].outcome == "routed"

    [(_, sent)] = route.messages(QUEUE, 1)
    assert json.loads(sent) == json.loads(event())


# --- the queues -----------------------------------------------------------------------------

QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}


def test_the_queues_are_those_of_the_contract(route: Route) -> None:
    """Declaring them once more with the contract's arguments is refused where they differ."""
    route.router.route(open_row(route, event()))
    topology.declare_once(route.rabbitmq, topology.dead_letter_queue(ACCOUNT))
    single = {**QUORUM, "x-single-active-consumer": True}

    for name in ("recordings.ready", INVALID, f"dead-letters.{ACCOUNT}"):
        route.channel.queue_declare(name, durable=True, arguments=QUORUM)
    route.channel.queue_declare(QUEUE, durable=True, arguments=single)
    route.channel.exchange_declare("recordings", "topic", durable=True)
    route.channel.exchange_declare("deliveries", "direct", durable=True)
    with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED"):
        route.channel.queue_declare(QUEUE, durable=True, arguments=QUORUM)


# --- events again ---------------------------------------------------------------------------


def test_a_duplicate_is_acknowledged_and_not_routed_again(route: Route) -> None:
    with intake(route):
        for _ in range(3):
            route.publish(event())
        outcomes = [each.outcome for each in route.taken(3)]

    assert outcomes == ["routed", "duplicate", "duplicate"]
    assert route.turns(1) == [1]
    assert route.ledger.accounts.read(ACCOUNT).routed == 1


@pytest.mark.parametrize("status", ["delivered", "dead_lettered", "discarded"])
def test_a_duplicate_of_what_is_final_is_not_routed(route: Route, status: str) -> None:
    open_row(route, event())
    route.ledger.arrivals._rows.update_one({"_id": "one"}, {"$set": {"status": status}})
    with intake(route):
        route.publish(event())
        assert route.taken()[0].outcome == "duplicate"

    assert route.row()["turn"] == 1


def test_another_url_or_account_for_a_recording_is_a_conflict(route: Route) -> None:
    route.directory.create("other", ftp_access=True)
    with intake(route):
        route.publish(event())
        route.publish(event(file_url="file:///r/b.wav"))
        route.publish(event(account_id="other"))
        outcomes = [each.outcome for each in route.taken(3)]

    assert outcomes == ["routed", "invalid", "invalid"]
    for properties, _ in route.messages(INVALID, 2):
        assert properties.headers["x-courier-reason"] == "conflict"
    assert route.row()["file_url"] == "file:///r/a.wav"


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(DeliveryMethod))
def test_only_recordings_for_email_are_skipped(route: Route, method: DeliveryMethod) -> None:
    route.directory.set_number(Number("+441632960001", ACCOUNT, method))
    with intake(route):
        route.publish(event(number="+441632960001"))
        [taken] = route.taken()

    skipped = method is DeliveryMethod.EMAIL
    assert taken.outcome == ("skipped" if skipped else "routed")
    assert route.row()["status"] == ("skipped" if skipped else "queued")
    assert route.ledger.accounts.read(ACCOUNT).routed == (0 if skipped else 1)


def test_a_number_that_nobody_knows_does_not_matter(route: Route) -> None:
    with intake(route):
        route.publish(event(number="anonymous"))
        assert route.taken()[0].outcome == "routed"


def test_a_number_of_another_account_makes_the_event_invalid(route: Route) -> None:
    route.directory.create("other")
    route.directory.set_number(Number("+44", "other", DeliveryMethod.FTP))
    with intake(route):
        route.publish(event(number="+44"))
        assert route.taken()[0].outcome == "invalid"

    [(properties, _)] = route.messages(INVALID, 1)
    assert properties.headers["x-courier-reason"].startswith("number-of-another-account: ")
    assert route.ledger.queries.row("one") is None
