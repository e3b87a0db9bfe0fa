"""Moves alerts, notices and losses from where they happened to the outbox."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import PyMongoError

from alerts.loss_book import LossBook
from alerts.outbox import Outbox
from config.directory import Directory
from consumers.ledger import Ledger

LOSSES = 500
"""Most recordings lost by our own fault that one round counts: a round has to come to its end."""


def send_alerts(ledger: Ledger, directory: Directory, outbox: Outbox) -> None:
    """Store pending alerts, notices and losses in the outbox, then send the e-mails that are due.

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
        _count_losses(ledger, outbox.losses)
    with _kept_in(faults):
        for notice in directory.pending_notices():
            with _kept_in(faults):
                outbox.store(notice)
                directory.notice_stored(notice)
    return faults


def _count_losses(ledger: Ledger, book: LossBook) -> None:
    """Count those of the last page whose process died, else the next ones."""
    page = book.page()
    if not page.recordings:
        page = book.turn(page, [*ledger.dead_letters.untold(LOSSES)])
    if page.recordings:
        book.count(page)
        ledger.dead_letters.losses_stored(page.recordings, page.until)
        book.close(page)


@contextmanager
def _kept_in(faults: list[Exception]) -> Iterator[None]:
    try:
        yield
    except PyMongoError:
        raise
    except Exception as error:  # noqa: BLE001 - the others are to be told
        faults.append(error)
