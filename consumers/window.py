"""An account's queue as one session sees it: what it has taken, and what waits for its next try."""

import contextlib
import queue
import threading
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from consumers import topology
from consumers.broker import Broker, BrokerAway, close_in_order

EXTRA_PREFETCH = 16
CLOSE_LIMIT = 5
NOT_FOUND = 404


class NoQueue(Exception):
    """The account has no queue: nothing was ever routed to it, or somebody deleted the queue."""


@dataclass
class Held:
    """A message that is not acknowledged yet."""

    tag: int
    recording_id: str
    turn: int
    body: bytes
    since: float
    tries: int = 0
    ready_at: float = 0.0
    """Local monotonic time from which it may be tried."""
    file_name: str = ""
    """Wanted at the customer."""
    lost_start: bool = False
    """A worker died while it uploaded the file."""
    seen: bool = False
    """Its row was looked at: what stands above is known."""
    in_work: bool = False
    """Its file is being uploaded by this session."""


class Window:
    """One channel, one consumer. Closing it returns what is held to the queue, in order.

    It takes so many messages at once that `uploads` may run; `stirred` is set when one arrives.
    Opening it raises NoQueue, BrokerAway.
    """

    def __init__(
        self, broker: Broker, account_id: str, uploads: int, stirred: threading.Event
    ) -> None:
        self._broker = broker
        self._stirred = stirred
        self._queue_name = topology.account_queue_name(account_id)
        self._prefetch = uploads + EXTRA_PREFETCH
        self._inbox: queue.SimpleQueue[Held] = queue.SimpleQueue()
        self._held: dict[int, Held] = {}
        self._cancelled = False
        self._channel = broker.call(self._open, undo=self._abandon)

    def _abandon(self, channel: BlockingChannel) -> None:
        """Nobody waits for this consumer any more: it must not stay the queue's only one."""
        self._broker.post(lambda _: close_in_order(channel))

    def _open(self, connection: BlockingConnection) -> BlockingChannel:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.add_on_cancel_callback(self._on_cancel)
        try:
            channel.basic_consume(self._queue_name, self._on_message)
        except ChannelClosedByBroker as error:
            if error.reply_code == NOT_FOUND:
                raise NoQueue(self._queue_name) from None
            raise
        return channel

    def _on_message(self, _: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        headers = properties.headers or {}
        turn = headers.get(topology.TURN_HEADER)
        self._inbox.put(
            Held(
                method.delivery_tag,
                properties.message_id or "",
                turn if isinstance(turn, int) else 0,
                body,
                time.monotonic(),
            )
        )
        self._stirred.set()

    def _on_cancel(self, _: Any) -> None:
        self._cancelled = True
        self._stirred.set()

    @property
    def alive(self) -> bool:
        """False once the channel or its consumer is gone: acknowledgements reach nobody then."""
        return bool(self._channel.is_open) and not self._cancelled

    def take_in(self) -> bool:
        """Hold what has come in since the last call; whether something has."""
        known = len(self._held)
        with contextlib.suppress(queue.Empty):
            while True:
                held = self._inbox.get_nowait()
                self._held[held.tag] = held
        return len(self._held) > known

    def unseen(self) -> list[Held]:
        """Those whose rows were not looked at yet."""
        return [held for held in self if not held.seen]

    def next_ready(self, names_in_use: Container[str], *, lost_starts: bool = True) -> Held | None:
        """The message to try next: fewest tries first, then the queue's order.

        A file waits for another of its name that is being uploaded: the later one of the two is
        to be the later one at the customer as well. Without `lost_starts` those are passed over
        that have to be uploaded alone.
        """
        now = time.monotonic()
        ready = [
            held
            for held in self._waiting(names_in_use)
            if held.ready_at <= now and (lost_starts or not held.lost_start)
        ]
        return min(ready, key=lambda held: (held.tries, held.tag), default=None)

    def is_full(self) -> bool:
        """Whether it holds all it may: there can be more behind in the queue."""
        return len(self._held) >= self._prefetch

    def next_at(self, names_in_use: Container[str]) -> float | None:
        """Local monotonic time at which the first waiting message is ready; None without any."""
        return min((held.ready_at for held in self._waiting(names_in_use)), default=None)

    def oldest_since(self) -> float | None:
        """Local monotonic time since which the longest-held message is held."""
        return min((held.since for held in self), default=None)

    def __iter__(self) -> Iterator[Held]:
        return iter(self._held.values())

    def ack(self, held: Held) -> None:
        """Acknowledge; where the channel is gone the message comes back and the row tells."""
        self._held.pop(held.tag, None)
        channel = self._channel
        self._broker.post(lambda _: channel.basic_ack(held.tag) if channel.is_open else None)

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
        """Give back what is held, in order. Never raises."""
        self._held.clear()
        closed = self._broker.post(lambda _: close_in_order(self._channel))
        with contextlib.suppress(Exception):  # the broker returns the messages itself then
            closed.result(CLOSE_LIMIT)

    def _waiting(self, names_in_use: Container[str]) -> Iterator[Held]:
        waiting = (held for held in self if held.seen and not held.in_work)
        return (held for held in waiting if held.file_name not in names_in_use)
