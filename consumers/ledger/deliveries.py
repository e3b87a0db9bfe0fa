"""The rows of `deliveries`: one a recording, and every transition it can make.

Each part of a row's story has a room of its own; what holds for all of them stands in `rows`.
"""

from pymongo import ASCENDING, DESCENDING

from consumers.ledger.arrivals import Arrivals
from consumers.ledger.claims import Claims
from consumers.ledger.endings import Endings
from consumers.ledger.load import CAME_BACK
from consumers.ledger.places import Places
from consumers.ledger.records import Status
from consumers.ledger.returns import Returns
from consumers.ledger.rows import OLDEST_FIRST
from consumers.ledger.view import View


class Deliveries(Arrivals, Claims, Places, Endings, Returns, View):
    """The ledger of recordings. Raises pymongo's errors where MongoDB is away."""

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._rows.create_index([("account_id", ASCENDING), ("status", ASCENDING), *OLDEST_FIRST])
        self._rows.create_index([("status", ASCENDING), *OLDEST_FIRST])
        self._rows.create_index([("created_at", DESCENDING)])
        self._rows.create_index([("status", ASCENDING), ("delivered_at", ASCENDING)])
        self._rows.create_index(
            [("account_id", ASCENDING), ("status", ASCENDING), ("not_before", ASCENDING)]
        )
        self._rows.create_index(
            "unrouted_at",
            partialFilterExpression={"status": Status.QUEUED.value, "routed_at": None},
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("remote_path", ASCENDING)],
            unique=True,
            partialFilterExpression={"remote_path": {"$exists": True}},
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("wanted", ASCENDING), ("copy", DESCENDING)],
            partialFilterExpression={"wanted": {"$exists": True}},
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("casualty", ASCENDING)],
            partialFilterExpression={"casualty": {"$exists": True}},
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("status", ASCENDING), ("created_at", ASCENDING)],
            partialFilterExpression=CAME_BACK,
            name="came_back",
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("lost.alone", ASCENDING)],
            partialFilterExpression={"lost.alone": {"$exists": True}},
        )
