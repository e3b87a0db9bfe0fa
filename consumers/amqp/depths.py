"""The number of events in the intake queue and in `recordings.invalid`."""

from dataclasses import dataclass
from typing import Any

from amqp.exceptions import ChannelError, NotFound
from kombu import Queue

from config.tls import Endpoint
from consumers.amqp import topology


@dataclass(frozen=True)
class Depths:
    """Messages that are ready; None where RabbitMQ does not let us look."""

    intake: int | None
    """Events that no intake has taken yet."""
    invalid: int | None
    """Events that cannot be used."""


def read_depths(rabbitmq: Endpoint) -> Depths:
    """Ask over an own connection. A queue that does not stand is empty. Raises BrokerAway."""
    with topology.connection_of_its_own(rabbitmq) as connection:
        channel = connection.default_channel
        return Depths(_ready(channel, topology.INTAKE), _ready(channel, topology.INVALID))


def _ready(channel: Any, queue: Queue) -> int | None:
    try:
        declared = queue(channel).queue_declare(passive=True)
    except NotFound:
        return 0
    except ChannelError:
        return None
    count: int = declared.message_count
    return count
