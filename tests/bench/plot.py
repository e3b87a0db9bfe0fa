"""The medians as bars, a panel for each workload that has somebody to compare with."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.figures import OURS, RATE, Runs, Workload, middle

_COLUMNS = 3
_OURS, _OTHERS, _INK = "#0f766e", "#b8c4ce", "#1f2933"


def draw(results: Sequence[tuple[Workload, Runs]], file: Path) -> None:
    """Write the SVG; nothing where nobody was compared with."""
    compared = [each for each in results if len(each[1]) > 1]
    if not compared:
        return
    lines = -(-len(compared) // _COLUMNS)
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
        figure = Figure((4.4 * _COLUMNS, 2.4 * lines), layout="constrained", facecolor="white")
        panels = figure.subplots(lines, _COLUMNS, squeeze=False)
        for axes in panels.flat:
            axes.set_axis_off()
        for axes, (workload, runs) in zip(panels.flat, compared, strict=False):
            _bars(axes, workload, runs)
        figure.savefig(file, metadata={"Date": None})


def _bars(axes: Axes, workload: Workload, runs: Runs) -> None:
    axes.set_axis_on()
    names = list(runs)[::-1]
    medians = [middle(runs, name) for name in names]
    lows = [min(run[RATE] for run in runs[name]) for name in names]
    highs = [max(run[RATE] for run in runs[name]) for name in names]
    below = [value - low for value, low in zip(medians, lows, strict=True)]
    above = [high - value for value, high in zip(medians, highs, strict=True)]
    colours = [_OURS if name == OURS else _OTHERS for name in names]
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
    axes.set_title(f"{workload.key}. {workload.title}", loc="left", fontsize=8.5)
    axes.set_xlabel(workload.unit, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
