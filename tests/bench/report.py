"""The rows of the report, and the file that holds them: docs/bench.md, with its plot beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import OURS, RATE, Goal, Runs, Times, Workload, middle, ratio
from tests.bench.machine import Machine
from tests.bench.plot import draw

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
NAME = "bench.md"
PLOT = "bench.svg"
HEADS = ("", "median", "lowest - highest", "Courier is", "goal", "")


@dataclass(frozen=True)
class Result:
    """One workload as it was measured."""

    workload: Workload
    runs: Runs
    failed: frozenset[str] = frozenset()
    """Who did not do the work in a round."""

    @property
    def rounds(self) -> int:
        """How many runs there were of each."""
        return max((len(each) for each in self.runs.values()), default=0)


@dataclass(frozen=True)
class Row:
    """One line of a workload's table."""

    who: str
    median: str
    spread: str = ""
    ratio: str = ""
    """How many times this one's rate ours is."""
    goal: str = ""
    met: bool | None = None


def rows(result: Result) -> Iterator[Row]:
    """The contenders, ours first, then the figures that goals are set for, then all others."""
    goals = list(_measured_goals(result))
    against = {goal.best(result.runs): goal for goal in goals if isinstance(goal, Times)}
    for who in result.runs:
        if RATE in result.runs[who][0]:
            yield _contender(result, who, against.get(who), goals)
    for who in sorted(result.failed):
        yield Row(who, "failed", met=False if who == OURS else None)
    for figure in _further(result):
        goal = next((each for each in goals if _is_of(each, figure)), None)
        yield Row(
            figure,
            number(middle(result.runs, OURS, figure)),
            _spread(result.runs, OURS, figure),
            goal=goal.words() if goal else "",
            met=goal.is_met(result.runs) if goal else None,
        )


def _contender(result: Result, who: str, goal: Times | None, goals: Sequence[Goal]) -> Row:
    held: Goal | None = goal
    if who == OURS:
        held = next((each for each in goals if _is_of(each, RATE)), None)
    return Row(
        who,
        f"{number(middle(result.runs, who))} {result.workload.unit}",
        _spread(result.runs, who, RATE),
        f"{ratio(result.runs, who):.2f} x" if who != OURS and OURS in result.runs else "",
        held.words() if held else "",
        held.is_met(result.runs) if held else None,
    )


def _measured_goals(result: Result) -> Iterator[Goal]:
    for goal in result.workload.goals:
        try:
            goal.reached(result.runs)
        except KeyError:  # a part run, without ours or without the peer
            continue
        yield goal


def _further(result: Result) -> list[str]:
    """What was measured of ours besides its rate."""
    ours = result.runs.get(OURS)
    return [figure for figure in ours[0] if figure != RATE] if ours else []


def _is_of(goal: Goal, figure: str) -> bool:
    return getattr(goal, "figure", None) == figure


def _spread(runs: Runs, who: str, figure: str) -> str:
    values = sorted(run[figure] for run in runs[who])
    return f"{number(values[0])} - {number(values[-1])}" if len(values) > 1 else ""


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def write(results: Sequence[Result], machine: Machine, folder: Path, *, quick: bool) -> None:
    """Replace what stands between the marks of the report, and the plot."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / NAME
    text = report.read_text(encoding="utf-8") if report.exists() else f"{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    measured = "\n".join(_lines(results, machine, quick=quick))
    report.write_text(f"{head}{BEGIN}\n{measured}\n{END}{tail}", encoding="utf-8")
    draw([(each.workload, each.runs) for each in results], folder / PLOT)


def _lines(results: Sequence[Result], machine: Machine, *, quick: bool) -> Iterator[str]:
    if quick:
        yield "A quick run: fewer and smaller files than the titles say."
    yield f"Measured on {machine.day}, on {machine.hardware}."
    yield f"{machine.versions}."
    yield ""
    yield f"![Rates of each workload, Courier and the others]({PLOT})"
    for result in results:
        workload = result.workload
        rounds = f"{result.rounds} rounds" if result.rounds > 1 else "one round"
        yield ""
        yield f"### {workload.key}. {workload.title}"
        yield ""
        yield f"| {rounds} | {' | '.join(HEADS[1:-1])} | |"
        yield "|---|--:|--:|--:|---|---|"
        for row in rows(result):
            yield f"| {' | '.join(_cells(row))} |"


def _cells(row: Row) -> list[str]:
    who = f"**{row.who}**" if row.who == OURS else row.who
    met = {True: "met", False: "**missed**", None: ""}[row.met]
    return [who, row.median, row.spread, row.ratio, row.goal, met]
