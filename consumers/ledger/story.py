"""What a row keeps of its story: its tries, what it has lost, its returns and its ends, as events.

An event goes with the update that it tells of: none costs a write of its own, and none is there
where the update does not hold. A row keeps KEPT of them, the first and the newest; each has a
number, so that a gap is seen. Ends of tries that cost nothing and are alike, one behind the other,
are one event with a count: an outage of days does not push out what was before it.

Rows of earlier versions have no events. What was arrived, routed and delivered, and the last error,
stand in fields of the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from consumers.ledger.records import Document, LastError
from transports.phases import Phase

KEPT = 20
"""Events of one row."""
MAX_TOLD = 200
"""Characters that an event keeps of a server's words, and of advice."""


class What(StrEnum):
    """What an event tells of (`deliveries.events.what`)."""

    FAILED = "failed"
    """A try has ended without the file in its place; `counted` tells whether that costs one."""
    DELIVERED = "delivered"
    LOST = "lost"
    """A try's end is not known: its worker `died`, or could not write it down."""
    TAKEN_BACK = "taken_back"
    """The failed try before it costs nothing after all: its account was changed meanwhile."""
    DEAD_LETTERED = "dead_lettered"
    """Without a failed try: as the fifth, it is told with that one."""
    REPLAYED = "replayed"
    REDELIVERED = "redelivered"
    """It was delivered, and a person wants it to be once more."""
    DISCARDED = "discarded"


class By(StrEnum):
    """What has brought a dead letter back, or given a file up."""

    PEOPLE = "people"
    OUTAGE = "outage"
    """The account delivers again."""
    CHANGE = "change"
    """Its account was changed while its last try failed."""
    REMOVAL = "removal"
    """Its account was removed."""


@dataclass(frozen=True)
class FailedTry:
    """What a row keeps of a try that has failed."""

    error: LastError
    part_left: bool
    """Its temporary file may stand at the customer."""
    counted: bool = False
    by_account: bool = False
    suspected: bool = False
    """It failed where others had to wait for it (`Claim.suspected`)."""
    phase: Phase | None = None
    """How far it came."""
    sent: int = 0
    """Bytes that went to the server."""
    probe: bool = False
    """Its account was suspended, and was tried by it."""


def failed(told: FailedTry, tries: int, **computed: Any) -> Document:
    """The event of a failed try, in the update that ends its claim. `tries`: counted so far."""
    error = told.error
    known = error.diagnosis
    advice = "" if known is not None and error.advice == known.next_step else error.advice
    facts = {
        "what": What.FAILED.value,
        "phase": told.phase.name.lower() if told.phase else None,
        "kind": error.kind,
        "cause": error.cause,
        "said": _bounded(error.words),
        "said_by": error.said_by,
        "advice": _bounded(advice),
        "tries": tries,
        "counted": told.counted,
        "bytes": told.sent,
        "probe": told.probe,
    }
    like = "" if told.counted else f"{facts['phase']}:{error.kind}:{error.cause}"
    return appended(_event({**facts, "like": like}, **_OF_CLAIM, **computed), like)


def delivered(ends: Any) -> Document:
    """The event of a delivered file, in the update that ends its claim; `ends`: an expression for
    what `delivered_facts` gave."""
    return appended({"$mergeObjects": [ends, {"at": "$$NOW", **_OF_CLAIM}]})


def delivered_facts(size: int, verified: str, *, sent: bool) -> Document:
    """What the event says. Not `sent`: a try before had brought it, as was found then."""
    found = {} if sent else {"found": True}
    return {
        "what": What.DELIVERED.value,
        "bytes": size if sent else 0,
        "verified": verified,
        **found,
    }


def lost(*, died: Any) -> Document:
    """The event of a claim that is freed; `died`: an expression, whether its worker has gone."""
    return appended(_event({"what": What.LOST.value}, died=died, **_OF_CLAIM))


def taken_back() -> Document:
    return appended(_event({"what": What.TAKEN_BACK.value}))


def dead_lettered(reason: str) -> Document:
    return appended(_event({"what": What.DEAD_LETTERED.value, "reason": reason}))


def replayed(by: By) -> Document:
    """The row forgets when it was put into the queue before: its event knows."""
    return appended(_event({"what": What.REPLAYED.value, "by": by.value}, routed_at="$routed_at"))


def redelivered(times: int) -> Document:
    """The row forgets where it stood and since when, as with `replayed`. `times`: with this one."""
    path = {"$ifNull": ["$remote_path", ""]}
    cut = {"$concat": [{"$substrCP": [path, 0, MAX_TOLD - 1]}, "…"]}
    where = {"$cond": [{"$gt": [{"$strLenCP": path}, MAX_TOLD]}, cut, path]}
    computed = {"routed_at": "$routed_at", "path": where, "delivered_at": "$delivered_at"}
    return appended(_event({"what": What.REDELIVERED.value, "asked": times}, **computed))


def discarded(by: By) -> Document:
    return appended(_event({"what": What.DISCARDED.value, "by": by.value}))


def appended(event: Document, like: str = "") -> Document:
    """The row's events with this one behind them, as an expression of an update.

    `like`: it takes the place of the last one, and counts it, if that was alike.
    """
    events = {"$ifNull": ["$events", []]}
    last = {"$ifNull": [{"$arrayElemAt": [events, -1]}, {"n": 0}]}
    next_number: Any = {"$add": ["$$last.n", 1]}
    number, counted = next_number, {}
    if like:
        again = {"$eq": ["$$last.like", {"$literal": like}]}
        number = {"$cond": [again, "$$last.n", next_number]}
        before = {
            "since": {"$ifNull": ["$$last.since", "$$last.at"]},
            "times": {"$add": [{"$ifNull": ["$$last.times", 1]}, 1]},
        }
        counted = {"$cond": [again, before, {"$literal": {}}]}
    newest = {"$gt": ["$$this.n", {"$subtract": ["$$last.n", KEPT - 2]}]}
    is_kept: Document = {"$or": [{"$eq": ["$$this.n", 1]}, newest]}
    if like:
        is_kept = {"$and": [is_kept, {"$lt": ["$$this.n", number]}]}
    kept = {"$filter": {"input": events, "as": "this", "cond": is_kept}}
    added = {"$mergeObjects": [event, counted, {"n": number}]}
    return {"$let": {"vars": {"last": last}, "in": {"$concatArrays": [kept, [added]]}}}


def events_of(row: Document) -> Sequence[Document]:
    """Oldest first; none for a row of an earlier version."""
    events: Sequence[Document] = row.get("events") or ()
    return events


_OF_CLAIM: Document = {"began": "$claim.at", "worker": "$claim.worker"}


def _event(facts: Document, **computed: Any) -> Document:
    """Constant facts, those of them that tell something, and expressions; at this moment."""
    told = {name: value for name, value in facts.items() if value not in (None, "")}
    return {"$mergeObjects": [{"$literal": told}, {"at": "$$NOW", **computed}]}


def _bounded(words: str) -> str:
    return words if len(words) <= MAX_TOLD else words[: MAX_TOLD - 1] + "…"
