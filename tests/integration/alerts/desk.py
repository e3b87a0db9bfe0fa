"""An outbox with what it has told and stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pymongo.database import Database

from alerts.outbox import Outbox
from alerts.relay import DAY, AlertTried
from tests.unit.alerts.facts import EXAMPLE

ONCALL = ("oncall@platform.example",)
LATER = EXAMPLE.at + timedelta(minutes=15)


@dataclass
class Desk:
    """An outbox, what it told its observer, and its collection."""

    outbox: Outbox
    database: Database[dict[str, Any]]
    tried: list[AlertTried] = field(default_factory=list)

    def document(self, alert_id: str = "acme:3") -> dict[str, Any]:
        found = self.database["alerts"].find_one({"_id": alert_id})
        assert found is not None
        return found

    def age(self, name: str, seconds: float, query: dict[str, Any] | None = None) -> None:
        """Let the moment stored under the name be so much longer ago."""
        self.database["alerts"].update_many(
            {**(query or {}), name: {"$exists": True}},
            [{"$set": {name: {"$subtract": [f"${name}", int(seconds * 1000)]}}}],
        )

    def send_again(self) -> int:
        """Another round, once all waits are over."""
        self.age("until", 3600)
        self.age("due", DAY)
        return self.outbox.send_due()


Open = Callable[..., Desk]
