"""What was measured, and its arithmetic: medians, ratios, goals."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from statistics import median
from typing import Protocol

from tests.bench.stage import Stage

OURS = "Courier"
RATE = "rate"
"""The figure that contenders are compared by: the more the better."""

Figures = Mapping[str, float]
"""What one run of one contender showed, by name."""
Runs = Mapping[str, Sequence[Figures]]
"""By contender, one of each round."""


def cost(part: str) -> str:
    """The figure of a part's processor time, user and system, for one file."""
    return f"{part}: processor ms a file"


OWN, BROKER, DATABASE = cost("worker"), cost("broker"), cost("database")
SERVICES = (BROKER, DATABASE)


@dataclass(frozen=True)
class Work:
    """What somebody does besides bringing the bytes."""

    fed: bool = False
    """Takes events from RabbitMQ, and acknowledges them."""
    renamed: bool = False
    """Writes to a temporary name and renames."""
    compared: bool = False
    """Asks the server for the size that has arrived."""
    recorded: bool = False
    """Writes down in MongoDB, durably, what has arrived."""

    def words(self) -> str:
        """For a table."""
        done = [each.name for each in fields(self) if getattr(self, each.name)]
        return ", ".join(done) or "final name"


BYTES = Work()
RENAMED = Work(renamed=True)
EVERYTHING = Work(fed=True, renamed=True, compared=True, recorded=True)


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work once, when called."""

    run: Callable[[], Figures]
    does: Work = BYTES


Contenders = Mapping[str, Contender]
"""Who is measured, in turn in each round."""


def middle(runs: Runs, contender: str, figure: str = RATE) -> float:
    """The median over the rounds. Raises KeyError where it was not measured."""
    return median(run[figure] for run in runs[contender])


def total(runs: Runs, contender: str, figure: str) -> float:
    """The sum over the rounds. Raises KeyError where it was not measured."""
    return sum(run[figure] for run in runs[contender])


def ratio(runs: Runs, over: str) -> float:
    """How many times the other's rate ours is: the median of the ratios of each round."""
    pairs = zip(runs[OURS], runs[over], strict=False)
    return median(ours[RATE] / theirs[RATE] for ours, theirs in pairs)


class Goal(Protocol):
    """One sentence of the issue that figures can be held against."""

    def words(self) -> str:
        """What is asked for."""

    def reached(self, runs: Runs) -> float:
        """What was measured, in the same unit. Raises KeyError where it was not."""

    def is_met(self, runs: Runs) -> bool:
        """Whether it is enough."""


@dataclass(frozen=True)
class Times:
    """At least so many times the rate of the best of these."""

    least: float
    over: tuple[str, ...]

    def words(self) -> str:
        return f">= {self.least:g} x"

    def reached(self, runs: Runs) -> float:
        return ratio(runs, self.best(runs))

    def is_met(self, runs: Runs) -> bool:
        return self.reached(runs) >= self.least

    def best(self, runs: Runs) -> str:
        """The fastest of those that are compared with, as far as they were measured.

        Raises KeyError where none was.
        """
        measured = [name for name in self.over if name in runs]
        if not measured:
            raise KeyError(self.over)
        return max(measured, key=lambda name: middle(runs, name))


@dataclass(frozen=True)
class AtMost:
    """Our figure is not above the limit."""

    figure: str
    limit: float

    def words(self) -> str:
        return f"<= {self.limit:g}"

    def reached(self, runs: Runs) -> float:
        return middle(runs, OURS, self.figure)

    def is_met(self, runs: Runs) -> bool:
        return self.reached(runs) <= self.limit


@dataclass(frozen=True)
class AtLeast:
    """Our figure is not below the limit."""

    figure: str
    limit: float

    def words(self) -> str:
        return f">= {self.limit:,g}"

    def reached(self, runs: Runs) -> float:
        return middle(runs, OURS, self.figure)

    def is_met(self, runs: Runs) -> bool:
        return self.reached(runs) >= self.limit


@dataclass(frozen=True)
class Never:
    """Our figure is 0 in all rounds."""

    figure: str

    def words(self) -> str:
        return "0"

    def reached(self, runs: Runs) -> float:
        return total(runs, OURS, self.figure)

    def is_met(self, runs: Runs) -> bool:
        return self.reached(runs) == 0


@dataclass(frozen=True)
class Workload:
    """Something to deliver, and what is asked of it."""

    key: str
    title: str
    unit: str
    open: Callable[[Stage, bool], AbstractContextManager[Contenders]]
    """Prepares everything; the second argument asks for a small one."""
    goals: tuple[Goal, ...]
    rounds: int | None = None
    """At most so many: for what takes long and averages by itself."""
    counts: tuple[str, ...] = ()
    """What is counted of everybody, over all rounds, instead of a rate."""
