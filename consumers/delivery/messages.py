"""The messages of one account's queue that its session holds, and what their rows say of them.

A message is acknowledged once its row says how the file ended, and never before. It stays held
while its file is uploaded, and while the file waits for its next try.

They come over a channel of the session's own: pika's thread fills its inbox, the session's thread
empties it.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from config.accounts import FtpSettings
from consumers.amqp import names, topology
from consumers.amqp.connection import Broker, BrokerAway, close_in_order
from consumers.delivery.deps import Deps
from consumers.delivery.flight import MOST_FILES
from consumers.delivery.flights import Ended, Flights
from consumers.delivery.naming import Naming
from consumers.intake.reasons import Reason
from consumers.ledger import Facts, RowSummary, Status
from transports.base import most_at_once

CLOSE_LIMIT = 5
"""Seconds for the channel to close in order."""
EXTRA_PREFETCH = 16
"""Messages that are held beside those of all flights that may run, so that the next one finds its
files waiting."""
HOLD_LIMIT = 600.0
"""A message is not held longer than this: RabbitMQ closes a channel that is held for 30 minutes
(`consumer_timeout`), with everything on it."""
UPLOADING_AGAIN = 1.0
"""Seconds after which a row is looked at again that says that its file is being uploaded, though
not by this session."""
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
        generation = (properties.headers or {}).get(names.GENERATION_HEADER)
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


@dataclass(eq=False)
class HeldMessage:
    """A message that is not acknowledged yet, and what its row said when it was looked at."""

    delivery: Delivery
    is_seen: bool = False
    """Its row was looked at: what stands below is known."""
    in_work: bool = False
    """Its file is being uploaded by this session."""
    tries: int = 0
    ready_at: float = 0.0
    """Local monotonic time from which it may be tried."""
    facts: Facts | None = None
    key: str = ""
    """It waits for others that have the same, as two of one name at the customer have."""
    crashed_with: int = 0
    """With so many files it shared the flight in which a worker died; 0: none has died of it."""

    @property
    def recording_id(self) -> str:
        return self.delivery.recording_id


class Messages:
    """For the session's thread. The channel is opened when it is first asked for."""

    def __init__(
        self, deps: Deps, account_id: str, flights: Flights, wakeup: threading.Event
    ) -> None:
        """`wakeup` is set when a message arrives."""
        self._deps = deps
        self._account_id = account_id
        self._flights = flights
        self._wakeup = wakeup
        self._consumer: Consumer | None = None
        self._held: dict[int, HeldMessage] = {}
        """By tag, in the order of the queue."""
        self._naming: Naming | None = None
        """Of the settings as `ready` was last asked with."""
        self.arrived_at = 0.0
        """Local monotonic time at which the last ones came, or the channel was opened."""
        self.is_claimed_elsewhere = False
        """A file of these is claimed, but by no flight of ours: in the past, or by whoever has the
        account now. `Claims.free` knows which."""

    def ready(self, settings: FtpSettings, most: int) -> list[HeldMessage]:
        """Hold what has come. Those to be tried now: fewest tries first, then the queue's order.

        A file waits for another of its name that is being uploaded or stands before it here: the
        later one of the two is to be the later one at the customer as well. Rows are looked at
        together, once fewer than `most` untried ones are left of those looked at before. Raises
        BrokerAway, NoQueue.
        """
        self._name_by(settings)
        self._receive(settings)
        if (lone := self._lone_message()) is not None:
            return [lone]
        ready = self._ready()
        unseen = [held for held in self._held.values() if not held.is_seen]
        if not unseen or sum(not held.tries for held in ready) >= most:
            return ready
        self.load_rows(unseen)
        return self._ready()

    @property
    def is_idle(self) -> bool:
        """Whether no message waits here or has come, over a channel that stands."""
        is_idle = self._consumer is not None and self._consumer.is_idle
        return is_idle and all(held.in_work for held in self._held.values())

    def next_ready_at(self) -> float | None:
        """Local monotonic time at which the next one is ready that could be begun then."""
        return min((held.ready_at for held in self._waiting()), default=None)

    def may_hide_others(self) -> bool:
        """Whether behind those that wait here there can be more that wait in the queue."""
        consumer = self._consumer
        if consumer is None or len(self._held) < consumer.prefetch:
            return False
        return not all(held.in_work for held in self._held.values())

    def are_drained(self) -> bool:
        """Whether nothing is held that waits, and the queue holds no more. Raises BrokerAway."""
        return self._consumer is None or self._consumer.is_drained()

    def load_rows(self, messages: Sequence[HeldMessage]) -> None:
        """Acknowledge what is final or outdated; the rest waits for its next try.

        A message of a file that is being uploaded is settled with that upload.
        """
        for held in messages:
            held.is_seen, held.in_work = True, held.recording_id in self._flights
        idle = [held for held in messages if not held.in_work]
        if not idle:
            return
        rows = self._deps.ledger.queries.summaries([held.recording_id for held in idle])
        self._ack([held for held in idle if not self._waits(held, rows.get(held.recording_id))])

    def acknowledge(self, flight: Sequence[Ended]) -> None:
        """Acknowledge those of files that were delivered; look at the others anew.

        Those that were given back meanwhile are in the queue: their row tells when they are met.
        """
        done = {ended.recording_id for ended in flight if ended.delivered}
        failed = {ended.recording_id for ended in flight} - done
        held = self._held.values()
        self._ack([each for each in held if each.recording_id in done])
        self.load_rows([each for each in held if each.recording_id in failed])

    def give_back(self) -> None:
        """Return what is held to the queue, in order."""
        self._held.clear()
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _receive(self, settings: FtpSettings) -> None:
        if self._consumer is not None and not self._consumer.alive:
            raise BrokerAway("the channel was closed")
        if self._is_held_too_long():
            self.give_back()
        if self._consumer is None:
            prefetch = most_at_once(settings) * MOST_FILES + EXTRA_PREFETCH
            broker, account_id = self._deps.broker, self._account_id
            self._consumer = Consumer(broker, account_id, prefetch, self._wakeup)
            self.arrived_at = time.monotonic()
        if arrived := self._consumer.arrived():
            self._held |= {delivery.tag: HeldMessage(delivery) for delivery in arrived}
            self.arrived_at = time.monotonic()

    def _lone_message(self) -> HeldMessage | None:
        """The only message there is, where its row was not looked at and nothing is uploaded.

        No other file can go before it then, nor have its name: its claim tells all that a look
        would.
        """
        if len(self._held) != 1 or len(self._flights):
            return None
        (held,) = self._held.values()
        return None if held.is_seen else held

    def _ready(self) -> list[HeldMessage]:
        now = time.monotonic()
        ready = [held for held in self._waiting() if held.ready_at <= now]
        ready.sort(key=lambda held: (held.tries, held.delivery.tag))
        first_of_name = {held.key: held for held in reversed(ready)}
        return [held for held in ready if first_of_name[held.key] is held]

    def _waiting(self) -> Iterator[HeldMessage]:
        flown = self._flights.files if self._naming else ()
        in_use = {self._key(claim.facts, claim.body) for claim in flown}
        waiting = (held for held in self._held.values() if held.is_seen and not held.in_work)
        return (held for held in waiting if held.key not in in_use)

    def _waits(self, held: HeldMessage, row: RowSummary | None) -> bool:
        """Whether the row has a try to come for which the message is needed."""
        if row is None:
            self._reject(held)
            return False
        if row.generation > held.delivery.generation or row.status not in {
            Status.QUEUED,
            Status.UPLOADING,
        }:
            return False
        is_claimed = row.status is Status.UPLOADING
        self.is_claimed_elsewhere |= is_claimed
        wait = max(row.wait, UPLOADING_AGAIN if is_claimed else 0)
        held.ready_at = time.monotonic() + wait
        held.tries, held.facts, held.crashed_with = row.tries, row.facts, row.crashed_with
        held.key = self._key(held.facts, held.delivery.body)
        return True

    def _name_by(self, settings: FtpSettings) -> None:
        """The names that files are to have go by these settings from now on."""
        if self._naming is not None and self._naming.settings == settings:
            return
        self._naming = Naming(settings)
        for held in self._held.values():
            held.key = self._key(held.facts, held.delivery.body)

    def _key(self, facts: Facts | None, body: bytes) -> str:
        if facts is None or self._naming is None:
            return ""
        if self._naming.is_usual:
            return facts.file_name
        return self._naming.key(facts, body)

    def _ack(self, done: Collection[HeldMessage]) -> None:
        """One acknowledgement for all, as far as nothing below them is unsettled, else singly.

        One with `multiple` takes along all that stands below it: a file that is being uploaded or
        waits for its next try would be lost.
        """
        tags = {held.delivery.tag for held in done}
        if not tags or self._consumer is None:
            return
        together = [*takewhile(tags.__contains__, self._held)]
        acks = [Ack(together[-1], multiple=True)] if together else []
        acks += [Ack(tag) for tag in sorted(tags.difference(together))]
        for tag in tags:
            del self._held[tag]
        self._consumer.ack(acks)

    def _reject(self, held: HeldMessage) -> None:
        """A message that no event brought here: kept where unusable events are kept."""
        queue = topology.account_queue_name(self._account_id)
        headers = {names.REASON_HEADER: Reason.UNKNOWN_RECORDING.told(f"in {queue}")}
        self._deps.publisher.publish(
            "", topology.INVALID.name, held.delivery.body, headers, timestamp=int(time.time())
        )

    def _is_held_too_long(self) -> bool:
        oldest = next(iter(self._held.values()), None)
        return oldest is not None and time.monotonic() - oldest.delivery.since > HOLD_LIMIT
