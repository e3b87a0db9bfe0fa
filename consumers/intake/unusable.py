"""Events that cannot be used, on their way into `recordings.invalid`.

Where RabbitMQ does not take such an event, because a right is missing for one, the intake holds it
unacknowledged. It stops no event behind it, and is published once RabbitMQ takes it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.tls import Endpoint
from consumers.amqp import names, topology
from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import BrokerRefuses, NotRouted, Publisher
from consumers.amqp.declared import DeclaredQueues
from consumers.intake.reasons import InvalidEvent
from consumers.trace import headers_of

RETRY_SECONDS = 5.0
MOST = 500
"""Most events that are held: the rest of the prefetch is left for usable ones."""
MAX_MARK = 64
"""Characters of a replay's mark; a longer one is nobody's."""


@dataclass(frozen=True)
class Unusable:
    """A message of the intake, and what is wrong with it."""

    message: Any
    error: InvalidEvent
    body: bytes

    @property
    def kept(self) -> Outgoing:
        """The message as it came, with the reason and the time; a replay's with its mark."""
        headers = {names.REASON_HEADER: self.error.reason, **headers_of(self.error.trace)}
        mark = (self.message.headers or {}).get(names.REPLAY_HEADER)
        if isinstance(mark, str) and len(mark) <= MAX_MARK:
            headers[names.REPLAY_HEADER] = mark
        return Outgoing(
            "",
            topology.INVALID.name,
            self.body,
            headers,
            self.message.properties.get("message_id"),
            self.message.content_type or "application/json",
            int(time.time()),
        )


class UnusableEvents:
    """For the intake's thread; `error` may be read from any."""

    def __init__(
        self, rabbitmq: Endpoint, publisher: Publisher, kept: Callable[[InvalidEvent], None]
    ) -> None:
        """`kept` hears of each that was held and has come to its end."""
        self._queues = DeclaredQueues(rabbitmq)
        self._publisher = publisher
        self._kept = kept
        self._held: list[Unusable] = []
        self._retry_at = 0.0
        self.trouble: str | None = None
        """Why events could not be published, in RabbitMQ's words."""

    def prepare(self) -> None:
        """Begin anew on another channel: RabbitMQ sends the held ones again. Raises BrokerAway."""
        self._held.clear()
        self._told(self._queues.declare([topology.INVALID]))

    @property
    def are_held(self) -> bool:
        """Whether any are held, unacknowledged."""
        return bool(self._held)

    def holds(self, message: Any) -> bool:
        """Whether the message is held."""
        return any(each.message is message for each in self._held)

    def keep(self, events: Sequence[Unusable]) -> None:
        """Publish them, to be acknowledged then. Hold those that RabbitMQ does not take.

        Raises BrokerAway.
        """
        wanted = [each for each in events if not self.holds(each.message)]
        if wanted:
            self._held += self._keep(wanted)

    def tend(self) -> None:
        """Publish the held ones again, every RETRY_SECONDS.

        Raises BrokerAway, and NotRouted where so many are held that they have to go back.
        """
        if len(self._held) > MOST:
            raise NotRouted(f"{len(self._held)} events could not be kept: {self.trouble}")
        if self.trouble is None or time.monotonic() < self._retry_at:
            return
        if not self._held:
            self._told(self._queues.declare([topology.INVALID]))
            return
        tried, self._held = self._held, self._keep(self._held)
        for each in tried:
            if not self.holds(each.message):
                each.message.ack()
                self._kept(each.error)

    def _keep(self, events: Sequence[Unusable]) -> list[Unusable]:
        """The events that could not be published."""
        refused = self._publish(events)
        self._told(refused)
        return [events[position] for position in sorted(refused)]

    def _told(self, refused: Mapping[Any, str]) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self.trouble = next(iter(refused.values()), None)

    def _publish(self, events: Sequence[Unusable]) -> dict[int, str]:
        posts = [(topology.INVALID, each.kept) for each in events]
        try:
            failures = self._queues.publish(self._publisher, posts)
        except BrokerRefuses as refusal:
            return dict.fromkeys(range(len(events)), str(refusal))
        return {position: str(failure) for position, failure in failures.items()}
