"""Exchanges and queues as data, and the one place that declares them.

Every queue is a quorum queue with an explicit, very high delivery limit: without one RabbitMQ 3.10
puts a returned message at the tail, and 4.x drops it after twenty returns (quorum queue guide,
"Poison message handling"). Tries are counted in the ledger, never by the broker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import AMQPError
from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError
from pydantic import SecretStr

from consumers.broker import BrokerAway, in_words
from consumers.nodes import addresses

ANSWER_SECONDS = 10
DELIVERY_LIMIT = 1_000_000_000
_QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
_SINGLE = {**_QUORUM, "x-single-active-consumer": True}

RECORDINGS = Exchange("recordings", type="topic", durable=True)
DELIVERIES = Exchange("deliveries", type="direct", durable=True)

READY_KEY = "recording.ready"
INTAKE = Queue(
    "recordings.ready", RECORDINGS, routing_key=f"{READY_KEY}.#", queue_arguments=_QUORUM
)
INVALID = Queue("recordings.invalid", queue_arguments=_QUORUM)

REASON_HEADER = "x-courier-reason"
TRIES_HEADER = "x-courier-tries"
TURN_HEADER = "x-courier-turn"


def account_queue(account_id: str) -> Queue:
    """The queue of an account's files: one consumer at a time, so that their order holds."""
    return Queue(
        account_queue_name(account_id),
        DELIVERIES,
        routing_key=account_id,
        queue_arguments=_SINGLE,
    )


def account_queue_name(account_id: str) -> str:
    return f"deliveries.{account_id}"


def dead_letter_queue(account_id: str) -> Queue:
    """The queue of an account's dead letters, filled through the default exchange."""
    return Queue(dead_letter_queue_name(account_id), queue_arguments=_QUORUM)


def dead_letter_queue_name(account_id: str) -> str:
    return f"dead-letters.{account_id}"


def declare(channel: Any, *entities: Exchange | Queue) -> None:
    """Declare on a kombu channel; what stands already is left as it is."""
    for entity in entities:
        entity(channel).declare()


@contextmanager
def connected(amqp_url: SecretStr, heartbeat: int = 0) -> Iterator[Connection]:
    """A connection of kombu's on which no wait for the broker is endless.

    py-amqp waits for each answer as long as it takes, also for that to the polite close; so its
    socket has limits, and after an error the connection is dropped without asking.
    """
    limits = {"read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS}
    nodes = addresses(amqp_url)
    connection = Connection(
        nodes,
        heartbeat=heartbeat,
        connect_timeout=ANSWER_SECONDS,
        transport_options=limits,
    )
    established = None
    try:
        # Each node once; a single one twice.
        connection.ensure_connection(max_retries=max(1, len(nodes) - 1))
        established = connection.connection
        yield connection
    except BaseException:
        if established is not None:
            established.collect()
        raise
    finally:
        connection.release()


def declare_once(amqp_url: SecretStr, *entities: Exchange | Queue) -> None:
    """Declare over a connection of its own: for what is needed once in an account's life.

    Raises BrokerAway.
    """
    try:
        with connected(amqp_url) as connection:
            declare(connection.default_channel, *entities)
    except (AMQPError, KombuError, OSError) as error:
        raise BrokerAway(in_words(error)) from None


def declare_base(channel: Any) -> None:
    """Everything that must stand before the first event."""
    declare(channel, RECORDINGS, DELIVERIES, INTAKE, INVALID)
