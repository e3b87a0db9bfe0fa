"""Publishes rows again that have no message: their route was cut between two steps."""

from collections.abc import Callable
from datetime import timedelta

from consumers.amqp.connection import NotRouted
from consumers.faults import OURS
from consumers.intake.routing import Router
from consumers.ledger import Ledger, Routing

UNROUTED_AGE = timedelta(seconds=30)
"""A publish that was not confirmed for this time was cut: its process died."""
BATCH = 500


def route_unrouted(ledger: Ledger, router: Router) -> int:
    """Publish the next turn of rows whose publish was never confirmed. Returns their number.

    Raises BrokerAway, NotRouted and pymongo's errors; repeating it is harmless. A row that reaches
    no queue, or makes the program fail, holds up no other, and is tried again after UNROUTED_AGE.
    """
    stranded = ledger.arrivals.unrouted(UNROUTED_AGE, BATCH)
    failures: dict[str, Exception]
    try:
        failures = {**_route_again(ledger, router, stranded)}
    except OURS:
        raise
    except Exception:  # noqa: BLE001 - it is raised with the row that it belongs to
        failures = _route_each(ledger, router, stranded)
    ledger.arrivals.postpone(failures)
    for failure in failures.values():
        raise failure
    return len(stranded)


def _route_each(ledger: Ledger, router: Router, stranded: list[Routing]) -> dict[str, Exception]:
    """Each by itself, after a fault of the program: their order is given up for that."""
    failures: dict[str, Exception] = {}
    for each in stranded:
        try:
            failures |= _route_again(ledger, router, [each])
        except OURS:
            raise
        except Exception as error:  # noqa: BLE001 - the others are to be routed
            failures[each.recording_id] = error
    return failures


def route_stranded(
    ledger: Ledger, router: Router, account_id: str, are_drained: Callable[[], bool]
) -> int | None:
    """Publish the next turn of an account's files that have no message in its queue.

    The queue was deleted, or lost what it held. Only for the session that consumes it.
    `are_drained`: whether that has taken everything out of it. It is asked once the files are
    known: one that arrives in between has a message, and would come behind those that arrive
    after it. None where it says no. Raises as `route_unrouted` does.
    """
    stranded = ledger.arrivals.routed_of(account_id, BATCH)
    if not are_drained():
        return None
    for failure in _route_again(ledger, router, stranded).values():
        raise failure
    return len(stranded)


def _route_again(ledger: Ledger, router: Router, stranded: list[Routing]) -> dict[str, NotRouted]:
    names = [each.recording_id for each in stranded]
    return router.route_all(ledger.arrivals.next_generations(names))
