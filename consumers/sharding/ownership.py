"""The ownership of accounts, as the scheduler and the sessions see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class Ownership(Protocol):
    """Tells for each account whether this worker has it, and since which epoch."""

    def owned(self) -> Sequence[int]:
        """The buckets in which sessions may begin."""

    def epoch(self, account_id: str) -> int | None:
        """The epoch of this worker's ownership; None where no file may be begun."""

    def until(self, account_id: str, epoch: int) -> datetime:
        """When the ownership of that epoch ends by the database's clock, as far as is known."""

    def permit(self, account_id: str, epoch: int) -> None:
        """Raises transports.errors.NotPermitted once the ownership of that epoch is over."""
