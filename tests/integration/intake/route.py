"""The intake at work on a real broker and a real database, and what it has done with events."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from config.directory import Directory
from config.tls import Endpoint
from consumers.amqp import names, topology
from consumers.amqp.connection import Publisher
from consumers.intake.events import decode
from consumers.intake.intake import Intake
from consumers.intake.routing import Router
from consumers.ledger import BUCKETS, Arrival, Document, Ledger, Routing
from consumers.observe import EventTaken, Observation
from tests.integration.platform import until

EVERY = range(BUCKETS)
ACCOUNT = "acme"
QUEUE = f"deliveries.{ACCOUNT}"
INVALID = "recordings.invalid"
LIMIT = 60.0


@dataclass
class Route:
    """The parts that the intake works with, put together as the service does."""

    rabbitmq: Endpoint
    directory: Directory
    ledger: Ledger
    publisher: Publisher
    router: Router
    channel: BlockingChannel
    seen: list[Observation] = field(default_factory=list)
    woken: threading.Event = field(default_factory=threading.Event)

    def publish(self, body: bytes, key: str = "recording.ready", **properties: Any) -> None:
        facts = {"content_type": "application/json", "delivery_mode": 2, **properties}
        self.channel.basic_publish("recordings", key, body, pika.BasicProperties(**facts))

    def taken(self, count: int = 1) -> list[EventTaken]:
        """What the intake has told of the events, once there are so many."""
        until(lambda: len(self._taken()) >= count, lambda: f"{count} events: {self.seen}", LIMIT)
        return self._taken()

    def _taken(self) -> list[EventTaken]:
        return [each for each in self.seen if isinstance(each, EventTaken)]

    def row(self, recording_id: str = "one") -> Document:
        row = self.ledger.queries.row(recording_id)
        assert row is not None
        return row

    def ready(self, queue: str) -> int:
        count: int = self.channel.queue_declare(queue, passive=True).method.message_count
        return count

    def messages(self, queue: str, count: int) -> list[tuple[Any, bytes]]:
        """Take what lies in a queue: exactly so many."""
        found: list[tuple[Any, bytes]] = []
        for _, properties, body in self.channel.consume(queue, inactivity_timeout=LIMIT):
            assert properties is not None, f"{queue} has {len(found)} messages, not {count}"
            found.append((properties, body))
            if len(found) == count:
                break
        self.channel.basic_ack(0, multiple=True)
        self.channel.cancel()
        assert self.ready(queue) == 0
        return found

    def turns(self, count: int) -> list[int]:
        return [each.headers["x-courier-turn"] for each, _ in self.messages(QUEUE, count)]


def event(recording_id: str = "one", **fields: Any) -> bytes:
    content = {
        "recording_id": recording_id,
        "account_id": ACCOUNT,
        "file_url": "file:///r/a.wav",
        **fields,
    }
    return json.dumps(content).encode()


@contextmanager
def intake(route: Route) -> Iterator[Intake]:
    """The intake at work; it is stopped with nothing left to take."""
    running = Intake(
        route.rabbitmq,
        route.directory,
        route.ledger,
        route.publisher,
        route.router,
        route.seen.append,
        route.woken.set,
    )
    running.start()
    try:
        assert running.consuming.wait(LIMIT)
        yield running
    finally:
        running.stop()


def open_row(route: Route, body: bytes) -> Routing:
    """The first step of an intake, and the last one it takes."""
    [row] = route.ledger.arrivals.open([Arrival(decode(body, None), body, skipped=False)])
    assert row.routing is not None
    return row.routing


def crashed_after(route: Route, step: str) -> None:
    """Take the steps of an intake by hand, up to this one; the event was not acknowledged."""
    routing = open_row(route, event())
    if step == "open":
        return
    if step == "turn":
        route.ledger.arrivals.next_generation("one")
        return
    topology.declare_once(route.rabbitmq, topology.account_queue(ACCOUNT))
    turn = {names.GENERATION_HEADER: routing.generation}
    route.publisher.publish("deliveries", ACCOUNT, routing.body, turn, message_id="one")
    if step == "publish":
        return
    route.ledger.arrivals.routed([routing])


def waiting(route: Route, *bodies: bytes) -> None:
    """Events that are all there before the intake begins: one batch."""
    for body in bodies:
        route.publish(body)
    until(lambda: route.ready("recordings.ready") == len(bodies), "the events to be there")


def taken_together(route: Route, *bodies: bytes) -> list[str]:
    """What has become of each of these events."""
    waiting(route, *bodies)
    with intake(route):
        ends = route.taken(len(bodies))
    assert route.ready("recordings.ready") == 0
    return [each.outcome for each in ends]
