"""The table, the plot, and the report that holds both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.bench.figures import Runs, Workload


@dataclass(frozen=True)
class Result:
    """One workload as it was measured."""

    workload: Workload
    runs: Runs


def print_table(results: Sequence[Result], console: Console) -> None:
    for r in results:
        for g in r.workload.goals:
            try:
                console.print(
                    r.workload.key, g.words(r.runs), f"{g.reached(r.runs):.2f}", g.is_met(r.runs)
                )
            except (KeyError, ValueError):
                pass


def write(results: Sequence[Result], folder: Path, rounds: int) -> None:
    pass
