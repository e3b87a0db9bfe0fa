"""Dead letters: those of outages that are over, those of files that kill their workers, and what
people decide of them."""

from pymongo import ReturnDocument

from config.moments import later
from consumers.ledger.records import CrashLoop, Document, Routing, Status
from consumers.ledger.rows import MAX_CRASHES, OLDEST_FIRST, Part, routing

CRASH_LOOP = "crash-loop"
"""Why a file is a dead letter of which no try has come to an end."""
_CRASH_LOOP: Document = {
    "lost.alone": {"$gte": MAX_CRASHES},
    "$or": [
        {"status": Status.QUEUED.value},
        {"status": Status.DEAD_LETTERED.value, "casualty": {"$exists": True}},
    ],
}


class DeadLetters(Part):
    """The ledger is the list of dead letters; their messages are for people."""

    def from_past_outages(self, account_id: str, outage_id: int) -> list[str]:
        """Dead letters of outages that are over, oldest first."""
        query = {
            "account_id": account_id,
            "casualty": {"$lt": outage_id},
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

    def crash_loops(self, account_id: str) -> list[CrashLoop]:
        """The account's files of which MAX_CRASHES starts were lost alone, still to be tried."""
        query = {"account_id": account_id, **_CRASH_LOOP}
        return [
            CrashLoop(routing(row), row["tries"], row["status"] == Status.DEAD_LETTERED)
            for row in self._rows.find(query).sort(OLDEST_FIRST)
        ]

    def crash_loop_ends(self, recording_id: str, epoch: int) -> bool:
        """It is a dead letter: no try is counted. False where it is not to be tried any more."""
        result = self._rows.update_one(
            {"_id": recording_id, "epoch": {"$lte": epoch}, **_CRASH_LOOP},
            [
                {
                    "$set": {
                        "status": Status.DEAD_LETTERED.value,
                        "dead_at": "$$NOW",
                        "reason": CRASH_LOOP,
                        "casualty": "$$REMOVE",
                    }
                }
            ],
        )
        return bool(result.modified_count)

    def crash_loop_waits(self, recording_id: str, epoch: int, delay: float) -> None:
        """Its dead letter could not be kept: it is looked at again after `delay` seconds.

        Nobody starts it meanwhile: it would be the end of one more worker.
        """
        self._rows.update_one(
            {"_id": recording_id, "epoch": {"$lte": epoch}, **_CRASH_LOOP},
            [{"$set": {"not_before": later(delay)}}],
        )
