"""Queues that are declared when they are first needed, once in a process."""

import threading
from collections.abc import Sequence

from amqp.exceptions import ChannelError
from kombu import Queue

from config.tls import Endpoint
from consumers.amqp import topology
from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import NotRouted, Publisher, in_words

Post = tuple[Queue, Outgoing]
"""A message and its queue."""
UNBOUND = "it took nothing: it is full, or not bound to its exchange"
_TRIES = 2
"""Two tries: the second one is for a queue that was deleted after it was declared."""


class DeclaredQueues:
    """Publishes into account queues and dead-letter queues, and declares those that are missing."""

    def __init__(self, rabbitmq: Endpoint) -> None:
        self._rabbitmq = rabbitmq
        self._declared: set[str] = set()
        self._declaring = threading.Lock()

    def publish(self, publisher: Publisher, posts: Sequence[Post]) -> dict[int, NotRouted]:
        """Declare the missing queues, then publish. A queue that was deleted is declared again.

        Returns why messages reached no queue, by position. They hold up none of the others.
        Raises BrokerAway, BrokerRefuses.
        """
        failures: dict[int, str] = {}
        left = list(range(len(posts)))
        for _ in range(_TRIES):
            refused = self._declare_missing({posts[each][0].name: posts[each][0] for each in left})
            names = {each: posts[each][0].name for each in left}
            failures |= {each: refused[names[each]] for each in left if names[each] in refused}
            left = [each for each in left if each not in failures]
            returned = publisher.publish_all([posts[each][1] for each in left])
            left = [left[each] for each in sorted(returned)]
            self._declared.difference_update(posts[each][0].name for each in left)
            if not left:
                break
        failures |= dict.fromkeys(left, UNBOUND)
        return {
            each: NotRouted(f"{posts[each][0].name}: {words}") for each, words in failures.items()
        }

    def declare(self, queues: Sequence[Queue]) -> dict[str, str]:
        """Declare them again. Returns the refusals in RabbitMQ's words. Raises BrokerAway."""
        self._declared.difference_update(queue.name for queue in queues)
        return self._declare_missing({queue.name: queue for queue in queues})

    def _declare_missing(self, queues: dict[str, Queue]) -> dict[str, str]:
        """Declare queues not known to stand, over an own connection. Returns the refusals."""
        with self._declaring:
            missing = {name: queues[name] for name in queues.keys() - self._declared}
            if not missing:
                return {}
            return self._declare_each(missing)

    def _declare_each(self, queues: dict[str, Queue]) -> dict[str, str]:
        refused: dict[str, str] = {}
        with topology.connection_of_its_own(self._rabbitmq) as connection:
            channel = connection.default_channel
            for name, queue in queues.items():
                try:
                    topology.declare(channel, queue)
                    self._declared.add(name)
                except ChannelError as error:
                    refused[name] = in_words(error)
        return refused
