"""Goes through a queue without a consumer, looks at each message, and removes some."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from config.tls import Endpoint
from consumers.amqp.connection import AWAY, BrokerAway, away, close_in_order, in_words
from consumers.amqp.nodes import parameters

NOT_FOUND = 404
MOST = 65_535
"""Most messages at once: the largest prefetch count of AMQP 0-9-1."""
PATIENCE = 5
"""Seconds without a message after which the queue is taken to have no more."""


@dataclass(frozen=True)
class Message:
    """A message as it lies in the queue."""

    body: bytes
    message_id: str | None
    content_type: str | None
    headers: dict[str, Any] = field(default_factory=dict)


def browse(rabbitmq: Endpoint, queue: str, take: Callable[[Message], bool]) -> int:
    """Show each ready message to `take`, which returns whether to remove it.

    The others keep their place and order: they are given back at once, by closing the channel.
    Returns how many were taken; a queue that does not exist is an empty one. Raises BrokerAway,
    BrokerRefuses.
    """
    try:
        connection = pika.BlockingConnection(parameters(rabbitmq))
    except AWAY as error:
        raise BrokerAway(in_words(error)) from None
    try:
        return _go_through(connection.channel(), queue, take)
    except AWAY as error:
        raise away(error) from None
    finally:
        if connection.is_open:
            connection.close()


def _go_through(channel: BlockingChannel, queue: str, take: Callable[[Message], bool]) -> int:
    try:
        ready = channel.queue_declare(queue, passive=True).method.message_count
    except ChannelClosedByBroker as error:
        if error.reply_code == NOT_FOUND:
            return 0
        raise
    if ready == 0:
        return 0
    most = min(ready, MOST)
    channel.basic_qos(prefetch_count=most)
    incoming = channel.consume(queue, inactivity_timeout=PATIENCE)
    taken = [tag for tag, message in _first(most, incoming) if take(message)]
    for tag in taken:
        channel.basic_ack(tag)
    close_in_order(channel)
    return len(taken)


def _first(most: int, incoming: Iterator[Any]) -> Iterator[tuple[int, Message]]:
    for method, properties, body in islice(incoming, most):
        if method is None:
            return
        headers = properties.headers or {}
        message = Message(body, properties.message_id, properties.content_type, headers)
        yield method.delivery_tag, message
