"""What goes on just now, in a few cheap looks: for `courier top`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import DESCENDING
from pymongo.database import Database

from config.documents import clock
from consumers.ledger.records import WAITING, Document, Status
from consumers.ledger.rows import OLDEST_FIRST, count

WINDOW = timedelta(minutes=1)
"""Rates are those of the last minute."""
SAMPLE = 2000
"""So many rows are read at most: the newest delivered, the oldest waiting, those on their way."""


@dataclass(frozen=True)
class AccountTraffic:
    """What one account has of it."""

    account_id: str
    delivered: int = 0
    """Files of the last minute."""
    size: int = 0
    """Their bytes."""
    uploading: int = 0
    """Files on their way to the server at this moment."""
    oldest_seconds: float = 0.0


@dataclass(frozen=True)
class Traffic:
    """As of one reading."""

    arrived: int
    """Events of the last minute."""
    delivered: int
    """Files of the last minute."""
    size: int
    """Bytes of those of them that were looked at."""
    looked_at: int
    """Of how many that is."""
    flights: dict[str, int]
    """How many upload slots hold files, by worker."""
    accounts: tuple[AccountTraffic, ...]


class TrafficReader:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._rows = database["deliveries"]

    def read(self) -> Traffic:
        """What goes on."""
        now = clock(self._rows.database)
        since = now - WINDOW
        # All statuses are named, for the index that has the time of arrival begins with them.
        arrived: Document = {"status": {"$in": [*Status]}, "created_at": {"$gte": since}}
        lately: Document = {"status": Status.DELIVERED.value, "delivered_at": {"$gte": since}}
        delivered = self._by_account(lately, [("delivered_at", DESCENDING)])
        flying = self._flights()
        oldest = self._by_account({"status": {"$in": WAITING}}, OLDEST_FIRST)
        names = {*delivered, *oldest, *(row["account"] for row in flying)}
        return Traffic(
            arrived=count(self._rows, arrived),
            delivered=count(self._rows, lately),
            size=sum(row["size"] for row in delivered.values()),
            looked_at=sum(row["files"] for row in delivered.values()),
            flights=_slots(flying),
            accounts=tuple(
                _account(name, delivered.get(name), oldest.get(name), flying, now)
                for name in sorted(names)
            ),
        )

    def _by_account(self, query: Document, order: Sequence[tuple[str, int]]) -> dict[str, Document]:
        """The first of these rows, summed up for each account."""
        group = {
            "_id": "$account_id",
            "files": {"$sum": 1},
            "size": {"$sum": "$size"},
            "oldest": {"$min": "$created_at"},
        }
        pipeline: list[Document] = [
            {"$match": query},
            {"$sort": dict(order)},
            {"$limit": SAMPLE},
            {"$group": group},
        ]
        return {row["_id"]: row for row in self._rows.aggregate(pipeline)}

    def _flights(self) -> list[Document]:
        group = {
            "_id": "$claim.flight",
            "worker": {"$first": "$claim.worker"},
            "account": {"$first": "$account_id"},
            "files": {"$sum": 1},
        }
        uploading: Document = {"status": Status.UPLOADING.value}
        pipeline: list[Document] = [{"$match": uploading}, {"$limit": SAMPLE}, {"$group": group}]
        return list(self._rows.aggregate(pipeline))


def _slots(flying: Sequence[Document]) -> dict[str, int]:
    workers = [row["worker"] for row in flying if row["worker"]]
    return {worker: workers.count(worker) for worker in set(workers)}


def _account(
    name: str,
    delivered: Document | None,
    oldest: Document | None,
    flying: Sequence[Document],
    now: datetime,
) -> AccountTraffic:
    waited = (now - oldest["oldest"]).total_seconds() if oldest else 0.0
    return AccountTraffic(
        account_id=name,
        delivered=delivered["files"] if delivered else 0,
        size=delivered["size"] if delivered else 0,
        uploading=sum(row["files"] for row in flying if row["account"] == name),
        oldest_seconds=max(0.0, waited),
    )
