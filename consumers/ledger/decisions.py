"""What people decide of an account's running state."""

from config.moments import later
from consumers.delivery.policy import State
from consumers.ledger.records import Document
from consumers.ledger.standstills import Standstills, pause_over
from consumers.ledger.states import CHANGED, STIRRED, WELL_FROM_NOW

_SUSPENDED: Document = {"$eq": ["$run.state", State.SUSPENDED.value]}
_DUE: Document = {"$cond": [_SUSPENDED, "$run.suspended_until", "$$NOW"]}
"""At once, unless it is suspended: then at the end of that."""

_CARED_FOR: Document = {
    "run.lasting_since": {"$cond": [{"$eq": ["$run.state", State.ACTIVE.value]}, None, "$$NOW"]},
    "run.dormant_since": None,
}
"""Somebody takes care of it: an account that is dormant is no longer, and its days count anew."""


KEPT_ACTS = 5
"""Bulk actions that an account remembers: one is repeated soon after its worker died, or never."""


class Decisions(Standstills):
    """Pause, resume, try now, save, wake.

    With `once`, the id of a bulk action, an act is done once, however often it is repeated.
    """

    def pause(self, account_id: str, *, once: str | None = None) -> bool:
        """Stop claiming files until somebody resumes. False where it is paused already."""
        query = {"_id": account_id, "run.paused": {"$ne": True}, **_not_yet(once)}
        values: Document = {
            "run.paused": True,
            "run.paused_at": "$$NOW",
            "run.tried_now": False,
            **CHANGED,
            **_noted(once),
        }
        return self._update(query, values) is not None

    def resume(self, account_id: str, *, once: str | None = None) -> bool:
        """End a pause and nothing else. False where there is none."""
        query = {"_id": account_id, "run.paused": True, **_not_yet(once)}
        values = {
            "run.paused": False,
            "run.paused_at": None,
            "run.next_due": _DUE,
            **pause_over(),
            **CHANGED,
            **STIRRED,
            **_noted(once),
        }
        return self._update(query, values) is not None

    def try_now(
        self, account_id: str, *, waits_for_window: bool = False, once: str | None = None
    ) -> bool:
        """Probe a suspended account at once, its count kept, also outside of its delivery window.

        `waits_for_window`: it is outside of that, and what waits of an account that is well is to
        be sent at once. False where there is nothing to cut short.
        """
        query: Document = {"_id": account_id, "run.state": State.SUSPENDED.value}
        if waits_for_window:
            query = {"_id": account_id, "run.paused": {"$ne": True}}
        values = {
            **_noted(once),
            "run.suspended_until": {"$cond": [_SUSPENDED, "$$NOW", "$run.suspended_until"]},
            "run.next_due": "$$NOW",
            "run.tried_now": {"$or": [_SUSPENDED, "$run.tried_now"]},
            "run.opens_window": True,
            "run.login_refused": None,
            **_CARED_FOR,
            **STIRRED,
        }
        return self._update({**query, **_not_yet(once)}, values) is not None

    def was_acted_on(self, account_id: str, once: str) -> bool:
        """Whether this bulk action was done with the account before."""
        query = {"_id": account_id, "bulk_acts": once}
        return self._accounts.find_one(query, {"_id": 1}) is not None

    def settings_saved(self, account_id: str) -> None:
        """New settings: what failed with the old ones counts no more, and work is due at once."""
        values: Document = {
            "run.suspended_until": {"$cond": [_SUSPENDED, "$$NOW", "$run.suspended_until"]},
            "run.next_due": "$$NOW",
            "run.tried_now": False,
            "run.login_refused": None,
            "run.waiting": None,
            **_CARED_FOR,
            **CHANGED,
            **STIRRED,
        }
        self._update({"_id": account_id}, values)

    def listen(self, account_id: str, seconds: float) -> None:
        """For so long a person listens to what is said to its server; nothing else changes."""
        self._update({"_id": account_id}, {"run.traced_until": later(seconds)})

    def wake(self, account_id: str) -> None:
        """Have the account looked at: it was switched on, or got the permission."""
        self._update({"_id": account_id}, {"run.next_due": _DUE, **WELL_FROM_NOW, **STIRRED})


def _not_yet(once: str | None) -> Document:
    return {} if once is None else {"bulk_acts": {"$ne": once}}


def _noted(once: str | None) -> Document:
    """Outside of the running state, which each session reads."""
    if once is None:
        return {}
    known = {"$concatArrays": [{"$ifNull": ["$bulk_acts", []]}, [{"$literal": once}]]}
    return {"bulk_acts": {"$slice": [known, -KEPT_ACTS]}}
