"""Which of the rights that the program needs at RabbitMQ are missing, tried one by one.

The trial leaves nothing behind and takes nothing: a message is published in a transaction that is
rolled back, and exclusive queues, which end with the connection, stand for an account's queues.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from amqp import Message
from amqp.exceptions import AccessRefused, ChannelError, NotFound, PreconditionFailed
from kombu import Exchange, Queue

from config.tls import Endpoint
from consumers.amqp import topology
from consumers.amqp.connection import in_words

LOOK_SECONDS = 30.0
"""A granted or revoked right is noticed after this time."""
NOT_ROUTED_KEY = "courier.check"


@dataclass(frozen=True)
class Refusal:
    """Something that RabbitMQ does not let the program do, in its own words."""

    words: str
    stops_intake: bool
    """True where no event can be taken without the right."""


def refusals(rabbitmq: Endpoint) -> list[Refusal]:
    """The rights that are missing; empty where the program may do all that it needs.

    Declares what every start declares. Raises BrokerAway.
    """
    with topology.connection_of_its_own(rabbitmq) as connection:
        attempts = _attempts(connection.default_channel)
        return [each for each in (_tried(*attempt) for attempt in attempts) if each]


def broken_queues(rabbitmq: Endpoint, account_ids: Iterable[str]) -> dict[str, str]:
    """Why queues of these accounts cannot be used, by name. Raises BrokerAway.

    No queue is declared: one that does not stand is not broken.
    """
    found: dict[str, str] = {}
    with topology.connection_of_its_own(rabbitmq) as connection:
        channel = connection.default_channel
        for account_id in account_ids:
            for queue in (
                topology.account_queue(account_id),
                topology.dead_letter_queue(account_id),
            ):
                words = _broken(channel, queue)
                if words is not None:
                    found[queue.name] = words
    return found


class Rights:
    """The refusals of the last look. Callable from any thread."""

    def __init__(self, rabbitmq: Endpoint) -> None:
        self._rabbitmq = rabbitmq
        self._refusals: tuple[Refusal, ...] = ()
        self._due = 0.0
        self.are_known = False

    def look(self) -> None:
        """Try the rights again, once in LOOK_SECONDS at most. Raises BrokerAway."""
        if time.monotonic() < self._due:
            return
        self._refusals = tuple(refusals(self._rabbitmq))
        self._due = time.monotonic() + LOOK_SECONDS
        self.are_known = True

    def missing(self, *, stops_intake: bool) -> str | None:
        """RabbitMQ's words about missing rights that the intake needs, or does not need."""
        words = [each.words for each in self._refusals if each.stops_intake == stops_intake]
        return "; ".join(dict.fromkeys(words)) or None


Attempt = tuple[Callable[[], object], bool]
"""Each trial, and whether the intake needs the right."""


def _attempts(channel: Any) -> Iterator[Attempt]:
    for entity in (topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE):
        yield partial(topology.declare, channel, entity), True
    yield partial(_bind, channel, topology.INTAKE), False
    yield partial(topology.declare, channel, topology.INVALID), False
    yield partial(_consume, channel, topology.INTAKE.name), True
    yield partial(_consume, channel, topology.INVALID.name), False
    yield partial(_publish, channel, topology.DELIVERIES), True
    yield partial(_publish, channel, topology.RECORDINGS), False
    yield partial(_publish, channel, Exchange("")), False
    # Longer than an account's id can be, so that it is nobody's.
    account_id = f"check-{uuid.uuid4().hex}{uuid.uuid4().hex}"
    for name in (
        topology.account_queue_name(account_id),
        topology.dead_letter_queue_name(account_id),
    ):
        yield partial(_use_queue, channel, name, account_id), False


def _tried(attempt: Callable[[], object], stops_intake: bool) -> Refusal | None:  # noqa: FBT001 - a pair
    try:
        attempt()
    except ChannelError as error:
        return Refusal(in_words(error), stops_intake)
    return None


def _publish(channel: Any, exchange: Exchange) -> None:
    """RabbitMQ checks the right when the message comes, and drops it at the rollback."""
    with channel.connection.channel() as transaction:
        transaction.tx_select()
        transaction.basic_publish(Message(b""), exchange.name, NOT_ROUTED_KEY)
        transaction.tx_rollback()


def _bind(channel: Any, queue: Queue) -> None:
    """AMQP does not tell what is bound: an unbound queue would lose all that is published."""
    with suppress(NotFound):  # which declaring it has told
        queue(channel).queue_bind()


def _consume(channel: Any, queue: str) -> None:
    """RabbitMQ checks the right before the arguments: with these it gives nobody a message.

    Were they taken all the same, it would be one message, which goes back at once.
    """
    channel.basic_qos(0, 1, a_global=False)
    try:
        tag = channel.basic_consume(queue, no_ack=False, arguments={"x-priority": "none"})
    except PreconditionFailed:
        return
    channel.basic_cancel(tag)


def _use_queue(channel: Any, name: str, account_id: str) -> None:
    """All that is done with an account's queue, with one that ends with the connection."""
    try:
        channel.queue_declare(name, exclusive=True, durable=False)
        if name == topology.account_queue_name(account_id):
            channel.queue_bind(name, topology.DELIVERIES.name, account_id)
        channel.basic_cancel(channel.basic_consume(name))
        channel.queue_delete(name)
    except AccessRefused as refused:
        words = str(refused.reply_text).replace(account_id, "<account>")
        raise AccessRefused(words, refused.method_sig) from None


def _broken(channel: Any, queue: Queue) -> str | None:
    try:
        queue(channel).queue_declare(passive=True)
        topology.declare(channel, queue)
    except NotFound:
        return None
    except ChannelError as error:
        return in_words(error)
    return None
