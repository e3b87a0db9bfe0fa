"""The collection of rows, and what all transitions of them share.

Each transition is one conditional update: it holds or it does not, and repeating it changes
nothing. Times are the database's.
"""

from collections.abc import Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from consumers.ledger.records import Claim, Document, Routing, Status, trace_of
from consumers.ledger.writer import GroupCommit

OLDEST_FIRST = [("created_at", ASCENDING), ("arrival", ASCENDING)]
BY_ID = "_id_"
"""The index to take, whichever MongoDB has found best while nothing, or all, was in a status."""
ACCOUNT_STATUS = "account_id_1_status_1_created_at_1_arrival_1"
"""The index of an account's rows by their status, in the order of arrival."""
DEAD_LETTERS = "dead_letters"
"""The index of dead letters alone, by their causes."""
_BAD_VALUE = 2
"""MongoDB's code for an index to take that is not there."""
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

    def _back_on_route(
        self, query: Document, changes: Document, gone: Sequence[str]
    ) -> Routing | None:
        """Put a row that was final back on its route with no tries counted; `changes` and `gone`
        are what else it becomes and loses. None where it is not as `query` says.

        It counts as one that came back: nobody is late with it.
        """
        values = {
            "status": Status.QUEUED.value,
            "tries": 0,
            "account_tries": 0,
            "turn": {"$add": ["$turn", 1]},
            "routed_at": None,
            "unrouted_at": "$$NOW",
            "not_before": None,
            "was_dead": True,
            **changes,
        }
        row = self._rows.find_one_and_update(
            query,
            [{"$set": values}, {"$unset": [*gone]}],
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else routing(row)

    def _in_index(self, pipeline: Sequence[Document], index: str) -> list[Document]:
        """By the index that has all of it: MongoDB would take one by which it has to read rows."""
        try:
            return self._rows.aggregate(pipeline, hint=index).to_list()
        except OperationFailure as error:
            if error.code != _BAD_VALUE:
                raise
            return self._rows.aggregate(pipeline).to_list()  # before the first start there is none

    def holds(self, claim: Claim) -> bool:
        """Whether the claim still holds: another session has not taken it over."""
        return self._rows.find_one(claim_filter(claim), {"_id": 1}) is not None


def count(rows: Collection[Document], query: Document, **options: Any) -> int:
    """By the command that counts in the index alone, which an aggregation does not; `options` are
    that command's."""
    concern = rows.read_concern.document  # a command takes the client's from nowhere by itself
    answer = rows.database.command("count", rows.name, query=query, readConcern=concern, **options)
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
    rows.create_index("untold", sparse=True)
    rows.create_index(
        [
            ("status", ASCENDING),
            ("last_error.cause", ASCENDING),
            *OLDEST_FIRST,
            ("reason", ASCENDING),
            ("account_id", ASCENDING),
        ],
        partialFilterExpression={"status": Status.DEAD_LETTERED.value},
        name=DEAD_LETTERS,
    )
