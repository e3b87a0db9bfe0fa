"""How fast tenants may have many accounts tried (`try_paces`): one document a top account.

It is stored, and counts for all that is done beneath the top account, so that neither another
action, nor another process, nor a restart makes it faster.
"""

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from config.moments import later
from consumers.ledger.records import Document

KEPT_SECONDS = 3600


class TryPaces:
    """The paces. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._paces = database["try_paces"]

    def ensure_indexes(self) -> None:
        """Create the index; one that stands is left as it is."""
        self._paces.create_index("free_at", expireAfterSeconds=KEPT_SECONDS)

    def take(self, top: str, seconds: float) -> float:
        """Let a step begin that takes so long by its pace. Returns 0 where it may, else the
        seconds that the step before still takes; nothing is taken then."""
        taken = {"$cond": [{"$eq": ["$wait", 0]}, later(seconds), "$free_at"]}
        left = {"$subtract": [{"$ifNull": ["$free_at", "$$NOW"]}, "$$NOW"]}
        change: list[Document] = [
            {"$set": {"wait": {"$max": [0, left]}}},
            {"$set": {"free_at": taken}},
        ]
        while True:
            try:
                pace: Document | None = self._paces.find_one_and_update(
                    {"_id": top}, change, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:  # another process has just made it
                continue
            return 0 if pace is None else float(pace["wait"]) / 1000
