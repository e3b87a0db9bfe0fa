"""What a crash between two steps leaves is routed, by its event again or the reconciler."""

import pytest

from consumers.amqp.connection import Broker, Publisher
from consumers.amqp.declared import DeclaredQueues
from consumers.intake.events import decode
from consumers.intake.intake import Intake
from consumers.intake.routing import Router
from consumers.ledger import Arrival, Claimant
from consumers.upkeep import reconciler
from tests.integration.intake.route import (
    ACCOUNT,
    EVERY,
    Route,
    crashed_after,
    event,
    intake,
    open_row,
    waiting,
)
from tests.integration.ledger.rows import claim_one
from tests.integration.platform import until

# --- a crash between two steps --------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "turns", "turn"),
    [("open", [2], 2), ("turn", [3], 3), ("publish", [1, 2], 2), ("routed", [1], 1)],
)
def test_after_a_crash_the_event_that_comes_again_is_on_its_route(
    route: Route, step: str, turns: list[int], turn: int
) -> None:
    crashed_after(route, step)
    with intake(route):
        route.publish(event())
        assert route.taken()[0].outcome == "duplicate"

    assert route.turns(len(turns)) == turns
    assert (route.row()["turn"], route.row()["routed_at"] is not None) == (turn, True)
    claims = [claim_one(route.ledger, "one", each, Claimant("w", "s", 1), ".") for each in turns]
    assert [claim is not None for claim in claims] == [each == turn for each in turns]


class Crash(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["routed", "arrived"])
def test_whichever_step_of_the_routing_is_the_last_its_account_becomes_due(
    route: Route, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The message lies in the queue; without a session that is opened nobody would see it."""

    def crash(*_: object) -> None:
        raise Crash

    routing = open_row(route, event())
    part = route.ledger.arrivals if step == "routed" else route.ledger.accounts
    with monkeypatch.context() as patch:
        patch.setattr(part, step, crash)
        with pytest.raises(Crash):
            route.router.route(routing)

    with intake(route):
        route.publish(event())
        route.taken()
    assert route.ledger.accounts.due(1, EVERY, []) == [ACCOUNT]


def test_no_event_is_taken_while_none_can_be_published(route: Route) -> None:
    """What was taken in vain would come again, in an order that only the broker knows."""
    broker = Broker(route.rabbitmq, "late", route.seen.append)
    publisher = Publisher(broker)
    router = Router(DeclaredQueues(route.rabbitmq), publisher, route.ledger)
    early = Intake(
        route.rabbitmq,
        route.directory,
        route.ledger,
        publisher,
        router,
        route.seen.append,
        route.woken.set,
    )
    waiting(route, event())
    early.start()
    try:
        until(lambda: early.trouble, "the intake to have tried")
        assert not early.consuming.is_set()
        assert (route.ready("recordings.ready"), route.ledger.queries.row("one")) == (1, None)
        broker.start()
        try:
            assert route.taken()[0].outcome == "routed"
        finally:
            broker.stop()
    finally:
        early.stop()


# --- the reconciler -------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "turns"), [("open", [2]), ("turn", [3]), ("publish", [1, 2])])
@pytest.mark.usefixtures("at_once")
def test_the_reconciler_routes_what_a_crash_left_behind(
    route: Route, step: str, turns: list[int]
) -> None:
    crashed_after(route, step)

    assert reconciler.route_unrouted(route.ledger, route.router) == 1
    assert reconciler.route_unrouted(route.ledger, route.router) == 0
    assert route.turns(len(turns)) == turns
    assert route.row()["routed_at"] is not None
    assert route.ledger.accounts.due(1, EVERY, []) == [ACCOUNT]


@pytest.mark.usefixtures("at_once")
def test_the_reconciler_leaves_alone_what_is_on_its_route_or_final(route: Route) -> None:
    crashed_after(route, "routed")
    skipped = event("skipped")
    route.ledger.arrivals.open([Arrival(decode(skipped, None), skipped, skipped=True)])

    assert reconciler.route_unrouted(route.ledger, route.router) == 0
    assert route.ledger.queries.counts(ACCOUNT).queued == 1


def test_the_reconciler_gives_a_publish_its_time(route: Route) -> None:
    crashed_after(route, "publish")

    assert reconciler.route_unrouted(route.ledger, route.router) == 0


@pytest.mark.parametrize(("anew", "turns"), [(1, [1, 2]), (None, [1])])
def test_a_file_is_published_anew_where_its_message_is_gone_and_nowhere_else(
    route: Route, anew: int | None, turns: list[int]
) -> None:
    """One that arrives while the session finds its queue empty has a message. Published once more
    it would come behind those that arrive after it."""
    crashed_after(route, "routed")

    published = reconciler.route_stranded(
        route.ledger, route.router, ACCOUNT, lambda: anew is not None
    )

    assert published == anew
    assert route.turns(len(turns)) == turns
