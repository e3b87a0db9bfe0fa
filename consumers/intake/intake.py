"""recordings.ready -> deliveries.<account>: each event becomes a row, then a message, then an ack.

The order makes a crash anywhere repeat a step and lose nothing. Events that have arrived are taken
together: a batch shares its writes at the database and at the broker. A single event is a batch of
one, and waits for no other.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from amqp.exceptions import AMQPError
from kombu import Connection, Consumer
from kombu.exceptions import KombuError
from pymongo.errors import PyMongoError

from config.directory import Directory
from config.tls import Endpoint
from consumers import database_words
from consumers.amqp import topology
from consumers.amqp.connection import BrokerAway, NotRouted, Publisher, in_words
from consumers.intake.admission import Admission, Message
from consumers.intake.reasons import InvalidEvent, Reason
from consumers.intake.routing import Router
from consumers.intake.unusable import Unusable, UnusableEvents
from consumers.ledger import Arrival, Ledger, Opened, Routing
from consumers.observe import (
    BatchObserver,
    EventTaken,
    Observer,
    ProgramFailed,
    Received,
    Trouble,
)
from consumers.trace import TraceContext

BATCH = 500
"""Most events that are taken together."""
BATCH_BYTES = 4 * 1024 * 1024
"""Most bytes in a batch: further events wait at the broker."""
PREFETCH = 2 * BATCH
"""The prefetch: the next batch arrives while one is taken."""
RUSH = 100
"""A batch of this size shows that events come faster than they are taken."""
HEARTBEAT = 20
RETRY_SECONDS = 1.0
POLL_SECONDS = 0.2
"""Longest wait for an event before the intake looks whether it is to stop."""

AWAY = (BrokerAway, NotRouted, AMQPError, KombuError, OSError)
"""The broker cannot be reached at this moment."""

End = EventTaken | InvalidEvent
"""The end of an event."""


class Intake:
    """Consumes the events, in a thread of its own, for as long as it is not stopped."""

    def __init__(
        self,
        rabbitmq: Endpoint,
        directory: Directory,
        ledger: Ledger,
        publisher: Publisher,
        router: Router,
        observe: Observer,
        routed: Callable[[], None],
        spans: BatchObserver | None = None,
    ) -> None:
        self._rabbitmq = rabbitmq
        self._admission = Admission(directory, ledger.canary)
        self._ledger = ledger
        self._publisher = publisher
        self._unusable = UnusableEvents(rabbitmq, publisher, self._was_kept)
        self._router = router
        self._observe = observe
        self._routed = routed
        self._spans = spans
        self._stopping = threading.Event()
        self.consuming = threading.Event()
        self.has_backlog = False
        """Whether more events wait to be taken."""
        self.trouble: str | None = None
        """Why events could not be taken at the last try; None where they were."""
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def unkept(self) -> str | None:
        """Why unusable events cannot be kept, while the others are taken."""
        return self._unusable.trouble

    def stop(self) -> None:
        """Take no more events; those that are not acknowledged go back to the queue."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._consume()
            except PyMongoError as error:
                self._failed("mongodb", database_words.in_words(error))
            except AWAY as error:
                self._failed("rabbitmq", in_words(error))
            except Exception as error:  # noqa: BLE001 - the intake of all must outlive one event
                self.trouble = f"a fault of the program ({type(error).__name__})"
                self._observe(ProgramFailed("intake", error))
            self.consuming.clear()
            self.has_backlog = False
            self._stopping.wait(RETRY_SECONDS)

    def _failed(self, where: str, words: str) -> None:
        self.trouble = words
        self._observe(Trouble(where, f"intake: {words}"))

    def _consume(self) -> None:
        # What is taken and cannot be published comes again, in an order that the broker decides:
        # so nothing is taken while the publishing connection is down.
        self._publisher.wait_ready(RETRY_SECONDS)
        arrived: list[Any] = []
        with topology.connected(self._rabbitmq, HEARTBEAT) as connection:
            channel = connection.default_channel
            topology.declare_base(channel)
            self._unusable.prepare()
            consumer = Consumer(
                channel,
                [topology.INTAKE],
                on_message=arrived.append,
                # Headers promise what the body is not: it is judged by its bare body.
                on_decode_error=lambda message, _: arrived.append(message),
                prefetch_count=PREFETCH,
                auto_declare=False,
            )
            with consumer:
                self.consuming.set()
                while not self._stopping.is_set():
                    _gather(connection, arrived)
                    self.has_backlog = len(arrived) >= RUSH
                    if arrived:
                        self._publisher.wait_ready(0)
                        self._take_all(arrived)
                        arrived.clear()
                    self._unusable.tend()
                    self.trouble = None

    def _take_all(self, messages: Sequence[Any]) -> None:
        """Take the batch together. If that fails in an unforeseen way, take each event by itself.

        No event ends twice: a row is opened once, and acknowledged messages are passed over.
        """
        try:
            self._take(messages)
        except (*AWAY, PyMongoError):
            raise
        except Exception:  # noqa: BLE001 - it is told with the event that it belongs to
            for message in messages:
                if not message.acknowledged:
                    self._take_alone(message)

    def _take_alone(self, message: Any) -> None:
        """Take one event. One at which the program fails is unusable, and stops no other."""
        try:
            self._take([message])
        except (*AWAY, PyMongoError):
            raise
        except Exception as error:  # noqa: BLE001 - the intake of all must outlive one event
            self._observe(ProgramFailed("intake", error))
            fault = InvalidEvent(Reason.PROGRAM_FAULT, type(error).__name__, self._trace(message))
            self._unusable.keep([Unusable(message, fault, _body(message))])
            self._acknowledge([message], [fault])

    def _take(self, messages: Sequence[Any]) -> None:
        """Take a batch of events to their ends. Raises our own errors; what is left comes again."""
        began = time.monotonic()
        verdicts = self._admission.judge(
            [Message(_body(each), each.content_type, self._trace(each)) for each in messages]
        )
        arrivals = [each for each in verdicts if isinstance(each, Arrival)]
        rows = self._ledger.arrivals.open(arrivals)
        self._route(self._unrouted(arrivals, rows))
        opened, seconds = iter(rows), time.monotonic() - began
        ends = [
            _end(each, next(opened), seconds) if isinstance(each, Arrival) else each
            for each in verdicts
        ]
        self._unusable.keep(
            [
                Unusable(message, end, _body(message))
                for message, end in zip(messages, ends, strict=True)
                if isinstance(end, InvalidEvent)
            ]
        )
        self._acknowledge(messages, ends)
        if self._spans is not None and len(messages) > 1:
            traces = [each.trace for each in verdicts if each.trace is not None]
            self._spans(Received(time.monotonic() - began, traces))

    def _trace(self, message: Any) -> TraceContext:
        """The event's trace; where spans are sent, with a point for its way through the intake."""
        received = TraceContext.received(message.headers)
        if received is None:
            return TraceContext.begun()
        return received if self._spans is None else received.child()

    def _unrouted(self, arrivals: Sequence[Arrival], rows: Sequence[Opened]) -> list[Routing]:
        """The routings to publish: new rows, and rows whose first publish was never confirmed."""
        pairs = zip(arrivals, rows, strict=True)
        unrouted: dict[str, Routing | None] = {}
        for name, row in ((arrival.event.recording_id, row) for arrival, row in pairs):
            if row.is_to_be_routed:
                unrouted.setdefault(name, row.routing)
        again = [name for name, routing in unrouted.items() if routing is None]
        raised = {each.recording_id: each for each in self._ledger.arrivals.next_generations(again)}
        found = (routing or raised.get(name) for name, routing in unrouted.items())
        return [routing for routing in found if routing is not None]

    def _route(self, routings: Sequence[Routing]) -> None:
        """Publish them into their queues. A row that reaches no queue is left to the reconciler."""
        if not routings:
            return
        failures = self._router.route_all(routings)
        if len(failures) < len(routings):
            self._routed()
        for words in sorted({str(failure) for failure in failures.values()}):
            self._observe(Trouble("rabbitmq", f"intake: {words}; to be routed later"))

    def _acknowledge(self, messages: Sequence[Any], ends: Sequence[End]) -> None:
        """Acknowledge all at once; each by itself while unusable events are held."""
        at_once = not self._unusable.are_held
        ended = [
            (message, end)
            for message, end in zip(messages, ends, strict=True)
            if at_once or not self._unusable.holds(message)
        ]
        for message, _ in ended[-1:] if at_once else ended:
            message.ack(multiple=at_once)
        for _, end in ended:
            self._observe(_taken(end))

    def _was_kept(self, error: InvalidEvent) -> None:
        self._observe(_taken(error))


