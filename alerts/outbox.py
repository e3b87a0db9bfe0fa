"""Alerts on their way (MongoDB collection `alerts`): stored with the suspension, sent with retry.

| `_id`             | what it is                                                          |
|-------------------|---------------------------------------------------------------------|
| `acme:3`          | the customer's alert about the third suspension of `acme`           |
| `acme:3:recovery` | the e-mail that `acme` delivers again after that suspension         |
| `acme:settings:…` | the e-mail about changed settings, to the former addresses          |
| `acme:settings:…:a@x` | its copy for an address that the limits have no room for yet    |
| `acme:test:…`     | the test e-mail that somebody asked for                             |
| `acme:confirmation:…` | asks an address whether it wants the alerts of `acme`          |
| `acme:losses:…`   | the account's recordings lost by our own fault: see `loss_book`     |
| `:password:…`     | a link to a new password, for a user of the console                 |
| `:guesses:…`     | tells a user of the console that somebody guesses codes             |
| `:digest:7`       | the seventh digest for the on-call                                  |
| `:digests`        | the book of digests: the last one's number, and its events          |
| `:server`         | since when and until when the SMTP server is left alone             |

No account id begins with a colon. An e-mail is `waiting`, then `sent`, or `failed` where its
recipients were refused for too long. One with a link that is made when it is sent is
`waiting-for-link`, and it is `gone` after an hour. An `unaddressed` e-mail has no recipients; of a
`left-out` one no recipient wants it or may get one more. One about changed settings is `held`
instead, for days, until its recipients may get one more, the oldest first. `due` is the time of the
next try. All times are the database's (`$$NOW`). Where a process dies after it handed an e-mail
over, and before it wrote that down, the e-mail is sent again under the same Message-ID.
"""

import secrets
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alerts import kinds
from alerts.delivery import Delivery
from alerts.guesses import GUESSES
from alerts.kinds import CONFIRMATION, DIGEST, RECOVERY, SUSPENSION, Alert
from alerts.loss_book import LossBook
from alerts.message import usable
from alerts.password_mail import PASSWORD, PasswordMail
from alerts.relay import DAY, WAITING, WAITING_FOR_LINK, AlertTried, Relay
from config.alert_addresses import AlertAddresses
from config.audit import Audit
from config.mail_links import MailLinks
from config.moments import later
from config.password_links import LINK_SECONDS, PasswordLinks
from config.tls import Endpoint

