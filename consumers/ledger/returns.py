"""Recordings whose story has ended come back, are given up, or are forgotten."""

from collections.abc import Collection
from datetime import timedelta

from pymongo import ReturnDocument

from config.moments import later
from consumers.ledger.records import WAITING, Document, Routing, Status
from consumers.ledger.rows import OLDEST_FIRST, Rows, routing
from transports.sources.generated import SCHEME

_ENDED = {
    Status.DELIVERED: "delivered_at",
    Status.SKIPPED: "created_at",
    Status.DISCARDED: "discarded_at",
}
"""When the story of a row ended that may be forgotten, by its status."""


class Returns(Rows):
    """Dead letters and casualties, and the rows that nobody needs any more."""

    def casualties_before(self, account_id: str, streak: int) -> list[str]:
        """Dead letters of outages that are over, oldest first."""
        query = {
            "account_id": account_id,
            "casualty": {"$lt": streak},
            "status": Status.DEAD_LETTERED,
        }
        return [row["_id"] for row in self._rows.find(query, {"_id": 1}).sort(OLDEST_FIRST)]

    def revive(self, recording_id: str) -> Routing | None:
        """Put a dead letter back on its route with no tries counted, and no lost starts.

        None where it is not one.
        """
        row = self._rows.find_one_and_update(
            {"_id": recording_id, "status": Status.DEAD_LETTERED},
            [
                {
                    "$set": {
                        "status": Status.QUEUED.value,
                        "tries": 0,
                        "account_tries": 0,
                        "turn": {"$add": ["$turn", 1]},
                        "routed_at": None,
                        "unrouted_at": "$$NOW",
                        "not_before": None,
                        "dead_at": None,
                        "reason": None,
                        "was_dead": True,
                    }
                },
                {"$unset": ["casualty", "lost"]},
            ],
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else routing(row)

    def discard(self, recording_id: str) -> bool:
        """Give a dead letter up for good. False where it is not one."""
        result = self._rows.update_one(
            {"_id": recording_id, "status": Status.DEAD_LETTERED},
            [
                {"$set": {"status": Status.DISCARDED.value, "discarded_at": "$$NOW"}},
                {"$unset": "casualty"},
            ],
        )
        return bool(result.modified_count)

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
        ended = {"status": Status.DISCARDED.value, "claim": None, "discarded_at": "$$NOW"}
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