def _gather(connection: Connection, arrived: list[Any]) -> None:
    """Wait for an event, and take along the others that have arrived by then."""
    connection.heartbeat_check()
    limit = POLL_SECONDS
    room = BATCH_BYTES
    with suppress(socket.timeout):  # kombu's name for "nothing came"
        while len(arrived) < BATCH and room > 0:
            known = len(arrived)
            connection.drain_events(timeout=limit)
            room -= sum(len(message.body) for message in arrived[known:])
            limit = 0


def _body(message: Any) -> bytes:
    body = message.body
    return body.encode() if isinstance(body, str) else bytes(body)  # an empty one is a str


def _end(arrival: Arrival, row: Opened, seconds: float) -> End:
    event = arrival.event
    if row.outcome == "conflict":
        return InvalidEvent(Reason.CONFLICT, trace=arrival.trace)
    return EventTaken(
        _outcome(arrival, row),
        event.account_id,
        event.recording_id,
        seconds=seconds,
        trace=arrival.trace if row.outcome == "new" else row.trace,
    )


def _outcome(arrival: Arrival, row: Opened) -> Literal["routed", "duplicate", "skipped"]:
    if row.outcome == "again":
        return "duplicate"
    return "skipped" if arrival.skipped else "routed"


def _taken(end: End) -> EventTaken:
    if isinstance(end, InvalidEvent):
        return EventTaken("invalid", None, None, end.reason, trace=end.trace)
    return end
