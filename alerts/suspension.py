"""The suspension alert: what it says, to the customer and to the on-call. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Suspension:
    """The facts of one suspension, written down with it. `number` counts an account's own."""

    account_id: str
    number: int
    failures: int
    host: str
    username: str
    protocol: str
    seconds: float
    words: str
    """The server's own last words, or the operating system's."""
    advice: str
    recipients: tuple[str, ...]
    queued: int
    oldest: datetime | None
    at: datetime
    until: datetime
