"""Bulk actions (`bulk_actions`): what somebody decided of many dead letters, invalid events or
accounts.

A decision is stored first and carried out in small steps, by whichever process holds its lease.
A step may be repeated: what it does to a file or an account is conditional, and is counted after it
was done. So a reload, a second person, and a worker that dies in between are all harmless.
What is to be done with accounts is planned before: the plan names each of them, and is forgotten
after an hour where nobody begins it. Those have a collection of their own (`account_acts`), which
workers and consoles of an earlier version do not look at: they know no such subject.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from config.moments import later
from consumers.ledger.bulk_records import (
    BulkAction,
    Decision,
    Plan,
    Refusal,
    Stage,
    Subject,
    Verb,
)
from consumers.ledger.dead_letter_lists import Position
from consumers.ledger.records import Document

__all__ = [
    "BulkAction",
    "BulkActions",
    "Decision",
    "Plan",
    "Refusal",
    "Stage",
    "Subject",
    "TooManyActions",
    "Verb",
]

LEASE_SECONDS = 30.0
"""After this time without a sign of its worker, another one goes on with an action."""
KEPT_SECONDS = 30 * 24 * 3600
"""So long an action can be looked at after its end."""
MOST_AT_ONCE = 20
"""Most actions of a scope that are not over: somebody presses a button again and again."""
PLAN_SECONDS = 3600
KEPT_PLANS = 5
"""Plans that are remembered of one user or token."""
OF_ACCOUNTS = "accounts."
"""So the ids begin of what is done with accounts: no form's id has a dot."""
MAX_REFUSALS = 1000
"""Refusals that are told of one action; it counts all of them."""


_NEVER = datetime.fromtimestamp(0, UTC)


class TooManyActions(Exception):
    """So many actions of the scope run that no other may begin."""


