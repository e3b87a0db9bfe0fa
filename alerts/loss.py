"""Recordings that are lost by the platform's own fault: for the on-call alone. Pure.

The customer's server has no part in it, so the customer is not alarmed by an e-mail that blames it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

NAMED = 3
"""Most recordings that are named of those lost by one cause."""


@dataclass(frozen=True)
class Loss:
    """A dead letter whose recording could not be read, or that the program failed at."""

    account_id: str
    recording_id: str
    reason: str
    """Why it is a dead letter: the kind of the failure, or `crash-loop`."""
    words: str
    code: str
    """The cause's code, by which docs/errors.md tells more of it; empty where it is not known."""
    at: datetime

    @property
    def cause(self) -> str:
        """What is counted as one."""
        return self.code or self.reason


@dataclass(frozen=True)
class Losses:
    """An account's recordings that were lost by one cause, with some of them named."""

    account_id: str
    cause: str
    words: str
    """Of the latest one's failure; empty where nothing has told any."""
    count: int
    examples: tuple[str, ...]
    """Ids of recordings, `NAMED` at most."""
    at: datetime

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read back from MongoDB."""
        return cls(**{**document, "examples": tuple(document["examples"])})

    def to_document(self) -> dict[str, Any]:
        """As MongoDB stores it."""
        return {**asdict(self), "examples": list(self.examples)}


def grouped(losses: Iterable[Loss]) -> list[Losses]:
    """Those of one account and cause together."""
    groups: defaultdict[tuple[str, str], list[Loss]] = defaultdict(list)
    for loss in sorted(losses, key=lambda each: each.at):
        groups[loss.account_id, loss.cause].append(loss)
    return [
        Losses(
            account_id,
            cause,
            group[-1].words,
            len(group),
            tuple(each.recording_id for each in group[:NAMED]),
            group[-1].at,
        )
        for (account_id, cause), group in groups.items()
    ]
