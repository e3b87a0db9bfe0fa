"""What the accounts' changes leave for people: the alerts, and who hears of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from alerts.facts import from_document
from alerts.recovery import Recovery
from alerts.suspension import Suspension
from config.accounts import Account, AlertFrequency
from consumers.ledger.records import Document, LastError
from consumers.ledger.states import States

RECOVERY = "recovery"
REMINDER_SECONDS = 86_400
"""Least time between two alerts of one outage, where it is told of once and then daily."""


@dataclass(frozen=True)
class RecoveryAlert:
    """Who delivers again after what, for the e-mail that some accounts get then."""

    account: Account
    words: str
    queued: int
    returning: int
    said_by: str = ""


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


def tells_once(account: Account) -> bool:
    settings = account.settings
    return settings is not None and settings.alert_frequency is AlertFrequency.OUTAGE


def is_told_of(account: Account) -> Document | bool:
    """Whether the account's addresses are told of this suspension."""
    if not tells_once(account):
        return True
    reminded = {"$add": ["$run.outage_told", REMINDER_SECONDS * 1000]}
    return {"$lte": [{"$ifNull": [reminded, "$$NOW"]}, "$$NOW"]}


def recovery_facts(alert: RecoveryAlert) -> Document:
    settings = alert.account.settings
    assert settings is not None, "only an account with settings delivers"  # noqa: S101
    facts = {
        "kind": RECOVERY,
        "account_id": alert.account.account_id,
        "host": settings.host,
        "username": settings.username,
        "protocol": settings.protocol.value,
        "words": alert.words,
        "said_by": alert.said_by,
        "recipients": list(settings.email_alerts),
        "queued": alert.queued,
        "returning": alert.returning,
    }
    counted = {
        "number": "$run.suspensions",
        "suspensions": "$run.outage_suspensions",
        "since": "$run.outage_since",
        "at": "$$NOW",
    }
    return {"$mergeObjects": [{"$literal": facts}, counted]}


def alert_facts(alert: SuspensionAlert, failures: int, seconds: float) -> Document:
    settings = alert.account.settings
    assert settings is not None, "only an account with settings is ever tried"  # noqa: S101
    return {
        "account_id": alert.account.account_id,
        "failures": failures,
        "host": settings.host,
        "username": settings.username,
        "protocol": settings.protocol.value,
        "seconds": seconds,
        "words": alert.error.words,
        "advice": alert.error.advice,
        "said_by": alert.error.said_by,
        "recipients": list(settings.email_alerts),
        "queued": alert.queued,
        "oldest": alert.oldest,
    }
