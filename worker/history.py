"""Sums up what this process observes, for the charts, and adds it to the database.

An observation is counted in memory; the database is asked once in a while, in one call for all
accounts, whatever the number of files.
"""

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import islice

from pymongo.errors import PyMongoError

from alerts.relay import AlertTried
from consumers.ledger.hours import ALL, BOUNDS, Hours, Key, Sums
from consumers.observe import AccountChanged, FileEnded, Observation, TryEnded
from transports.diagnosis import Whose, by_code

_LOOKED_AT = 50
"""Accounts whose oldest file is looked for at once: those where tries have failed just now."""


class History:
    """`observe` is callable from any thread; `write` from one at a time."""

    def __init__(self, hours: Hours, without: str | None) -> None:
        """`without`: the canary's account, whose files are no customer's."""
        self._hours = hours
        self._without = without
        self._lock = threading.Lock()
        self._counted: defaultdict[Key, Sums] = defaultdict(Sums)

    def observe(self, observation: Observation | AlertTried) -> None:
        """Count it, if it is one that charts tell of."""
        match observation:
            case TryEnded(account_id=account_id, kind=None):
                self._count(account_id, Sums(bytes=observation.size))
            case TryEnded(account_id=account_id):
                self._count(account_id, Sums(failed=_whose(observation.cause)))
            case FileEnded(account_id=account_id, outcome="delivered", came_back=True):
                self._count(account_id, Sums(delivered=1))
            case FileEnded(account_id=account_id, outcome="delivered"):
                self._count(account_id, _delivered(observation.delivery_seconds or 0.0))
            case FileEnded(account_id=account_id, outcome="dead_lettered"):
                self._count(account_id, Sums(dead_lettered=1))
            case AccountChanged(account_id=account_id, state="suspended"):
                self._count(account_id, Sums(suspensions=1))
            case _:
                pass

    def write(self) -> None:
        """Add what was counted since the last time. Raises pymongo's errors; nothing is lost."""
        with self._lock:
            counted, self._counted = self._counted, defaultdict(Sums)
        try:
            self._look_for_oldest(counted)
            self._hours.add(counted)
        except PyMongoError:
            with self._lock:
                for key, sums in counted.items():
                    self._counted[key].add(sums)
            raise

    def _count(self, account_id: str, sums: Sums) -> None:
        if account_id == self._without:
            return
        hour = _this_hour()
        with self._lock:
            self._counted[account_id, hour].add(sums)
            self._counted[ALL, hour].add(sums)

    def _look_for_oldest(self, counted: defaultdict[Key, Sums]) -> None:
        """Where nothing is delivered, only the files that wait tell how late they are."""
        failing = [key for key, sums in counted.items() if sums.failed and key[0] != ALL]
        for key in (*islice(failing, _LOOKED_AT), (ALL, _this_hour())):
            waited = self._hours.oldest_waiting(key[0])
            if waited:
                counted[key].add(Sums(oldest=waited))


def _this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _delivered(seconds: float) -> Sums:
    sums = Sums(delivered=1, oldest=seconds)
    sums.took[str(bisect_left(BOUNDS, seconds))] += 1
    return sums


def _whose(cause: str | None) -> Counter[str]:
    entry = by_code(cause or "")
    return Counter([(entry.whose if entry else Whose.PLATFORM).value])
