"""Publishes many messages at once, and awaits the broker's confirm of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingConnection


@dataclass(frozen=True)
class Outgoing:
    """A persistent message, and where it goes."""

    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any] | None = None
    message_id: str | None = None
    content_type: str = "application/json"
    timestamp: int | None = None
    """Seconds since 1970; None: it does not say when it was published."""

    @property
    def properties(self) -> pika.BasicProperties:
        return pika.BasicProperties(
            content_type=self.content_type,
            delivery_mode=pika.DeliveryMode.Persistent.value,
            headers=self.headers,
            message_id=self.message_id,
            timestamp=self.timestamp,
        )


class ConfirmChannel:
    """A channel in confirm mode, for the thread that owns its connection.

    pika's blocking channel awaits each confirm before the next message: a disk write of the broker
    for each. This one uses the channel underneath it, which does not wait.
    """

    def __init__(self, connection: BlockingConnection) -> None:
        self.connection = connection
        self._channel = connection.channel()
        self._tag = 0
        self._awaited: dict[int, int] = {}
        """Delivery tag to the position in the batch, in the order of publishing."""
        self._sent: list[tuple[Any, ...]] = []
        self._returned = 0
        self._refused: set[int] = set()
        selected: list[object] = []
        self._impl.confirm_delivery(self._on_confirm, callback=selected.append)
        self._impl.add_on_return_callback(self._on_return)
        self._wait(lambda: bool(selected))

    @property
    def is_open(self) -> bool:
        return bool(self._channel.is_open)

    def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Publish in this order, await all confirms. Returns the positions that reached no queue.

        These were returned, or refused by the broker. Raises pika's errors.
        """
        self._awaited = {}
        self._sent = [(each.exchange, each.routing_key, each.message_id) for each in messages]
        self._returned = 0
        self._refused = set()
        for position, message in enumerate(messages):
            self._send(position, message)
        self._wait(lambda: not self._awaited)
        return self._refused

    def _send(self, position: int, message: Outgoing) -> None:
        self._impl.basic_publish(
            message.exchange,
            message.routing_key,
            message.body,
            message.properties,
            mandatory=True,
        )
        self._tag += 1
        self._awaited[self._tag] = position

    def _on_confirm(self, frame: Any) -> None:
        """The broker answers for one message, or for all up to it ("Publisher Confirms")."""
        tag = frame.method.delivery_tag
        tags = [tag]
        if frame.method.multiple:
            tags = [*takewhile(lambda awaited: awaited <= tag, self._awaited)]
        positions = [self._awaited.pop(each) for each in tags if each in self._awaited]
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self._refused.update(positions)

    def _on_return(self, _channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        """Returns carry no tag, but come in the order of publishing, each before its confirm."""
        returned = (method.exchange, method.routing_key, properties.message_id)
        position = self._sent.index(returned, self._returned)
        self._returned = position + 1
        self._refused.add(position)

    def _wait(self, ready: Any) -> None:
        self._channel._flush_output(ready)  # noqa: SLF001 - see the class

    @property
    def _impl(self) -> Any:
        return self._channel._impl  # noqa: SLF001 - see the class
