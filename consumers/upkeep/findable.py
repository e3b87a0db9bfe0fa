"""Makes rows of earlier versions findable: the indexes for searching, and what is in them."""

import time
from collections.abc import Callable, Sequence

from consumers.ledger import Document, Ledger

BATCH = 500
BATCHES = 20
"""Of one look: ten thousand rows, so that files on their way have the database in between."""
FAULTS_SECONDS = 3600.0
"""How often dead letters of workers of an earlier version are looked for, which may run beside."""
FAULTS = 2_000
"""Dead letters of one look."""
_BUCKET = 0
"""The worker that has this bucket of accounts looks at the dead letters, for all."""


class Findable:
    """One process's part of it. Several at once repeat each other's work, and harm nothing."""

    def __init__(self, ledger: Ledger, owned: Callable[[], Sequence[int]]) -> None:
        """`owned`: the buckets of accounts that this worker has."""
        self._ledger = ledger
        self._owned = owned
        self._has_indexes = False
        self._faults_at = time.monotonic()
        self._place: Document | None = None

    def look(self) -> None:
        """Build the indexes where that was not done yet, then fill some rows in. Raises pymongo's
        errors."""
        indexes = self._ledger.search_indexes
        if not self._has_indexes:
            indexes.ensure()
            self._has_indexes = True
        for _ in range(BATCHES):
            if indexes.fill(BATCH) < BATCH:
                self._fill_faults()
                return

    def _fill_faults(self) -> None:
        """Go on where the last look ended; at the end rest for an hour."""
        if time.monotonic() < self._faults_at or _BUCKET not in self._owned():
            return
        self._place = self._ledger.search_indexes.fill_faults(self._place, FAULTS)
        if self._place is None:
            self._faults_at = time.monotonic() + FAULTS_SECONDS
