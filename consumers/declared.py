"""Queues that are declared when they are first needed, once in a process."""

import threading
from collections.abc import Sequence

from amqp.exceptions import ChannelError
from kombu import Queue

from config.tls import Endpoint
from consumers import topology
from consumers.broker import BrokerAway, NotRouted, Publisher, in_words
from consumers.confirms import Outgoing

Post = tuple[Queue, Outgoing]
"""A message, and the queue that it is to reach."""
_TRIES = 2
"""The second one for a queue that was deleted since it was declared."""


class DeclaredQueues:
    """Publishes into account queues and dead-letter queues, which may not stand yet."""

    def __init__(self, rabbitmq: Endpoint) -> None:
        self._rabbitmq = rabbitmq
        self._declared: set[str] = set()
        self._declaring = threading.Lock()

    def publish(self, publisher: Publisher, posts: Sequence[Post]) -> dict[int, NotRouted]:
        """Make sure of the queues, then publish; once more where somebody has deleted one since.

        What reached no queue all the same, by its position: it holds up none of the others.
        Raises BrokerAway.
        """
        failures: dict[int, str] = {}
        left = list(range(len(posts)))
        for _ in range(_TRIES):
            refused = self._declare({posts[each][0].name: posts[each][0] for each in left})
            names = {each: posts[each][0].name for each in left}
            failures |= {each: refused[names[each]] for each in left if names[each] in refused}
            left = [each for each in left if each not in failures]
            returned = publisher.publish_all([posts[each][1] for each in left])
            left = [left[each] for each in sorted(returned)]
            self._declared.difference_update(posts[each][0].name for each in left)
            if not left:
                break
        failures |= dict.fromkeys(left, "RabbitMQ refused it")
        return {
            each: NotRouted(f"{posts[each][0].name}: {words}") for each, words in failures.items()
        }

    def _declare(self, queues: dict[str, Queue]) -> dict[str, str]:
        """Declare what is not known to stand, over a connection of its own; what is refused."""
        with self._declaring:
            missing = {name: queues[name] for name in queues.keys() - self._declared}
            if not missing:
                return {}
            try:
                return self._declare_each(missing)
            except topology.UNREACHABLE as error:
                raise BrokerAway(in_words(error)) from None

    def _declare_each(self, queues: dict[str, Queue]) -> dict[str, str]:
        """RabbitMQ closes the channel on a mistake: the next queue has a new one."""
        refused: dict[str, str] = {}
        with topology.connected(self._rabbitmq) as connection:
            channel = connection.channel()
            for name, queue in queues.items():
                try:
                    topology.declare(channel, queue)
                    self._declared.add(name)
                except ChannelError as error:
                    refused[name] = in_words(error)
                    channel = connection.channel()
        return refused
