"""What people decide of an account's running state."""

from consumers.delivery.policy import State
from consumers.ledger.records import Document
from consumers.ledger.states import CHANGED, STIRRED, WELL_FROM_NOW, States

_SUSPENDED: Document = {"$eq": ["$run.state", State.SUSPENDED.value]}
_DUE: Document = {"$cond": [_SUSPENDED, "$run.suspended_until", "$$NOW"]}
"""At once, unless it is suspended: then at the end of that."""


class Decisions(States):
    """Pause, resume, try now, save, wake."""

    def pause(self, account_id: str) -> bool:
        """Stop claiming files until somebody resumes. False where it is paused already."""
        query = {"_id": account_id, "run.paused": {"$ne": True}}
        values = {"run.paused": True, "run.tried_now": False, **CHANGED}
        return self._update(query, values) is not None

    def resume(self, account_id: str) -> bool:
        """End a pause and nothing else. False where there is none."""
        query = {"_id": account_id, "run.paused": True}
        values = {"run.paused": False, "run.next_due": _DUE, **CHANGED, **STIRRED}
        return self._update(query, values) is not None

    def try_now(self, account_id: str) -> bool:
        """Probe a suspended account at once, its count kept. False where it is not suspended."""
        query = {"_id": account_id, "run.state": State.SUSPENDED.value}
        values = {
            "run.suspended_until": "$$NOW",
            "run.next_due": "$$NOW",
            "run.tried_now": True,
            **STIRRED,
        }
        return self._update(query, values) is not None

    def settings_saved(self, account_id: str) -> None:
        """New settings: what failed with the old ones counts no more, and work is due at once."""
        values: Document = {
            "run.suspended_until": {"$cond": [_SUSPENDED, "$$NOW", "$run.suspended_until"]},
            "run.next_due": "$$NOW",
            "run.tried_now": False,
            **CHANGED,
            **STIRRED,
        }
        self._update({"_id": account_id}, values)

    def wake(self, account_id: str) -> None:
        """Have the account looked at: it was switched on, or files came back to its queue."""
        self._update({"_id": account_id}, {"run.next_due": _DUE, **WELL_FROM_NOW, **STIRRED})
