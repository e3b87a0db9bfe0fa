"""An account's running state as it is stored, the part `run` of its document: read and changed.

Every update names the state it was decided on (`seen_state`) and the epoch of its owner: a decision
that the world has overtaken, be it by another upload of the same session, or a worker that has
lost the account, changes nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import fields

from pymongo import ReturnDocument
from pymongo.database import Database

from config.account_documents import account_of, account_or_why
from config.accounts import Account
from config.errors import AccountError
from consumers.delivery.policy import State
from consumers.ledger.records import Document, LastError
from consumers.ledger.run_state import RunState
from transports.diagnosis.ours import QUEUE_UNUSABLE

BUCKETS = 1024
_FRESH: Document = {
    "state": State.ACTIVE.value,
    "paused": False,
    "paused_at": None,
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
    "lasting_since": None,
    "dormant_since": None,
    "tried_now": False,
    "faults": 0,
    "rests_until": None,
    "opens_window": False,
    "well_since": None,
    "settled_in": None,
    "was_settled": False,
    "login_refused": None,
    "probing_since": None,
    "waiting": None,
    "traced_until": None,
}
_WITH_DEFAULTS: Document = {"$set": {"run": {"$mergeObjects": [{"$literal": _FRESH}, "$run"]}}}
WELL_FROM_NOW: Document = {"run.well_since": "$$NOW"}
"""Files that are there already waited for the account, not for us: none of them tells how soon we
deliver."""
CHANGED: Document = {"run.change": {"$add": ["$run.change", 1]}, **WELL_FROM_NOW}
LOADED: Document = {**dict.fromkeys(("run", *Account.model_fields), 1), "now": "$$NOW"}
"""What a session reads of its account."""
STIRRED: Document = {
    "run.routed": {"$add": ["$run.routed", 1]},
    "run.rests_until": None,
    "run.probing_since": "$$NOW",
}
"""By what people do. Counted like an arrival, so that a session that is about to end does not sleep
over it; a rest that arrivals do not end is over; and a probe asks for what holds from now on."""


class States:
    """What each part of the accounts' story works on. Raises pymongo's errors, MongoDB away."""

    def __init__(self, database: Database[Document]) -> None:
        self._accounts = database["accounts"]

    def read(self, account_id: str) -> RunState:
        """The account's running state; a fresh one where it has never run."""
        projection = {"run": 1, "now": "$$NOW"}
        return run_state(self._accounts.find_one({"_id": account_id}, projection) or {})

    def read_own(self, account_id: str, epoch: int) -> RunState | None:
        """The same for who has fenced it in this epoch; None where another one has it, or none:
        it is gone, or was stored anew."""
        projection = {"run": 1, "now": "$$NOW"}
        document = self._accounts.find_one({"_id": account_id, "run.epoch": epoch}, projection)
        return None if document is None else run_state(document)

    def load(self, account_id: str) -> tuple[Account | None, RunState]:
        """The account with its settings, and its running state, as of one moment.

        Raises AccountError where what is stored cannot be used.
        """
        document = self._accounts.find_one({"_id": account_id}, LOADED)
        return (None, run_state({})) if document is None else loaded(document)

    def load_all(
        self, account_ids: Sequence[str]
    ) -> dict[str, tuple[Account | AccountError, RunState]]:
        """The same of the existing ones of these accounts, by id; an error in the place of one
        that cannot be used."""
        found = self._accounts.find({"_id": {"$in": list(account_ids)}}, LOADED)
        return {each["_id"]: (account_or_why(each), run_state(each)) for each in found}

    def read_all(self) -> dict[str, RunState]:
        """The running states of all accounts, by id."""
        rows = self._accounts.find({}, {"run": 1, "now": "$$NOW"})
        return {row["_id"]: run_state(row) for row in rows}

    def _change(
        self,
        account_id: str,
        epoch: int,
        seen: RunState,
        values: Document,
        where: Document | None = None,
    ) -> bool:
        """A change of state, from the state that was seen."""
        query = {**fenced(account_id, epoch), **seen_state(seen), **(where or {})}
        return self._update(query, {**values, **CHANGED}) is not None

    def _update(
        self, query: Document, values: Document, projection: Document | None = None
    ) -> Document | None:
        document: Document | None = self._accounts.find_one_and_update(
            query,
            stages(query["_id"], values),
            projection=projection or {"_id": 1},
            return_document=ReturnDocument.AFTER,
        )
        return document


def bucket_of(account_id: str) -> int:
    """The bucket of an account, the unit in which workers share them: the same for ever."""
    return int.from_bytes(hashlib.blake2b(account_id.encode(), digest_size=8).digest()) % BUCKETS


def stages(account_id: str, values: Document) -> list[Document]:
    bucket = {"run.bucket": bucket_of(account_id)}
    return [_WITH_DEFAULTS, {"$set": {**values, **bucket}}]


def fenced(account_id: str, epoch: int) -> Document:
    return {"_id": account_id, "run.epoch": {"$not": {"$gt": epoch}}}


def seen_state(run: RunState) -> Document:
    """What a decision stands on: uploads at once of one session end side by side."""
    return {
        "run.change": run.change,
        "run.failures": run.failures,
        "run.streak": run.outage_id,
    }


_RUN_FIELDS = tuple(field.name for field in fields(RunState))


def run_state(document: Document) -> RunState:
    run = {**_FRESH, **document.get("run", {}), "now": document.get("now")}
    error = run["last_error"]
    run["state"] = State(run["state"])
    run["lasting_since"] = run["lasting_since"] or run["outage_since"]  # as of earlier versions
    run["outage_id"], run["outage_retry_due"] = run["streak"], run["casualties_due"]
    run["server_error"] = error and LastError.stored(error)
    waiting, broken = run["waiting"], run["broken"]
    run["waiting"] = waiting and LastError.stored(waiting)
    shown = LastError.stored(broken[0]) if broken else run["waiting"]
    run["last_error"] = shown or run["server_error"]
    refused = run["login_refused"]
    run["login_refusal"] = refused and LastError.stored(refused)
    run["login_refused_until"] = refused and refused["until"]
    return RunState(**{name: run[name] for name in _RUN_FIELDS})


def loaded(document: Document) -> tuple[Account, RunState]:
    return account_of(document), run_state(document)


def refused(words: str) -> LastError:
    return LastError.ours(f"RabbitMQ refuses: {words}", QUEUE_UNUSABLE)
