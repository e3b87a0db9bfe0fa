"""Brings back onto the route what fell off it between two steps."""

from datetime import timedelta

from consumers.ledger import Ledger, Routing
from consumers.routing import Router

UNROUTED_AGE = timedelta(seconds=30)
"""A publish that has not been confirmed for so long has died with whoever began it."""
BATCH = 500


def route_unrouted(ledger: Ledger, router: Router) -> int:
    """Publish the next turn of rows whose publish never came to its end; how many there were.

    Raises BrokerAway, NotRouted and pymongo's errors; repeating it is harmless.
    """
    return _route_again(ledger, router, ledger.files.unrouted(UNROUTED_AGE, BATCH))


def route_stranded(ledger: Ledger, router: Router, account_id: str) -> int:
    """Publish the next turn of an account's files of which its queue holds no message.

    Only for the session that consumes the queue, once it has taken everything out of it: the
    queue was deleted, or lost what it held. Raises as `route_unrouted` does.
    """
    return _route_again(ledger, router, ledger.files.routed_of(account_id, BATCH))


def _route_again(ledger: Ledger, router: Router, stranded: list[Routing]) -> int:
    for old in stranded:
        routing = ledger.files.next_turn(old.recording_id)
        if routing is not None:
            router.route(routing)
    return len(stranded)
