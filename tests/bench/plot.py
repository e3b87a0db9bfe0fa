"""Who delivers what and what it loses as a grid, and below the medians as bars.

A panel for each workload that has somebody to compare with. The colours are those of the grid: what
is fed by RabbitMQ, what only renames, what writes to the final name.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Protocol

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from tests.bench.figures import BYTES, OURS, RATE, Runs, Work, Workload, middle, total

_COLUMNS = 3
_TITLE = 46
"""Characters of a line above a panel."""
_OURS, _FED, _RENAMED, _BYTES, _INK = "#0f766e", "#c2873b", "#7b93a8", "#cfd6dc", "#1f2933"
_GROUPS = {
    OURS: _OURS,
    "fed by RabbitMQ": _FED,
    "a temporary name, renamed": _RENAMED,
    "the final name": _BYTES,
}
_GOOD, _BAD, _NONE = "#d3ebe2", "#f3c9c4", "#f1f3f5"
_WORKS = tuple(each.name for each in fields(Work))


class Measured(Protocol):
    """A workload as it was measured."""

    @property
    def workload(self) -> Workload:
        """What was to be done."""

    @property
    def runs(self) -> Runs:
        """By contender."""

    @property
    def does(self) -> Mapping[str, Work]:
        """By contender."""


def draw(results: Sequence[Measured], file: Path) -> None:
    """Write the SVG; nothing where nobody was compared with."""
    counted = [each for each in results if each.workload.counts and each.runs]
    compared = [each for each in results if len(each.runs) > 1 and not each.workload.counts]
    if not compared and not counted:
        return
    with mpl.rc_context(
        {
            "svg.hashsalt": "courier",  # the same figures give the same file
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 9,
            "text.color": _INK,
            "axes.labelcolor": _INK,
        }
    ):
        figure = _figure(counted[:1], compared)
        figure.savefig(file, metadata={"Date": None})


def _figure(counted: Sequence[Measured], compared: Sequence[Measured]) -> Figure:
    lines = [compared[start : start + _COLUMNS] for start in range(0, len(compared), _COLUMNS)]
    heights = [0.6 + 0.27 * (len(each.runs) + 1) for each in counted]
    heights += [0.85 + 0.2 * max(len(each.runs) for each in line) for line in lines]
    size = (4.9 * _COLUMNS, sum(heights) + 0.3)
    figure = Figure(size, layout="constrained", facecolor="white")
    grid = figure.add_gridspec(len(heights), _COLUMNS, height_ratios=heights)
    for place, each in enumerate(counted):
        _grid(figure.add_subplot(grid[place, :]), each)
    for row, line in enumerate(lines, len(counted)):
        for column, each in enumerate(line):
            _bars(figure.add_subplot(grid[row, column]), each)
    legend = [Patch(color=colour, label=words) for words, colour in _GROUPS.items()]
    figure.legend(handles=legend, loc="outside lower left", ncols=len(legend), frameon=False)
    return figure


def _grid(axes: Axes, measured: Measured) -> None:
    """A line for each: what it does, and what the customer had after it was killed."""
    counts = measured.workload.counts
    heads = [*_WORKS, *counts]
    axes.set_axis_off()
    axes.set_xlim(-2.6, len(heads) + 0.3)
    axes.set_ylim(len(measured.runs), -1)
    workload = measured.workload
    told = "what each does, and what the customer then had, in files"
    axes.set_title(f"{workload.key}. {workload.title}: {told}", loc="left", fontsize=8.5)
    for column, head in enumerate(heads):
        _write(axes, column + _gap(column), -0.45, head, weight="bold")
    for line, who in enumerate(measured.runs):
        does = measured.does.get(who, BYTES)
        axes.text(-0.15, line + 0.5, who, ha="right", va="center", color=_INK)
        axes.add_patch(Rectangle((-0.1, line + 0.12), 0.06, 0.76, color=_colour(who, does)))
        for column, name in enumerate(_WORKS):
            done = getattr(does, name)
            _cell(axes, column, line, "yes" if done else "-", _GOOD if done else _NONE)
        for column, name in enumerate(counts, len(_WORKS)):
            number = total(measured.runs, who, name)
            _cell(axes, column, line, f"{number:,.0f}", _BAD if number else _GOOD)


def _gap(column: int) -> float:
    """What it does stands apart from what it lost."""
    return 0.25 if column >= len(_WORKS) else 0.0


def _cell(axes: Axes, column: int, line: int, words: str, colour: str) -> None:
    left = column + _gap(column)
    axes.add_patch(Rectangle((left + 0.03, line + 0.08), 0.94, 0.84, color=colour, linewidth=0))
    _write(axes, left, line + 0.5, words)


def _write(axes: Axes, left: float, top: float, words: str, weight: str = "normal") -> None:
    axes.text(left + 0.5, top, words, ha="center", va="center", weight=weight)


def _colour(who: str, does: Work) -> str:
    if who.startswith(OURS):
        return _OURS
    if does.fed:
        return _FED
    return _RENAMED if does.renamed else _BYTES


def _bars(axes: Axes, measured: Measured) -> None:
    runs, workload = measured.runs, measured.workload
    names = list(runs)[::-1]
    medians = [middle(runs, name) for name in names]
    lows = [min(run[RATE] for run in runs[name]) for name in names]
    highs = [max(run[RATE] for run in runs[name]) for name in names]
    below = [value - low for value, low in zip(medians, lows, strict=True)]
    above = [high - value for value, high in zip(medians, highs, strict=True)]
    colours = [_colour(name, measured.does.get(name, BYTES)) for name in names]
    axes.barh(names, medians, color=colours, xerr=(below, above), ecolor=_INK, capsize=2)
    for place, (value, high) in enumerate(zip(medians, highs, strict=True)):
        axes.annotate(
            f"{value:,.0f}" if value >= 100 else f"{value:.3g}",
            (high, place),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_xlim(0, max(highs) * 1.18)
    title = textwrap.fill(f"{workload.key}. {workload.title}", _TITLE)
    axes.set_title(title, loc="left", fontsize=8.5)
    axes.set_xlabel(workload.unit, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
