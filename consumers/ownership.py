"""Who may work an account: the seam at which leases come in."""

from typing import Protocol

from pymongo import ReturnDocument
from pymongo.database import Database

from consumers.ledger import Document


class Ownership(Protocol):
    """Tells for each account whether this worker has it, and since which epoch."""

    def epoch(self, account_id: str) -> int | None:
        """The epoch of this worker's ownership; None where it does not have the account."""

    def permit(self, account_id: str, epoch: int) -> None:
        """Raises transports.errors.NotPermitted once the ownership of that epoch is over."""


class SoleOwner:
    """One worker owns all accounts; each start begins a new epoch, which outdates the last."""

    def __init__(self, database: Database[Document]) -> None:
        row = database["leases"].find_one_and_update(
            {"_id": "all"},
            {"$inc": {"epoch": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        self._epoch: int = row["epoch"] if row else 0

    def epoch(self, account_id: str) -> int | None:  # noqa: ARG002 - it owns them all
        return self._epoch

    def permit(self, account_id: str, epoch: int) -> None:
        """Always permitted: a later start is told by the epoch at every claim and transition."""
