"""Carries the alerts that suspensions have left in their accounts over to the outbox."""

from alerts.outbox import Outbox
from consumers.ledger import Ledger


def send_alerts(ledger: Ledger, outbox: Outbox) -> None:
    """Store what is pending, then send what is due.

    The outbox has an alert before its account forgets it, and takes it once however often it is
    handed over. Raises pymongo's errors.
    """
    for suspension in ledger.accounts.pending_alerts():
        outbox.store(suspension)
        ledger.accounts.alert_stored(suspension)
    outbox.send_due()
