"""The broker's nodes: `COURIER_AMQP_URL` names one, or several of a cluster with `;` between."""

import random
from collections.abc import Sequence

import pika
from pydantic import SecretStr


def addresses(amqp_url: SecretStr) -> list[str]:
    """The URL of each node, in an order of chance, so that the workers spread over them."""
    nodes = [each.strip() for each in amqp_url.get_secret_value().split(";")]
    return random.sample(nodes, len(nodes))


def parameters(
    amqp_url: SecretStr, *, socket_timeout: float = 10, blocked_timeout: float = 30
) -> Sequence[pika.URLParameters]:
    """What pika connects with: to the first node that answers. Times in seconds."""
    found = [pika.URLParameters(each) for each in addresses(amqp_url)]
    for each in found:
        each.socket_timeout = socket_timeout
        each.blocked_connection_timeout = blocked_timeout
    return found
