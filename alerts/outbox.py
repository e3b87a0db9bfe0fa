"""Alerts on their way (MongoDB collection `alerts`): stored with the suspension, sent with retry.

| `_id`             | what it is                                                          |
|-------------------|---------------------------------------------------------------------|
| `acme:3`          | the customer's alert about the third suspension of `acme`           |
| `acme:3:recovery` | the e-mail that it delivers again after that one                    |
| `acme:settings:…` | what its former Email Alerts addresses are told of changed settings |
| `acme:confirmation:…` | asks an address whether it wants the alerts of `acme`          |
| `:digest:7`       | the seventh digest for the on-call                                  |
| `:digests`        | the book of digests: the last one's number, and who is to be in it  |
| `:server`         | since when and until when the SMTP server is left alone             |

No account id begins with a colon. An e-mail is `waiting`, then `sent`, or `failed` where its
recipients were refused for too long; `unaddressed` ones have nobody to go to, `left-out` ones
nobody who wants them or may get one more. `due` is when it is tried next. All times are the
database's (`$$NOW`). An e-mail that was handed over by a process that died before it could say so
is sent again under the same Message-ID.
"""

import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from typing import Any, Literal

from bson.codec_options import CodecOptions
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from alerts import kinds, suspension
from alerts.delivery import Delivery
from alerts.kinds import CONFIRMATION
from alerts.message import one_line, usable
from alerts.recovery import Recovery
from alerts.smtp import DeliveryFailed, Refusal, ServerAway, send
from alerts.suspension import Suspension, compose_digest
from config.alert_addresses import AlertAddresses
from config.mail_links import MailLinks
from config.notices import SettingsNotice
from config.tls import Endpoint

DIGEST_SECONDS = 300
"""Least time between two digests, counted from the moment the last one reached somebody."""
DIGEST_SUSPENSIONS = 5000
"""Most suspensions in one digest; the others follow in the next."""
CLAIM_SECONDS = 300
"""After this long an e-mail that a process began to send is due again: the process is dead."""
ROUND = 50
"""Most e-mails in one call of `send_due`, so that a worker that is to stop can."""
AWAY_SECONDS = 60
"""Longest time for which an SMTP server that does not answer is left alone."""
DAY = 86_400
_EVERY_MINUTE = 120
"""Tries within about two hours; a mailbox that is still full then is asked less often."""
KEPT_SECONDS = 90 * DAY
"""How long an alert that is over is kept, to be looked at."""

DIGEST = "digest"
_BOOK = ":digests"
_SERVER = ":server"
_MAX_WORDS = 500
_FAULT = "A fault of the program at sending it: this was reported"
_REACHED = {"$ifNull": ["$reached", "$$NOW"]}

Document = dict[str, Any]


