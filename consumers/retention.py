"""Forgets recordings whose story has long ended; dead letters never."""

from datetime import timedelta

from consumers.ledger import Ledger

BATCH = 500
"""Rows in one step: so few that no other work notices."""


def forget_old(ledger: Ledger, age: timedelta) -> int:
    """Remove the oldest delivered, skipped and discarded rows that ended `age` ago; how many.

    Raises pymongo's errors; repeating it goes on where it ended.
    """
    return ledger.files.forget_final(age, BATCH)
