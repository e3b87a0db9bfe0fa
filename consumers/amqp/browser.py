"""Goes through a queue that nobody works on, looks at each message, and removes some."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from config.tls import Endpoint
from consumers.amqp.connection import (
    AWAY,
    BrokerAway,
    BrokerRefuses,
    away,
    close_in_order,
    in_words,
    stop_consuming,
)
from consumers.amqp.deliveries import Delivery, DeliveryConnection
from consumers.amqp.nodes import parameters

ACCESS_REFUSED = 403
NOT_FOUND = 404
RESOURCE_LOCKED = 405
MOST = 65_535
"""Most messages at once: the largest prefetch count of AMQP 0-9-1."""
PATIENCE = 5
"""Seconds without a message after which the queue is taken to have no more."""
TURN_SECONDS = 15.0
"""Longest wait for another reader to come to its end."""


class Message:
    """A message as it lies in the queue."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    @property
    def body(self) -> bytes:
        return self._delivery.body

    @property
    def message_id(self) -> str | None:
        found: str | None = self._delivery.properties.message_id
        return found

    @property
    def content_type(self) -> str | None:
        found: str | None = self._delivery.properties.content_type
        return found

    @property
    def headers(self) -> dict[str, Any]:
        return self._delivery.properties.headers or {}

    @property
    def since(self) -> datetime | None:
        """When it was published, to the second; None where that was not said."""
        return _moment(self._delivery.properties.timestamp)


@dataclass(frozen=True)
class Browsed:
    """What a look at a queue has met."""

    ready: int = 0
    """Messages that lay in the queue."""
    seen: int = 0
    """Those that were looked at, from the head on."""
    taken: int = 0
    """Those that were removed."""


def browse(
    rabbitmq: Endpoint,
    queue: str,
    take: Callable[[Message], bool],
    *,
    most: int = MOST,
    lock: str | None = None,
    before_removal: Callable[[Sequence[Message]], object] | None = None,
) -> Browsed:
    """Show each ready message to `take`, which returns whether to remove it.

    The others keep their place and order: they are given back at once, by closing the channel. A
    quorum queue has what was given back before all others, in a line of its own, and puts what is
    given back behind that line's end. So the order holds where each look at a queue goes as far as
    every other, or to the end: `most` belongs to the queue.

    `lock` is a name that one reader at a time holds: two would deal the messages out between them.
    `before_removal` gets the messages that are to be removed; where it raises, all of them stay.
    A queue that does not exist is an empty one. Raises BrokerAway, BrokerRefuses.
    """
    try:
        connection = pika.BlockingConnection(parameters(rabbitmq), _impl_class=DeliveryConnection)
    except AWAY as error:
        raise BrokerAway(in_words(error)) from None
    try:
        if lock is not None:
            _wait_for_turn(connection, lock)
        return _go_through(connection.channel(), queue, take, most, before_removal)
    except AWAY as error:
        raise away(error) from None
    finally:
        if connection.is_open:
            connection.close()


def _wait_for_turn(connection: BlockingConnection, lock: str) -> None:
    """Hold the lock until the connection ends: a queue that RabbitMQ keeps for it alone.

    Whoever may not declare it reads without one.
    """
    until = time.monotonic() + TURN_SECONDS
    while True:
        try:
            connection.channel().queue_declare(lock, exclusive=True)
        except ChannelClosedByBroker as error:
            if error.reply_code == ACCESS_REFUSED:
                return
            if error.reply_code != RESOURCE_LOCKED:
                raise
            if time.monotonic() > until:
                raise BrokerRefuses("somebody else reads the queue just now") from None
            connection.sleep(0.1)
        else:
            return


def _go_through(
    channel: BlockingChannel,
    queue: str,
    take: Callable[[Message], bool],
    most: int,
    before_removal: Callable[[Sequence[Message]], object] | None,
) -> Browsed:
    try:
        ready = channel.queue_declare(queue, passive=True).method.message_count
    except ChannelClosedByBroker as error:
        if error.reply_code == NOT_FOUND:
            return Browsed()
        raise
    if ready == 0:
        return Browsed()
    wanted = min(ready, most)
    channel.basic_qos(prefetch_count=wanted)
    looked = _Looked(take)
    consumer = _consume(channel, queue, wanted, looked)
    if looked.failure is None and looked.taken and before_removal is not None:
        looked.carry_out(before_removal)
    if looked.failure is None and looked.taken:
        if consumer in channel.consumer_tags:  # RabbitMQ ends one whose queue is deleted
            stop_consuming(channel, consumer)
        for tag, _ in looked.taken:
            channel.basic_ack(tag)
    close_in_order(channel)
    if looked.failure is not None:
        raise looked.failure
    return Browsed(ready, looked.seen, len(looked.taken))


class _Looked:
    """What was looked at. After a failure the rest still has to come, to go back in order."""

    def __init__(self, take: Callable[[Message], bool]) -> None:
        self._take = take
        self.seen = 0
        self.taken: list[tuple[int, Message]] = []
        self.failure: Exception | None = None

    def at(self, delivery: Delivery) -> None:
        """Ask whether to take it."""
        self.seen += 1
        if self.failure is not None:
            return
        message = Message(delivery)
        try:
            if self._take(message):
                self.taken.append((delivery.tag, message))
        except Exception as error:  # noqa: BLE001 - it is raised once all can go back
            self.failure = error

    def carry_out(self, act: Callable[[Sequence[Message]], object]) -> None:
        """Do what comes before the removal."""
        try:
            act([message for _, message in self.taken])
        except Exception as error:  # noqa: BLE001 - it is raised once all can go back
            self.failure = error


def _consume(channel: BlockingChannel, queue: str, wanted: int, looked: _Looked) -> str:
    """Look at so many, or at those that come before nothing does. Returns the consumer's name."""
    arrived = channel.connection._impl.collect(partial(_wake, channel))  # noqa: SLF001 - see there
    consumer: str = channel.basic_consume(queue, on_message_callback=_none)
    until = time.monotonic() + PATIENCE
    while looked.seen < wanted and channel.consumer_tags:
        channel._process_data_events(PATIENCE)  # noqa: SLF001 - it raises why the channel closed
        if not arrived and time.monotonic() > until:
            break
        if arrived:
            for delivery in arrived:
                looked.at(delivery)
            arrived.clear()
            until = time.monotonic() + PATIENCE
    return consumer


def _wake(channel: BlockingChannel) -> None:
    """End the wait for data."""
    channel.connection.call_later(0, _none)


def _none(*_: object) -> None: ...


def _moment(seconds: int | None) -> datetime | None:
    """A message's time as AMQP has it; None where it says none, or one that no clock shows."""
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
