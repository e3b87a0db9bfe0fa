"""Sends the outbox's due e-mails: the part that speaks to the SMTP server."""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from functools import partial
from typing import Any, Literal

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from alerts import digest, guesses, kinds
from alerts.delivery import Delivery
from alerts.guesses import GUESSES
from alerts.kinds import CONFIRMATION, DIGEST, SETTINGS, TEST
from alerts.loss import Losses
from alerts.message import one_line
from alerts.password_mail import PASSWORD, PasswordMail
from alerts.smtp import DeliveryFailed, Refusal, ServerAway, send
from config.mail_links import Recipient
from config.moments import later
from config.text import MAX_WORDS

CLAIM_SECONDS = 300
"""An e-mail that a process began to send is due again after this time: the process died."""
ROUND = 50
"""Most e-mails in one call of `send_due`, so that a worker can stop between two calls."""
AWAY_SECONDS = 60
"""Longest pause after an SMTP server did not answer."""
DAY = 86_400
PATIENCE_SECONDS = 5 * DAY
"""How long an e-mail waits for a mailbox that is full, or for the limits to have room for it."""
WAITING_FOR_LINK = "waiting-for-link"
"""The state of an e-mail whose link is made when it is sent. Workers of the version before do not
know the kind, and would end their rounds at it: they leave this state alone."""
WAITING = ["waiting", WAITING_FOR_LINK]
_EVERY_MINUTE = 120
"""Tries within about two hours. After these a full mailbox is asked less often."""
_AHEAD_SECONDS = 60
"""Pause of an e-mail for each one that its reader gets before it."""
_SERVER = ":server"
LATER = "later"
"""Why a recipient is left out whose copy waits by itself."""
_FAULT = "A fault of the program at sending it: this was reported"
_REACHED = {"$ifNull": ["$reached", "$$NOW"]}

Document = dict[str, Any]


@dataclass(frozen=True)
class AlertTried:
    """The SMTP server took an e-mail, or refused it; `words` are the server's about a refusal."""

    outcome: Literal["sent", "failed"]
    alert_id: str
    words: str | None = None


