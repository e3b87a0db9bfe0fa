"""Brings a recording of the ledger into its account's queue: published, confirmed, noted."""

import threading

from pydantic import SecretStr

from consumers import topology
from consumers.broker import NotRouted, Publisher
from consumers.ledger import Ledger, Routing

DECLARE_TRIES = 2


class Router:
    """The one way into `deliveries.<account>`. Its order is the promise: state follows confirm."""

    def __init__(self, amqp_url: SecretStr, publisher: Publisher, ledger: Ledger) -> None:
        self._amqp_url = amqp_url
        self._publisher = publisher
        self._ledger = ledger
        self._declared: set[str] = set()
        self._declaring = threading.Lock()

    def route(self, routing: Routing) -> None:
        """Publish this turn, make its account due, and note that it is routed.

        Raises BrokerAway, NotRouted and pymongo's errors; repeating it is harmless, because a
        later turn outdates the earlier message.
        """
        for attempt in range(1, DECLARE_TRIES + 1):
            self._declare(routing.account_id)
            try:
                self._publish(routing)
                break
            except NotRouted:  # somebody has deleted the queue since it was declared
                self._declared.discard(routing.account_id)
                if attempt == DECLARE_TRIES:
                    raise
        self._ledger.accounts.arrived(routing.account_id)
        self._ledger.files.routed(routing.recording_id, routing.turn)

    def _declare(self, account_id: str) -> None:
        with self._declaring:
            if account_id in self._declared:
                return
            queue = topology.account_queue(account_id)
            topology.declare_once(self._amqp_url, queue)
            self._declared.add(account_id)

    def _publish(self, routing: Routing) -> None:
        self._publisher.publish(
            topology.DELIVERIES.name,
            routing.account_id,
            routing.body,
            {topology.TURN_HEADER: routing.turn},
            message_id=routing.recording_id,
        )
