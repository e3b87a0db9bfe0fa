"""What the accounts' changes leave for people: the alerts, and who hears of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from alerts.facts import from_document
from alerts.recovery import Recovery
from alerts.suspension import Suspension
from config.accounts import Account, AlertFrequency, FtpSettings
from config.moments import later
from consumers.ledger.records import Document, LastError
from consumers.ledger.states import States

RECOVERY = "recovery"
REMINDER_SECONDS = 86_400
"""Least time between two alerts of one outage, where it is told of once and then daily."""
NUMBER: Document = {"$add": ["$run.suspensions", 1]}
REPEATED: Document = {"$add": ["$run.outage_suspensions", 1]}
OUTAGE_SINCE: Document = {"$ifNull": ["$run.outage_since", "$$NOW"]}
DORMANT_SINCE: Document = {"$ifNull": ["$run.dormant_since", "$$NOW"]}
"""What a suspension counts and keeps, as expressions: in the account and in its alert alike."""


@dataclass(frozen=True)
class RecoveryAlert:
    """Who delivers again after what: the on-call is told, and the account where it asks for it."""

    account: Account
    error: LastError | None
    """The last one before that."""
    queued: int
    returning: int


@dataclass(frozen=True)
class SuspensionAlert:
    """Whose server failed with what, for the alert that a suspension sends."""

    account: Account
    error: LastError
    queued: int
    oldest: datetime | None


class PendingAlerts(States):
    """Alerts that are stored with the account, in the update that they are about."""

    def pending_alerts(self) -> Iterator[Suspension | Recovery]:
        """What people are to be told of and is not in the outbox yet.

        One that cannot be read holds up none of the others: its error is raised at the end.
        """
        faults: list[Exception] = []
        rows = self._accounts.find({"run.alerts.number": {"$exists": True}}, {"run.alerts": 1})
        for row in rows:
            for alert in row["run"]["alerts"]:
                kind = alert.pop("kind", None)
                read: type[Suspension | Recovery] = Suspension if kind is None else Recovery
                try:
                    pending = from_document(read, alert)
                except Exception as error:  # noqa: BLE001 - the others are to be told
                    faults.append(error)
                else:
                    yield pending
        for fault in faults:
            raise fault

    def alert_stored(self, alert: Suspension | Recovery) -> None:
        """The outbox has it now."""
        kind = RECOVERY if isinstance(alert, Recovery) else None
        self._accounts.update_one(
            {"_id": alert.account_id},
            {"$pull": {"run.alerts": {"number": alert.number, "kind": kind}}},
        )


def tells_once(account: Account) -> Document:
    """Whether an outage is told once and then daily, as an expression.

    Alerts can be changed at any time, without a test: what is stored now counts, and not what the
    session has read at its start.
    """
    settings = _settings_of(account)
    stored = {"$ifNull": ["$settings.alert_frequency", settings.alert_frequency.value]}
    return {"$eq": [stored, AlertFrequency.OUTAGE.value]}


def is_told_of(account: Account, *, dormant: bool = False) -> Document:
    """Whether the account's addresses are told of this suspension, as an expression.

    `dormant`: it is one for long; of the first such they are told in any case.
    """
    becomes_dormant = {"$and": [dormant, {"$eq": ["$run.dormant_since", None]}]}
    reminded = {"$add": ["$run.outage_told", REMINDER_SECONDS * 1000]}
    is_due = {"$lte": [{"$ifNull": [reminded, "$$NOW"]}, "$$NOW"]}
    return {"$or": [{"$not": tells_once(account)}, is_due, becomes_dormant]}


def addresses(account: Account) -> Document:
    """The Email Alerts addresses as they are stored now, as an expression."""
    settings = _settings_of(account)
    return {"$ifNull": ["$settings.email_alerts", {"$literal": list(settings.email_alerts)}]}


def recovery_facts(alert: RecoveryAlert) -> Document:
    settings = _settings_of(alert.account)
    facts = {
        "kind": RECOVERY,
        "account_id": alert.account.account_id,
        "host": settings.host,
        "username": settings.username,
        "protocol": settings.protocol.value,
        **_told(alert.error),
        "queued": alert.queued,
        "returning": alert.returning,
    }
    wished = {"$ifNull": ["$settings.recovery_email", settings.recovery_email]}
    found = {
        "number": "$run.suspensions",
        "suspensions": "$run.outage_suspensions",
        "since": "$run.outage_since",
        "at": "$$NOW",
        "recipients": {"$cond": [wished, addresses(alert.account), []]},
    }
    return {"$mergeObjects": [{"$literal": facts}, found]}


def suspension_facts(
    alert: SuspensionAlert, failures: int, seconds: float, *, dormant: bool
) -> Document:
    settings, cause = _settings_of(alert.account), alert.error.diagnosis
    facts = {
        "account_id": alert.account.account_id,
        "failures": failures,
        "host": settings.host,
        "username": settings.username,
        "protocol": settings.protocol.value,
        "seconds": seconds,
        **_told(alert.error),
        "advice": alert.error.for_customers().advice,
        "cause": cause.cause if cause else "",
        "code": alert.error.cause,
        "whose": cause.whose.label if cause else "",
        "queued": alert.queued,
        "oldest": alert.oldest,
    }
    is_told = is_told_of(alert.account, dormant=dormant)
    found = {
        "number": NUMBER,
        "at": "$$NOW",
        "until": later(seconds),
        "repeated": REPEATED,
        "dormant_since": DORMANT_SINCE if dormant else None,
        "outage_since": {"$cond": [tells_once(alert.account), OUTAGE_SINCE, None]},
        "recipients": {"$cond": [is_told, addresses(alert.account), []]},
    }
    return {"$mergeObjects": [{"$literal": facts}, found]}


def _told(error: LastError | None) -> Document:
    """What was said, as an e-mail to the account's own people has it, and the on-call's digest."""
    if error is None:
        return {"words": "", "said_by": ""}
    seen = error.for_customers()
    hidden = {"operators_words": error.words} if error.is_ours else {}
    return {"words": seen.words, "said_by": seen.said_by, **hidden}


def _settings_of(account: Account) -> FtpSettings:
    if account.settings is None:
        raise AssertionError("Only an account with settings is ever tried")
    return account.settings
