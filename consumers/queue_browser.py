"""Goes through a queue that nobody consumes: looks at each message, and takes some out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pydantic import SecretStr

from consumers.broker import BrokerAway, in_words

NOT_FOUND = 404


@dataclass(frozen=True)
class Message:
    """A message as it lies in the queue."""

    body: bytes
    message_id: str | None
    content_type: str | None
    headers: dict[str, Any] = field(default_factory=dict)


def browse(amqp_url: SecretStr, queue: str, take: Callable[[Message], bool]) -> int:
    """Show each ready message to `take`, which tells whether it is done with and may go.

    The others keep their place and order: they are given back at once, by closing the channel.
    Returns how many were taken; a queue that does not exist is an empty one. Raises BrokerAway.
    """
    parameters = pika.URLParameters(amqp_url.get_secret_value())
    parameters.socket_timeout = 10
    parameters.blocked_connection_timeout = 30
    try:
        connection = pika.BlockingConnection(parameters)
    except (AMQPError, OSError) as error:
        raise BrokerAway(in_words(error)) from None
    try:
        return _go_through(connection.channel(), queue, take)
    except (AMQPError, OSError) as error:
        raise BrokerAway(in_words(error)) from None
    finally:
        if connection.is_open:
            connection.close()


def _go_through(channel: BlockingChannel, queue: str, take: Callable[[Message], bool]) -> int:
    taken = 0
    try:
        ready = channel.queue_declare(queue, passive=True).method.message_count
    except ChannelClosedByBroker as error:
        if error.reply_code == NOT_FOUND:
            return 0
        raise
    for _ in range(ready):
        method, properties, body = channel.basic_get(queue)
        if method is None:
            break
        message = Message(
            body, properties.message_id, properties.content_type, properties.headers or {}
        )
        if take(message):
            channel.basic_ack(method.delivery_tag)
            taken += 1
    return taken
