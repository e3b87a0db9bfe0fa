"""Finds policies that lose messages, over AMQP alone.

AMQP tells nothing about policies. So messages are put into temporary queues whose names begin like
those of ours, and looked for again. That finds limits on fewer messages, bytes, returns or seconds
than are tried here. It finds no larger limits, and no policy for one queue's whole name; the
management API tells all of them (`consumers/amqp/queue_policies`).
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from amqp import Message
from amqp.exceptions import ChannelError, NotFound

from config.tls import Endpoint
from consumers.amqp import topology

MESSAGES = 500
BYTES = 1000
"""Of each message."""
RETURNS = 25
"""RabbitMQ 4 drops a message after 20 where nothing else is said."""
SECONDS = 2.0
SETTLE_SECONDS = 0.5
_STEMS = (topology.INTAKE.name, topology.INVALID.name, "deliveries", "dead-letters")
_ARGUMENTS = {
    "x-queue-type": "quorum",
    "x-delivery-limit": topology.DELIVERY_LIMIT,
    "x-expires": 60_000,  # a probe that is killed leaves nothing
}
_PERSISTENT = 2


def losing(rabbitmq: Endpoint) -> list[str]:
    """A sentence for each kind of our queues in which messages are lost. Raises BrokerAway.

    Kinds whose queues this user may not make are left out.
    """
    with topology.connection_of_its_own(rabbitmq) as connection, ExitStack() as stack:
        channel = connection.default_channel
        names = {stem: stack.enter_context(_filled(channel, stem)) for stem in _STEMS}
        time.sleep(SECONDS)
        fates = {stem: name and _fate(channel, name) for stem, name in names.items()}
    return [f"a queue {_named(stem)} {fate}" for stem, fate in fates.items() if fate]


@contextmanager
def _filled(channel: Any, stem: str) -> Iterator[str | None]:
    """A queue with messages, deleted afterwards; None where this user may not make it."""
    # Longer than an account's id can be, so that it is nobody's.
    name = f"{stem}.check-{uuid.uuid4().hex}{uuid.uuid4().hex}"
    try:
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=_ARGUMENTS)
    except ChannelError:
        yield None
        return
    for number in range(MESSAGES):
        body = (b"%d " % number).ljust(BYTES)
        channel.basic_publish(Message(body, delivery_mode=_PERSISTENT), "", name)
    yield name
    # After an error the connection is dropped without asking: RabbitMQ deletes it in a minute.
    channel.queue_delete(name)


def _fate(channel: Any, name: str) -> str | None:
    """What a policy did to the queue or its messages, in a sentence; None where it did nothing."""
    try:
        kept = _kept(channel, name)
        if kept < MESSAGES:
            return f"keeps {kept} of {MESSAGES} messages for {SECONDS:.0f} seconds"
        return _returned(channel, name)
    except NotFound:
        return f"is deleted within {SECONDS:.0f} seconds in which nobody uses it"


def _kept(channel: Any, name: str) -> int:
    """The number of messages left. It is asked twice, because a busy broker counts late."""
    before = -1
    while True:
        count: int = channel.queue_declare(name, passive=True).message_count
        if count in {before, MESSAGES}:
            return count
        before = count
        time.sleep(SETTLE_SECONDS)


def _returned(channel: Any, name: str) -> str | None:
    """Take the oldest message and give it back, again and again. It stays the first one."""
    message = oldest = channel.basic_get(name)
    for returns in range(1, RETURNS + 1):
        if message is None or message.body != oldest.body:
            return f"drops a message that was given back {returns - 1} times"
        channel.basic_reject(message.delivery_tag, requeue=True)
        message = channel.basic_get(name)
    return None


def _named(stem: str) -> str:
    return stem if stem.startswith("recordings") else f"of an account ({stem}.<account>)"
