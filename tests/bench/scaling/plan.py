"""The plan on paper: what so many files a day need, computed from what was measured."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.bench.figures import BROKER, DATABASE, OWN, Figures
from tests.bench.report import number

DAYS = (100_000, 1_000_000, 3_000_000, 10_000_000)
TEN_MILLION = DAYS[-1]
BUSIEST = 0.1
"""The part of a day's files that comes in its busiest hour."""
SPARE = 2
"""Planned for each core that is busy in that hour."""
CORES = 4
"""Of a host for workers: each process uses one at most."""
LEAST_HOSTS = 2
MEMBERS = 3
"""Of the broker's cluster and of the replica set: a majority outlives the loss of one."""
FILE_MEGABITS = 0.48 * 8
MESSAGES = 2
"""Of a file: one in `recordings.ready`, one in its account's queue."""
WRITES = 6
"""Of a file: its row arrives, is routed, claimed, intended, delivered; and its account's state."""


@dataclass(frozen=True)
class Need:
    """Of one kind of load, in the busiest hour of a day with so many files."""

    files_a_day: int
    costs: Figures

    @property
    def a_second(self) -> float:
        """Files."""
        return self.files_a_day * BUSIEST / 3600

    @property
    def megabits(self) -> float:
        """A second, for files of 480 KB."""
        return self.a_second * FILE_MEGABITS

    @property
    def processes(self) -> int:
        """Of workers, with what is spare."""
        return max(LEAST_HOSTS, math.ceil(SPARE * self.cores(OWN)))

    @property
    def hosts(self) -> int:
        """For workers."""
        return max(LEAST_HOSTS, math.ceil(self.processes / CORES))

    @property
    def rows(self) -> float:
        """Written a second."""
        return WRITES * self.a_second

    def replica_sets(self, rows_alone: float) -> int:
        """By the rows that one could write, with what is spare."""
        return max(1, math.ceil(SPARE * self.rows / rows_alone))

    def cores(self, figure: str) -> float:
        """Busy with it."""
        return self.a_second * self.costs[figure] / 1000

    def planned(self, figure: str) -> int:
        """Cores to have, with what is spare."""
        return max(1, math.ceil(SPARE * self.cores(figure)))


def by_day(costs: Figures) -> Iterator[str]:
    """A table of days, for one kind of load."""
    heads = (
        "files a day",
        "busiest hour",
        "worker processes",
        "RabbitMQ",
        "MongoDB",
        "480 KB each",
    )
    yield f"| {' | '.join(heads)} |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for files in DAYS:
        need = Need(files, costs)
        cores = [f"{number(need.cores(each))} cores" for each in (BROKER, DATABASE)]
        yield (
            f"| {files:,} | {need.a_second:,.1f} a second | {need.processes} "
            f"({number(need.cores(OWN))} cores busy) | {cores[0]} | {cores[1]} "
            f"| {need.megabits:,.0f} Mbit/s |"
        )


def hosts(loads: Mapping[str, Figures], rows_alone: float | None) -> Iterator[str]:
    """What ten million a day need, by kind of load.

    `rows_alone`: how many rows a second one member of MongoDB wrote when nothing else was asked.
    """
    needs = {name: Need(TEN_MILLION, costs) for name, costs in loads.items()}
    yield f"| 10 million a day | {' | '.join(needs)} |"
    yield f"|---|{'---|' * len(needs)}"
    for what, told in _LINES.items():
        yield f"| {what} | {' | '.join(told(each) for each in needs.values())} |"
    if rows_alone:
        sets = [f"{each.replica_sets(rows_alone)}" for each in needs.values()]
        yield f"| replica sets (shards) | {' | '.join(sets)} |"


_LINES: Mapping[str, Callable[[Need], str]] = {
    "files a second in the busiest hour": lambda need: f"{need.a_second:,.0f}",
    "worker processes": lambda need: f"{need.processes} ({number(need.cores(OWN))} cores busy)",
    f"hosts of {CORES} cores for them": lambda need: f"{need.hosts}",
    "RabbitMQ": lambda need: _cluster("nodes", need, BROKER),
    "MongoDB": lambda need: _cluster("members", need, DATABASE),
    "messages a second": lambda need: f"{MESSAGES * need.a_second:,.0f}",
    "durable writes of rows a second": lambda need: f"{need.rows:,.0f}",
    "line, for 480 KB each": lambda need: f"{need.megabits:,.0f} Mbit/s",
}


def _cluster(members: str, need: Need, figure: str) -> str:
    """Each member is planned as the leader: it writes all that the leader writes."""
    planned, busy = need.planned(figure), number(need.cores(figure))
    return f"{MEMBERS} {members} of {planned} cores ({busy} busy)"
