"""Exchanges and queues as data, and the one place that declares them.

Every queue is a quorum queue with an explicit, very high delivery limit: without one RabbitMQ 3.10
puts a returned message at the tail, and 4.x drops it after twenty returns (quorum queue guide,
"Poison message handling"). Tries are counted in the ledger, never by the broker.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from amqp.exceptions import AMQPError
from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError

from config.tls import Endpoint
from consumers.broker import BrokerAway, in_words
from consumers.nodes import addresses, kombu_tls

ANSWER_SECONDS = 10
UNREACHABLE = (AMQPError, KombuError, OSError)
"""What kombu raises where RabbitMQ cannot be reached, or refuses."""
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
def connected(rabbitmq: Endpoint, heartbeat: int = 0) -> Iterator[Connection]:
    """A connection of kombu's on which no wait for the broker is endless.

    py-amqp waits for each answer as long as it takes, also for that to the polite close; so its
    socket has limits, and after an error the connection is dropped without asking.
    """
    connection = _first_that_answers(rabbitmq, heartbeat)
    established = connection.connection
    try:
        yield connection
    except BaseException:
        established.collect()
        raise
    finally:
        connection.release()


def _first_that_answers(rabbitmq: Endpoint, heartbeat: int) -> Connection:
    """Each node once; a single one twice. Raises what the last one fails with.

    kombu would try several by itself, but checks the certificates of all of them for one name.
    """
    nodes = addresses(rabbitmq)
    tries = nodes if len(nodes) > 1 else nodes * 2
    for node in tries[:-1]:
        with suppress(*UNREACHABLE):
            return _connect(rabbitmq, node, heartbeat)
    return _connect(rabbitmq, tries[-1], heartbeat)


def _connect(rabbitmq: Endpoint, node: str, heartbeat: int) -> Connection:
    connection = Connection(
        node,
        heartbeat=heartbeat,
        connect_timeout=ANSWER_SECONDS,
        transport_options={"read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS},
        ssl=kombu_tls(node, rabbitmq.trust) or False,
    )
    try:
        connection.connect()
    except BaseException:
        connection.release()
        raise
    return connection


def declare_once(rabbitmq: Endpoint, *entities: Exchange | Queue) -> None:
    """Declare over a connection of its own: for what is needed once in an account's life.

    Raises BrokerAway.
    """
    try:
        with connected(rabbitmq) as connection:
            declare(connection.default_channel, *entities)
    except UNREACHABLE as error:
        raise BrokerAway(in_words(error)) from None


def declare_base(channel: Any) -> None:
    """Everything that must stand before the first event."""
    declare(channel, RECORDINGS, DELIVERIES, INTAKE, INVALID)
