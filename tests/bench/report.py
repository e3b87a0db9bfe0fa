"""The rows of the report, and the file that holds them: docs/bench.md, with its plot beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import (
    OURS,
    OWN,
    RATE,
    SERVICES,
    Goal,
    Never,
    Runs,
    Times,
    Work,
    Workload,
    middle,
    ratio,
    total,
)
from tests.bench.machine import Machine
from tests.bench.plot import draw

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
NAME = "bench.md"
PLOT = "bench.svg"
HEADS = ("", "does", "median", "lowest - highest", "ms a file", "Courier is", "goal", "")


@dataclass(frozen=True)
class Result:
    """One workload as it was measured."""

    workload: Workload
    runs: Runs
    failed: frozenset[str] = frozenset()
    """Who did not do the work in a round."""
    does: Mapping[str, Work] = field(default_factory=dict)
    """What each of them does besides bringing the bytes."""

    def does_of(self, who: str) -> str:
        """In words."""
        return self.does[who].words() if who in self.does else ""

    @property
    def rounds(self) -> int:
        """How many runs there were of each."""
        return max((len(each) for each in self.runs.values()), default=0)


@dataclass(frozen=True)
class Row:
    """One line of a workload's table."""

    who: str
    does: str = ""
    median: str = ""
    spread: str = ""
    cost: str = ""
    """Processor time of its own, and that of broker and database, where they feed it."""
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
        yield Row(who, result.does_of(who), "failed", met=False if who == OURS else None)
    for figure in _further(result):
        goal = next((each for each in goals if _is_of(each, figure)), None)
        yield Row(
            figure,
            "",
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
        result.does_of(who),
        f"{number(middle(result.runs, who))} {result.workload.unit}",
        _spread(result.runs, who, RATE),
        _cost(result.runs, who),
        f"{ratio(result.runs, who):.2f} x" if who != OURS and OURS in result.runs else "",
        held.words() if held else "",
        held.is_met(result.runs) if held else None,
    )


def _cost(runs: Runs, who: str) -> str:
    if OWN not in runs[who][0]:
        return ""
    services = [figure for figure in SERVICES if figure in runs[who][0]]
    besides = f" + {number(sum(middle(runs, who, each) for each in services))}" if services else ""
    return number(middle(runs, who, OWN)) + besides


@dataclass(frozen=True)
class Count:
    """One line of a workload that counts: over all rounds."""

    who: str
    does: str
    counts: Sequence[str]


def counts(result: Result) -> Iterator[Count]:
    """Of everybody, ours first, then what is asked for of ours and whether it is so."""
    names = result.workload.counts
    for who in result.runs:
        told = [f"{total(result.runs, who, each):.0f}" for each in names]
        yield Count(who, result.does_of(who), told)
    for who in sorted(result.failed):
        yield Count(who, result.does_of(who), ["failed"] * len(names))
    if OURS in result.runs:
        goals = {each.figure: each for each in result.workload.goals if isinstance(each, Never)}
        yield Count("goal", "", [_kept(goals.get(each), result.runs) for each in names])


def _kept(goal: Never | None, runs: Runs) -> str:
    if goal is None:
        return ""
    return f"{goal.words()}, {'met' if goal.is_met(runs) else '**missed**'}"


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
    draw(results, folder / PLOT)


def _lines(results: Sequence[Result], machine: Machine, *, quick: bool) -> Iterator[str]:
    if quick:
        yield "A quick run: fewer and smaller files than the titles say."
    yield f"Measured on {machine.day}, on {machine.hardware}. {machine.load}"
    yield f"{machine.versions}."
    yield ""
    yield f"![Who delivers what, what it loses, and the rates of each workload]({PLOT})"
    for result in results:
        workload = result.workload
        rounds = f"{result.rounds} rounds" if result.rounds > 1 else "one round"
        yield ""
        yield f"### {workload.key}. {workload.title}"
        yield ""
        yield from _counted(result, rounds) if workload.counts else _compared(result, rounds)


def _compared(result: Result, rounds: str) -> Iterator[str]:
    yield f"| {rounds} | {' | '.join(HEADS[1:-1])} | |"
    yield "|---|---|--:|--:|--:|--:|---|---|"
    for row in rows(result):
        yield f"| {' | '.join(_cells(row))} |"


def _counted(result: Result, rounds: str) -> Iterator[str]:
    names = result.workload.counts
    yield f"| {rounds}, all together | does | {' | '.join(names)} |"
    yield f"|---|---|{'--:|' * len(names)}"
    for row in counts(result):
        yield f"| {' | '.join((_bold(row.who), row.does, *row.counts))} |"


def _cells(row: Row) -> list[str]:
    met = {True: "met", False: "**missed**", None: ""}[row.met]
    figures = (row.does, row.median, row.spread, row.cost, row.ratio)
    return [_bold(row.who), *figures, row.goal, met]


def _bold(who: str) -> str:
    return f"**{who}**" if who == OURS else who
