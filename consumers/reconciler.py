"""Brings back onto the route what fell off it between two steps."""

from datetime import timedelta

from consumers.ledger import Ledger
from consumers.routing import Router

UNROUTED_AGE = timedelta(seconds=30)
"""A publish that has not been confirmed for so long has died with whoever began it."""
BATCH = 500


def route_unrouted(ledger: Ledger, router: Router) -> int:
    """Publish the next turn of rows whose publish never came to its end; how many there were.

    Raises BrokerAway, NotRouted and pymongo's errors; repeating it is harmless.
    """
    stranded = ledger.files.unrouted(UNROUTED_AGE, BATCH)
    for old in stranded:
        routing = ledger.files.next_turn(old.recording_id)
        if routing is not None:
            router.route(routing)
    return len(stranded)
