"""Unusable events in their queue, put there as the intake does."""

import json
from collections.abc import Sequence
from typing import Any

from config.tls import Endpoint
from consumers.amqp import names, topology
from consumers.amqp.browser import Message, browse
from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import Publisher


def declare(rabbitmq: Endpoint) -> None:
    """The exchange and the queues that are needed."""
    topology.declare_once(rabbitmq, topology.RECORDINGS, topology.INTAKE, topology.INVALID)


def invalid(
    publisher: Publisher,
    reason: str,
    body: bytes,
    message_id: str | None = None,
    since: int | None = None,
) -> None:
    """An event that could not be used, since so many seconds after 1970."""
    event = Outgoing(
        "",
        topology.INVALID.name,
        body,
        {names.REASON_HEADER: reason},
        message_id,
        timestamp=since,
    )
    assert not publisher.publish_all([event])


def unknown(publisher: Publisher, number: int, account_id: str = "nobody", **more: Any) -> None:
    """An event of an account that there is not."""
    event = {"recording_id": f"r{number}", "account_id": account_id, **more}
    reason = f"unknown-account: there is no account {account_id!r}"
    invalid(publisher, reason, json.dumps(event).encode(), f"m{number}")


def bodies(rabbitmq: Endpoint) -> Sequence[bytes]:
    """What lies in the queue, in its order; all of it goes back as it was."""
    found: list[bytes] = []

    def look(message: Message) -> bool:
        found.append(message.body)
        return False

    browse(rabbitmq, topology.INVALID.name, look)
    return found
