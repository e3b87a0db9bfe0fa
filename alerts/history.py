"""What became of an account's e-mails: read from the outbox, for people.

An e-mail to many has an outcome for each of its recipients: who got it, who waits for it, whom the
mail server refused, and who was left out and why.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from alerts import kinds

_SHOWN = (kinds.SUSPENSION, kinds.RECOVERY, kinds.SETTINGS, kinds.CONFIRMATION, kinds.TEST)
_NEWEST_FIRST = [("at", DESCENDING), ("_id", DESCENDING)]

Document = dict[str, Any]


@dataclass(frozen=True)
class Addressed:
    """What became of one recipient's copy."""

    address: str
    outcome: str
    """`sent`, `waiting`, `refused`, `failed`; or why it was left out: `stopped`, `unconfirmed`,
    `limited`; `later`: it waits in an entry of its own."""
    words: str | None = None
    """The mail server's, about a refusal."""


@dataclass(frozen=True)
class SentMail:
    """One e-mail about an account."""

    alert_id: str
    kind: str
    """`suspension`, `recovery`, `settings`, `confirmation` or `test`."""
    at: datetime
    why: str
    """In a sentence: what the e-mail is about."""
    words: str
    """What `why` ends with that was said of a failure; empty where nothing was."""
    said_by: str
    """Who said it; empty where that is not known."""
    state: str
    """`waiting`, `sent`, `failed`, `left-out`; `unaddressed`: nobody was to get it."""
    recipients: tuple[Addressed, ...]
    is_told_already: bool
    """Nobody was to get it because the outage is told once, and then daily."""
    last_error: str | None
    """The mail server's last words, where it took the e-mail not at all, or not for everybody."""
    finished_at: datetime | None

    @property
    def opening(self) -> str:
        """The sentence, without what was said of a failure."""
        return self.why.removesuffix(self.words).rstrip()


class AlertHistory:
    """The e-mails of an account. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._alerts: Collection[Document] = database["alerts"].with_options(
            codec_options=CodecOptions(tz_aware=True)
        )

    def list(self, account_id: str, limit: int, before: str | None = None) -> Iterator[SentMail]:
        """The e-mails about the account, the newest first; `before` is the id of one of them.

        An unknown id gives none.
        """
        query: Document = {"facts.account_id": account_id, "kind": {"$in": [*_SHOWN]}}
        if before is not None:
            query |= self._older_than(account_id, before)
        with self._alerts.find(query).sort(_NEWEST_FIRST).limit(limit) as cursor:
            for document in cursor:
                yield sent_mail(document)

    def _older_than(self, account_id: str, alert_id: str) -> Document:
        own = {"_id": alert_id, "facts.account_id": account_id}
        last = self._alerts.find_one(own, {"at": 1})
        if last is None:
            return {"_id": None}
        same_moment = {"at": last["at"], "_id": {"$lt": alert_id}}
        return {"$or": [{"at": {"$lt": last["at"]}}, same_moment]}


def sent_mail(document: Document) -> SentMail:
    """What a document of the outbox tells of its e-mail. Pure."""
    return SentMail(
        document["_id"],
        document["kind"],
        document["at"],
        kinds.why(document),
        kinds.cause_words(document),
        _said_by(document["facts"]),
        document["state"],
        tuple(_addressed(document, address) for address in document["to"]),
        _is_told_already(document),
        document.get("last_error"),
        document.get("finished"),
    )


def _is_told_already(document: Document) -> bool:
    """Only of an outage that is told daily is it kept since when that lasts."""
    is_daily = document["facts"].get("outage_since") is not None
    return document["kind"] == kinds.SUSPENSION and not document["to"] and is_daily


def _said_by(facts: Document) -> str:
    """Where nothing was said, the words are the platform's own."""
    return str(facts.get("said_by", "")) if facts.get("words") else "courier"


def _addressed(document: Document, address: str) -> Addressed:
    left_out = {each["address"]: each["why"] for each in document.get("left_out", ())}
    refused = {each["address"]: each["words"] for each in document.get("refused", ())}
    if address in left_out:
        return Addressed(address, left_out[address])
    if address in document["remaining"]:
        is_over = document["state"] == "failed"
        words = document.get("last_error")
        return Addressed(address, "failed" if is_over else "waiting", words)
    if address in refused:
        return Addressed(address, "refused", refused[address])
    return Addressed(address, "sent")
