"""What is known of the canary, a document an account: which run is open, how the last one ended.

Every change is one conditional update, so two workers that see to one account at the same moment
begin no run twice, and none is counted twice. Times are the database's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pymongo import ReturnDocument
from pymongo.database import Database

from consumers.ledger.records import Document

EPOCH = datetime.fromtimestamp(0, UTC)
KEPT_MINUTES = 24 * 60
"""How long the rows of ended runs are kept, and their events taken for the canary's own."""
_MINUTE_MS = 60_000


class Result(StrEnum):
    """How a run ended."""

    OK = "ok"
    """It was delivered, and read back as it was sent."""
    LATE = "late"
    """It was not in its place in time."""
    WRONG = "wrong"
    """What stands at the server is not what was sent, or nothing stands there."""
    FAILED = "failed"
    """A step failed for good."""


@dataclass(frozen=True)
class Run:
    """One recording of the canary, from before it is published until it is gone again."""

    account_id: str
    minute: int
    """Since 1970, by the database's clock: no other run of the account has it."""
    seconds: float
    """Since it was begun."""
    is_counted: bool
    """Its result stands: what is left to be done is to see its file off."""
    since_published: float | None
    """Seconds since its event was last about to be published; None: it never was."""

    @property
    def recording_id(self) -> str:
        """Whichever worker publishes the run, this is what it is called."""
        return recording_id(self.account_id, self.minute)


@dataclass(frozen=True)
class CanaryStatus:
    """What people and metrics are told."""

    looked_at: datetime = EPOCH
    succeeded_at: datetime = EPOCH
    seconds: float | None = None
    """Of the last run that was ok."""
    result: Result | None = None
    """Of the last run; None before the first."""
    words: str = ""
    """Why it was not ok."""


def recording_id(account_id: str, minute: int) -> str:
    """Of the run of that minute."""
    return f"canary-{account_id}-{minute}"


class CanaryRuns:
    """Raises pymongo's errors, MongoDB away."""

    def __init__(self, database: Database[Document]) -> None:
        self._runs = database["canary"]

    def see_to(self, account_id: str) -> Run | None:
        """The run that is open, begun where its minute has come; None until then."""
        minute = {"$toLong": {"$floor": {"$divide": [{"$toLong": "$$NOW"}, _MINUTE_MS]}}}
        begun = {"minute": minute, "at": "$$NOW", "counted": False, "published_at": None}
        is_due = {"$gt": [minute, {"$ifNull": ["$minute", 0]}]}
        run = {"$ifNull": ["$run", {"$cond": [is_due, begun, None]}]}
        document = self._runs.find_one_and_update(
            {"_id": account_id},
            [
                {"$set": {"looked_at": "$$NOW", "run": run}},
                {"$set": {"minute": {"$max": ["$minute", "$run.minute"]}}},
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return _run(document) if document and document["run"] else None

    def publishes(self, run: Run) -> None:
        """Its event is about to be published."""
        self._runs.update_one(_open(run), [{"$set": {"run.published_at": "$$NOW"}}])

    def count(self, run: Run, result: Result, words: str = "") -> float | None:
        """Seconds that the run took, now that it has this result. None where it had one already."""
        took = {"$divide": [{"$subtract": ["$$NOW", "$run.at"]}, 1000]}
        values: Document = {
            "run.counted": True,
            "result": result.value,
            "words": {"$literal": words},
            "took": took,
        }
        if result is Result.OK:
            values |= {"seconds": took, "succeeded_at": "$$NOW"}
        document = self._runs.find_one_and_update(
            {**_open(run), "run.counted": False},
            [{"$set": values}],
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else float(document["took"])

    def spoil(self, run: Run, words: str) -> bool:
        """What was ok has failed after all. False where it was not."""
        return bool(
            self._runs.update_one(
                {**_open(run), "result": Result.OK.value},
                {"$set": {"result": Result.FAILED.value, "words": words}},
            ).modified_count
        )

    def close(self, run: Run) -> None:
        """Nothing of it is left to be done."""
        self._runs.update_one(_open(run), {"$set": {"run": None}})

    def has_begun(self, account_id: str, minute: int) -> bool:
        """Whether the canary has a recording of that minute, not too long ago."""
        near = {"$gte": minute, "$lte": minute + KEPT_MINUTES}
        return self._runs.find_one({"_id": account_id, "minute": near}) is not None

    def status(self, account_id: str) -> CanaryStatus:
        """How the account's canary is."""
        document = self._runs.find_one({"_id": account_id}) or {}
        return CanaryStatus(
            looked_at=document.get("looked_at", EPOCH),
            succeeded_at=document.get("succeeded_at", EPOCH),
            seconds=document.get("seconds"),
            result=Result(document["result"]) if document.get("result") else None,
            words=document.get("words", ""),
        )


def _open(run: Run) -> Document:
    return {"_id": run.account_id, "run.minute": run.minute}


def _run(document: Document) -> Run:
    run, now = document["run"], document["looked_at"]
    published_at = run["published_at"]
    return Run(
        document["_id"],
        run["minute"],
        (now - run["at"]).total_seconds(),
        run["counted"],
        None if published_at is None else (now - published_at).total_seconds(),
    )
