"""Recordings that nobody needs any more: given up with their account, or forgotten."""

from collections.abc import Collection
from datetime import timedelta

from config.moments import later
from consumers.ledger import story
from consumers.ledger.records import WAITING, Document, Status
from consumers.ledger.rows import Part
from consumers.ledger.story import By
from transports.sources.generated import SCHEME

_ENDED = {
    Status.DELIVERED: "delivered_at",
    Status.SKIPPED: "created_at",
    Status.DISCARDED: "discarded_at",
}
"""When the story of a row ended that may be forgotten, by its status."""


class Retention(Part):
    """How long rows stay."""

    def discard_queued(self, account_id: str) -> int:
        """Give up what waits for an account that is being removed. The number of files."""
        return self._give_up({"account_id": account_id})

    def ownerless(self, age: timedelta, limit: int) -> dict[str, list[str]]:
        """Files on their way whose account is gone, by its id: `limit` of each at most.

        Only those whose last publish began `age` ago, so that none of them is on it still. One
        aggregation: each file is seen after its account was missed, and is older than that look.
        It asks the index for the accounts' ids, not the rows, however many of them wait.
        """
        pipeline: list[Document] = [
            {"$sort": {"account_id": 1}},
            {"$group": {"_id": "$account_id"}},
            _joined("accounts", "_id", [{"$project": {"_id": 1}}]),
            {"$match": {"found": []}},
            _joined("deliveries", "account_id", _on_their_way(age, limit)),
            {"$match": {"found": {"$ne": []}}},
        ]
        gone = self._rows.aggregate(pipeline)
        return {each["_id"]: [row["_id"] for row in each["found"]] for each in gone}

    def discard_ownerless(self, recording_ids: Collection[str]) -> int:
        """Give up those of the files that are still on their way. How many that were."""
        return self._give_up({"_id": {"$in": list(recording_ids)}})

    def forget_final(self, age: timedelta, limit: int) -> int:
        """Remove rows that ended longer ago than `age`, dead letters excepted; how many."""
        forgotten = 0
        for status, ended in _ENDED.items():
            query = {
                "status": status.value,
                ended: {"$type": "date"},
                "$expr": {"$lt": [f"${ended}", later(-age.total_seconds())]},
            }
            rows = self._rows.find(query, {"_id": 1}).sort(ended).limit(limit)
            ids = [row["_id"] for row in rows]
            if ids:
                query["_id"] = {"$in": ids}
                forgotten += self._rows.delete_many(query).deleted_count
        return forgotten

    def forget_generated(self, account_id: str, age: timedelta) -> int:
        """Remove rows of the account's canary that came longer ago than `age`; how many.

        Dead letters and what waits are left.
        """
        query = {
            "account_id": account_id,
            "status": {"$in": [status.value for status in _ENDED]},
            "file_url": {"$regex": f"^{SCHEME}://"},
            "$expr": {"$lt": ["$created_at", later(-age.total_seconds())]},
        }
        return self._rows.delete_many(query).deleted_count

    def _give_up(self, query: Document) -> int:
        ended = {
            "status": Status.DISCARDED.value,
            "claim": None,
            "discarded_at": "$$NOW",
            "events": story.discarded(By.REMOVAL),
        }
        waiting = {**query, "status": {"$in": WAITING}}
        return self._rows.update_many(waiting, [{"$set": ended}]).modified_count


def _joined(collection: str, field: str, pipeline: list[Document]) -> Document:
    """What the collection has of an account, as `found`."""
    return {
        "$lookup": {
            "from": collection,
            "localField": "_id",
            "foreignField": field,
            "pipeline": pipeline,
            "as": "found",
        }
    }


def _on_their_way(age: timedelta, limit: int) -> list[Document]:
    old = {"$lt": ["$unrouted_at", later(-age.total_seconds())]}
    return [
        {"$match": {"status": {"$in": WAITING}, "$expr": old}},
        {"$limit": limit},
        {"$project": {"_id": 1}},
    ]
