"""Exchanges and queues as data, and the one place that declares them.

Every queue is a quorum queue with an explicit, very high delivery limit: without one RabbitMQ 3.10
puts a returned message at the tail, and 4.x drops it after twenty returns (quorum queue guide,
"Poison message handling"). Tries are counted in the ledger, never by the broker.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from amqp.exceptions import AccessRefused, AMQPError, ChannelError, NotFound
from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError

from config.tls import Endpoint
from consumers.amqp import names
from consumers.amqp.connection import BrokerAway, BrokerRefuses, in_words
from consumers.amqp.nodes import addresses, kombu_tls

ANSWER_SECONDS = 10
UNREACHABLE = (AMQPError, KombuError, OSError)
"""What kombu raises where RabbitMQ cannot be reached, or refuses."""
DELIVERY_LIMIT = 1_000_000_000
_QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
_SINGLE = {**_QUORUM, "x-single-active-consumer": True}

RECORDINGS = Exchange(names.RECORDINGS, type="topic", durable=True)
DELIVERIES = Exchange("deliveries", type="direct", durable=True)

INTAKE = Queue(
    "recordings.ready", RECORDINGS, routing_key=f"{names.READY_KEY}.#", queue_arguments=_QUORUM
)
INVALID = Queue(names.INVALID, queue_arguments=_QUORUM)


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
    """Declare on a kombu channel; what stands already is left as it is.

    What we may not configure is used where somebody else has declared it. Raises amqp's
    ChannelError with RabbitMQ's words where it neither can be declared nor stands; the channel is
    open again then, as py-amqp opens it anew.
    """
    for entity in entities:
        if isinstance(entity, Exchange):
            _declare_exchange(channel, entity)
        else:
            _declare_queue(channel, entity)


def _declare_exchange(channel: Any, exchange: Exchange) -> None:
    bound = exchange(channel)
    try:
        bound.declare()
    except AccessRefused as refused:
        _passively(lambda: bound.declare(passive=True), refused)


def _declare_queue(channel: Any, queue: Queue) -> None:
    bound = queue(channel)
    is_bound = bool(queue.exchange.name)
    if is_bound:
        _declare_exchange(channel, queue.exchange)
    try:
        bound.queue_declare()
    except AccessRefused as refused:
        _passively(lambda: bound.queue_declare(passive=True), refused)
    if is_bound:
        with suppress(AccessRefused):  # whoever has declared the queue has bound it, or
            bound.queue_bind()  # what is published to it comes back


def _passively(declare_passively: Callable[[], object], refused: AccessRefused) -> None:
    try:
        declare_passively()
    except NotFound:
        raise refused from None


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

    Raises BrokerAway, BrokerRefuses.
    """
    with connection_of_its_own(rabbitmq) as connection:
        declare(connection.default_channel, *entities)


@contextmanager
def connection_of_its_own(rabbitmq: Endpoint) -> Iterator[Connection]:
    """The same as `connected`. Raises BrokerAway, and BrokerRefuses where a channel was closed."""
    established = False
    try:
        with connected(rabbitmq) as connection:
            established = True
            yield connection
    except UNREACHABLE as error:
        # A login that is refused is told by the same error as a right that is missing.
        refused = established and isinstance(error, ChannelError)
        raise (BrokerRefuses if refused else BrokerAway)(in_words(error)) from None


def declare_base(channel: Any) -> None:
    """What must stand before events can be taken. Raises as `declare`."""
    declare(channel, RECORDINGS, DELIVERIES, INTAKE)
