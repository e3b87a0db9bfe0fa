"""Reads `recordings.invalid`: events that could not be used, kept until somebody mends them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from config.tls import Endpoint
from consumers.amqp import topology
from consumers.amqp.browser import Message, browse
from consumers.amqp.connection import Publisher
from consumers.trace import TraceContext, headers_of

BEGINNING = 200
"""Characters of a body that are shown."""


@dataclass(frozen=True)
class InvalidMessage:
    """An unusable event: the reason, and what can be read of it."""

    reason: str
    recording_id: str | None
    account_id: str | None
    size: int
    beginning: str
    """The first characters of its body."""

    @classmethod
    def of(cls, message: Message) -> "InvalidMessage":
        content = _content(message.body)
        return cls(
            _reason(message),
            _text(content.get("recording_id")),
            _text(content.get("account_id")),
            len(message.body),
            message.body[: 4 * BEGINNING].decode(errors="replace")[:BEGINNING],
        )


Done = Callable[[InvalidMessage], object]
"""Is called with each message that was dealt with."""


def invalid_messages(rabbitmq: Endpoint, reason: str = "") -> list[InvalidMessage]:
    """The invalid messages whose reason begins with `reason`, oldest first. Raises BrokerAway."""
    found: list[InvalidMessage] = []

    def look(message: Message) -> bool:
        if _reason(message).startswith(reason):
            found.append(InvalidMessage.of(message))
        return False

    browse(rabbitmq, topology.INVALID.name, look)
    return found


def reason_of(rabbitmq: Endpoint, body: bytes) -> str | None:
    """The reason of the invalid event with this body; None where the queue does not have it.

    Raises BrokerAway.
    """
    found: list[str] = []

    def look(message: Message) -> bool:
        if message.body == body:
            found.append(_reason(message))
        return False

    browse(rabbitmq, topology.INVALID.name, look)
    return found[0] if found else None


def replay_invalid(rabbitmq: Endpoint, publisher: Publisher, reason: str, done: Done) -> int:
    """Publish the messages again as they came, and remove each once the broker has confirmed it.

    An event that is still unusable comes back with a new reason. `done` hears of each. Returns
    their number. Raises BrokerAway, NotRouted.
    """

    def again(message: Message) -> None:
        publisher.publish(
            topology.RECORDINGS.name,
            topology.READY_KEY,
            message.body,
            headers_of(TraceContext.received(message.headers)),
            message_id=message.message_id,
            content_type=message.content_type or "application/json",
        )

    return _take(rabbitmq, reason, again, done)


def discard_invalid(rabbitmq: Endpoint, reason: str, done: Done) -> int:
    """Remove the messages for good. Returns their number. Raises BrokerAway."""
    return _take(rabbitmq, reason, lambda _message: None, done)


def _take(rabbitmq: Endpoint, reason: str, act: Callable[[Message], None], done: Done) -> int:
    def take(message: Message) -> bool:
        if not _reason(message).startswith(reason):
            return False
        act(message)
        done(InvalidMessage.of(message))
        return True

    return browse(rabbitmq, topology.INVALID.name, take)


def _reason(message: Message) -> str:
    return str(message.headers.get(topology.REASON_HEADER, ""))


def _content(body: bytes) -> dict[str, Any]:
    """The event's object as far as there is one, out of its CloudEvents envelope too."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(content, dict) and isinstance(content.get("data"), dict):
        content = content["data"]
    return content if isinstance(content, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
