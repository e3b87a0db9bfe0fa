"""The accounts' running states: the transitions that sessions and arrivals make."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pymongo import UpdateOne

from config.accounts import Account
from config.moments import later
from consumers.delivery.policy import State
from consumers.ledger.decisions import Decisions
from consumers.ledger.pending import (
    DORMANT_SINCE,
    NUMBER,
    OUTAGE_SINCE,
    REPEATED,
    PendingAlerts,
    RecoveryAlert,
    SuspensionAlert,
    is_told_of,
    recovery_facts,
    suspension_facts,
)
from consumers.ledger.records import Document, LastError, failure_now
from consumers.ledger.run_state import RunState
from consumers.ledger.standstills import outage_over
from consumers.ledger.states import (
    BUCKETS,
    LOADED,
    WELL_FROM_NOW,
    fenced,
    loaded,
    refused,
    seen_state,
    stages,
)
from transports.diagnosis.ours import ACCOUNT_UNUSABLE, PROGRAM_FAULT

_FAULT = LastError.ours(
    "A fault of the program at working the account: this was reported", PROGRAM_FAULT
)
QueueUse = Literal["routing", "consuming", "burying"]
"""What an account's queues at the broker are for: files go in, a session takes them out; dead
letters go into the other one."""
FAULT_SECONDS = 2.0
"""An account rests for so long whose session died of a fault of the program, and twice as long each
time until one comes to its end."""
LONGEST_REST = 600.0
LOOKS_SECONDS = 60
"""For so long whoever has said "try now" is taken to look at what comes of it."""


@dataclass(frozen=True)
class FencedAccount:
    """An account as a session takes it."""

    account: Account
    run: RunState
    is_settled: bool
    """Whether the session before has left nothing behind: no claim, as one whose worker died, no
    dead letter that has to return."""


class AccountStates(Decisions, PendingAlerts):
    """The running states. Raises pymongo's errors where MongoDB is away."""

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        dated = {"run.next_due": {"$type": "date"}}
        self._accounts.create_index("run.next_due", partialFilterExpression=dated)
        self._accounts.create_index("run.alerts.number", sparse=True)
        self._accounts.create_index("notices.key", sparse=True)
        self._accounts.create_index("run.broken.use", sparse=True)
        self._accounts.create_index("parent", sparse=True)

    def due(self, limit: int, buckets: Sequence[int], without: Sequence[str]) -> list[str]:
        """Accounts of these buckets whose time has come, the longest due first."""
        query: Document = {
            "run.next_due": {"$type": "date"},
            "_id": {"$nin": list(without)},
            "$expr": {"$lte": ["$run.next_due", "$$NOW"]},
        }
        if len(buckets) < BUCKETS:
            query["run.bucket"] = {"$in": list(buckets)}
        rows = self._accounts.find(query, {"_id": 1}).sort("run.next_due").limit(limit)
        return [row["_id"] for row in rows]

    def held(self) -> list[str]:
        """Accounts that may not work before a moment to come, whatever arrives: for the most part
        they wait for their delivery window."""
        query: Document = {
            "run.next_due": {"$type": "date"},
            "$expr": {"$gt": ["$run.rests_until", "$$NOW"]},
        }
        return [row["_id"] for row in self._accounts.find(query, {"_id": 1})]

    def queue_broken(self, account_id: str, use: QueueUse, words: str) -> None:
        """The account's queue cannot be used: shown with the account until it can be again."""
        query = {"_id": account_id, "run.broken.words": {"$ne": refused(words).words}}
        self._update(query, {"run.broken": _broken(use, words)})

    def queue_usable(self, account_id: str, use: QueueUse) -> None:
        """It can be used so: what was shown of it is over."""
        query = {"_id": account_id, "run.broken.use": use}
        self._update(query, {"run.broken": _broken(use, None)})

    def broken_queues(self) -> dict[str, LastError]:
        """By account, why its queue cannot be used; of a platform that is well none."""
        rows = self._accounts.find({"run.broken.use": {"$exists": True}}, {"run.broken": 1})
        return {row["_id"]: LastError.stored(row["run"]["broken"][0]) for row in rows}

    def arrived(self, *account_ids: str) -> None:
        """Files were published to these accounts' queues, an id for each file.

        The accounts are due, unless they may not work.
        """
        changes = [
            UpdateOne({"_id": name}, stages(name, _arrival(files)))
            for name, files in Counter(account_ids).items()
        ]
        if changes:
            self._accounts.bulk_write(changes, ordered=False)

    def fence(self, account_id: str, epoch: int) -> FencedAccount | None:
        """Take the account for this epoch, which only rises. None where a later one has it.

        Raises AccountError where what is stored cannot be used: it is this epoch's then.
        """
        is_ours = {"$eq": ["$run.waiting.kind", _FAULT.kind]}
        values = {
            "run.epoch": epoch,
            # A worker of an earlier version has changed the epoch, and told nothing of its end.
            "run.was_settled": {"$eq": ["$run.settled_in", "$run.epoch"]},
            "run.settled_in": None,
            # It is about to find out whether that is over; where it is ours, that may take long.
            "run.waiting": {"$cond": [is_ours, "$run.waiting", None]},
        }
        document = self._update(fenced(account_id, epoch), values, LOADED)
        if document is None:
            return None
        return FencedAccount(*loaded(document), is_settled=document["run"]["was_settled"])

    def goes_on(self, account_id: str, epoch: int) -> None:
        """What kept it from logging in is over."""
        self._update(fenced(account_id, epoch), {"run.waiting": None})

    def reschedule(
        self,
        account_id: str,
        epoch: int,
        routed: int,
        wait: float | None,
        until: Any = None,
        *,
        is_held: bool = False,
        closes_window: bool = False,
        broken: str | None = None,
        unusable: str | None = None,
        settled: bool = False,
        waiting: LastError | None = None,
    ) -> None:
        """The session ends; due again after `wait` seconds, or at `until`, or at the next arrival.

        Files that were published since the session saw `routed` make it due at once. `is_held`:
        what arrives meanwhile waits too, for the customer and not for us; what was published before
        this was written down costs one more session. `closes_window`: what `try_now` has opened
        once is over. `broken` has RabbitMQ's words where it did not let the session use the
        account's queue, `unusable` says what is wrong with what is stored of the account: both are
        shown until a session ends without. `waiting` says what keeps it from logging in: shown
        until the next session begins, and where it is ours to mend until that `goes_on`, or ends
        without. `settled`: the end of each of its tries is written down, and none has failed.
        """
        moment = later(wait) if wait is not None else until
        is_seen: Document = {"$eq": ["$run.routed", routed]}
        if is_held:  # by the session before already, and no person has ended that
            is_seen = {"$or": [is_seen, {"$gt": ["$run.rests_until", "$$NOW"]}]}
        due = {"$cond": [is_seen, moment, "$$NOW"]}
        ours = {"$eq": [{"$ifNull": ["$run.last_error.kind", ""]}, _FAULT.kind]}
        over = {"$and": [{"$gt": ["$run.faults", 0]}, ours]}
        values = {
            "run.next_due": due,
            "run.faults": 0 if unusable is None else 1,
            "run.rests_until": moment if is_held else None,
            "run.waiting": failure_now(waiting) if waiting is not None else None,
            "run.last_error": {"$cond": [over, None, "$run.last_error"]}
            if unusable is None
            else failure_now(_unusable(unusable)),
            "run.broken": _broken("consuming", broken),
            "run.settled_in": epoch if settled else None,
        }
        if is_held:
            values["run.well_since"] = moment
        if closes_window:
            # Whoever has said "try now" once more since then has opened it anew.
            values["run.opens_window"] = {"$and": [{"$not": is_seen}, "$run.opens_window"]}
        self._update(fenced(account_id, epoch), values)

    def rest_after_fault(self, account_id: str, epoch: int) -> None:
        """The session died of a fault of the program: shown, and due again after a while.

        Arrivals do not make it due sooner; what people do, does.
        """
        rest = {"$multiply": [FAULT_SECONDS, {"$pow": [2, {"$min": ["$run.faults", 20]}]}]}
        milliseconds = {"$round": {"$multiply": [1000, {"$min": [LONGEST_REST, rest]}]}}
        until = {"$add": ["$$NOW", milliseconds]}
        values = {
            "run.faults": {"$add": ["$run.faults", 1]},
            "run.rests_until": until,
            "run.next_due": until,
            "run.last_error": failure_now(_FAULT),
            "run.waiting": None,
        }
        self._update(fenced(account_id, epoch), values)

    def begin_probe(self, account_id: str, epoch: int, seen: RunState) -> bool:
        """One file alone is tried next. False where its timer is not over (any more).

        It asks since it was due. Whoever has said "try now" looks at the result only if it comes
        soon: there may have been nothing to try until now, or a pause.
        """
        lately = {"$subtract": ["$$NOW", LOOKS_SECONDS * 1000]}
        looks = {"$gte": ["$run.suspended_until", lately]}
        values: Document = {
            "run.state": State.PROBING.value,
            "run.probing_since": {"$max": ["$run.suspended_until", "$run.probing_since"]},
            "run.next_due": "$$NOW",
            "run.tried_now": {"$and": ["$run.tried_now", looks]},
        }
        timer_over = {
            "run.state": State.SUSPENDED.value,
            "$expr": {"$lte": ["$run.suspended_until", "$$NOW"]},
        }
        return self._change(account_id, epoch, seen, values, timer_over)

    def end_probe(self, account_id: str, epoch: int, seen: RunState) -> bool:
        """Nothing is left to probe with: suspended as before, the next arrival is the probe."""
        values = {"run.state": State.SUSPENDED.value, "run.tried_now": False}
        return self._change(account_id, epoch, seen, values, {"run.state": State.PROBING.value})

    def recovered(
        self, account_id: str, epoch: int, seen: RunState, alert: RecoveryAlert | None = None
    ) -> bool:
        """The account delivers: failures are forgotten, and the outage's dead letters may return.

        It is a change of state only after a probe: what fails beside a success of an active
        account has not failed late. With `alert` the people are told, if there was a suspension:
        in the same update.
        """
        values: Document = {
            "run.state": State.ACTIVE.value,
            "run.failures": 0,
            "run.streak": {"$add": ["$run.streak", 1]},
            "run.suspended_until": None,
            "run.casualties_due": None,
            "run.last_error": None,
            "run.next_due": "$$NOW",
            "run.outage_since": None,
            "run.outage_suspensions": 0,
            "run.outage_told": None,
            "run.lasting_since": None,
            "run.dormant_since": None,
            "run.tried_now": False,
            "run.login_refused": None,
            **WELL_FROM_NOW,
            **outage_over(),
        }
        if alert is not None and seen.outage_since is not None:
            values["run.alerts"] = {"$concatArrays": ["$run.alerts", [recovery_facts(alert)]]}
        if seen.state is State.ACTIVE:
            query = {**fenced(account_id, epoch), **seen_state(seen)}
            return self._update(query, values) is not None
        return self._change(account_id, epoch, seen, values)

    def count_failure(
        self,
        account_id: str,
        epoch: int,
        seen: RunState,
        *,
        failures: int,
        error: LastError,
        outage_retry_in: float | None,
        refused_for: float | None = None,
    ) -> bool:
        """So many consecutive failures. In `outage_retry_in` seconds one of the outage's dead
        letters is tried again. `refused_for`: for so many seconds the server is not asked for
        another login, which it has just refused."""
        values = {"run.failures": failures, "run.last_error": failure_now(error)}
        values |= _refusal(error, refused_for)
        if outage_retry_in is not None:
            values["run.casualties_due"] = later(outage_retry_in)
        query = {**fenced(account_id, epoch), **seen_state(seen)}
        return self._update(query, values) is not None

    def login_refused(self, account_id: str, epoch: int, error: LastError, seconds: float) -> None:
        """The server has refused a login that no file needed: for so many seconds it is not asked
        for another one. Nothing is counted."""
        self._update(fenced(account_id, epoch), _refusal(error, seconds))

    def suspend(
        self,
        account_id: str,
        epoch: int,
        seen: RunState,
        *,
        failures: int,
        seconds: float,
        alert: SuspensionAlert,
        refused_for: float | None = None,
        dormant: bool = False,
    ) -> bool:
        """State, timer, count, last error and the pending alert: one update.

        Where an outage is told of once and then daily, the alert is addressed to nobody in
        between: it is left to the on-call; not the one that tells that it is dormant from now on.
        A probe that somebody began with "try now" leaves no
        alert: whoever began it looks at the result.
        """
        until = later(seconds)
        dormant_since = DORMANT_SINCE if dormant else None
        is_told = is_told_of(alert.account, dormant=dormant)
        stored = suspension_facts(alert, failures, seconds, dormant=dormant)
        values: Document = {
            "run.state": State.SUSPENDED.value,
            "run.failures": failures,
            "run.suspensions": NUMBER,
            "run.suspended_until": until,
            "run.next_due": until,
            "run.last_error": failure_now(alert.error),
            "run.alerts": {
                "$cond": [
                    "$run.tried_now",
                    "$run.alerts",
                    {"$concatArrays": ["$run.alerts", [stored]]},
                ]
            },
            "run.outage_since": OUTAGE_SINCE,
            "run.lasting_since": {"$ifNull": ["$run.lasting_since", OUTAGE_SINCE]},
            "run.dormant_since": dormant_since,
            "run.outage_suspensions": REPEATED,
            "run.outage_told": {
                "$cond": [
                    {"$and": [is_told, {"$not": "$run.tried_now"}]},
                    "$$NOW",
                    "$run.outage_told",
                ]
            },
            "run.tried_now": False,
            **_refusal(alert.error, refused_for),
        }
        return self._change(account_id, epoch, seen, values)


