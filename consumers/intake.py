"""recordings.ready -> deliveries.<account>: each event becomes a row, then a message, then an ack.

In this order, so that a crash anywhere repeats and never loses (DESIGN 2).
"""

import socket
import threading
from collections.abc import Callable
from typing import Any, Literal

from amqp.exceptions import AMQPError
from kombu import Connection, Consumer
from kombu.exceptions import KombuError
from pydantic import SecretStr
from pymongo.errors import PyMongoError

from config.accounts import DeliveryMethod
from config.directory import Directory
from config.errors import AccountError
from consumers import topology
from consumers.broker import BrokerAway, NotRouted, Publisher
from consumers.events import InvalidEvent, RecordingReady, decode
from consumers.ledger import Ledger, Opened, Status
from consumers.observe import EventTaken, Observer, Trouble
from consumers.routing import Router

PREFETCH = 100
HEARTBEAT = 20
RETRY_SECONDS = 1.0
POLL_SECONDS = 0.2
"""Longest wait for an event before the intake looks whether it is to stop."""


class Intake:
    """Consumes the events, in a thread of its own, for as long as it is not stopped."""

    def __init__(
        self,
        amqp_url: SecretStr,
        directory: Directory,
        ledger: Ledger,
        publisher: Publisher,
        router: Router,
        observe: Observer,
        routed: Callable[[], None],
    ) -> None:
        self._amqp_url = amqp_url
        self._directory = directory
        self._ledger = ledger
        self._publisher = publisher
        self._router = router
        self._observe = observe
        self._routed = routed
        self._stopping = threading.Event()
        self.consuming = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no more events; those that are not acknowledged go back to the queue."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._consume()
            except PyMongoError as error:
                self._observe(Trouble("mongodb", f"intake: {error}"))
            except (BrokerAway, NotRouted, AMQPError, KombuError, OSError) as error:
                self._observe(Trouble("rabbitmq", f"intake: {error}"))
            except Exception as error:  # noqa: BLE001 - the intake of all must outlive one event
                self._observe(Trouble("intake", repr(error), error))
            self.consuming.clear()
            self._stopping.wait(RETRY_SECONDS)

    def _consume(self) -> None:
        with topology.connected(self._amqp_url, HEARTBEAT) as connection:
            channel = connection.default_channel
            topology.declare_base(channel)
            consumer = Consumer(
                channel,
                [topology.INTAKE],
                on_message=self._take,
                on_decode_error=self._take_undecoded,
                prefetch_count=PREFETCH,
                auto_declare=False,
            )
            with consumer:
                self.consuming.set()
                while not self._stopping.is_set():
                    self._drain(connection)

    def _drain(self, connection: Connection) -> None:
        connection.heartbeat_check()
        try:
            connection.drain_events(timeout=POLL_SECONDS)
        except socket.timeout:  # noqa: UP041 - kombu's name for "nothing came"
            return

    def _take(self, message: Any) -> None:
        """One event, to its end. Raises what is ours: the message then comes again."""
        body = message.body
        body = body.encode() if isinstance(body, str) else bytes(body)  # an empty one is a str
        try:
            taken = self._accept(decode(body, message.content_type))
        except InvalidEvent as error:
            taken = self._refuse(message, body, error)
        message.ack()
        self._observe(taken)

    def _take_undecoded(self, message: Any, _: Exception) -> None:
        """A message whose headers promise what its body is not: judged by its bare body."""
        self._take(message)

    def _accept(self, event: RecordingReady) -> EventTaken:
        skipped = self._method(event) is DeliveryMethod.EMAIL
        body = event.model_dump_json(exclude_unset=True).encode()
        opened = self._ledger.files.open(event, body, skipped=skipped)
        if opened.outcome == "conflict":
            raise InvalidEvent("conflict")
        if opened.status is Status.QUEUED and not opened.routed:
            self._route(event)
        outcome = _outcome(opened, skipped=skipped)
        return EventTaken(outcome, event.account_id, event.recording_id)

    def _route(self, event: RecordingReady) -> None:
        routing = self._ledger.files.next_turn(event.recording_id)
        if routing is not None:
            self._router.route(routing)
            self._routed()

    def _method(self, event: RecordingReady) -> DeliveryMethod:
        """How the number is to be delivered. Raises InvalidEvent for what is not known."""
        try:
            account = self._directory.find(event.account_id)
        except AccountError as error:
            raise InvalidEvent("unusable-account", str(error)) from None
        if account is None:
            raise InvalidEvent("unknown-account", f"there is no account {event.account_id!r}")
        number = self._directory.number(event.number) if event.number is not None else None
        if number is None:
            return account.default_method
        if number.account_id != event.account_id:
            raise InvalidEvent(
                "number-of-another-account", f"number {event.number!r} belongs to another account"
            )
        return number.method

    def _refuse(self, message: Any, body: bytes, error: InvalidEvent) -> EventTaken:
        self._publisher.publish(
            "",
            topology.INVALID.name,
            body,
            {topology.REASON_HEADER: error.reason},
            message_id=message.properties.get("message_id"),
            content_type=message.content_type or "application/json",
        )
        return EventTaken("invalid", None, None, error.reason)


def _outcome(opened: Opened, *, skipped: bool) -> Literal["routed", "duplicate", "skipped"]:
    if opened.outcome == "again":
        return "duplicate"
    return "skipped" if skipped else "routed"
