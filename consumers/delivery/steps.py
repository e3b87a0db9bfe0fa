"""How an account session goes on from where it stands: it ends, it waits, or it looks again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from consumers.delivery.dispatch import StartResult

POLL = 0.5
"""Seconds after which what nobody tells of is looked for."""


@dataclass(frozen=True)
class Rest:
    """Why there is nothing to do now: due again after `wait` seconds, at `until`, or on arrival."""

    wait: float | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Pause:
    """Nothing can be begun for so many seconds, unless a message arrives or an upload ends."""

    seconds: float


NOTHING_TO_DO = Rest()
Next = Rest | Pause | None
"""How a session goes on: it ends, it waits, or it looks again at once."""


def after_beginning(result: StartResult, *, otherwise: Callable[[], Next]) -> Next:
    """`otherwise`: what follows where there is nothing to begin."""
    match result:
        case StartResult.YES:
            return None
        case StartResult.NO_ROOM:
            return Pause(POLL)
        case StartResult.NOTHING:
            return otherwise()