class BulkActions:
    """The decisions and their progress. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._actions = database["bulk_actions"]
        self._account_acts = database["account_acts"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        for each in (self._actions, self._account_acts):
            each.create_index([("stage", 1), ("created_at", 1)])
            each.create_index([("account_id", 1), ("created_at", DESCENDING)])
            each.create_index("ended_at", expireAfterSeconds=KEPT_SECONDS)
            place = [("account_id", 1), ("place", 1)]
            each.create_index(place, unique=True, partialFilterExpression=_runs_with("place"))
        tries = _runs_with("tries_beneath")
        self._account_acts.create_index("tries_beneath", unique=True, partialFilterExpression=tries)
        self._account_acts.create_index("gone", expireAfterSeconds=0, sparse=True)

    def begin(self, action_id: str, decision: Decision) -> BulkAction:
        """Store a decision. The same id again gives the action that it has begun.

        Raises TooManyActions.
        """
        new = {
            "subject": decision.subject.value,
            "verb": decision.verb.value,
            "account_id": decision.account_id,
            "actor": decision.actor,
            "chosen": decision.chosen,
            "total": decision.total,
            "done": 0,
            "stage": Stage.RUNNING.value,
            "asked_at": decision.asked_at,
        }
        stands = {"$gt": ["$stage", None]}

        def store(place: int) -> bool:
            begun = {"$literal": {**new, "place": place}}
            fresh = {"$mergeObjects": ["$$ROOT", begun, {"created_at": "$$NOW"}]}
            change = [{"$replaceWith": {"$cond": [stands, "$$ROOT", fresh]}}]
            self._actions.update_one({"_id": action_id}, change, upsert=True)
            return True

        if self._actions.find_one({"_id": action_id}, {"_id": 1}) is None:
            try:
                self._in_a_place(self._actions, decision.account_id, store)
            except TooManyActions:  # the same form sent twice at once may have had the last place
                if self._actions.find_one({"_id": action_id}, {"_id": 1}) is None:
                    raise
        return BulkAction.of(self._actions.find_one({"_id": action_id}) or {})

    def plan(self, free_id: str, plan: Plan) -> BulkAction:
        """Store what is to be done with accounts, once somebody begins it. Nothing is changed."""
        action_id = f"{OF_ACCOUNTS}{free_id}"
        new = {
            **vars(plan),
            "account_ids": list(plan.account_ids),
            "subject": Subject.ACCOUNTS.value,
            "verb": plan.verb.value,
            "chosen": {},
            "total": len(plan.account_ids),
            "done": 0,
            "stage": Stage.PLANNED.value,
        }
        times = {"created_at": "$$NOW", "gone": later(PLAN_SECONDS)}
        stored = {"$mergeObjects": ["$$ROOT", {"$literal": new}, times]}
        self._account_acts.update_one({"_id": action_id}, [{"$replaceWith": stored}], upsert=True)
        self._forget_plans(plan.actor)
        return BulkAction.of(self._account_acts.find_one({"_id": action_id}, _WITHOUT_LISTS) or {})

    def begin_planned(self, action_id: str) -> bool:
        """Let a plan be carried out. False where it is begun already, or forgotten.

        Raises TooManyActions, also where a tenant's accounts are tried already.
        """
        planned = {"_id": action_id, "stage": Stage.PLANNED.value}
        plan = self._account_acts.find_one(planned, {"account_id": 1, "verb": 1, "top": 1})
        if plan is None:
            return False
        now: Document = {"stage": Stage.RUNNING.value, "created_at": "$$NOW", "gone": "$$REMOVE"}
        if plan["verb"] == Verb.TRY_NOW.value and plan["top"] is not None:
            now["tries_beneath"] = {"$literal": plan["top"]}

        def begin(place: int) -> bool:
            change = [{"$set": {**now, "place": place}}]
            return bool(self._account_acts.update_one(planned, change).matched_count)

        return self._in_a_place(self._account_acts, plan["account_id"], begin)

    def are_tried(self, top: str | None) -> bool:
        """Whether accounts beneath the top account are tried now."""
        running = {"stage": Stage.RUNNING.value, "verb": Verb.TRY_NOW.value, "top": top}
        return self._account_acts.find_one(running, {"_id": 1}) is not None

    def account_ids(self, action_id: str, start: int, count: int) -> list[str]:
        """So many accounts of a plan, from this one on."""
        part = {"_id": 1, "account_ids": {"$slice": [start, count]}}
        document = self._account_acts.find_one({"_id": action_id}, part) or {}
        return list(document.get("account_ids", ()))

    def refusals(self, action_id: str, count: int = MAX_REFUSALS) -> list[Refusal]:
        """The first accounts with which it was not done."""
        part = {"_id": 1, "refusals": {"$slice": count}}
        document = self._account_acts.find_one({"_id": action_id}, part) or {}
        return [Refusal(**each) for each in document.get("refusals", ())]

    def read(self, action_id: str) -> BulkAction | None:
        """One action; None where there is none (any more)."""
        document = self._home(action_id).find_one({"_id": action_id}, _WITHOUT_LISTS)
        return None if document is None else BulkAction.of(document)

    def recent(
        self, account_id: str | None, limit: int, subject: Subject | None = None
    ) -> list[BulkAction]:
        """Those of an account, or of all for None, the newest first."""
        wanted = {"account_id": account_id, "subject": subject and subject.value}
        query: Document = {name: value for name, value in wanted.items() if value is not None}
        query["stage"] = {"$ne": Stage.PLANNED.value}
        found = [
            BulkAction.of(each)
            for home in (self._actions, self._account_acts)
            for each in home.find(query, _WITHOUT_LISTS).sort("created_at", DESCENDING).limit(limit)
        ]
        return sorted(found, key=lambda each: each.created_at, reverse=True)[:limit]

    def are_too_many(self, account_id: str | None, *, of_accounts: bool = False) -> bool:
        """Whether so many actions of this scope run that no other may begin. Those that are done
        with accounts are counted by themselves."""
        home = self._account_acts if of_accounts else self._actions
        return not _free_places(home, account_id)

    def waiting(self, limit: int) -> list[str]:
        """Ids of actions that nobody carries out just now, those first that wait the longest."""
        free = {"stage": Stage.RUNNING.value, "$expr": _IS_FREE}
        turns = [("taken_at", ASCENDING), ("created_at", ASCENDING)]
        asked = {"taken_at": 1, "created_at": 1}
        found = [
            (each.get("taken_at") or _NEVER, each["created_at"], each["_id"])
            for home in (self._actions, self._account_acts)
            for each in home.find(free, asked).sort(turns).limit(limit)
        ]
        return [action_id for *_, action_id in sorted(found)[:limit]]

    def take(self, action_id: str, owner: str) -> BulkAction | None:
        """Lease an action that runs. None where another worker has it, or where it is over."""
        may_take = {"$or": [_IS_FREE, {"$eq": ["$owner", {"$literal": owner}]}]}
        document = self._home(action_id).find_one_and_update(
            {"_id": action_id, "stage": Stage.RUNNING.value, "$expr": may_take},
            [
                {
                    "$set": {
                        "owner": {"$literal": owner},
                        "lease_until": later(LEASE_SECONDS),
                        "taken_at": "$$NOW",
                    }
                }
            ],
            projection=_WITHOUT_LISTS,
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else BulkAction.of(document)

    def progressed(
        self,
        action_id: str,
        owner: str,
        *,
        done: int,
        looked_at: int | None = None,
        position: Position | None = None,
        met: Mapping[str, int] = MappingProxyType({}),
        refusals: Sequence[Refusal] = (),
    ) -> bool:
        """Count what a step has done, and renew the lease. False where it is another's by now, or
        has come further than the step has read: `looked_at`."""
        values: Document = {
            "done": {"$add": ["$done", done]},
            "problem": "",
            "lease_until": later(LEASE_SECONDS),
        }
        if position is not None:
            values["position"] = {
                "$literal": dict(zip(("created_at", "arrival"), position, strict=True))
            }
        if refusals:
            told = {"$literal": [vars(each) for each in refusals]}
            known: Document = {"$concatArrays": [{"$ifNull": ["$refusals", []]}, told]}
            values["refusals"] = {"$slice": [known, MAX_REFUSALS]}
            values["refused"] = {"$add": [{"$ifNull": ["$refused", 0]}, len(refusals)]}
        for account_id, count in met.items():
            name = _field_of(account_id)
            values[name] = {"$add": [{"$ifNull": [f"${name}", 0]}, count]}
        if looked_at is None:
            return self._of(action_id, owner, values)
        come_to = {"$add": ["$done", {"$ifNull": ["$refused", 0]}]}
        return self._of(action_id, owner, values, {"$expr": {"$eq": [come_to, looked_at]}})

    def renews(self, action_id: str, owner: str) -> bool:
        """Keep the lease. False where it is another's by now."""
        return self._of(action_id, owner, {"lease_until": later(LEASE_SECONDS)})

    def meets(self, action_id: str, owner: str, account_ids: Iterable[str]) -> bool:
        """Accounts whose files the next step deals with: their queues are to be tidied."""
        known = {"$ifNull": ["$untidy", []]}
        values: Document = {
            "untidy": {"$setUnion": [known, {"$literal": sorted(account_ids)}]},
            "lease_until": later(LEASE_SECONDS),
        }
        return self._of(action_id, owner, values)

    def tidied(self, action_id: str, owner: str, account_id: str) -> bool:
        """An account's queue holds nothing any more of what was dealt with."""
        left = {"$setDifference": ["$untidy", [{"$literal": account_id}]]}
        return self._of(action_id, owner, {"untidy": left, "lease_until": later(LEASE_SECONDS)})

    def hindered(self, action_id: str, owner: str, problem: str) -> bool:
        """It goes on later, and people see why."""
        return self._of(action_id, owner, {"problem": {"$literal": problem}})

    def released(self, action_id: str, owner: str) -> bool:
        """Let any worker go on with it."""
        return self._of(action_id, owner, {"lease_until": None})

    def rests(self, action_id: str, owner: str, seconds: float, problem: str) -> bool:
        """Nobody goes on with it for so long, and people see why."""
        rest = {"owner": None, "lease_until": later(seconds), "problem": {"$literal": problem}}
        return self._of(action_id, owner, rest)

    def ended(self, action_id: str, owner: str, stage: Stage, problem: str = "") -> bool:
        """Nothing more is done. False where it is another's by now."""
        over = {"stage": stage.value, "ended_at": "$$NOW", "problem": {"$literal": problem}}
        return self._of(action_id, owner, over)

    def stop(self, action_id: str) -> bool:
        """Have it end after the step that runs. False where it is over."""
        running = {"_id": action_id, "stage": Stage.RUNNING.value}
        change = {"$set": {"is_to_stop": True}}
        return bool(self._home(action_id).update_one(running, change).matched_count)

    def _forget_plans(self, actor: str) -> None:
        """Older plans of the same user or token; whoever begins one meanwhile keeps it."""
        plans = {"actor": actor, "stage": Stage.PLANNED.value}
        newest = self._account_acts.find(plans, {"_id": 1}).sort("created_at", DESCENDING)
        old = [each["_id"] for each in newest.skip(KEPT_PLANS)]
        self._account_acts.delete_many({"_id": {"$in": old}, **plans})

    def _in_a_place(
        self, home: Collection[Document], account_id: str | None, begin: Callable[[int], bool]
    ) -> bool:
        """Begin an action in one of the scope's places; what takes it first has it, by an index
        over those that run. Whatever ends an action frees its place."""
        for place in _free_places(home, account_id):
            with suppress(DuplicateKeyError):  # another took it at the same moment
                return begin(place)
        raise TooManyActions

    def _home(self, action_id: str) -> Collection[Document]:
        return self._account_acts if action_id.startswith(OF_ACCOUNTS) else self._actions

    def _of(
        self, action_id: str, owner: str, values: Document, where: Document | None = None
    ) -> bool:
        mine = {"_id": action_id, "owner": owner, "stage": Stage.RUNNING.value, **(where or {})}
        return bool(self._home(action_id).update_one(mine, [{"$set": values}]).matched_count)


def _runs_with(name: str) -> Document:
    """An index over what runs and has this field; those of an earlier version have none."""
    return {"stage": Stage.RUNNING.value, name: {"$exists": True}}


def _free_places(home: Collection[Document], account_id: str | None) -> list[int]:
    """Places of a scope that no running action has; one without a place fills one too."""
    running = {"stage": Stage.RUNNING.value, "account_id": account_id}
    taken = [each.get("place") for each in home.find(running, {"place": 1}).limit(MOST_AT_ONCE)]
    free = [place for place in range(MOST_AT_ONCE) if place not in taken]
    return free[: MOST_AT_ONCE - len(taken)]


def _field_of(account_id: str) -> str:
    """A dot would lead into a field; no account's id has a slash."""
    return f"met.{account_id.replace('.', '/')}"


_IS_FREE = {"$lt": [{"$ifNull": ["$lease_until", 0]}, "$$NOW"]}
_WITHOUT_LISTS = {"account_ids": 0, "refusals": 0}
"""Thousands of names that only a step, and the page that tells them, reads."""