def _arrival(files: int) -> Document:
    timer_over = {
        "$and": [
            {"$eq": ["$run.state", State.SUSPENDED.value]},
            {"$lte": ["$run.suspended_until", "$$NOW"]},
        ]
    }
    may_work = {"$or": [{"$eq": ["$run.state", State.ACTIVE.value]}, timer_over]}
    now = {"$max": ["$$NOW", "$run.rests_until"]}
    earliest = {"$min": [{"$ifNull": ["$run.next_due", now]}, now]}
    due = {
        "$cond": [
            {"$and": [may_work, {"$not": "$run.paused"}]},
            earliest,
            "$run.next_due",
        ]
    }
    return {
        "run.next_due": due,
        "run.routed": {"$add": ["$run.routed", files]},
        "run.broken": _broken("routing", None),
    }


def _refusal(error: LastError, seconds: float | None) -> Document:
    """That the server has refused the login which it was asked for."""
    if seconds is None:
        return {}
    return {"run.login_refused": {"$mergeObjects": [failure_now(error), {"until": later(seconds)}]}}


def _broken(use: QueueUse, words: str | None) -> Document:
    """What is broken, after this use of the queue was refused with these words, or was not."""
    others = {"$filter": {"input": "$run.broken", "cond": {"$ne": ["$$this.use", use]}}}
    if words is None:
        return others
    error = {"use": use, **asdict(refused(words))}
    return {"$concatArrays": [others, [{"$literal": error}]]}


def _unusable(words: str) -> LastError:
    return LastError.ours(words, ACCOUNT_UNUSABLE)