@dataclass(frozen=True)
class Relay:
    """Raises pymongo's errors where MongoDB is away. Any number of processes may relay at once."""

    alerts: Collection[Document]
    delivery: Delivery
    observe: Callable[[AlertTried], None]
    sender: str
    platform: str
    passwords: PasswordMail

    def send_due(self) -> int:
        """Send the e-mails that are due, `ROUND` at most. Returns the number that the server took.

        Never raises because of the SMTP server: an e-mail that it did not take is due again later.
        An e-mail that makes the program fail counts as not taken; its error is raised after the
        others were sent.
        """
        sent = 0
        fault: Exception | None = None
        for _ in range(ROUND):
            document = None if self._is_server_away() else self._claim()
            if document is None:
                break
            try:
                if not self._admit(document):
                    continue
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

    def _claim(self) -> Document | None:
        return self.alerts.find_one_and_update(
            {"state": {"$in": WAITING}, "$expr": {"$lte": ["$due", "$$NOW"]}},
            [{"$set": {"tries": {"$add": ["$tries", 1]}, "due": later(CLAIM_SECONDS)}}],
            sort=[("due", 1)],
            return_document=ReturnDocument.AFTER,
        )

    def _admit(self, document: Document) -> bool:
        """Whether anybody is to get the e-mail now; the on-call always gets it.

        One about changed settings is left out for nobody who gets too many: it waits for room.
        """
        if document["kind"] == PASSWORD:
            return self._has_link(document)
        account_id = _account_of(document)
        if account_id is None or document.get("admitted"):
            return True
        may_wait = _may_wait(document)
        behind = self._behind(document, account_id) if may_wait else Counter[str]()
        admitted = self.delivery.admit(
            account_id,
            document["remaining"],
            may_wait=may_wait,
            is_test=document["kind"] == TEST,
            behind=behind,
        )
        if admitted.waiting and not admitted.recipients:
            rooms = [self._room_at(account_id, each, behind[each]) for each in admitted.waiting]
            self._update(document, {"due": {"$max": [{"$min": rooms}, later(1)]}, "held": True})
            return False
        for address in admitted.waiting:
            self._split_off(document, address)
        document["remaining"] = admitted.recipients
        later_ones = [{"address": each, "why": LATER} for each in admitted.waiting]
        document["left_out"] = [*admitted.left_out, *later_ones]
        over = {"state": "left-out", "finished": "$$NOW", "due": "$$REMOVE"}
        self._update(
            document,
            {
                "admitted": True,
                "held": "$$REMOVE",
                "remaining": {"$literal": admitted.recipients},
                "left_out": {"$literal": document["left_out"]},
                **({} if admitted.recipients else over),
            },
        )
        return bool(admitted.recipients)

    def _has_link(self, document: Document) -> bool:
        """Give an e-mail about a forgotten password its link; it is over where there is none."""
        document["url"] = self.passwords.link(document, _claimed_at(document))
        if document["url"] is None:
            over = {"state": "left-out", "finished": "$$NOW", "due": "$$REMOVE"}
            self._update(document, over)
        return document["url"] is not None

    def _behind(self, document: Document, account_id: str) -> Counter[str]:
        """How many older ones about its settings each address waits for: it gets them in order."""
        older = {
            "state": "waiting",
            "kind": SETTINGS,
            "facts.account_id": account_id,
            "admitted": {"$ne": True},
            "at": {"$lt": document["at"]},
        }
        found = self.alerts.find(older, {"remaining": 1})
        return Counter(address for each in found for address in each["remaining"])

    def _room_at(self, account_id: str, address: str, ahead: int) -> datetime | Document:
        """When the address may have room. To the moment: a flood must not always come first."""
        if ahead:
            return later(_AHEAD_SECONDS * ahead)
        room = self.delivery.addresses.has_room_at(Recipient(account_id, address))
        return room or later(_AHEAD_SECONDS)

    def _split_off(self, document: Document, address: str) -> None:
        """Have one recipient's copy wait by itself. Doing it again changes nothing."""
        same = {name: document[name] for name in ("kind", "facts", "at")}
        only = {"to": [address], "remaining": [address]}
        own = {"_id": f"{document['_id']}:{address}", **only, "held": True}
        fresh = {"state": "waiting", "due": document["at"], "tries": 0, "refusals": 0}
        with contextlib.suppress(DuplicateKeyError):
            self.alerts.insert_one({**same, **own, **fresh})

    def _send(self, document: Document) -> Sequence[Refusal]:
        account_id = _account_of(document)
        if account_id is None:
            return send(self._compose(document), self.delivery.smtp, document["remaining"])

        def note(rest: Sequence[str]) -> None:
            values = {"remaining": {"$literal": [*rest]}, "due": later(CLAIM_SECONDS)}
            self._update(document, values)

        recipients: list[str] = document["remaining"]
        return self.delivery.send(account_id, recipients, partial(self._compose, document), note)

    def _compose(self, document: Document) -> EmailMessage:
        who = {"sender": self.sender, "platform": self.platform}
        if document["kind"] == PASSWORD:
            return self.passwords.compose(document, **who)
        if document["kind"] == GUESSES:
            console_url = self.delivery.links.console_url
            return guesses.compose(document, console_url=console_url, **who)
        if document["kind"] != DIGEST:
            return kinds.compose(document, self.delivery.links, **who)
        members = self.alerts.find({"_id": {"$in": document["members"]}})
        lost = [Losses.of(each["losses"]) for each in document.get("losses", ())]
        return digest.compose(
            [*(kinds.digested(member) for member in members), *lost],
            to=document["to"],
            at=document["at"],
            console_url=self.delivery.links.console_url,
            **who,
        )

    def _accepted(self, document: Document, refused: Sequence[Refusal]) -> None:
        self._server_answered()
        words = one_line("; ".join(f"{one.address}: {one.words}" for one in refused), MAX_WORDS)
        for_good = [one for one in refused if one.permanent]
        self._note_refused(document, for_good)
        later = [one.address for one in refused if not one.permanent]
        if later:
            self._postpone(document, later, DeliveryFailed(words), is_reached=True)
        else:
            self._finish(document, words)
        self.observe(AlertTried("sent", document["_id"], words or None))

    def _refused(self, document: Document, remaining: list[str], failure: DeliveryFailed) -> None:
        self._server_answered()
        self._postpone(document, remaining, failure)
        self.observe(AlertTried("failed", document["_id"], failure.words))

    def _note_refused(self, document: Document, refused: Sequence[Refusal]) -> None:
        """Keep who did not get what others got, for the account's history."""
        if refused:
            told = [{"address": one.address, "words": one.words[:MAX_WORDS]} for one in refused]
            so_far = {"$ifNull": ["$refused", []]}
            self._update(document, {"refused": {"$concatArrays": [so_far, {"$literal": told}]}})

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
                "state": {"$cond": [is_over, "failed", "$state"]},
                "finished": {"$cond": [is_over, "$$NOW", "$$REMOVE"]},
                "due": {"$cond": [is_over, "$$REMOVE", later(delay)]},
                "reached": _REACHED if is_reached else "$reached",
                "refused_at": since,
                "refusals": {"$add": ["$refusals", 1]},
                "remaining": {"$literal": remaining},
                "last_error": {"$literal": failure.words},
            },
        )

    def _release(self, document: Document, failure: ServerAway) -> None:
        """Leave the server alone for a while: it takes no e-mail at all, whichever it is."""
        self._update(document, {"due": "$$NOW", "last_error": {"$literal": failure.words}})
        failures: Document = {"$ifNull": ["$failures", 0]}
        pause = {"$min": [AWAY_SECONDS, {"$pow": [2, {"$min": [failures, 10]}]}]}
        until = {"$add": ["$$NOW", {"$multiply": [1000, pause]}]}
        with contextlib.suppress(DuplicateKeyError):  # another process says the same just now
            self.alerts.update_one(
                {"_id": _SERVER},
                [{"$set": {"until": until, "failures": {"$add": [failures, 1]}}}],
                upsert=True,
            )
        self.observe(AlertTried("failed", document["_id"], failure.words))

    def _update(self, document: Document, values: Document) -> None:
        """Change the e-mail, unless another process has claimed it since."""
        self.alerts.update_one(
            {"_id": document["_id"], "tries": document["tries"]}, [{"$set": values}]
        )

    def _is_server_away(self) -> bool:
        away = {"_id": _SERVER, "$expr": {"$gt": ["$until", "$$NOW"]}}
        return self.alerts.find_one(away, {"_id": 1}) is not None

    def _server_answered(self) -> None:
        self.alerts.update_one({"_id": _SERVER, "failures": {"$gt": 0}}, {"$set": {"failures": 0}})


