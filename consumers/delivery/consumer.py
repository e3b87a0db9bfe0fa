"""The channel over which one account session takes the messages of its queue.

pika's thread fills the inbox; the session's thread empties it, acknowledges, and closes.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from consumers.amqp import topology
from consumers.amqp.connection import Broker, BrokerAway, close_in_order

CLOSE_LIMIT = 5
NOT_FOUND = 404


class NoQueue(Exception):
    """The account has no queue: nothing was ever routed to it, or somebody deleted the queue."""


@dataclass(frozen=True)
class Delivery:
    """A message as it came; `since` is the local monotonic time of that."""

    tag: int
    recording_id: str
    generation: int
    body: bytes
    since: float


@dataclass(frozen=True)
class Ack:
    """`multiple`: of every message up to this one."""

    tag: int
    multiple: bool = False


class Consumer:
    """One channel, one consumer. Closing it returns to the queue, in order, what is not settled.

    At most `prefetch` messages are unsettled at once; `wakeup` is set when one arrives. Opening
    raises NoQueue, BrokerAway.
    """

    def __init__(
        self, broker: Broker, account_id: str, prefetch: int, wakeup: threading.Event
    ) -> None:
        self.prefetch = prefetch
        self._broker = broker
        self._wakeup = wakeup
        self._queue_name = topology.account_queue_name(account_id)
        self._inbox: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._cancelled = False
        self._channel = broker.call(self._open, undo=self._abandon)

    def _abandon(self, channel: BlockingChannel) -> None:
        """Nobody waits for this consumer any more: it must not stay the queue's only one."""
        self._broker.post(lambda _: close_in_order(channel))

    def _open(self, connection: BlockingConnection) -> BlockingChannel:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=self.prefetch)
        channel.add_on_cancel_callback(self._on_cancel)
        try:
            channel.basic_consume(self._queue_name, self._on_message)
        except ChannelClosedByBroker as error:
            if error.reply_code == NOT_FOUND:
                raise NoQueue(self._queue_name) from None
            raise
        return channel

    def _on_message(self, _: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        generation = (properties.headers or {}).get(topology.GENERATION_HEADER)
        self._inbox.put(
            Delivery(
                method.delivery_tag,
                properties.message_id or "",
                generation if isinstance(generation, int) else 0,
                body,
                time.monotonic(),
            )
        )
        self._wakeup.set()

    def _on_cancel(self, _: Any) -> None:
        self._cancelled = True
        self._wakeup.set()

    @property
    def alive(self) -> bool:
        """False once the channel or its consumer is gone: acknowledgements reach nobody then."""
        return bool(self._channel.is_open) and not self._cancelled

    @property
    def is_idle(self) -> bool:
        """Whether it is alive and nothing has come since `arrived` was called."""
        return self.alive and self._inbox.empty()

    def arrived(self) -> list[Delivery]:
        """What has come since the last call, in the queue's order."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._inbox.get_nowait())
        return found

    def ack(self, acks: Sequence[Ack]) -> None:
        """Acknowledge; where the channel is gone the messages come back and their rows tell."""
        channel = self._channel

        def send(_: BlockingConnection) -> None:
            for ack in acks:
                if channel.is_open:
                    channel.basic_ack(ack.tag, ack.multiple)

        self._broker.post(send)

    def is_drained(self) -> bool:
        """Whether the queue holds nothing more for this session. Raises BrokerAway."""
        name, channel = self._queue_name, self._channel

        def ready(connection: BlockingConnection) -> int:
            count: int = channel.queue_declare(name, passive=True).method.message_count
            connection.process_data_events(0)  # what came before the answer is in the inbox then
            return count

        if not self.alive:
            raise BrokerAway("the consumer was cancelled")
        return self._broker.call(ready) == 0 and self._inbox.empty()

    def close(self) -> None:
        """Give back what is not settled, in order. Never raises."""
        closed = self._broker.post(lambda _: close_in_order(self._channel))
        with contextlib.suppress(Exception):  # the broker returns the messages itself then
            closed.result(CLOSE_LIMIT)
