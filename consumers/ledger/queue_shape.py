"""What waits, for people who look for the reason: how many files of which age each account has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pymongo.database import Database

from consumers.ledger.records import STORE_CAUSES, WAITING, Document, LastError

AGES = tuple(300.0 * 2**doubled for doubled in range(6))
"""Seconds: 5, 10, 20, 40, 80 and 160 minutes. The last column has what is older."""


@dataclass(frozen=True)
class QueueShape:
    """The files on their way of one account, or of several."""

    ages: tuple[int, ...]
    """How many are as old as each of AGES at most, and older than the one before; at the end how
    many are older than all."""
    oldest_seconds: float
    store: LastError | None = None
    """Why the recordings' own store keeps the oldest file, if it does; of several accounts it is
    not told."""
    size: int = 0
    """Bytes of those whose size is known; of several accounts it is not told."""
    unsized: int = 0
    """How many have no known size; of several accounts it is not told."""

    @property
    def files(self) -> int:
        """How many there are."""
        return sum(self.ages)

    @property
    def heaviness(self) -> tuple[int, ...]:
        """What has most of the oldest files comes first."""
        return self.ages[::-1]

    @classmethod
    def of_all(cls, shapes: Sequence[Self]) -> Self:
        """The shape of these together; there must be one."""
        ages = tuple(map(sum, zip(*(each.ages for each in shapes), strict=True)))
        return cls(ages, max(each.oldest_seconds for each in shapes))


class QueueShapes:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._rows = database["deliveries"]

    def by_account(self, account_id: str | None = None) -> dict[str, QueueShape]:
        """Of every account that has files on their way, or of one: it reads each of these files."""
        wanted: Document = {"status": {"$in": WAITING}}
        if account_id is not None:
            wanted["account_id"] = account_id
        group = {
            "_id": {"account": "$account_id", "age": _column()},
            "files": {"$sum": 1},
            "oldest": {"$max": _AGE},
            "size": {"$sum": "$size"},
            "unsized": {"$sum": {"$cond": [{"$isNumber": "$size"}, 0, 1]}},
            "store": {"$min": {"at": "$created_at", "error": _STORES_ERROR}},
        }
        found: dict[str, dict[int, Document]] = {}
        for row in self._rows.aggregate([{"$match": wanted}, {"$group": group}]):
            found.setdefault(row["_id"]["account"], {})[row["_id"]["age"]] = row
        return {name: _shape(columns) for name, columns in found.items()}


_AGE: Document = {"$subtract": ["$$NOW", "$created_at"]}

_IS_STORES: Document = {"$in": ["$last_error.cause", [*STORE_CAUSES]]}
_STORES_ERROR: Document = {"$cond": [_IS_STORES, "$last_error", None]}


def _column() -> Document:
    """The number of a file's age; most files are young."""
    branches = [
        {"case": {"$lte": [_AGE, age * 1000]}, "then": number} for number, age in enumerate(AGES)
    ]
    return {"$switch": {"branches": branches, "default": len(AGES)}}


def _shape(columns: dict[int, Document]) -> QueueShape:
    ages = tuple(columns[n]["files"] if n in columns else 0 for n in range(len(AGES) + 1))
    oldest = columns[max(columns)]
    stores_error = oldest["store"]["error"]
    store = LastError.stored(stores_error) if stores_error else None
    return QueueShape(
        ages,
        max(0.0, oldest["oldest"] / 1000),
        store,
        size=sum(each["size"] for each in columns.values()),
        unsized=sum(each["unsized"] for each in columns.values()),
    )
