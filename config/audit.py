"""The audit of changes, in MongoDB (`audit`): who changed what, never with a secret.

An entry is written once and never altered. One exception: acts that anybody can repeat without end,
such as a failed sign-in, share one entry for a while, with a count.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

from bson import ObjectId
from pydantic import BaseModel, SecretStr
from pymongo.database import Database

from config.documents import Document, of_accounts

MAX_TEXT = 1000
MAX_ADDRESSES = 5
"""Most addresses that a counted entry names."""
CHANGED = "changed"
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
    INVALID_REPLAYED = "invalid.replayed"
    INVALID_DISCARDED = "invalid.discarded"
    USER_CREATED = "user.created"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_REMOVED = "user.removed"
    PASSWORD_RESET = "password.reset"  # noqa: S105 - the name of an action
    TOKEN_CREATED = "token.created"  # noqa: S105 - the name of an action
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of an action
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an action
    SIGNED_IN = "session.begun"
    SIGNED_OUT = "session.ended"
    SIGN_IN_FAILED = "sign-in.failed"
    ALERTS_STOPPED = "alerts.stopped"
    ALERTS_RESUMED = "alerts.resumed"
    ALERTS_CONFIRMED = "alerts.confirmed"
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


class Audit:
    """The entries. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._entries = database["audit"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._entries.create_index([("at", -1), ("_id", -1)])
        self._entries.create_index([("account_id", 1), ("at", -1), ("_id", -1)])
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
    ) -> None:
        """Note a change by `actor` (a principal's login) of an account, None for the platform.

        Of a changed secret only the fact is kept. Texts are cut at 1,000 characters.
        """
        differs_before, differs_after = _difference(before or {}, after or {})
        self._insert(actor, action, account_id, differs_before, differs_after, target)

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
        counted = {
            "times": {"$add": ["$after.times", 1]},
            "addresses": {
                "$slice": [
                    {"$setUnion": ["$after.addresses", [{"$literal": address}]]},
                    MAX_ADDRESSES,
                ]
            },
        }
        began = {"$gt": ["$at", {"$subtract": ["$$NOW", round(every * 1000)]}]}
        again = self._entries.update_one(
            {"series": series, "$expr": began}, [{"$set": {"after": counted}}]
        )
        if not again.matched_count:
            after = {"times": 1, "addresses": [address]}
            self._insert(actor, action, account_id, {}, after, target, {"series": series})

    def _insert(
        self,
        actor: str,
        action: Action,
        account_id: str | None,
        before: Document,
        after: Document,
        target: str | None,
        more: Document | None = None,
    ) -> None:
        entry = {
            "actor": actor,
            "action": action.value,
            "account_id": account_id,
            "target": target,
            "before": before,
            "after": after,
            **(more or {}),
        }
        # A pipeline's update, because only there the time can be the database's.
        self._entries.update_one(
            {"_id": ObjectId()},
            [{"$set": {"at": "$$NOW", **{key: {"$literal": entry[key]} for key in entry}}}],
            upsert=True,
        )

    def list(
        self,
        account_ids: Collection[str] | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> Iterator[Entry]:
        """Entries of the accounts named, or all, newest first; `before` is an entry's id.

        An unknown id gives no entries.
        """
        query = of_accounts(account_ids)
        if before is not None:
            query = {"$and": [query, self._older_than(before)]}
        order = [("at", -1), ("_id", -1)]
        with self._entries.find(query).sort(order).limit(limit) as cursor:
            for document in cursor:
                yield _entry(document)

    def _older_than(self, entry_id: str) -> Document:
        last = self._entries.find_one({"_id": _object_id(entry_id)}, {"at": 1})
        if last is None:
            return {"_id": None}
        same_moment = {"at": last["at"], "_id": {"$lt": last["_id"]}}
        return {"$or": [{"at": {"$lt": last["at"]}}, same_moment]}


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
