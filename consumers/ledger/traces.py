"""Lines of conversations with customers' servers, between the worker that hears them and the person
who asked for them (`courier trace`).

Nothing is written unless somebody asks, and then for seconds at a time. What was written is removed
after minutes by an index of MongoDB.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bson import ObjectId
from pymongo.database import Database

from consumers.ledger.records import Document

KEPT_SECONDS = 300
ASKED_SECONDS = 30.0
"""For so long a person is taken to listen who has asked once."""


@dataclass(frozen=True)
class TracedLine:
    """A line, and when it was said by the worker's clock."""

    at: datetime
    connection: int
    by: str
    text: str


@dataclass(frozen=True)
class TracePiece:
    """What was heard since the last piece."""

    piece_id: ObjectId
    worker: str
    lines: tuple[TracedLine, ...]
    left_out: int
    """Lines that there were too many of."""


class Traces:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._pieces = database["traces"]

    def ensure_indexes(self) -> None:
        """Create the index by which pieces are removed."""
        self._pieces.create_index("at", expireAfterSeconds=KEPT_SECONDS)

    def write(
        self, account_id: str, worker: str, lines: Sequence[TracedLine], left_out: int
    ) -> None:
        """Hand lines over to whoever listens."""
        told = [{"at": o.at, "connection": o.connection, "by": o.by, "text": o.text} for o in lines]
        self._pieces.insert_one(
            {
                "account_id": account_id,
                "worker": worker,
                "at": datetime.now(UTC),
                "lines": told,
                "left_out": left_out,
            }
        )

    def read(self, account_id: str, known: Collection[ObjectId]) -> Iterator[TracePiece]:
        """The pieces that are not known yet, in the order in which they were written."""
        query = {"account_id": account_id, "_id": {"$nin": list(known)}}
        for piece in self._pieces.find(query).sort("_id"):
            lines = tuple(TracedLine(**line) for line in piece["lines"])
            yield TracePiece(piece["_id"], piece["worker"], lines, piece["left_out"])
