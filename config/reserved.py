"""Account ids that were given out once, and are not given out again.

Recordings, audit entries and queues of a removed account still name its id. A second account of
that id would be shown them.
"""

from pymongo.database import Database

from config.documents import Document
from config.errors import AccountError

_TRACES = ("deliveries", "audit", "numbers", "users", "tokens")
"""Collections with an `account_id`: ids that earlier versions removed are found there."""


class ReservedIds:
    """The ids. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._reserved = database["removed_accounts"]
        self._traces = [database[name] for name in _TRACES]

    def reserve(self, account_id: str) -> None:
        """Keep the id of an account that is about to be removed."""
        removed = [{"$set": {"at": "$$NOW"}}]
        self._reserved.update_one({"_id": account_id}, removed, upsert=True)

    def check_free(self, account_id: str) -> None:
        """Raises AccountError where another account had the id."""
        if self.is_reserved(account_id) or any(
            traces.find_one({"account_id": account_id}, {"_id": 1}) for traces in self._traces
        ):
            raise AccountError(
                f"The account id {account_id!r} was given out before and is not given out again, "
                "because recordings and audit of the former account bear it: choose another one."
            )

    def is_reserved(self, account_id: str) -> bool:
        """Whether an account of this id was removed, or is being removed."""
        return self._reserved.find_one({"_id": account_id}, {"_id": 1}) is not None
