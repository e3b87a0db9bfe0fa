"""The audit of changes, in MongoDB (`audit`): who changed what, never with a secret.

An entry is written once and never altered. One exception: acts that anybody can repeat without end,
such as a failed sign-in, share one entry for a while, with a count.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Any

from bson import ObjectId
from pydantic import BaseModel, SecretStr
from pymongo.database import Database

from config.documents import Document, in_time, of_accounts

MAX_TEXT = 1000
MAX_ADDRESSES = 5
"""Most addresses that a counted entry names."""
MAX_ACTORS = 100
"""Most actors whose entries are read by the index of each."""
CHANGED = "changed"
SECONDS = 1.5
"""A look at the audit is ended after it."""
_TOO_LONG = (
    "The audit was looked through for too long, and that was ended: name an account, who did it "
    "or a shorter time as well."
)
_KINDS = ("cli", "token", "mail")
"""How actors begin that are no logins, before a colon."""
_SECRET = re.compile(r"password|passphrase|secret|token|hash|private", re.IGNORECASE)


class Action(StrEnum):
    """What was done."""

    ACCOUNT_CREATED = "account.created"
    ACCOUNT_RENAMED = "account.renamed"
    ACCOUNT_MOVED = "account.moved"
    ACCOUNT_REMOVED = "account.removed"
    ACCOUNT_PAUSED = "account.paused"
    ACCOUNT_RESUMED = "account.resumed"
    ACCOUNT_TRIED_NOW = "account.tried-now"
    ACCOUNT_TRACED = "account.traced"
    DEFAULT_METHOD_SET = "account.default-method-set"
    FTP_GRANTED = "ftp-access.granted"
    FTP_REVOKED = "ftp-access.revoked"
    SETTINGS_TESTED = "settings.tested"
    SETTINGS_SAVED = "settings.saved"
    SETTINGS_ENABLED = "settings.enabled"
    SETTINGS_DISABLED = "settings.disabled"
    SETTINGS_REMOVED = "settings.removed"
    HOST_KEY_APPROVED = "host-key.approved"
    KEY_GENERATED = "key.generated"
    KEY_IMPORTED = "key.imported"
    KEY_DISCARDED = "key.discarded"
    NUMBER_SET = "number.set"
    NUMBER_REMOVED = "number.removed"
    DEAD_LETTERS_REPLAYED = "dead-letters.replayed"
    DEAD_LETTERS_DISCARDED = "dead-letters.discarded"
    REDELIVERED = "deliveries.redelivered"
    INVALID_REPLAYED = "invalid.replayed"
    INVALID_DISCARDED = "invalid.discarded"
    BULK_BEGUN = "bulk.begun"
    BULK_STOPPED = "bulk.stopped"
    BULK_ENDED = "bulk.ended"
    USER_CREATED = "user.created"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_REMOVED = "user.removed"
    USER_ROLE_SET = "user.role-set"
    PASSWORD_RESET = "password.reset"  # noqa: S105 - the name of an action
    TOKEN_CREATED = "token.created"  # noqa: S105 - the name of an action
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of an action
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an action
    PASSWORD_ASKED = "password.asked"  # noqa: S105 - the name of an action
    PASSWORD_RENEWED = "password.renewed"  # noqa: S105 - the name of an action
    FACTOR_ENABLED = "factor.enabled"
    FACTOR_DISABLED = "factor.disabled"
    FACTOR_RESET = "factor.reset"
    FACTOR_FAILED = "factor.failed"
    FACTOR_GUESSED = "factor.guessed"
    RECOVERY_CODES_MADE = "recovery-codes.made"
    RECOVERY_CODE_USED = "recovery-code.used"
    SIGNED_IN = "session.begun"
    SIGNED_OUT = "session.ended"
    SESSIONS_ENDED = "sessions.ended"
    SIGN_IN_FAILED = "sign-in.failed"
    ALERTS_STOPPED = "alerts.stopped"
    ALERTS_RESUMED = "alerts.resumed"
    ALERTS_CONFIRMED = "alerts.confirmed"
    ALERTS_SET = "alerts.set"
    ALERTS_TESTED = "alerts.tested"
    SECRETS_ROTATED = "secrets.rotated"


@dataclass(frozen=True)
class Entry:
    """One change. `before` and `after` hold only the fields that differ."""

    entry_id: str
    at: datetime
    actor: str
    action: str
    account_id: str | None
    target: str | None
    """The part of the account: a number, a login, a token's id."""
    before: Document
    after: Document


@dataclass(frozen=True)
class AuditFilter:
    """Which entries; None: any. `since` is in the time that is asked for, `until` behind it."""

    actor: str | None = None
    """How the actor begins; of a command or a token also what stands behind the colon."""
    actions: Sequence[Action] | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = AuditFilter()


