"""Alerts on their way (MongoDB collection `alerts`): stored with the suspension, sent with retry.

| `_id`             | what it is                                                          |
|-------------------|---------------------------------------------------------------------|
| `acme:3`          | the customer's alert about the third suspension of `acme`           |
| `acme:3:recovery` | the e-mail that `acme` delivers again after that suspension         |
| `acme:settings:…` | the e-mail about changed settings, to the former addresses          |
| `acme:settings:…:a@x` | its copy for an address that the limits have no room for yet    |
| `acme:confirmation:…` | asks an address whether it wants the alerts of `acme`          |
| `:digest:7`       | the seventh digest for the on-call                                  |
| `:digests`        | the book of digests: the last one's number, and its suspensions     |
| `:server`         | since when and until when the SMTP server is left alone             |

No account id begins with a colon. An e-mail is `waiting`, then `sent`, or `failed` where its
recipients were refused for too long. An `unaddressed` e-mail has no recipients; of a `left-out` one
no recipient wants it or may get one more. One about changed settings is `held` instead, for days,
until its recipients may get one more, the oldest first. `due` is the time of the next try. All
times are the database's (`$$NOW`). Where a process dies after it handed an e-mail over, and before
it wrote that down, the e-mail is sent again under the same Message-ID.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alerts import kinds
from alerts.delivery import Delivery
from alerts.kinds import CONFIRMATION, DIGEST
from alerts.message import usable
from alerts.recovery import Recovery
from alerts.relay import DAY, AlertTried, Relay
from alerts.suspension import Suspension
from config.alert_addresses import AlertAddresses
from config.mail_links import MailLinks
from config.moments import later
from config.notices import SettingsNotice
from config.tls import Endpoint

DIGEST_SECONDS = 300
"""Least time between two digests, counted from the moment the last one reached somebody."""
DIGEST_SUSPENSIONS = 5000
"""Most suspensions in one digest; the others follow in the next."""
KEPT_SECONDS = 90 * DAY
"""How long an alert that is over is kept, to be looked at."""

_BOOK = ":digests"

Document = dict[str, Any]


class Outbox:
    """Stores alerts and sends them. Raises pymongo's errors where MongoDB is away.

    Any number of processes may use the same collection at the same time.
    """

    def __init__(
        self,
        database: Database[Document],
        *,
        sender: str,
        platform: str,
        smtp: Endpoint,
        oncall: Sequence[str] = (),
        addresses: AlertAddresses,
        links: MailLinks,
        observe: Callable[[AlertTried], None],
    ) -> None:
        self._alerts: Collection[Document] = database["alerts"].with_options(
            codec_options=CodecOptions(tz_aware=True)
        )
        self._delivery = Delivery(addresses, links, smtp)
        self._relay = Relay(self._alerts, self._delivery, observe, sender, platform)
        self._oncall = usable(oncall)

    def ensure_indexes(self) -> None:
        """Create the indexes that are missing."""
        self._alerts.create_index([("state", 1), ("due", 1)])
        self._alerts.create_index("undigested", sparse=True)
        self._alerts.create_index("finished", expireAfterSeconds=KEPT_SECONDS)
        self._delivery.addresses.ensure_indexes()

    def store(self, alert: Suspension | Recovery | SettingsNotice) -> None:
        """Store the alert until it is sent. Storing it again changes nothing.

        A later alert of the same number belongs to an account that was removed and created again:
        it replaces the stored one.
        """
        alert_id, facts = kinds.described(alert)
        if self._oncall and isinstance(alert, Suspension):
            facts["undigested"] = True
        self._insert(
            {"_id": alert_id, "facts.at": {"$lt": alert.at}},
            {"_id": alert_id, **facts, **_addressed(usable(alert.recipients))},
        )

    def send_due(self) -> int:
        """Send the e-mails that are due, with the digest and the questions to new addresses.

        At most `ROUND` e-mails. Returns the number that the server took.
        """
        self._open_digest()
        self._ask_for_confirmations()
        return self._relay.send_due()

    def waiting(self) -> int:
        """How many e-mails are not sent yet and not given up; not those that the limits hold."""
        return self._alerts.count_documents({"state": "waiting", "held": {"$exists": False}})

    def _ask_for_confirmations(self) -> None:
        for recipient in self._delivery.questions():
            alert_id = f"{recipient.account_id}:confirmation:{secrets.token_hex(8)}"
            facts = {"account_id": recipient.account_id, "address": recipient.address}
            question = {"_id": alert_id, "kind": CONFIRMATION, "facts": facts}
            self._insert({"_id": alert_id}, {**question, **_addressed([recipient.address])})

    def _open_digest(self) -> None:
        """Put the suspensions that are in no digest yet into one, if a digest is due.

        The digest's number and its suspensions are written into the book in one update. A crash
        before it leaves them for the next digest; after it, the next reader of the book goes on.
        """
        if not self._oncall:
            return
        book = self._alerts.find_one({"_id": _BOOK}) or {"batch": 0, "members": []}
        self._write_digest(book)
        if self._is_digest_recent(book["batch"]):
            return
        members = self._undigested()
        if members:
            self._write_digest(self._turn_page(book["batch"], members))

    def _undigested(self) -> list[str]:
        found = self._alerts.find({"undigested": True}, {"_id": 1}).sort("facts.at", 1)
        return [document["_id"] for document in found.limit(DIGEST_SUSPENSIONS)]

    def _is_digest_recent(self, batch: int) -> bool:
        """Whether the last digest reached somebody lately, or waits for the present on-call."""
        recent = {"$expr": {"$gt": ["$reached", later(-DIGEST_SECONDS)]}}
        unread = {"state": "waiting", "to": self._oncall, "remaining": self._oncall}
        query = {"_id": _digest_id(batch), "$or": [recent, unread]}
        return self._alerts.find_one(query, {"_id": 1}) is not None

    def _turn_page(self, batch: int, members: list[str]) -> Document:
        """The book with the new page; empty where another process was first."""
        try:
            book = self._alerts.find_one_and_update(
                {"_id": _BOOK, "batch": batch},
                {"$set": {"members": members}, "$inc": {"batch": 1}},
                upsert=batch == 0,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            book = None
        return book or {"batch": batch, "members": []}

    def _write_digest(self, book: Document) -> None:
        """Make the book's page an e-mail. Doing it again, or twice at once, changes nothing."""
        batch, members = book["batch"], book["members"]
        if not members:
            return
        digest = {"_id": _digest_id(batch), "kind": DIGEST, "members": members}
        self._insert(
            {"_id": _digest_id(batch), "kind": {"$exists": False}},
            {**digest, **_addressed(self._oncall)},
        )
        self._alerts.update_many({"_id": {"$in": members}}, {"$unset": {"undigested": ""}})
        self._alerts.update_one({"_id": _BOOK, "batch": batch}, {"$set": {"members": []}})

    def _insert(self, absent: Document, document: Document) -> None:
        """Store the e-mail, due now, unless the query finds one that must stay."""
        clocks = {"at": "$$NOW", "due": "$$NOW"}
        if document["state"] != "waiting":
            clocks = {"at": "$$NOW", "finished": "$$NOW"}
        stage = {"$replaceWith": {"$mergeObjects": [{"$literal": document}, clocks]}}
        try:
            self._alerts.update_one(absent, [stage], upsert=True)
        except DuplicateKeyError:
            return  # it is there already


def _addressed(to: Sequence[str]) -> Document:
    state = "waiting" if to else "unaddressed"
    return {"to": list(to), "remaining": list(to), "state": state, "tries": 0, "refusals": 0}


def _digest_id(batch: int) -> str:
    return f":digest:{batch}"