DIGEST_SECONDS = 300
"""Least time between two digests, counted from the moment the last one reached somebody."""
DIGEST_EVENTS = 5000
"""Most events in one digest; the others follow in the next."""
SETTLED_SECONDS = 5.0
"""A digest waits until no event has come for so long: accounts that fail together are suspended
within seconds of each other, and the first figure that people read is to be true."""
UNSETTLED_SECONDS = 30.0
"""It waits for so long at most, whatever comes."""
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
        settled_seconds: float = SETTLED_SECONDS,
        addresses: AlertAddresses,
        links: MailLinks,
        observe: Callable[[AlertTried], None],
    ) -> None:
        self._alerts: Collection[Document] = database["alerts"].with_options(
            codec_options=CodecOptions(tz_aware=True)
        )
        self._delivery = Delivery(addresses, links, smtp)
        passwords = PasswordMail(PasswordLinks(database, links.console_url), Audit(database))
        self._relay = Relay(self._alerts, self._delivery, observe, sender, platform, passwords)
        self._oncall = usable(oncall)
        self.losses = LossBook(self._alerts, is_read=bool(self._oncall))
        self._settled_seconds = settled_seconds

    def ensure_indexes(self) -> None:
        """Create the indexes that are missing."""
        self._alerts.create_index([("state", 1), ("due", 1)])
        self._alerts.create_index("undigested", sparse=True)
        self._alerts.create_index([("facts.account_id", 1), ("at", -1), ("_id", -1)])
        self._alerts.create_index("finished", expireAfterSeconds=KEPT_SECONDS)
        self._alerts.create_index("gone", expireAfterSeconds=0, sparse=True)
        self.losses.ensure_indexes()
        self._delivery.addresses.ensure_indexes()

    def store(self, alert: Alert) -> None:
        """Store the alert until it is sent. Storing it again changes nothing.

        A later alert of the same number belongs to an account that was removed and created again:
        it replaces the stored one.
        """
        alert_id, facts = kinds.described(alert)
        if facts["kind"] in {SUSPENSION, RECOVERY} and self._oncall:
            facts["undigested"] = True
        self._insert(
            {"_id": alert_id, "facts.at": {"$lt": alert.at}},
            {"_id": alert_id, **facts, **_addressed(usable(alert.recipients))},
        )

    def store_password_link(self, login: str | None, address: str) -> None:
        """Have a link to a new password sent to the login, where that is an e-mail address.

        `address` is where somebody asked for it. The link itself is made when it is sent, so that
        it is stored nowhere. Without a login the same is stored, for nobody: it takes as long.
        It goes soon, whatever came of it, because anybody may ask.
        """
        alert_id = f":password:{secrets.token_hex(8)}"
        asked = {"kind": PASSWORD, "facts": {"login": login, "address": address}}
        to = usable([login] if login else [])
        document = {"_id": alert_id, **asked, **_addressed(to, WAITING_FOR_LINK)}
        self._insert({"_id": alert_id}, document, {"gone": later(2 * LINK_SECONDS)})

    def store_guesses(
        self, login: str, address: str, *, count: int, minutes: int, once: str
    ) -> bool:
        """Have the user told that somebody knows the password and guesses codes of the second
        factor, lately from this address; `once`: what has the same is one e-mail. False where the
        login is no e-mail address."""
        to = usable([login])
        if not to:
            return False
        alert_id = f":guesses:{sha256(login.encode()).hexdigest()[:16]}:{once}"
        told = {"login": login, "address": address, "count": count, "minutes": minutes}
        warning = {"_id": alert_id, "kind": GUESSES, "facts": told, **_addressed(to)}
        self._insert({"_id": alert_id}, warning)
        return True

    def send_due(self) -> int:
        """Send the e-mails that are due, with the digest and the questions to new addresses.

        At most `ROUND` e-mails. Returns the number that the server took.
        """
        self._open_digest()
        self._ask_for_confirmations()
        return self._relay.send_due()

    def waiting(self) -> int:
        """How many e-mails are not sent yet and not given up; not those that the limits hold."""
        return self._alerts.count_documents({"state": {"$in": WAITING}, "held": {"$exists": False}})

    def _ask_for_confirmations(self) -> None:
        for recipient in self._delivery.questions():
            alert_id = f"{recipient.account_id}:confirmation:{secrets.token_hex(8)}"
            facts = {"account_id": recipient.account_id, "address": recipient.address}
            question = {"_id": alert_id, "kind": CONFIRMATION, "facts": facts}
            self._insert({"_id": alert_id}, {**question, **_addressed([recipient.address])})

    def _open_digest(self) -> None:
        """Put the events that are in no digest yet into one, if a digest is due.

        The digest's number and its events are written into the book in one update. A crash
        before it leaves them for the next digest; after it, the next reader of the book goes on.
        """
        if not self._oncall:
            return
        book = self._alerts.find_one({"_id": _BOOK}) or {"batch": 0, "members": []}
        self._write_digest(book)
        if self._is_digest_recent(book["batch"]) or not self._is_settled():
            return
        members, losses = self._undigested(), self.losses.untold()
        if members or losses:
            self._write_digest(self._turn_page(book["batch"], members, losses))

    def _undigested(self) -> list[str]:
        """The oldest suspensions and recoveries; then what an earlier version stored of losses."""
        order = [("kind", DESCENDING), ("facts.at", ASCENDING)]  # "loss" is the first of the kinds
        found = self._alerts.find({"undigested": True}, {"_id": 1}).sort(order)
        return [document["_id"] for document in found.limit(DIGEST_EVENTS)]

    def _is_digest_recent(self, batch: int) -> bool:
        """Whether the last digest reached somebody lately, or waits for the present on-call."""
        recent = {"$expr": {"$gt": ["$reached", later(-DIGEST_SECONDS)]}}
        unread = {"state": "waiting", "to": self._oncall, "remaining": self._oncall}
        query = {"_id": _digest_id(batch), "$or": [recent, unread]}
        return self._alerts.find_one(query, {"_id": 1}) is not None

    def _is_settled(self) -> bool:
        """Whether the events that are in no digest yet have come to a rest."""
        is_fresh = {"$gt": ["$at", later(-self._settled_seconds)]}
        has_waited = {"$lte": ["$at", later(-UNSETTLED_SECONDS)]}
        return not self._is_any_event(is_fresh) or self._is_any_event(has_waited)

    def _is_any_event(self, told: Document) -> bool:
        query = {"$or": [{"undigested": True}, {"untold": True}], "$expr": told}
        return self._alerts.find_one(query, {"_id": 1}) is not None

    def _turn_page(self, batch: int, members: list[str], losses: list[Document]) -> Document:
        """The book with the new page; empty where another process was first."""
        try:
            book = self._alerts.find_one_and_update(
                {"_id": _BOOK, "batch": batch},
                {"$set": {"members": members, "losses": losses}, "$inc": {"batch": 1}},
                upsert=batch == 0,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            book = None
        return book or {"batch": batch, "members": []}

    def _write_digest(self, book: Document) -> None:
        """Make the book's page an e-mail. Doing it again, or twice at once, changes nothing."""
        batch, members, losses = book["batch"], book["members"], book.get("losses", [])
        if not members and not losses:
            return
        told = {"members": members, "losses": losses}
        digest = {"_id": _digest_id(batch), "kind": DIGEST, **told}
        self._insert(
            {"_id": _digest_id(batch), "kind": {"$exists": False}},
            {**digest, **_addressed(self._oncall)},
        )
        self._alerts.update_many({"_id": {"$in": members}}, {"$unset": {"undigested": ""}})
        self.losses.told(losses)
        self._alerts.update_one(
            {"_id": _BOOK, "batch": batch}, {"$set": {"members": [], "losses": []}}
        )

    def _insert(self, absent: Document, document: Document, times: Document | None = None) -> None:
        """Store the e-mail, due now, unless the query finds one that must stay."""
        next_time = "due" if document["state"] in WAITING else "finished"
        clocks = {"at": "$$NOW", next_time: "$$NOW", **(times or {})}
        stage = {"$replaceWith": {"$mergeObjects": [{"$literal": document}, clocks]}}
        try:
            self._alerts.update_one(absent, [stage], upsert=True)
        except DuplicateKeyError:
            return  # it is there already


def _addressed(to: Sequence[str], waiting: str = "waiting") -> Document:
    state = waiting if to else "unaddressed"
    return {"to": list(to), "remaining": list(to), "state": state, "tries": 0, "refusals": 0}


def _digest_id(batch: int) -> str:
    return f":digest:{batch}"
