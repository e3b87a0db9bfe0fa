"""An account's delivery window: outside of it nothing begins, be it a file in turn or a probe.

What runs when it closes may end. What waits is due when it opens again (`next_due`), and whatever
arrives until then waits with it: nobody looks in between. "Try now" opens it once.
"""

from config.accounts import FtpSettings
from consumers.delivery.dispatch import Rest
from consumers.ledger import RunState, window_opens_at


def rest_for_window(settings: FtpSettings | None, run: RunState) -> Rest | None:
    """Until it opens, and until a suspension is over; None: it is open."""
    moment = window_opens_at(settings, run)
    if moment is None:
        return None
    return Rest(until=max(moment, run.suspended_until or moment), is_held=True)
