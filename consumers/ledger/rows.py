"""The collection of rows, and what all transitions of them share.

Each transition is one conditional update: it holds or it does not, and repeating it changes
nothing. Times are the database's.
"""

from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from consumers.ledger.records import Claim, Document, Routing, Status, trace_of

OLDEST_FIRST = [("created_at", ASCENDING), ("arrival", ASCENDING)]


class Rows:
    """What one part of a row's story works on. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._rows = database["deliveries"]

    def is_mine(self, claim: Claim) -> bool:
        """Whether the claim still holds: another session has not taken it over."""
        return self._rows.find_one(mine(claim), {"_id": 1}) is not None


def count(rows: Collection[Document], query: Document) -> int:
    """By the command that counts in the index alone, which an aggregation does not."""
    concern = rows.read_concern.document  # a command takes the client's from nowhere by itself
    answer = rows.database.command("count", rows.name, query=query, readConcern=concern)
    counted: int = answer["n"]
    return counted


def routing(row: Document) -> Routing:
    return Routing(row["_id"], row["account_id"], row["turn"], row["event"].encode(), trace_of(row))


def mine(claim: Claim) -> Document:
    return {
        "_id": claim.recording_id,
        "status": Status.UPLOADING,
        "starts": claim.start,
        "claim.session": claim.session,
    }


def casualties(account_id: str, streak: int) -> Document:
    return {"account_id": account_id, "status": Status.DEAD_LETTERED, "casualty": streak}


def later(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(seconds * 1000)]}