class Audit:
    """The entries. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], seconds: float = SECONDS) -> None:
        """A look at the entries is ended after so many seconds."""
        self._entries = database["audit"]
        self._seconds = seconds

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._entries.create_index([("at", -1), ("_id", -1)])
        for field in ("account_id", "actor", "action"):
            self._entries.create_index([(field, 1), ("at", -1), ("_id", -1)])
        self._entries.create_index("series", sparse=True)

    def record(
        self,
        actor: str,
        action: Action,
        account_id: str | None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        *,
        target: str | None = None,
        once: str | None = None,
    ) -> None:
        """Note a change by `actor` (a principal's login) of an account, None for the platform.

        Of a changed secret only the fact is kept. Texts are cut at 1,000 characters. What has the
        same `once` is one entry, for acts that are repeated where a worker died in them.
        """
        differs_before, differs_after = _difference(before or {}, after or {})
        entry = _entry_of(actor, action, account_id, target)
        differs = {"before": differs_before, "after": differs_after}
        entry_id = ObjectId(sha256(once.encode()).digest()[:12]) if once else ObjectId()
        self._write(entry_id, {**entry, **differs}, {})

    def count(
        self,
        actor: str,
        action: Action,
        account_id: str | None,
        address: str,
        *,
        every: float,
        target: str | None = None,
    ) -> None:
        """Note an act that may repeat without end: one entry in `every` seconds, with a count.

        `address` is the client's; a few of several are kept.
        """
        series = f"{action}\n{actor}\n{target}"
        known = {"$setUnion": [{"$ifNull": ["$after.addresses", []]}, [{"$literal": address}]]}
        counted = {
            "times": {"$add": [{"$ifNull": ["$after.times", 0]}, 1]},
            "addresses": {"$slice": [known, MAX_ADDRESSES]},
        }
        began = {"$gt": ["$at", {"$subtract": ["$$NOW", round(every * 1000)]}]}
        # One look and one write in any case: the time must not tell what is counted already.
        again = self._entries.find_one({"series": series, "$expr": began}, {"_id": 1})
        entry = {**_entry_of(actor, action, account_id, target), "before": {}, "series": series}
        self._write(again["_id"] if again else ObjectId(), entry, {"after": counted})

    def _write(self, entry_id: ObjectId, entry: Document, computed: Document) -> None:
        # A pipeline's update, because only there the time can be the database's.
        at = {"$ifNull": ["$at", "$$NOW"]}
        literal = {name: {"$literal": value} for name, value in entry.items()}
        change = [{"$set": {"at": at, **literal, **computed}}]
        self._entries.update_one({"_id": entry_id}, change, upsert=True)

    def list(
        self,
        account_ids: Collection[str] | None = None,
        limit: int = 50,
        before: str | None = None,
        chosen: AuditFilter = ALL,
    ) -> Iterator[Entry]:
        """Entries of the accounts named, or all, newest first; `before` is an entry's id.

        An unknown id gives no entries. Raises SearchUnavailable where it takes too long.
        """
        with in_time(self._seconds, _TOO_LONG):
            parts = [of_accounts(account_ids), *self._parts(chosen)]
            if before is not None:
                parts.append(self._older_than(before))
            found = self._newest({"$and": parts}, limit)
        return map(_entry, found)

    def of_field(self, account_id: str, field: str, limit: int = 50) -> Iterator[Entry]:
        """Entries by which this field of the account's stored settings changed, newest first.

        Raises SearchUnavailable where it takes too long.
        """
        actions = [Action.SETTINGS_SAVED.value, Action.SETTINGS_REMOVED.value]
        changed = [{f"{side}.{field}": {"$exists": True}} for side in ("before", "after")]
        query = {"account_id": account_id, "action": {"$in": actions}, "$or": changed}
        with in_time(self._seconds, _TOO_LONG):
            return map(_entry, self._newest(query, limit))

    def _newest(self, query: Document, limit: int) -> Sequence[Document]:
        order = [("at", -1), ("_id", -1)]
        with self._entries.find(query).sort(order).limit(limit) as cursor:
            return [*cursor]

    def _parts(self, chosen: AuditFilter) -> Iterator[Document]:
        if chosen.actor is not None:
            yield self._by(chosen.actor)
        if chosen.actions is not None:
            yield {"action": {"$in": [each.value for each in chosen.actions]}}
        if chosen.since is not None:
            yield {"at": {"$gte": chosen.since}}
        if chosen.until is not None:
            yield {"at": {"$lt": chosen.until}}

    def _by(self, beginning: str) -> Document:
        """Of the actors that begin so. Few of them are named, so that each has its index in order;
        which there are is read from the index alone."""
        names = (beginning, *(f"{kind}:{beginning}" for kind in _KINDS))
        either = [{"actor": {"$gte": each, "$lt": f"{each}\uffff"}} for each in names]
        found = [actor for each in either for actor in self._entries.distinct("actor", each)]
        return {"actor": {"$in": found}} if len(found) <= MAX_ACTORS else {"$or": either}

    def _older_than(self, entry_id: str) -> Document:
        last = self._entries.find_one({"_id": _object_id(entry_id)}, {"at": 1})
        if last is None:
            return {"_id": None}
        same_moment = {"at": last["at"], "_id": {"$lt": last["_id"]}}
        return {"$or": [{"at": {"$lt": last["at"]}}, same_moment]}


def _entry_of(actor: str, action: Action, account_id: str | None, target: str | None) -> Document:
    return {
        "actor": actor,
        "action": action.value,
        "account_id": account_id,
        "target": target,
    }


def _difference(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that differ, before and after, to be stored. A secret is a word in `after`."""
    left: dict[str, Any] = {}
    right: dict[str, Any] = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if _SECRET.search(name) or isinstance(old, SecretStr) or isinstance(new, SecretStr):
            right[name] = CHANGED
            continue
        if name in before:
            left[name] = _plain(old)
        if name in after:
            right[name] = _plain(new)
    return left, right


def _plain(value: Any) -> Any:
    """The value as JSON, without secrets."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {
            str(name): CHANGED if _SECRET.search(str(name)) else _plain(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, SecretStr):
        return CHANGED
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | float | datetime) or _is_small(value):
        return value
    return str(value)[:MAX_TEXT].encode(errors="replace").decode()


def _is_small(value: Any) -> bool:
    """Whether the value is an integer that BSON can hold."""
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _object_id(entry_id: str) -> ObjectId | None:
    return ObjectId(entry_id) if ObjectId.is_valid(entry_id) else None


def _entry(document: Document) -> Entry:
    return Entry(
        str(document["_id"]),
        document["at"],
        document["actor"],
        document["action"],
        document["account_id"],
        document["target"],
        document["before"],
        document["after"],
    )
