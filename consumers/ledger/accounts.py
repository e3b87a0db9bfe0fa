"""The accounts' running state: the part `run` of their documents, and its transitions.

Every update names the state it was decided on (`_seen`) and the epoch of its owner: a decision
that the world has overtaken, be it by another upload of the same session, or a worker that has
lost the account, changes nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from pymongo import ReturnDocument, UpdateOne
from pymongo.database import Database

from alerts import recovery, suspension
from alerts.recovery import Recovery
from alerts.suspension import Suspension
from config.accounts import Account, AlertFrequency
from config.directory import account_of
from consumers.ledger.buckets import BUCKETS, bucket_of
from consumers.ledger.records import Document, LastError, RunState, shown_state
from consumers.policy import State
from transports.errors import Kind, Speaker

_FRESH: Document = {
    "state": State.ACTIVE.value,
    "paused": False,
    "failures": 0,
    "streak": 0,
    "suspensions": 0,
    "suspended_until": None,
    "casualties_due": None,
    "last_error": None,
    "broken": [],
    "change": 0,
    "routed": 0,
    "next_due": None,
    "epoch": 0,
    "alerts": [],
    "outage_since": None,
    "outage_suspensions": 0,
    "outage_told": None,
    "tried_now": False,
    "faults": 0,
    "rests_until": None,
}
_WITH_DEFAULTS: Document = {"$set": {"run": {"$mergeObjects": [{"$literal": _FRESH}, "$run"]}}}
_FAULT = LastError(
    Kind.OURS.value,
    "A fault of the program at working the account: this was reported",
    "Nothing to do at the server: the operators were told, and it is tried again by itself.",
    Speaker.COURIER.value,
)
QueueUse = Literal["routing", "consuming", "burying"]
"""What an account's queues at the broker are for: files go in, a session takes them out; dead
letters go into the other one."""
QUEUE_ADVICE = (
    "Look at the account's queue at RabbitMQ: delete it where it was not declared by Courier, or "
    "give Courier's user the right to configure, write and read it. The files wait until then."
)
_RECOVERY = "recovery"
_CHANGED: Document = {"run.change": {"$add": ["$run.change", 1]}}
_STIRRED: Document = {"run.routed": {"$add": ["$run.routed", 1]}}
"""Counted like an arrival, so that a session that is about to end does not sleep over it."""


FAULT_SECONDS = 2.0
"""An account rests for so long whose session died of a fault of the program, and twice as long each
time until one comes to its end."""
LONGEST_REST = 600.0
LOOKS_SECONDS = 60
"""For so long whoever has said "try now" is taken to look at what comes of it."""
REMINDER_SECONDS = 86_400
"""Least time between two alerts of one outage, where it is told of once and then daily."""


@dataclass(frozen=True)
class Relief:
    """Who delivers again after what, for the e-mail that some accounts get then."""

    account: Account
    words: str
    queued: int
    returning: int


@dataclass(frozen=True)
class Blame:
    """Whose server failed with what, for the alert that a suspension sends."""

    account: Account
    error: LastError
    queued: int
    oldest: datetime | None


class AccountStates:
    """The running states. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._accounts = database["accounts"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        dated = {"run.next_due": {"$type": "date"}}
        self._accounts.create_index("run.next_due", partialFilterExpression=dated)
        self._accounts.create_index("run.alerts.number", sparse=True)
        self._accounts.create_index("notices.key", sparse=True)
        self._accounts.create_index("run.broken.use", sparse=True)
        self._accounts.create_index("parent", sparse=True)

    def read(self, account_id: str) -> RunState:
        """The account's running state; a fresh one where it has never run."""
        projection = {"run": 1, "now": "$$NOW"}
        return _run_state(self._accounts.find_one({"_id": account_id}, projection) or {})

    def read_own(self, account_id: str, epoch: int) -> RunState | None:
        """The same for who has adopted it in this epoch; None where another one has it, or none:
        it is gone, or was stored anew."""
        projection = {"run": 1, "now": "$$NOW"}
        document = self._accounts.find_one({"_id": account_id, "run.epoch": epoch}, projection)
        return None if document is None else _run_state(document)

    def look(self, account_id: str) -> tuple[Account | None, RunState]:
        """The account with its settings, and its running state, as of one moment.

        Raises AccountError where what is stored cannot be used.
        """
        wanted = ("run", *Account.model_fields)
        projection = {**dict.fromkeys(wanted, 1), "now": "$$NOW"}
        document = self._accounts.find_one({"_id": account_id}, projection)
        if document is None:
            return None, _run_state({})
        return account_of(document), _run_state(document)

    def read_all(self) -> dict[str, RunState]:
        """The running states of all accounts, by id."""
        rows = self._accounts.find({}, {"run": 1, "now": "$$NOW"})
        return {row["_id"]: _run_state(row) for row in rows}

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

    # --- its queue at the broker -----------------------------------------------------------------

    def queue_broken(self, account_id: str, use: QueueUse, words: str) -> None:
        """The account's queue cannot be used: shown with the account until it can be again."""
        query = {"_id": account_id, "run.broken.words": {"$ne": _refused(words).words}}
        self._update(query, {"run.broken": _broken(use, words)})

    def queue_usable(self, account_id: str, use: QueueUse) -> None:
        """It can be used so: what was shown of it is over."""
        query = {"_id": account_id, "run.broken.use": use}
        self._update(query, {"run.broken": _broken(use, None)})

    def broken_queues(self) -> dict[str, LastError]:
        """By account, why its queue cannot be used; of a platform that is well none."""
        rows = self._accounts.find({"run.broken.use": {"$exists": True}}, {"run.broken": 1})
        return {row["_id"]: LastError.stored(row["run"]["broken"][0]) for row in rows}

    # --- work arrives, a session works ------------------------------------------------------

    def arrived(self, *account_ids: str) -> None:
        """Files were published to these accounts' queues, an id for each file.

        The accounts are due, unless they may not work.
        """
        changes = [
            UpdateOne({"_id": name}, _stages(name, _arrival(files)))
            for name, files in Counter(account_ids).items()
        ]
        if changes:
            self._accounts.bulk_write(changes, ordered=False)

    def adopt(self, account_id: str, epoch: int) -> bool:
        """Take the account for this epoch, which only rises. False where a later one has it."""
        return self._update(_fenced(account_id, epoch), {"run.epoch": epoch}) is not None

    def park(
        self,
        account_id: str,
        epoch: int,
        routed: int,
        wait: float | None,
        until: Any = None,
        *,
        broken: str | None = None,
        unusable: str | None = None,
    ) -> None:
        """The session ends; due again after `wait` seconds, or at `until`, or at the next arrival.

        Files that were published since the session saw `routed` make it due at once. `broken` has
        RabbitMQ's words where it did not let the session use the account's queue, `unusable` says
        what is wrong with what is stored of the account: both are shown until a session ends
        without.
        """
        later = _later(wait) if wait is not None else until
        due = {"$cond": [{"$eq": ["$run.routed", routed]}, later, "$$NOW"]}
        ours = {"$eq": [{"$ifNull": ["$run.last_error.kind", ""]}, _FAULT.kind]}
        over = {"$and": [{"$gt": ["$run.faults", 0]}, ours]}
        values = {
            "run.next_due": due,
            "run.faults": 0 if unusable is None else 1,
            "run.rests_until": None,
            "run.last_error": {"$cond": [over, None, "$run.last_error"]}
            if unusable is None
            else _error(_unusable(unusable)),
            "run.broken": _broken("consuming", broken),
        }
        self._update(_fenced(account_id, epoch), values)

    def rest_after_fault(self, account_id: str, epoch: int) -> None:
        """The session died of a fault of the program: shown, and due again after a while.

        Arrivals do not make it due sooner; what people do, does.
        """
        rest = {"$multiply": [FAULT_SECONDS, {"$pow": [2, {"$min": ["$run.faults", 20]}]}]}
        bounded = {"$min": [LONGEST_REST, rest]}
        until = {"$add": ["$$NOW", {"$round": {"$multiply": [1000, bounded]}}]}
        values = {
            "run.faults": {"$add": ["$run.faults", 1]},
            "run.rests_until": until,
            "run.next_due": until,
            "run.last_error": _error(_FAULT),
        }
        self._update(_fenced(account_id, epoch), values)

    def begin_probe(self, account_id: str, epoch: int, seen: RunState) -> bool:
        """One file alone is tried next. False where its timer is not over (any more).

        Whoever has said "try now" looks at the result of this probe only if it comes soon: there
        may have been nothing to try until now, or a pause.
        """
        looks_since = {"$subtract": ["$$NOW", LOOKS_SECONDS * 1000]}
        values: Document = {
            "run.state": State.PROBING.value,
            "run.next_due": "$$NOW",
            "run.tried_now": {
                "$and": ["$run.tried_now", {"$gte": ["$run.suspended_until", looks_since]}]
            },
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
        self, account_id: str, epoch: int, seen: RunState, relief: Relief | None = None
    ) -> bool:
        """The account delivers: failures are forgotten, and the outage's casualties may return.

        It is a change of state only after a probe: what fails beside a success of an active
        account has not failed late. With `relief` the people are told, if there was a suspension:
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
            "run.tried_now": False,
        }
        if relief is not None and seen.outage_since is not None:
            values["run.alerts"] = {"$concatArrays": ["$run.alerts", [_recovery(relief)]]}
        if seen.state is State.ACTIVE:
            query = {**_fenced(account_id, epoch), **_seen(seen)}
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
        casualties_in: float | None,
    ) -> bool:
        """So many consecutive failures; `casualties_in` seconds a casualty is tried again."""
        values = {"run.failures": failures, "run.last_error": _error(error)}
        if casualties_in is not None:
            values["run.casualties_due"] = _later(casualties_in)
        query = {**_fenced(account_id, epoch), **_seen(seen)}
        return self._update(query, values) is not None

    def suspend(
        self,
        account_id: str,
        epoch: int,
        seen: RunState,
        *,
        failures: int,
        seconds: float,
        blame: Blame,
    ) -> bool:
        """State, timer, count, last error and the pending alert: one update (DESIGN 3, rule 5).

        Where an outage is told of once and then daily, the alert is addressed to nobody in
        between: it is left to the on-call. A probe that somebody began with "try now" leaves no
        alert: whoever began it looks at the result.
        """
        number = {"$add": ["$run.suspensions", 1]}
        until = _later(seconds)
        since = {"$ifNull": ["$run.outage_since", "$$NOW"]}
        is_told = _is_told(blame.account)
        facts = _alert_facts(blame, failures, seconds)
        moments = {"number": number, "at": "$$NOW", "until": until}
        if _tells_once(blame.account):
            to: Document = {"$literal": facts["recipients"]}
            moments |= {"outage_since": since, "recipients": {"$cond": [is_told, to, []]}}
        alert = {"$mergeObjects": [{"$literal": facts}, moments]}
        values: Document = {
            "run.state": State.SUSPENDED.value,
            "run.failures": failures,
            "run.suspensions": number,
            "run.suspended_until": until,
            "run.next_due": until,
            "run.last_error": _error(blame.error),
            "run.alerts": {
                "$cond": [
                    "$run.tried_now",
                    "$run.alerts",
                    {"$concatArrays": ["$run.alerts", [alert]]},
                ]
            },
            "run.outage_since": since,
            "run.outage_suspensions": {"$add": ["$run.outage_suspensions", 1]},
            "run.outage_told": {
                "$cond": [
                    {"$and": [is_told, {"$not": "$run.tried_now"}]},
                    "$$NOW",
                    "$run.outage_told",
                ]
            },
            "run.tried_now": False,
        }
        return self._change(account_id, epoch, seen, values)

    # --- people's decisions -------------------------------------------------------------------

    def pause(self, account_id: str) -> bool:
        """Stop claiming files until somebody resumes. False where it is paused already."""
        query = {"_id": account_id, "run.paused": {"$ne": True}}
        values = {"run.paused": True, "run.tried_now": False, **_CHANGED}
        return self._update(query, values) is not None

    def resume(self, account_id: str) -> bool:
        """End a pause and nothing else. False where there is none."""
        suspended = {"$eq": ["$run.state", State.SUSPENDED.value]}
        due = {"$cond": [suspended, "$run.suspended_until", "$$NOW"]}
        query = {"_id": account_id, "run.paused": True}
        values = {"run.paused": False, "run.next_due": due, **_CHANGED, **_STIRRED}
        return self._update(query, values) is not None

    def try_now(self, account_id: str) -> bool:
        """Probe a suspended account at once, its count kept. False where it is not suspended."""
        query = {"_id": account_id, "run.state": State.SUSPENDED.value}
        values = {
            "run.suspended_until": "$$NOW",
            "run.next_due": "$$NOW",
            "run.tried_now": True,
            **_STIRRED,
        }
        return self._update(query, values) is not None

    def settings_saved(self, account_id: str) -> None:
        """New settings: what failed with the old ones counts no more, and work is due at once."""
        suspended = {"$eq": ["$run.state", State.SUSPENDED.value]}
        values: Document = {
            "run.suspended_until": {"$cond": [suspended, "$$NOW", "$run.suspended_until"]},
            "run.next_due": "$$NOW",
            "run.tried_now": False,
            **_CHANGED,
            **_STIRRED,
        }
        self._update({"_id": account_id}, values)

    def wake(self, account_id: str) -> None:
        """Have the account looked at: it was switched on, or files came back to its queue."""
        suspended = {"$eq": ["$run.state", State.SUSPENDED.value]}
        due = {"$cond": [suspended, "$run.suspended_until", "$$NOW"]}
        self._update({"_id": account_id}, {"run.next_due": due, **_STIRRED})

    # --- alerts -------------------------------------------------------------------------------

    def pending_alerts(self) -> Iterator[Suspension | Recovery]:
        """What people are to be told of and is not in the outbox yet.

        One that cannot be read holds up none of the others: its error is raised at the end.
        """
        faults: list[Exception] = []
        rows = self._accounts.find({"run.alerts.number": {"$exists": True}}, {"run.alerts": 1})
        for row in rows:
            for alert in row["run"]["alerts"]:
                kind = alert.pop("kind", None)
                read = suspension.from_document if kind is None else recovery.from_document
                try:
                    pending = read(alert)
                except Exception as error:  # noqa: BLE001 - the others are to be told
                    faults.append(error)
                else:
                    yield pending
        for fault in faults:
            raise fault

    def alert_stored(self, alert: Suspension | Recovery) -> None:
        """The outbox has it now."""
        kind = _RECOVERY if isinstance(alert, Recovery) else None
        self._accounts.update_one(
            {"_id": alert.account_id},
            {"$pull": {"run.alerts": {"number": alert.number, "kind": kind}}},
        )

    def shown_states(self, accounts: Sequence[Account], permitted: set[str]) -> dict[str, str]:
        """The state of each account as people see it."""
        runs = self.read_all()
        return {
            account.account_id: shown_state(
                account,
                runs.get(account.account_id) or _run_state({}),
                permitted=account.account_id in permitted,
            )
            for account in accounts
        }

    # --- one way for each thing ---------------------------------------------------------------

    def _change(
        self,
        account_id: str,
        epoch: int,
        seen: RunState,
        values: Document,
        where: Document | None = None,
    ) -> bool:
        """A change of state, from the state that was seen."""
        query = {**_fenced(account_id, epoch), **_seen(seen), **(where or {})}
        return self._update(query, {**values, **_CHANGED}) is not None

    def _update(self, query: Document, values: Document) -> Document | None:
        document: Document | None = self._accounts.find_one_and_update(
            query,
            _stages(query["_id"], values),
            projection={"_id": 1},
            return_document=ReturnDocument.AFTER,
        )
        return document


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


def _broken(use: QueueUse, words: str | None) -> Document:
    """What is broken, after this use of the queue was refused with these words, or was not."""
    others = {"$filter": {"input": "$run.broken", "cond": {"$ne": ["$$this.use", use]}}}
    if words is None:
        return others
    error = {"use": use, **asdict(_refused(words))}
    return {"$concatArrays": [others, [{"$literal": error}]]}


def _stages(account_id: str, values: Document) -> list[Document]:
    bucket = {"run.bucket": bucket_of(account_id)}
    return [_WITH_DEFAULTS, {"$set": {**values, **bucket}}]


def _fenced(account_id: str, epoch: int) -> Document:
    return {"_id": account_id, "run.epoch": {"$not": {"$gt": epoch}}}


def _seen(run: RunState) -> Document:
    """What a decision stands on: uploads at once of one session end side by side."""
    return {
        "run.change": run.change,
        "run.failures": run.failures,
        "run.streak": run.streak,
    }


def _error(error: LastError) -> Document:
    return {"$mergeObjects": [{"$literal": asdict(error)}, {"at": "$$NOW"}]}


def _tells_once(account: Account) -> bool:
    settings = account.settings
    return settings is not None and settings.alert_frequency is AlertFrequency.OUTAGE


def _is_told(account: Account) -> Document | bool:
    """Whether the account's addresses are told of this suspension."""
    if not _tells_once(account):
        return True
    reminded = {"$add": ["$run.outage_told", REMINDER_SECONDS * 1000]}
    return {"$lte": [{"$ifNull": [reminded, "$$NOW"]}, "$$NOW"]}


def _recovery(relief: Relief) -> Document:
    settings = relief.account.settings
    assert settings is not None, "only an account with settings delivers"  # noqa: S101
    facts = {
        "kind": _RECOVERY,
        "account_id": relief.account.account_id,
        "host": settings.host,
        "username": settings.username,
        "protocol": settings.protocol.value,
        "words": relief.words,
        "recipients": list(settings.email_alerts),
        "queued": relief.queued,
        "returning": relief.returning,
    }
    counted = {
        "number": "$run.suspensions",
        "suspensions": "$run.outage_suspensions",
        "since": "$run.outage_since",
        "at": "$$NOW",
    }
    return {"$mergeObjects": [{"$literal": facts}, counted]}


def _alert_facts(blame: Blame, failures: int, seconds: float) -> Document:
    settings = blame.account.settings
    assert settings is not None, "only an account with settings is ever tried"  # noqa: S101
    return {
        "account_id": blame.account.account_id,
        "failures": failures,
        "host": settings.host,
        "username": settings.username,
        "protocol": settings.protocol.value,
        "seconds": seconds,
        "words": blame.error.words,
        "advice": blame.error.advice,
        "said_by": blame.error.said_by,
        "recipients": list(settings.email_alerts),
        "queued": blame.queued,
        "oldest": blame.oldest,
    }


def _run_state(document: Document) -> RunState:
    run = {**_FRESH, **document.get("run", {}), "now": document.get("now")}
    error = run["last_error"]
    run["state"] = State(run["state"])
    run["server_error"] = error and LastError.stored(error)
    run["last_error"] = LastError.stored(run["broken"][0]) if run["broken"] else run["server_error"]
    return RunState(**{field.name: run[field.name] for field in fields(RunState)})


def _refused(words: str) -> LastError:
    told = f"RabbitMQ refuses: {words}"
    return LastError(Kind.OURS.value, told, QUEUE_ADVICE, Speaker.COURIER.value)


def _unusable(words: str) -> LastError:
    advice = "Nothing to do at the server: the operators have to mend it, and the files wait."
    return LastError(Kind.OURS.value, words, advice, Speaker.COURIER.value)


def _later(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(seconds * 1000)]}
