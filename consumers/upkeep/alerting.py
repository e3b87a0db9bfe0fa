"""Moves alerts and notices from the accounts' documents to the outbox."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import PyMongoError

from alerts.outbox import Outbox
from config.directory import Directory
from consumers.ledger import Ledger


def send_alerts(ledger: Ledger, directory: Directory, outbox: Outbox) -> None:
    """Store the pending alerts and notices in the outbox, then send the e-mails that are due.

    The outbox stores an alert before its account forgets it; storing it again changes nothing. An
    error with one alert does not hold up the others: it is raised at the end. Raises pymongo's
    errors too.
    """
    faults = _store_pending(ledger, directory, outbox)
    outbox.send_due()
    for fault in faults:
        raise fault


def _store_pending(ledger: Ledger, directory: Directory, outbox: Outbox) -> list[Exception]:
    faults: list[Exception] = []
    with _kept_in(faults):  # one that cannot be read
        for alert in ledger.accounts.pending_alerts():
            with _kept_in(faults):
                outbox.store(alert)
                ledger.accounts.alert_stored(alert)
    with _kept_in(faults):
        for notice in directory.pending_notices():
            with _kept_in(faults):
                outbox.store(notice)
                directory.notice_stored(notice)
    return faults


@contextmanager
def _kept_in(faults: list[Exception]) -> Iterator[None]:
    try:
        yield
    except PyMongoError:
        raise
    except Exception as error:  # noqa: BLE001 - the others are to be told
        faults.append(error)
