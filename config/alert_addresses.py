"""The addresses that alerts go to, in MongoDB (`alert_addresses`): the answer of each one's reader,
and the e-mails that it was sent lately.

One document for an account and an address: an account's alerts never use up another one's. An
address gets one e-mail of an account each 15 minutes whatever else happens ("fair"); more of them
as long as neither the account nor all accounts together send it too many. What an account sends
to addresses that it has never written to before is limited besides: it must not become a way to
write to strangers. Test e-mails have limits of their own: they must not use up those of alerts.

A limit keeps an e-mail from the address, but for one that must not be missing: that waits until the
limits have room for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from config.alert_settings import MAX_EMAIL_ALERTS
from config.documents import Document
from config.mail_links import Recipient

FAIR_SECONDS = 14 * 60
"""An e-mail always fits after this pause: the timer of a suspension is 15 minutes."""
HOUR = 3600
MAX_EACH = 10
"""E-mails an hour of one account to one address."""
MAX_ADDRESS = 20
"""E-mails an hour to one address, of all accounts together, beyond the fair ones."""
MAX_ACCOUNT = 30
"""E-mails an hour of one account to all its addresses together, beyond the fair ones."""
MAX_NEW = MAX_EMAIL_ALERTS
"""Addresses an hour that an account writes to for the first time: its first alert reaches all."""
MAX_TESTS = 2 * MAX_EMAIL_ALERTS
"""Test e-mails an hour of one account to all its addresses together."""
ASK_AGAIN_SECONDS = 24 * HOUR
"""Least time between two requests to confirm the same address."""
CLEAN_SECONDS = 400 * 24 * HOUR
"""An address without an answer is forgotten this long after its last e-mail."""

_SENT: Document = {"$ifNull": ["$sent", []]}


class LeftOut(StrEnum):
    """Why an address does not get an e-mail."""

    STOPPED = "stopped"
    UNCONFIRMED = "unconfirmed"
    LIMITED = "limited"


@dataclass(frozen=True)
class AlertAddress:
    """The answer of an address's reader about the alerts of an account."""

    address: str
    stopped_at: datetime | None
    confirmed_at: datetime | None
    left_out: int
    """E-mails that the limit has left out since the last one."""


