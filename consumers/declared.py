"""Queues that are declared when they are first needed, once in a process."""

import threading
from collections.abc import Callable

from kombu import Queue
from pydantic import SecretStr

from consumers import topology
from consumers.broker import NotRouted


class DeclaredQueues:
    """Publishes into account queues and dead-letter queues, which may not stand yet."""

    def __init__(self, amqp_url: SecretStr) -> None:
        self._amqp_url = amqp_url
        self._declared: set[str] = set()
        self._declaring = threading.Lock()

    def publish(self, queue: Queue, publish: Callable[[], None]) -> None:
        """Make sure of the queue, then publish; once more where somebody has deleted it since.

        Raises NotRouted, BrokerAway.
        """
        self._declare(queue)
        try:
            publish()
        except NotRouted:
            self._declared.discard(queue.name)
            self._declare(queue)
            publish()

    def _declare(self, queue: Queue) -> None:
        with self._declaring:
            if queue.name not in self._declared:
                topology.declare_once(self._amqp_url, queue)
                self._declared.add(queue.name)
