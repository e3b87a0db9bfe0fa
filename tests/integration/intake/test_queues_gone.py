"""Queues and exchanges that are gone, full or somebody else's."""

import pytest

from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import NotRouted
from consumers.observe import Trouble
from consumers.upkeep import reconciler
from tests.integration.intake.route import (
    ACCOUNT,
    EVERY,
    INVALID,
    QUEUE,
    Route,
    event,
    intake,
    taken_together,
)

# --- queues that are gone -------------------------------------------------------------------


def test_a_queue_that_was_deleted_is_declared_again(route: Route) -> None:
    with intake(route):
        route.publish(event())
        route.taken()
        route.channel.queue_delete(QUEUE)
        route.publish(event("two"))
        assert route.taken(2)[1].outcome == "routed"

    assert [each.message_id for each, _ in route.messages(QUEUE, 1)] == ["two"]


def test_an_exchange_that_was_deleted_is_declared_again(route: Route) -> None:
    with intake(route):
        route.publish(event())
        route.taken()
        route.channel.exchange_delete("deliveries")
        route.publish(event("two"))
        assert route.taken(2)[1].outcome in {"routed", "duplicate"}

    found = [each.message_id for each, _ in route.messages(QUEUE, 2)]
    assert found == ["one", "two"]


# --- what reaches no queue ------------------------------------------------------------------


def test_a_queue_that_was_deleted_holds_up_no_other_event_of_the_batch(route: Route) -> None:
    route.directory.create("other", ftp_access=True)
    with intake(route):
        for number, account in enumerate([ACCOUNT, "other"]):
            route.publish(event(account, account_id=account))
            route.taken(number + 1)
    route.messages("deliveries.other", 1)
    route.channel.queue_delete(QUEUE)
    route.seen.clear()

    outcomes = taken_together(
        route,
        *(event(f"{number}", account_id=(ACCOUNT, "other")[number % 2]) for number in range(8)),
    )

    assert outcomes == ["routed"] * 8
    assert [each.message_id for each, _ in route.messages(QUEUE, 4)] == ["0", "2", "4", "6"]
    sent = [each.message_id for each, _ in route.messages("deliveries.other", 4)]
    assert sent == ["1", "3", "5", "7"], "once each"


@pytest.mark.usefixtures("at_once")
def test_a_queue_that_cannot_be_declared_holds_up_and_loses_nothing(route: Route) -> None:
    """Somebody else's queue has the name: what is for it waits in the ledger."""
    route.directory.create("other", ftp_access=True)
    route.channel.queue_declare(QUEUE, durable=True)

    taken_together(route, event(), event("two", account_id="other"), event("three"))

    assert [each.message_id for each, _ in route.messages("deliveries.other", 1)] == ["two"]
    assert [route.row(name)["routed_at"] is None for name in ("one", "two", "three")] == [
        *(True, False, True)
    ]
    [trouble] = [each for each in route.seen if isinstance(each, Trouble)]
    assert QUEUE in trouble.words
    assert route.ledger.accounts.due(9, EVERY, []) == ["other"]

    with pytest.raises(NotRouted, match=QUEUE):
        reconciler.route_unrouted(route.ledger, route.router)
    route.channel.queue_delete(QUEUE)
    assert reconciler.route_unrouted(route.ledger, route.router) == 2
    assert [each.message_id for each, _ in route.messages(QUEUE, 2)] == ["one", "three"]
    assert set(route.ledger.accounts.due(9, EVERY, [])) == {ACCOUNT, "other"}


def test_an_event_that_cannot_be_kept_as_invalid_holds_up_no_other_and_comes_again(
    route: Route,
) -> None:
    with intake(route):
        route.channel.queue_delete(INVALID)
        waiting_for = [event(), b"nonsense", event("two")]
        for body in waiting_for:
            route.publish(body)
        outcomes = [each.outcome for each in route.taken(3)]

    assert sorted(outcomes) == ["invalid", "routed", "routed"]
    assert [body for _, body in route.messages(INVALID, 1)] == [b"nonsense"]
    assert route.turns(2) == [1, 1]
    assert route.ready("recordings.ready") == 0


def test_the_ends_of_messages_that_are_published_together_are_told_apart(route: Route) -> None:
    """One to a queue, one to none, and one more than its queue takes."""
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    route.channel.queue_declare("full", arguments=full)
    route.channel.queue_declare("free")
    places = ["free", "none", "full", "full", "none", "free"]

    for _ in range(2):
        refused = route.publisher.publish_all([Outgoing("", place, b"x") for place in places])
        assert refused - {2} == {1, 3, 4}

    assert (route.ready("full"), route.ready("free")) == (1, 4)