class AlertAddresses:
    """The addresses. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], *, must_confirm: bool = False) -> None:
        self._addresses = database["alert_addresses"]
        self._must_confirm = must_confirm

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._addresses.create_index("account_id")
        self._addresses.create_index("asks", sparse=True)
        self._addresses.create_index("forget_from", expireAfterSeconds=CLEAN_SECONDS)

    # --- what the readers say -------------------------------------------------------------------

    def stop(self, recipient: Recipient) -> None:
        """The reader wants no more e-mails about the account. Repeating it is harmless."""
        self._set(recipient, {"stopped_at": {"$ifNull": ["$stopped_at", "$$NOW"]}})

    def resume(self, recipient: Recipient) -> None:
        """The reader wants the e-mails again."""
        self._set(recipient, {"stopped_at": None})

    def confirm(self, recipient: Recipient) -> None:
        """The reader has agreed to get the e-mails."""
        self._set(recipient, {"confirmed_at": {"$ifNull": ["$confirmed_at", "$$NOW"]}})

    def find(self, recipient: Recipient) -> AlertAddress | None:
        """The stored address; None where it is not known."""
        document = self._addresses.find_one({"_id": _key(recipient)})
        return None if document is None else _address(document)

    def of(self, account_id: str) -> list[AlertAddress]:
        """All addresses of the account that got an alert or whose reader has answered."""
        found = self._addresses.find({"account_id": account_id, "address": {"$exists": True}})
        return [_address(document) for document in found.sort("address")]

    def forget(self, account_id: str) -> None:
        """Forget the addresses of an account that is removed."""
        self._addresses.delete_many({"account_id": account_id})

    # --- who is written to ----------------------------------------------------------------------

    def ask(self, account_id: str, addresses: tuple[str, ...]) -> None:
        """Ask new addresses to confirm, where the platform wants that."""
        for address in addresses if self._must_confirm else ():
            self._ask(Recipient(account_id, address))

    def asking(self) -> Iterator[Recipient]:
        """The addresses to be asked to confirm."""
        for document in self._addresses.find({"asks": True}).limit(100):
            yield Recipient(document["account_id"], document["address"])

    def asked(self, recipient: Recipient) -> None:
        """Note that the address is asked now."""
        self._set(recipient, {"asks": "$$REMOVE", "asked_at": "$$NOW"})

    def admit(
        self, recipient: Recipient, *, may_wait: bool = False, is_test: bool = False
    ) -> LeftOut | None:
        """Count one e-mail to the address. Returns why it is left out; None where it is sent.

        `may_wait`: one that is LIMITED is sent later, and is none of those that are left out.
        """
        known = self.find(recipient)
        if known is not None and known.stopped_at is not None:
            return LeftOut.STOPPED
        if self._must_confirm and (known is None or known.confirmed_at is None):
            self._ask(recipient)
            return LeftOut.UNCONFIRMED
        if is_test:
            return None if self._fits_test(recipient) else LeftOut.LIMITED
        return self.take(recipient, may_wait=may_wait)

    def may_ask_for_test(self, account_id: str, most: int, seconds: float) -> bool:
        """Count one test that somebody asks for. False where `most` were in the last `seconds`."""
        return self._has_room(f"asked:{account_id}", most, account_id, round(seconds))

    def take(self, recipient: Recipient, *, may_wait: bool = False) -> LeftOut | None:
        """Count one e-mail, by the limits alone. Returns LIMITED where one of them is reached."""
        if self._fits(recipient):
            self._set(recipient, {"sent": {"$concatArrays": [_SENT, ["$$NOW"]]}})
            return None
        if not may_wait:
            self._set(recipient, {"left_out": {"$add": [{"$ifNull": ["$left_out", 0]}, 1]}})
        return LeftOut.LIMITED

    def has_room_at(self, recipient: Recipient) -> datetime | None:
        """When one more e-mail fits at the latest, if no other one is sent until then.

        None where the account has never written to the address.
        """
        document = self._addresses.find_one({"_id": _key(recipient)}) or {}
        sent: list[datetime] = sorted(document.get("sent", []), reverse=True)
        if not sent:
            return None
        fair = sent[0] + timedelta(seconds=FAIR_SECONDS)
        in_an_hour = sent[MAX_EACH - 1 : MAX_EACH]
        return min([fair, *(each + timedelta(seconds=HOUR) for each in in_an_hour)])

    def delivered(self, recipient: Recipient) -> None:
        """Note that the address got an e-mail that names how many were left out before."""
        self._set(recipient, {"left_out": 0})

    def _fits(self, recipient: Recipient) -> bool:
        account_id = recipient.account_id
        match self._verdict(recipient):
            case "fair":
                return True
            case "new":
                return self._has_room(f"new:{account_id}", MAX_NEW, account_id)
            case "more":
                return self._has_room(
                    f"more:{account_id}", MAX_ACCOUNT, account_id
                ) and self._has_room(_of_all(recipient), MAX_ADDRESS)
        return False

    def _fits_test(self, recipient: Recipient) -> bool:
        account_id = recipient.account_id
        return (
            self._has_room(f"test:{_key(recipient)}", MAX_EACH, account_id)
            and self._has_room(f"tests:{account_id}", MAX_TESTS, account_id)
            and self._has_room(f"tests:{_of_all(recipient)}", MAX_ADDRESS)
        )

    def _verdict(self, recipient: Recipient) -> str:
        """The limit for an e-mail of the account to the address: new, fair, more, or none fits."""
        lately = _since(HOUR)
        last = {"$max": _SENT}
        is_fair = {"$lte": [last, {"$subtract": ["$$NOW", FAIR_SECONDS * 1000]}]}
        has_more = {"$lt": [{"$size": lately}, MAX_EACH]}
        verdict = {
            "$switch": {
                "branches": [
                    {"case": {"$eq": [_SENT, []]}, "then": "new"},
                    {"case": is_fair, "then": "fair"},
                    {"case": has_more, "then": "more"},
                ],
                "default": "none",
            }
        }
        document = self._set(recipient, {"verdict": verdict})
        return str(document["verdict"])

    def _has_room(
        self, key: str, most: int, account_id: str | None = None, seconds: int = HOUR
    ) -> bool:
        """Count one against the limit of `key` in so many seconds. False where it is reached.

        `account_id`: the count is forgotten with the account.
        """
        lately = _since(seconds)
        room = {"$lt": [{"$size": lately}, most]}
        more = {"$cond": [room, {"$concatArrays": [lately, ["$$NOW"]]}, lately]}
        of_account = {} if account_id is None else {"account_id": {"$literal": account_id}}
        document = self._update(
            key, [{"$set": {"fits": room, "sent": more, "forget_from": "$$NOW", **of_account}}]
        )
        return bool(document["fits"])

    def _ask(self, recipient: Recipient) -> None:
        long_ago = {"$lte": ["$asked_at", {"$subtract": ["$$NOW", ASK_AGAIN_SECONDS * 1000]}]}
        is_due = {
            "$and": [
                {"$eq": [{"$ifNull": ["$confirmed_at", None]}, None]},
                {"$eq": [{"$ifNull": ["$stopped_at", None]}, None]},
                {"$or": [{"$eq": [{"$ifNull": ["$asked_at", None]}, None]}, long_ago]},
            ]
        }
        self._set(
            recipient, {"asks": {"$cond": [is_due, True, {"$ifNull": ["$asks", "$$REMOVE"]}]}}
        )

    def _set(self, recipient: Recipient, values: Document) -> Document:
        of = {"account_id": recipient.account_id, "address": recipient.address}
        named = {name: {"$literal": value} for name, value in of.items()}
        said = [{"$ifNull": ["$stopped_at", None]}, {"$ifNull": ["$confirmed_at", None]}]
        is_kept = {"$ne": [said, [None, None]]}
        return self._update(
            _key(recipient),
            [
                {"$set": {**named, **values}},
                {"$set": {"sent": _since(HOUR, keep_last=True)}},
                {"$set": {"forget_from": {"$cond": [is_kept, "$$REMOVE", "$$NOW"]}}},
            ],
        )

    def _update(self, key: str, pipeline: list[Document]) -> Document:
        while True:
            try:
                document: Document | None = self._addresses.find_one_and_update(
                    {"_id": key}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:
                continue  # another process made the document at the same moment
            return document or {}


def _since(seconds: int, *, keep_last: bool = False) -> Document:
    """The moments of `sent` that are recent. The last one stays, to measure the pause from."""
    recent = {"$gt": ["$$this_one", {"$subtract": ["$$NOW", seconds * 1000]}]}
    kept = {"$or": [recent, {"$eq": ["$$this_one", {"$max": _SENT}]}]} if keep_last else recent
    return {"$filter": {"input": _SENT, "as": "this_one", "cond": kept}}


def _key(recipient: Recipient) -> str:
    return f"{recipient.account_id}\n{recipient.address.lower()}"


def _of_all(recipient: Recipient) -> str:
    return f"all:{sha256(recipient.address.lower().encode()).hexdigest()}"


def _address(document: Document) -> AlertAddress:
    return AlertAddress(
        document["address"],
        document.get("stopped_at"),
        document.get("confirmed_at"),
        document.get("left_out", 0),
    )
