"""One line of a recording's story: what happened, and who can mend it."""

from dataclasses import dataclass
from datetime import datetime

from consumers.delivery.policy import State
from consumers.ledger.story import What
from transports.diagnosis import by_code
from worker.show import Shape, iso


@dataclass(frozen=True)
class Step:
    """One line. `at` is when it happened, or began; None: it is so now."""

    at: datetime | None
    what: str
    text: str
    until: datetime | None = None
    """When it was over, or happened last, where it lasted."""
    times: int = 1
    next_at: datetime | None = None
    """Not before then it is tried again."""
    phase: str | None = None
    said: str | None = None
    said_by: str | None = None
    kind: str | None = None
    cause: str | None = None
    next_step: str | None = None
    counted: bool | None = None
    bytes: int | None = None
    seconds: float | None = None
    verified: str | None = None
    worker: str | None = None
    """For operators."""

    @property
    def whose(self) -> str | None:
        """Who can mend it."""
        known = by_code(self.cause or "")
        return known.whose.value if known else None

    @property
    def whose_turn(self) -> str | None:
        """The same for a person."""
        known = by_code(self.cause or "")
        return known.whose.label if known else None

    @property
    def went_wrong(self) -> bool:
        """Whether somebody may have to do something."""
        return self.what in {What.FAILED, What.LOST, What.DEAD_LETTERED, State.SUSPENDED}


STEP_FIELDS = (
    "at",
    "what",
    "text",
    "until",
    "times",
    "next_at",
    "phase",
    "said",
    "said_by",
    "kind",
    "cause",
    "whose",
    "next_step",
    "counted",
    "bytes",
    "seconds",
    "verified",
    "worker",
)
"""The keys of `step_shape`, in its order."""


def step_shape(step: Step) -> Shape:
    """A line as JSON has it."""
    told = {name: getattr(step, name) for name in STEP_FIELDS}
    return {name: iso(at) if isinstance(at, datetime) else at for name, at in told.items()}
