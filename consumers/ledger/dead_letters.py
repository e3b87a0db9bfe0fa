"""Dead letters: those of outages that are over, those of files that kill their workers, and what
people decide of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from alerts.loss import Loss
from config.moments import later
from consumers.ledger import story
from consumers.ledger.records import CrashLoop, Document, Routing, Status
from consumers.ledger.rows import MAX_CRASHES, OLDEST_FIRST, Part, routing
from consumers.ledger.story import By

CRASH_LOOP = "crash-loop"
"""Why a file is a dead letter of which no try has come to an end."""
_CRASH_LOOP: Document = {
    "lost.alone": {"$gte": MAX_CRASHES},
    "$or": [
        {"status": Status.QUEUED.value},
        {"status": Status.DEAD_LETTERED.value, "casualty": {"$exists": True}},
    ],
}
_LOSS = dict.fromkeys(("account_id", "reason", "last_error", "dead_at"), 1)


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

    def revive(self, recording_id: str, by: By = By.PEOPLE) -> Routing | None:
        """Put a dead letter back on its route with no tries counted, and no lost starts.

        None where it is not one.
        """
        return self._back_on_route(
            {"_id": recording_id, "status": Status.DEAD_LETTERED},
            {"dead_at": None, "reason": None, "events": story.replayed(by)},
            ("casualty", "lost", "untold"),
        )

    def discard(self, recording_id: str, by: By = By.PEOPLE) -> bool:
        """Give a dead letter up for good. False where it is not one."""
        result = self._rows.update_one(
            {"_id": recording_id, "status": Status.DEAD_LETTERED},
            [
                {
                    "$set": {
                        "status": Status.DISCARDED.value,
                        "discarded_at": "$$NOW",
                        "events": story.discarded(by),
                    }
                },
                {"$unset": ["casualty", "untold"]},
            ],
        )
        return bool(result.modified_count)

    def untold(self, most: int) -> Iterator[Loss]:
        """Recordings that are lost by our own fault, of which the on-call was not told yet."""
        with self._rows.find({"untold": True}, _LOSS).limit(most) as cursor:
            for row in cursor:
                is_tried = row["reason"] != CRASH_LOOP  # of which no try has told anything
                error = (row["last_error"] or {}) if is_tried else {}
                yield Loss(
                    row["account_id"],
                    row["_id"],
                    row["reason"],
                    error.get("words", ""),
                    error.get("cause", ""),
                    row["dead_at"],
                )

    def losses_stored(self, recordings: Sequence[str], until: datetime) -> None:
        """The outbox has those that were lost until then; one may have been lost anew since."""
        self._rows.update_many(
            {"_id": {"$in": [*recordings]}, "untold": True, "dead_at": {"$lte": until}},
            {"$unset": {"untold": ""}},
        )

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
                        "untold": True,
                        "casualty": "$$REMOVE",
                        "events": story.dead_lettered(CRASH_LOOP),
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
