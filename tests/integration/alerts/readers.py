"""What somebody gets who reads the alerts of accounts."""

from typing import Any

from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import Desk
from tests.unit.alerts.facts import suspension

CONSOLE = "https://courier.example"
VICTIM = "somebody@elsewhere.example"


def alert(desk: Desk, account_id: str, number: int, *to: str) -> None:
    """One suspension of the account, and a round of the outbox."""
    desk.outbox.store(suspension(account_id=account_id, number=number, recipients=to or (VICTIM,)))
    desk.outbox.send_due()


def age(desk: Desk, seconds: float) -> None:
    """Let everything that was sent be so much longer ago."""
    moments = {
        "$map": {
            "input": {"$ifNull": ["$sent", []]},
            "as": "each",
            "in": {"$subtract": ["$$each", round(seconds * 1000)]},
        }
    }
    desk.database["alert_addresses"].update_many({}, [{"$set": {"sent": moments}}])
    desk.database["alert_addresses"].update_many(
        {"asked_at": {"$exists": True}},
        [{"$set": {"asked_at": {"$subtract": ["$asked_at", round(seconds * 1000)]}}}],
    )


def got(sink: SmtpSink, address: str = VICTIM) -> list[Any]:
    return [mail.message for mail in sink.messages if address in mail.recipients]
