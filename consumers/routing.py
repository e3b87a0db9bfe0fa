"""Brings a recording of the ledger into its account's queue: published, confirmed, noted."""

from consumers import topology
from consumers.broker import Publisher
from consumers.declared import DeclaredQueues
from consumers.ledger import Ledger, Routing


class Router:
    """The one way into `deliveries.<account>`. Its order is the promise: state follows confirm."""

    def __init__(self, queues: DeclaredQueues, publisher: Publisher, ledger: Ledger) -> None:
        self._queues = queues
        self._publisher = publisher
        self._ledger = ledger

    def route(self, routing: Routing) -> None:
        """Publish this turn, make its account due, and note that it is routed.

        Raises BrokerAway, NotRouted and pymongo's errors; repeating it is harmless, because a
        later turn outdates the earlier message.
        """
        queue = topology.account_queue(routing.account_id)
        self._queues.publish(queue, lambda: self._publish(routing))
        self._ledger.accounts.arrived(routing.account_id)
        self._ledger.files.routed(routing.recording_id, routing.turn)

    def _publish(self, routing: Routing) -> None:
        self._publisher.publish(
            topology.DELIVERIES.name,
            routing.account_id,
            routing.body,
            {topology.TURN_HEADER: routing.turn},
            message_id=routing.recording_id,
        )
