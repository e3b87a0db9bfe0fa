"""Brings recordings of the ledger into their accounts' queues: published, confirmed, noted."""

import time
from collections.abc import Sequence

from consumers.amqp import names, topology
from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import NotRouted, Publisher
from consumers.amqp.declared import DeclaredQueues
from consumers.ledger import Ledger, Routing
from consumers.observe import BatchObserver, Sent
from consumers.trace import headers_of


class Router:
    """The one way into `deliveries.<account>`. Its order matters: the state follows the confirm."""

    def __init__(
        self,
        queues: DeclaredQueues,
        publisher: Publisher,
        ledger: Ledger,
        spans: BatchObserver | None = None,
    ) -> None:
        self._queues = queues
        self._publisher = publisher
        self._ledger = ledger
        self._spans = spans

    def route(self, routing: Routing) -> None:
        """Route one recording. Raises NotRouted as well."""
        for failure in self.route_all([routing]).values():
            raise failure

    def route_all(self, routings: Sequence[Routing]) -> dict[str, NotRouted]:
        """Publish these turns, make their accounts due, and note that they are routed.

        Returns why recordings reached no queue, by id; their accounts show it. Raises BrokerAway
        and pymongo's errors. Repeating it is harmless: a later turn outdates the earlier message.
        """
        queues = {each.account_id: topology.account_queue(each.account_id) for each in routings}
        posts = [(queues[each.account_id], _message(each)) for each in routings]
        began = time.monotonic()
        failures = self._queues.publish(self._publisher, posts)
        routed = [each for position, each in enumerate(routings) if position not in failures]
        if routed:
            self._ledger.accounts.arrived(*(each.account_id for each in routed))
            self._ledger.arrivals.routed(routed)
            if self._spans is not None:
                self._spans(Sent(time.monotonic() - began, routed))
        broken = {routings[each].account_id: str(error) for each, error in failures.items()}
        for account_id, words in broken.items():
            self._ledger.accounts.queue_broken(account_id, "routing", words)
        return {routings[position].recording_id: error for position, error in failures.items()}


def _message(routing: Routing) -> Outgoing:
    return Outgoing(
        topology.DELIVERIES.name,
        routing.account_id,
        routing.body,
        {names.GENERATION_HEADER: routing.generation, **headers_of(routing.trace)},
        routing.recording_id,
    )
