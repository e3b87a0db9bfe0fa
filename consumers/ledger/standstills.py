"""Times at which an account stood still, for the stories of the files that waited meanwhile.

They are kept with the account, KEPT of them, and written by the update that ends them: no file's
row is written for a suspension. An outage is one of them, however often it has suspended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consumers.ledger.records import Document
from consumers.ledger.states import States

KEPT = 50
"""Of one account, the newest. They stand outside of its running state, which each session reads."""
MAX_WORDS = 200
PAUSED, SUSPENDED = "paused", "suspended"


@dataclass(frozen=True)
class Standstill:
    """From `since` until `until`; None: it goes on."""

    what: str
    since: datetime
    until: datetime | None
    times: int = 1
    """So often it was suspended."""
    cause: str = ""
    """The code of its last failure's cause."""
    words: str = ""
    said_by: str = ""


class Standstills(States):
    """What an account keeps of them."""

    def standstills(self, account_id: str) -> Sequence[Standstill]:
        """Those that are over, the oldest first, and what goes on."""
        projection = {"standstills": 1, "run": 1}
        account = self._accounts.find_one({"_id": account_id}, projection) or {}
        over = [Standstill(**each) for each in account.get("standstills", ())]
        return [*over, *_going_on(account.get("run", {}))]


def outage_over() -> Document:
    """The account delivers: what ends is kept, where it was suspended."""
    error = "$run.last_error"
    ended = _ended(
        SUSPENDED,
        "$run.outage_since",
        times="$run.outage_suspensions",
        cause={"$ifNull": [f"{error}.cause", ""]},
        words={"$substrCP": [{"$ifNull": [f"{error}.words", ""]}, 0, MAX_WORDS]},
        said_by={"$ifNull": [f"{error}.said_by", ""]},
    )
    return _with(ended, "$run.outage_since")


def pause_over() -> Document:
    return _with(_ended(PAUSED, "$run.paused_at"), "$run.paused_at")


def _ended(what: str, since: str, **more: Any) -> Document:
    return {"what": what, "since": since, "until": "$$NOW", **more}


def _with(ended: Document, since: str) -> Document:
    """It began at a moment that is known; else it was none, or is of an earlier version."""
    before = {"$ifNull": ["$standstills", []]}
    kept = {"$slice": [{"$concatArrays": [before, [ended]]}, -KEPT]}
    return {"standstills": {"$cond": [{"$eq": [{"$type": since}, "date"]}, kept, before]}}


def _going_on(run: Document) -> Sequence[Standstill]:
    found = []
    if since := run.get("outage_since"):
        error = run.get("last_error") or {}
        told = {name: error.get(name, "") for name in ("cause", "words", "said_by")}
        times = run.get("outage_suspensions", 1)
        found.append(Standstill(SUSPENDED, since, None, times, **told))
    if run.get("paused") and (since := run.get("paused_at")):
        found.append(Standstill(PAUSED, since, None))
    return found
