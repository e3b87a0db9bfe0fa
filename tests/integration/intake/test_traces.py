"""The trace of an event: taken from its message's headers, kept in its row, and passed on."""

from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.intake.invalid_queue import replay_invalid
from consumers.ledger import trace_of
from consumers.trace import TraceContext
from tests.integration.intake.route import INVALID, QUEUE, Route, event, intake

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize("encode", [str, str.encode], ids=["text", "bytes"])
def test_the_trace_of_an_event_is_kept_and_goes_with_its_message(route: Route, encode: Any) -> None:
    headers = {"traceparent": encode(PARENT), "tracestate": encode("vendor=1")}
    with intake(route):
        route.publish(event(), headers=headers)
        [taken] = route.taken()

    assert (route.row()["traceparent"], route.row()["tracestate"]) == (PARENT, "vendor=1")
    [(properties, _)] = route.messages(QUEUE, 1)
    assert properties.headers["traceparent"] == PARENT
    assert properties.headers["tracestate"] == "vendor=1"
    assert taken.trace is not None
    assert taken.trace.trace_id == TRACE


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"traceparent": "00-xyz"},
        {"traceparent": "\x00" * 60_000},
        {"traceparent": 7},
        {"traceparent": ["a", {"b": None}]},
        {"tracestate": "vendor=1"},
    ],
    ids=["none", "malformed", "long", "number", "nested", "state alone"],
)
def test_an_event_without_a_usable_trace_begins_one(route: Route, given: dict[str, Any]) -> None:
    with intake(route):
        route.publish(event(), headers=given)
        [taken] = route.taken()

    begun = trace_of(route.row())
    assert begun is not None
    assert taken.outcome == "routed"
    assert taken.trace == begun
    assert route.row()["tracestate"] is None


def test_a_duplicate_changes_nothing_of_the_trace_and_is_told_by_it(route: Route) -> None:
    with intake(route):
        route.publish(event(), headers={"traceparent": PARENT})
        route.publish(event(), headers={"traceparent": OTHER})
        ends = route.taken(2)

    assert [each.outcome for each in ends] == ["routed", "duplicate"]
    assert [each.trace and each.trace.trace_id for each in ends] == [TRACE, TRACE]
    assert route.row()["traceparent"] == PARENT


def test_an_unusable_event_keeps_its_trace_until_it_is_mended(route: Route) -> None:
    with intake(route):
        route.publish(event(account_id="later"), headers={"traceparent": PARENT})
        [refused] = route.taken()
        assert refused.trace == TraceContext(TRACE, SPAN, 1)
        route.directory.create("later", ftp_access=True)
        now = datetime.now(UTC)
        assert replay_invalid(route.rabbitmq, route.publisher, "", lambda _: None, now) == 1
        assert [each.outcome for each in route.taken(2)] == ["invalid", "routed"]

    assert route.row()["traceparent"] == PARENT
    assert route.ready(INVALID) == 0


def test_a_row_from_before_traces_is_routed_without_one(route: Route) -> None:
    with intake(route):
        route.publish(event())
        route.taken()
    route.messages(QUEUE, 1)
    rows = route.ledger.arrivals._rows
    rows.update_one({"_id": "one"}, {"$unset": {"traceparent": "", "tracestate": ""}})

    routing = route.ledger.arrivals.next_generation("one")
    assert routing is not None
    assert routing.trace is None
    route.router.route(routing)
    [(properties, _)] = route.messages(QUEUE, 1)
    assert properties.headers == {"x-courier-turn": 2}


def test_a_row_whose_trace_was_spoilt_has_none(route: Route) -> None:
    with intake(route):
        route.publish(event())
        route.taken()
    route.ledger.arrivals._rows.update_one({"_id": "one"}, {"$set": {"traceparent": {"$x": 1}}})
    assert trace_of(route.row()) is None
