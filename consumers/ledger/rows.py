"""The collection of rows, and what all transitions of them share.

Each transition is one conditional update: it holds or it does not, and repeating it changes
nothing. Times are the database's.
"""

from collections.abc import Sequence

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection

from consumers.ledger.records import Claim, Document, Routing, Status, trace_of
from consumers.ledger.writer import GroupCommit

OLDEST_FIRST = [("created_at", ASCENDING), ("arrival", ASCENDING)]
BY_ID = "_id_"
"""The index to take, whichever MongoDB has found best while nothing, or all, was in a status."""
MAX_CRASHES = 5
"""So many workers may die of a file while it is all they upload."""


CAME_BACK: Document = {"was_dead": {"$exists": True}}
"""Files that were dead letters in between: few, in an index of their own."""


class Part:
    """What each part of a row's story works on. Raises pymongo's errors where MongoDB is away.

    All parts of a process share one writer, so that what they write at the same time goes together.
    """

    def __init__(self, rows: Collection[Document], commit: GroupCommit) -> None:
        self._rows = rows
        self._commit = commit

    def holds(self, claim: Claim) -> bool:
        """Whether the claim still holds: another session has not taken it over."""
        return self._rows.find_one(claim_filter(claim), {"_id": 1}) is not None


def count(rows: Collection[Document], query: Document) -> int:
    """By the command that counts in the index alone, which an aggregation does not."""
    concern = rows.read_concern.document  # a command takes the client's from nowhere by itself
    answer = rows.database.command("count", rows.name, query=query, readConcern=concern)
    counted: int = answer["n"]
    return counted


def routing(row: Document) -> Routing:
    return Routing(row["_id"], row["account_id"], row["turn"], row["event"].encode(), trace_of(row))


def claim_filter(claim: Claim) -> Document:
    return {"_id": claim.recording_id, **_held(claim)}


def claims_filter(claims: Sequence[Claim]) -> Document:
    """The rows of claims of one flight, each of which is the same start of its row."""
    return {
        "_id": {"$in": [claim.recording_id for claim in claims]},
        **_held(claims[0]),
        "claim.flight": claims[0].flight,
    }


def _held(claim: Claim) -> Document:
    return {
        "status": Status.UPLOADING.value,
        "starts": claim.start,
        "claim.session": claim.session,
    }


def holds(claim: Claim, row: Document) -> bool:
    """Whether this row is as `claim_filter` demands."""
    is_held = row["status"] == Status.UPLOADING and row["starts"] == claim.start
    return is_held and bool(row["claim"]["session"] == claim.session)


def outage_dead_letters(account_id: str, outage_id: int) -> Document:
    return {"account_id": account_id, "status": Status.DEAD_LETTERED, "casualty": outage_id}


def ensure_indexes(rows: Collection[Document]) -> None:
    """Create the indexes; those that stand are left as they are."""
    rows.create_index([("account_id", ASCENDING), ("status", ASCENDING), *OLDEST_FIRST])
    rows.create_index([("status", ASCENDING), *OLDEST_FIRST])
    rows.create_index([("created_at", DESCENDING)])
    rows.create_index([("status", ASCENDING), ("delivered_at", ASCENDING)])
    rows.create_index([("account_id", ASCENDING), ("status", ASCENDING), ("not_before", ASCENDING)])
    rows.create_index(
        "unrouted_at",
        partialFilterExpression={"status": Status.QUEUED.value, "routed_at": None},
    )
    rows.create_index(
        [("account_id", ASCENDING), ("remote_path", ASCENDING)],
        unique=True,
        partialFilterExpression={"remote_path": {"$exists": True}},
    )
    rows.create_index(
        [("account_id", ASCENDING), ("wanted", ASCENDING), ("copy", DESCENDING)],
        partialFilterExpression={"wanted": {"$exists": True}},
    )
    rows.create_index(
        [("account_id", ASCENDING), ("casualty", ASCENDING)],
        partialFilterExpression={"casualty": {"$exists": True}},
    )
    rows.create_index(
        [("account_id", ASCENDING), ("status", ASCENDING), ("created_at", ASCENDING)],
        partialFilterExpression=CAME_BACK,
        name="came_back",
    )
    rows.create_index(
        [("account_id", ASCENDING), ("lost.alone", ASCENDING)],
        partialFilterExpression={"lost.alone": {"$exists": True}},
    )
