"""Delivered recordings go once more to their customers."""

from consumers.intake.routing import Router
from consumers.ledger import Ledger


class Redelivery:
    """Raises BrokerAway, NotRouted and pymongo's errors; what was not routed is routed later."""

    def __init__(self, router: Router, ledger: Ledger) -> None:
        self._router = router
        self._ledger = ledger

    def again(self, recording_id: str, times: int) -> bool:
        """Put it back on its route, as `consumers.ledger.redelivery` says. False where it is not
        as it was seen, `times` redelivered, any more."""
        routing = self._ledger.redelivery.again(recording_id, times)
        if routing is None:
            return False
        self._router.route(routing)
        return True
