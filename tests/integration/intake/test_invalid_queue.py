"""`recordings.invalid` is looked at in part, without losing or reordering anything."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pika
import pytest

from consumers.amqp import names
from consumers.amqp.browser import Message, browse
from consumers.amqp.connection import BrokerRefuses
from consumers.amqp.nodes import parameters
from consumers.intake import invalid_queue
from consumers.intake.invalid_queue import (
    InvalidFilter,
    InvalidPage,
    act_on_invalid,
    discard_invalid,
    later_invalid,
    look_at_invalid,
    oldest_invalid,
    replay_invalid,
)
from tests.integration.intake.route import INVALID, Route, event, intake
from tests.integration.invalid_events import declare, invalid, unknown
from tests.integration.platform import until

ANY = InvalidFilter()
UNREADABLE = b"\xff\x00"


@pytest.fixture
def filled(route: Route) -> Route:
    """Twenty events of unknown accounts, and after each fifth one that is no JSON."""
    declare(route.rabbitmq)
    for number in range(20):
        unknown(route.publisher, number, f"nobody-{number % 2}")
        if number % 5 == 4:
            invalid(route.publisher, "malformed: not UTF-8 JSON", UNREADABLE)
    return route


def look(route: Route, chosen: InvalidFilter = ANY, skip: int = 0, limit: int = 50) -> InvalidPage:
    return look_at_invalid(route.rabbitmq, chosen, skip, limit)


def test_a_look_tells_the_reasons_of_all_and_shows_a_page(filled: Route) -> None:
    page = look(filled, skip=3, limit=4)
    assert [(each.code, each.events) for each in page.groups] == [
        ("unknown-account", 20),
        ("malformed", 4),
    ]
    assert page.groups[0].meaning == "There is no account of this id."
    assert (page.matching, page.looked_at, page.in_queue) == (24, 24, 24)
    assert [each.recording_id for each in page.events] == ["r3", "r4", None, "r5"]
    narrowed = look(filled, InvalidFilter("unknown", "nobody-1"))
    assert narrowed.matching == 10
    assert {each.account_id for each in narrowed.events} == {"nobody-1"}
    assert look(filled, skip=100).events == []


def test_the_oldest_are_shown_alone_and_all_stay_in_their_order(filled: Route) -> None:
    for _ in range(2):
        oldest = oldest_invalid(filled.rabbitmq, ANY, 6)
        assert [each.recording_id for each in oldest.events] == ["r0", "r1", "r2", "r3", "r4", None]
        assert (oldest.looked_at, oldest.in_queue) == (24, 24)
    odd = oldest_invalid(filled.rabbitmq, InvalidFilter("unknown", "nobody-1"), 2)
    assert [each.recording_id for each in odd.events] == ["r1", "r3"]
    assert [each.recording_id for each in look(filled).events if each.recording_id] == [
        f"r{number}" for number in range(20)
    ]


def test_messages_are_read_as_pika_reads_them(route: Route) -> None:
    """Empty ones, those of several frames, with everything or nothing said beside the body."""
    declare(route.rabbitmq)
    facts = pika.BasicProperties(
        "text/plain",
        "utf-8",
        {"x-courier-reason": "malformed: ü", "list": [1, {"deep": None}], "long": 2**40},
        delivery_mode=2,
        priority=3,
        message_id="m" * 255,
        timestamp=1_790_000_000,
        app_id="pipeline",
    )
    bodies = [b"", b"x", b"\xce" * 131_064, bytes(range(256)) * 2_000, b"", b"last"]
    for body in bodies:
        for said in (facts, pika.BasicProperties()):
            route.channel.basic_publish("", INVALID, body, said)
    until(lambda: route.ready(INVALID) == 12, "the messages to be there")
    seen: list[Message] = []

    def keep(message: Message) -> bool:
        seen.append(message)
        return False

    looked = browse(route.rabbitmq, INVALID, keep)
    assert (looked.ready, looked.seen, looked.taken) == (12, 12, 0)
    until(lambda: route.ready(INVALID) == 12, "the messages to be back")
    by_pika = route.messages(INVALID, 12)
    assert [(m.body, m.message_id, m.content_type) for m in seen] == [
        (body, said.message_id, said.content_type) for said, body in by_pika
    ]
    for message, (said, _) in zip(seen, by_pika, strict=True):
        # RabbitMQ counts how often it has delivered a message.
        assert message.headers.items() <= (said.headers or {}).items()
    assert [m.body for m in seen[::2]] == bodies
    assert all(m.headers == facts.headers for m in seen[::2])
    assert {m.since for m in seen[::2]} == {datetime.fromtimestamp(1_790_000_000, UTC)}
    assert {m.since for m in seen[1::2]} == {None}


def test_looks_in_part_leave_the_queue_in_its_order(
    filled: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalid_queue, "PART", 7)
    order = [f"r{number}" for number in range(5)] + [None, "r5"]
    for _ in range(4):
        page = look(filled)
        assert (page.looked_at, page.in_queue) == (7, 24)
        assert [each.recording_id for each in page.events] == order
    act_on_invalid(filled.rabbitmq, None, InvalidFilter("malformed"), 1, "mark")
    assert [each.recording_id for each in look(filled).events] == [f"r{n}" for n in range(7)]
    left = [body for _, body in filled.messages(INVALID, 23)]
    kept = [json.loads(body)["recording_id"] for body in left if body != UNREADABLE]
    assert kept == [f"r{number}" for number in range(20)]
    assert [number for number, body in enumerate(left) if body == UNREADABLE] == [10, 16, 22]


def test_two_who_look_at_once_both_see_all_of_it(filled: Route) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: look(filled), range(8)))
    assert {each.matching for each in found} == {24}
    unknown = look_at_invalid(filled.rabbitmq, InvalidFilter("unknown"), 0, 100)
    assert [each.recording_id for each in unknown.events] == [f"r{number}" for number in range(20)]


def test_a_reader_that_never_ends_is_waited_for_and_then_told(
    filled: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.amqp.browser.TURN_SECONDS", 0.3)
    connection = pika.BlockingConnection(parameters(filled.rabbitmq))
    connection.channel().queue_declare(names.INVALID_READER, exclusive=True)
    with pytest.raises(BrokerRefuses, match="somebody else reads the queue"):
        look(filled)
    connection.close()
    until(lambda: _looks(filled), "the lock to be free")


def _looks(route: Route) -> bool:
    try:
        return look(route).matching == 24
    except BrokerRefuses:
        return False


def test_single_ones_are_taken_out_and_the_others_stay(filled: Route) -> None:
    page = look(filled)
    chosen = InvalidFilter(event_ids=(page.events[1].event_id, page.events[3].event_id))
    assert act_on_invalid(filled.rabbitmq, None, chosen, 500, "mark") == 2
    assert act_on_invalid(filled.rabbitmq, None, chosen, 500, "mark") == 0
    assert look(filled).matching == 22


def test_large_events_are_taken_out_a_few_at_a_time(
    filled: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalid_queue, "TAKEN_BYTES", 3 * len(UNREADABLE))
    malformed = InvalidFilter("malformed")
    assert act_on_invalid(filled.rabbitmq, None, malformed, 500, "mark") == 3
    assert act_on_invalid(filled.rabbitmq, None, malformed, 500, "mark") == 1
    assert act_on_invalid(filled.rabbitmq, None, malformed, 500, "mark") == 0
    assert discard_invalid(filled.rabbitmq, "", lambda _: None, datetime.now(UTC)) == 20


def test_whose_a_very_large_event_is_is_not_asked(
    filled: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown(filled.publisher, 20, "nobody-0", more="x" * 200)
    monkeypatch.setattr(invalid_queue, "MOST_PARSED", 100)
    assert look(filled, InvalidFilter("unknown", "nobody-0")).matching == 10
    assert look(filled, InvalidFilter("unknown")).matching == 21


def test_what_the_broker_does_not_confirm_stays(filled: Route) -> None:
    filled.channel.queue_delete("recordings.ready")
    with pytest.raises(Exception, match="reached no queue"):
        replay_invalid(filled.rabbitmq, filled.publisher, "", lambda _: None, datetime.now(UTC))
    assert look(filled).matching == 24


def test_a_replay_ends_although_the_events_come_back(filled: Route) -> None:
    """They come back while it runs: the account that they name is still not there."""
    done: list[str | None] = []
    with intake(filled):
        count = replay_invalid(
            filled.rabbitmq,
            filled.publisher,
            "unknown",
            lambda message: done.append(message.recording_id),
            datetime.now(UTC),
        )
        filled.taken(20)
    assert count == 20
    assert done == [f"r{number}" for number in range(20)]
    assert look(filled).matching == 24


def test_an_event_that_came_back_is_passed_over_by_its_own_replay_alone(route: Route) -> None:
    declare(route.rabbitmq)
    with intake(route):
        unknown(route.publisher, 1)
        assert act_on_invalid(route.rabbitmq, route.publisher, ANY, 500, "first") == 1
        route.taken(1)
        assert act_on_invalid(route.rabbitmq, route.publisher, ANY, 500, "first") == 0
        assert act_on_invalid(route.rabbitmq, route.publisher, ANY, 500, "second") == 1
        route.taken(2)


def test_it_is_kept_since_when_an_event_lies_there(route: Route) -> None:
    with intake(route):
        route.publish(event(account_id="nobody"))
        route.taken(1)
    [shown] = look(route).events
    assert shown.since is not None
    assert look(route).groups[0].oldest == shown.since


def test_a_message_that_says_no_time_that_there_is_holds_up_nobody(route: Route) -> None:
    declare(route.rabbitmq)
    facts = pika.BasicProperties(delivery_mode=2, timestamp=2**63 - 1, headers={"x": 1})
    route.channel.basic_publish("", INVALID, b"x", facts)
    until(lambda: route.ready(INVALID) == 1, "the event to be there")
    [shown] = look(route).events
    assert (shown.since, shown.reason) == (None, "")


def test_all_are_discarded_however_many_parts_it_takes(
    filled: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalid_queue, "PART", 7)
    monkeypatch.setattr(invalid_queue, "AT_ONCE", 3)
    assert discard_invalid(filled.rabbitmq, "", lambda _: None, datetime.now(UTC)) == 24
    assert look(filled).in_queue == 0


def test_what_arrives_after_the_decision_stays(filled: Route) -> None:
    seen = datetime.now(UTC)
    later = int(seen.timestamp()) + 60
    invalid(filled.publisher, "malformed: not UTF-8 JSON", b"later", "late", since=later)
    assert discard_invalid(filled.rabbitmq, "malformed", lambda _: None, seen) == 4
    assert replay_invalid(filled.rabbitmq, filled.publisher, "malformed", _none, seen) == 0
    assert [each.code for each in look(filled).groups] == ["unknown-account", "malformed"]
    assert later_invalid(filled.rabbitmq, "malformed", seen) == 1
    assert later_invalid(filled.rabbitmq, "unknown-account", seen) == 0


def _none(_message: object) -> None: ...


def test_a_look_may_be_cut_short_and_nothing_is_lost(filled: Route) -> None:
    stop = threading.Event()

    def fail(_message: Message) -> bool:
        stop.set()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        browse(filled.rabbitmq, INVALID, fail)
    assert stop.is_set()
    until(lambda: filled.ready(INVALID) == 24, "all of them to be back")
    assert look(filled).events[0].recording_id == "r0"


def test_a_queue_that_is_deleted_during_a_look_holds_up_nobody(route: Route) -> None:
    """RabbitMQ ends the consumer then, and never answers who ends it once more."""
    declare(route.rabbitmq)
    for _ in range(4):
        invalid(route.publisher, "malformed: not UTF-8 JSON", UNREADABLE * 500_000)
    until(lambda: route.ready(INVALID) == 4, "all of them to lie there")

    def delete(_message: Message) -> bool:
        with pika.BlockingConnection(parameters(route.rabbitmq)) as other:
            other.channel().queue_delete(INVALID)
        return True

    assert browse(route.rabbitmq, INVALID, delete).seen == 4
    assert look(route).in_queue == 0
