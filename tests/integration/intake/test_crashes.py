"""What a crash between two steps leaves is routed, by its event again or the reconciler."""

import pytest

from consumers.intake.events import decode
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
)
from tests.integration.ledger.rows import claim_one

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
