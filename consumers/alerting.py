"""Carries the alerts that the accounts' changes of state have left there over to the outbox."""

from alerts.outbox import Outbox
from consumers.ledger import Ledger


def send_alerts(ledger: Ledger, outbox: Outbox) -> None:
    """Store what is pending, then send what is due.

    The outbox has an alert before its account forgets it, and takes it once however often it is
    handed over. Raises pymongo's errors.
    """
    for alert in ledger.accounts.pending_alerts():
        outbox.store(alert)
        ledger.accounts.alert_stored(alert)
    outbox.send_due()
