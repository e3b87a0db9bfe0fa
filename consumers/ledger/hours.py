"""What happened in each hour, of each account and of all together: small sums, for charts.

They are sums of what the workers saw, added every few seconds: what a killed worker had not yet
added is missing, and an addition whose answer was lost may be there twice. The ledger's rows are
what counts; these are to be looked at. An account has one document a day, and only a day on which
something happened has one; MongoDB removes each after a quarter of a year.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from config.documents import clock
from consumers.ledger.records import WAITING, Document

KEPT_DAYS = 92
ALL = ""
"""In the place of an account's id: all accounts."""
BOUNDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400, 345_600)
"""Seconds from an event's arrival to the file's place; what took longer is counted behind them."""
_HOURS_A_DAY = 24
_LOOKED_AT = 20
"""Files that are looked at for one that did not come back."""
_BEGUN: Document = {"_id": 0, "created_at": 1, "was_dead": 1, "unrouted_at": 1}


@dataclass
class Sums:
    """What happened in one hour; all of it can be added up, but for `oldest`."""

    delivered: int = 0
    bytes: int = 0
    dead_lettered: int = 0
    suspensions: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Failed tries by whose fault they were (`Whose`)."""
    took: Counter[str] = field(default_factory=Counter)
    """Delivered files by the index in `BOUNDS` of the time that they took."""
    oldest: float = 0.0
    """Seconds that the oldest file had waited, at most."""

    def add(self, more: "Sums") -> None:
        """Put the sums of two times together."""
        self.delivered += more.delivered
        self.bytes += more.bytes
        self.dead_lettered += more.dead_lettered
        self.suspensions += more.suspensions
        self.failed.update(more.failed)
        self.took.update(more.took)
        self.oldest = max(self.oldest, more.oldest)


@dataclass(frozen=True)
class Hour:
    """One hour's sums; `at` is its beginning."""

    at: datetime
    sums: Sums


Key = tuple[str, datetime]
"""An account's id, or `ALL`, and the beginning of an hour."""


class Hours:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._days = database["history"]
        self._rows = database["deliveries"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._days.create_index([("account_id", ASCENDING), ("day", ASCENDING)], unique=True)
        self._days.create_index("day", expireAfterSeconds=KEPT_DAYS * 86_400)

    def add(self, counted: Mapping[Key, Sums]) -> None:
        """Add to what stands there, in one call."""
        if counted:
            updates = [_update(*key, sums) for key, sums in counted.items()]
            self._days.bulk_write(updates, ordered=False)

    def read(self, account_id: str, since: datetime) -> Iterator[Hour]:
        """The hours in which something happened, the oldest first."""
        days = self._days.find({"account_id": account_id, "day": {"$gte": _day(since)}})
        for each in days.sort("day").max_time_ms(2000):
            for number in range(_HOURS_A_DAY):
                at = each["day"].replace(tzinfo=UTC) + timedelta(hours=number)
                found = each["hours"].get(str(number))
                if found is not None and at >= since:
                    yield Hour(at, _sums(found))

    def oldest_waiting(self, account_id: str) -> float:
        """Seconds that the oldest file of the account, or of `ALL`, has waited; 0 for none.

        One that was brought back counts from then. Where many of them are the oldest, it is what
        these have waited at least.
        """
        whose: Document = {} if account_id == ALL else {"account_id": account_id}
        begun: list[datetime] = []
        for status in WAITING:
            rows = self._rows.find({**whose, "status": status}, _BEGUN)
            for row in rows.sort("created_at").limit(_LOOKED_AT):
                came_back = row.get("unrouted_at") if row.get("was_dead") else None
                begun.append((came_back or row["created_at"]).replace(tzinfo=UTC))
                if came_back is None:
                    break
        if not begun:
            return 0.0
        waited: timedelta = clock(self._rows.database) - min(begun)
        return max(0.0, waited.total_seconds())

    def forget(self, account_id: str) -> None:
        """Remove what is kept of an account that is removed: its id may be used again."""
        self._days.delete_many({"account_id": account_id})


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _update(account_id: str, hour: datetime, sums: Sums) -> UpdateOne:
    at = f"hours.{hour.astimezone(UTC).hour}"
    added: dict[str, int] = {
        f"{at}.delivered": sums.delivered,
        f"{at}.bytes": sums.bytes,
        f"{at}.dead_lettered": sums.dead_lettered,
        f"{at}.suspensions": sums.suspensions,
        **{f"{at}.failed.{whose}": number for whose, number in sums.failed.items()},
        **{f"{at}.took.{index}": number for index, number in sums.took.items()},
    }
    wanted = {name: number for name, number in added.items() if number}
    change: Document = {"$max": {f"{at}.oldest": sums.oldest}}
    if wanted:
        change["$inc"] = wanted
    return UpdateOne({"account_id": account_id, "day": _day(hour)}, change, upsert=True)


def _sums(found: Document) -> Sums:
    return Sums(
        delivered=found.get("delivered", 0),
        bytes=found.get("bytes", 0),
        dead_lettered=found.get("dead_lettered", 0),
        suspensions=found.get("suspensions", 0),
        failed=Counter(found.get("failed", {})),
        took=Counter(found.get("took", {})),
        oldest=found.get("oldest", 0.0),
    )