def _account_of(document: Document) -> str | None:
    """The account whose recipients are asked and limited; None for e-mails that are none's."""
    if document["kind"] in {DIGEST, CONFIRMATION, PASSWORD, GUESSES}:
        return None
    account_id: str = document["facts"]["account_id"]
    return account_id


def _may_wait(document: Document) -> bool:
    """Whether who gets too many e-mails gets this one later: else a flood before a change of the
    settings would hide from the account's people where its recordings go now.
    """
    until: datetime = document["at"] + timedelta(seconds=PATIENCE_SECONDS)
    return document["kind"] == SETTINGS and _claimed_at(document) < until


def _claimed_at(document: Document) -> datetime:
    """The database's time when this process claimed the e-mail."""
    due: datetime = document["due"]
    return due - timedelta(seconds=CLAIM_SECONDS)


def _patience(refusals: int, *, permanent: bool) -> tuple[int, int]:
    """Seconds until recipients that were refused are tried again, and until they are given up.

    RFC 5321 section 4.5.4.1 asks for four to five days where the refusal was a temporary one.
    """
    if permanent:
        return 3600, DAY
    if refusals < _EVERY_MINUTE:
        return min(60, 2 ** min(refusals, 10)), PATIENCE_SECONDS
    return 900, PATIENCE_SECONDS