@dataclass(frozen=True)
class AlertTried:
    """An e-mail was handed over, or was not; `words` are the SMTP server's about a refusal."""

    outcome: Literal["sent", "failed"]
    alert_id: str
    words: str | None = None


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
        self._sender = sender
        self._platform = platform
        self._delivery = Delivery(addresses, links, smtp)
        self._oncall = usable(oncall)
        self._observe = observe

    def ensure_indexes(self) -> None:
        """Create the indexes that are missing."""
        self._alerts.create_index([("state", 1), ("due", 1)])
        self._alerts.create_index("undigested", sparse=True)
        self._alerts.create_index("finished", expireAfterSeconds=KEPT_SECONDS)
        self._delivery.addresses.ensure_indexes()

    def store(self, alert: Suspension | Recovery | SettingsNotice) -> None:
        """Keep the alert until it is sent; the same one again changes nothing.

        A later one of the same number is of an account that was removed and created again: it
        takes the other's place.
        """
        alert_id, facts = kinds.described(alert)
        if self._oncall and isinstance(alert, Suspension):
            facts["undigested"] = True
        self._insert(
            {"_id": alert_id, "facts.at": {"$lt": alert.at}},
            {"_id": alert_id, **facts, **_addressed(usable(alert.recipients))},
        )

    def send_due(self) -> int:
        """Send what is due, at most `ROUND` e-mails; the number that were taken by the server.

        Never raises for the SMTP server's sake: what it did not take stays and is due later. An
        e-mail that makes the program fail is one that was not taken: what it raised is raised once
        the others are on their way.
        """
        sent = 0
        fault: Exception | None = None
        self._open_digest()
        self._ask_for_confirmations()
        for _ in range(ROUND):
            document = None if self._is_server_away() else self._claim()
            if document is None:
                break
            if not self._admit(document):
                continue
            try:
                refused = self._send(document)
            except ServerAway as failure:
                self._release(document, failure)
            except DeliveryFailed as failure:
                self._refused(document, document["remaining"], failure)
            except PyMongoError:
                raise
            except Exception as error:  # noqa: BLE001 - one e-mail must not hold up the others
                fault = fault or error
                self._refused(document, document["remaining"], DeliveryFailed(_FAULT))
            else:
                self._accepted(document, refused)
                sent += 1
        if fault is not None:
            raise fault
        return sent

    def waiting(self) -> int:
        """How many e-mails are not sent yet and not given up."""
        return self._alerts.count_documents({"state": "waiting"})

    # The e-mails

    def _claim(self) -> Document | None:
        return self._alerts.find_one_and_update(
            {"state": "waiting", "$expr": {"$lte": ["$due", "$$NOW"]}},
            [{"$set": {"tries": {"$add": ["$tries", 1]}, "due": _after(CLAIM_SECONDS)}}],
            sort=[("due", 1)],
            return_document=ReturnDocument.AFTER,
        )

    def _admit(self, document: Document) -> bool:
        """Whether somebody is left who gets the e-mail; the on-call always does."""
        account_id = _account_of(document)
        if account_id is None or document.get("admitted"):
            return True
        admitted = self._delivery.admit(account_id, document["remaining"])
        document["remaining"] = admitted.recipients
        over = {"state": "left-out", "finished": "$$NOW", "due": "$$REMOVE"}
        self._update(
            document,
            {
                "admitted": True,
                "remaining": {"$literal": admitted.recipients},
                "left_out": {"$literal": admitted.left_out},
                **({} if admitted.recipients else over),
            },
        )
        return bool(admitted.recipients)

    def _send(self, document: Document) -> Sequence[Refusal]:
        account_id = _account_of(document)
        if account_id is None:
            return send(self._compose(document), self._delivery.smtp, document["remaining"])

        def note(rest: Sequence[str]) -> None:
            values = {"remaining": {"$literal": [*rest]}, "due": _after(CLAIM_SECONDS)}
            self._update(document, values)

        recipients: list[str] = document["remaining"]
        return self._delivery.send(account_id, recipients, partial(self._compose, document), note)

    def _ask_for_confirmations(self) -> None:
        for recipient in self._delivery.questions():
            alert_id = f"{recipient.account_id}:confirmation:{secrets.token_hex(8)}"
            facts = {"account_id": recipient.account_id, "address": recipient.address}
            question = {"_id": alert_id, "kind": CONFIRMATION, "facts": facts}
            self._insert({"_id": alert_id}, {**question, **_addressed([recipient.address])})

    def _compose(self, document: Document) -> EmailMessage:
        who = {"sender": self._sender, "platform": self._platform}
        if document["kind"] != DIGEST:
            return kinds.compose(document, self._delivery.links, **who)
        members = self._alerts.find({"_id": {"$in": document["members"]}})
        return compose_digest(
            [suspension.from_document(member["facts"]) for member in members],
            to=document["to"],
            at=document["at"],
            **who,
        )

    def _accepted(self, document: Document, refused: Sequence[Refusal]) -> None:
        self._server_answered()
        words = one_line("; ".join(f"{one.address}: {one.words}" for one in refused), _MAX_WORDS)
        later = [one.address for one in refused if not one.permanent]
        if later:
            self._postpone(document, later, DeliveryFailed(words), is_reached=True)
        else:
            self._finish(document, words)
        self._observe(AlertTried("sent", document["_id"], words or None))

    def _refused(self, document: Document, remaining: list[str], failure: DeliveryFailed) -> None:
        self._server_answered()
        self._postpone(document, remaining, failure)
        self._observe(AlertTried("failed", document["_id"], failure.words))

    def _finish(self, document: Document, words: str) -> None:
        self._update(
            document,
            {
                "state": "sent",
                "finished": "$$NOW",
                "reached": _REACHED,
                "due": "$$REMOVE",
                "remaining": [],
                "last_error": {"$literal": words} if words else "$$REMOVE",
            },
        )

    def _postpone(
        self,
        document: Document,
        remaining: list[str],
        failure: DeliveryFailed,
        *,
        is_reached: bool = False,
    ) -> None:
        delay, patience = _patience(document["refusals"], permanent=failure.permanent)
        since = {"$ifNull": ["$refused_at", "$$NOW"]}
        is_over = {"$gte": [{"$subtract": ["$$NOW", since]}, patience * 1000]}
        self._update(
            document,
            {
                "state": {"$cond": [is_over, "failed", "waiting"]},
                "finished": {"$cond": [is_over, "$$NOW", "$$REMOVE"]},
                "due": {"$cond": [is_over, "$$REMOVE", _after(delay)]},
                "reached": _REACHED if is_reached else "$reached",
                "refused_at": since,
                "refusals": {"$add": ["$refusals", 1]},
                "remaining": {"$literal": remaining},
                "last_error": {"$literal": failure.words},
            },
        )

    def _release(self, document: Document, failure: ServerAway) -> None:
        """Leave the server alone for a while: the e-mail is not the reason, and none would go."""
        self._update(document, {"due": "$$NOW", "last_error": {"$literal": failure.words}})
        failures: Document = {"$ifNull": ["$failures", 0]}
        pause = {"$min": [AWAY_SECONDS, {"$pow": [2, {"$min": [failures, 10]}]}]}
        until = {"$add": ["$$NOW", {"$multiply": [1000, pause]}]}
        with contextlib.suppress(DuplicateKeyError):  # another process says the same just now
            self._alerts.update_one(
                {"_id": _SERVER},
                [{"$set": {"until": until, "failures": {"$add": [failures, 1]}}}],
                upsert=True,
            )
        self._observe(AlertTried("failed", document["_id"], failure.words))

    def _update(self, document: Document, values: Document) -> None:
        """Change the e-mail, unless another process has claimed it since."""
        self._alerts.update_one(
            {"_id": document["_id"], "tries": document["tries"]}, [{"$set": values}]
        )

    def _is_server_away(self) -> bool:
        away = {"_id": _SERVER, "$expr": {"$gt": ["$until", "$$NOW"]}}
        return self._alerts.find_one(away, {"_id": 1}) is not None

    def _server_answered(self) -> None:
        self._alerts.update_one({"_id": _SERVER, "failures": {"$gt": 0}}, {"$set": {"failures": 0}})

    # The digest

    def _open_digest(self) -> None:
        """Put the suspensions that are in no digest yet into one, if it is time for one.

        Who is in it is written into the book together with its number, in one update: a crash
        before it leaves them undigested, one after it is made good by whoever reads the book.
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
        """Whether the last digest reached somebody lately, or waits for those there are now."""
        recent = {"$expr": {"$gt": ["$reached", _after(-DIGEST_SECONDS)]}}
        unread = {"state": "waiting", "to": self._oncall, "remaining": self._oncall}
        query = {"_id": _digest_id(batch), "$or": [recent, unread]}
        return self._alerts.find_one(query, {"_id": 1}) is not None

    def _turn_page(self, batch: int, members: list[str]) -> Document:
        """The book with the new page, or an empty one where another process was first."""
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
        """Store the e-mail, due now, where the query finds none that it must not replace."""
        clocks = {"at": "$$NOW", "due": "$$NOW"}
        if document["state"] != "waiting":
            clocks = {"at": "$$NOW", "finished": "$$NOW"}
        stage = {"$replaceWith": {"$mergeObjects": [{"$literal": document}, clocks]}}
        try:
            self._alerts.update_one(absent, [stage], upsert=True)
        except DuplicateKeyError:
            return  # it is there already


def _account_of(document: Document) -> str | None:
    """Whose recipients are asked and limited; None: nobody's, as the operator's are not."""
    if document["kind"] in {DIGEST, CONFIRMATION}:
        return None
    account_id: str = document["facts"]["account_id"]
    return account_id


def _addressed(to: Sequence[str]) -> Document:
    state = "waiting" if to else "unaddressed"
    return {"to": list(to), "remaining": list(to), "state": state, "tries": 0, "refusals": 0}


def _patience(refusals: int, *, permanent: bool) -> tuple[int, int]:
    """Seconds until recipients that were refused are tried again, and until they are given up.

    RFC 5321 section 4.5.4.1 asks for four to five days where the refusal was a temporary one.
    """
    if permanent:
        return 3600, DAY
    if refusals < _EVERY_MINUTE:
        return min(60, 2 ** min(refusals, 10)), 5 * DAY
    return 900, 5 * DAY


def _digest_id(batch: int) -> str:
    return f":digest:{batch}"


def _after(seconds: int) -> Document:
    return {"$add": ["$$NOW", seconds * 1000]}
