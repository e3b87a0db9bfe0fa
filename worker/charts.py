"""What the charts show: the hours' sums, as points of hours or days, and where each is drawn.

Pure.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from consumers.ledger.hours import BOUNDS, Hour, Sums
from transports.diagnosis import Whose
from worker.cli.output import duration
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.numerals import day_and_month, decimal, number

_EXACT_BELOW = 10
"""Seconds that are told with their tenths."""
_HEIGHT = 100.0
"""Of the drawing's own units, in which every point is 10 wide; the page stretches both."""
_STEP = 10.0
_GAP = 1.5


class Span(StrEnum):
    """How far back the charts look."""

    HOURS = "hours"
    WEEKS = "weeks"

    @property
    def step(self) -> timedelta:
        """The time of one point."""
        return timedelta(hours=1) if self is Span.HOURS else timedelta(days=1)

    @property
    def points(self) -> int:
        """The number of points: two days of hours, or a quarter of days."""
        return 48 if self is Span.HOURS else 91

    @property
    def label(self) -> str:
        """For a person."""
        return _("48 hours") if self is Span.HOURS else _("13 weeks")

    def since(self, now: datetime) -> datetime:
        """The beginning of the first point, where the last one holds `now`."""
        now = now.astimezone(UTC)
        hour = 0 if self is Span.WEEKS else now.hour
        last = now.replace(hour=hour, minute=0, second=0, microsecond=0)
        return last - (self.points - 1) * self.step


@dataclass(frozen=True)
class Point:
    """What happened from `at` on, for one step of the span."""

    at: datetime
    sums: Sums

    def quantile(self, share: float) -> float | None:
        """Seconds within which that share of the files was delivered; None where none was.

        It lies between two of the bounds, where the files are taken to be spread evenly.
        """
        total = sum(self.sums.took.values())
        wanted, seen = share * total, 0
        for index, upper in enumerate((*BOUNDS, BOUNDS[-1])):
            count = self.sums.took[str(index)]
            if count and seen + count >= wanted:
                lower = BOUNDS[index - 1] if index else 0
                return lower + (upper - lower) * (wanted - seen) / count
            seen += count
        return None


def points(hours: Iterable[Hour], span: Span, now: datetime) -> list[Point]:
    """One point for each step, those in which nothing happened too."""
    since = span.since(now)
    found = [Point(since + step * span.step, Sums()) for step in range(span.points)]
    for each in hours:
        index = (each.at - since) // span.step
        if 0 <= index < len(found):
            found[index].sums.add(each.sums)
    return found


@dataclass(frozen=True)
class Mark:
    """A bar, or a part of one; `words` tell what it stands for."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str
    at: datetime
    """The beginning of its point."""


@dataclass(frozen=True)
class Chart:
    """One drawing, with what a person needs to read it."""

    title: str
    top: str
    """What the upper edge stands for."""
    middle: str
    """The same of the line half way up, which on a logarithmic scale is not half of it."""
    legend: tuple[tuple[str, str], ...]
    """Each kind of mark, and what it means."""
    marks: Sequence[Mark]
    summary: str
    """The drawing in a sentence, for those who do not see it."""
    hint: str
    """What is to be known of its scale, and of what is left out; empty where there is nothing."""

    @property
    def width(self) -> float:
        """In the drawing's units."""
        return _STEP * max(1, len({mark.x for mark in self.marks}))


_FAULTS = (
    (Whose.CUSTOMER, N_("the customer's server")),
    (Whose.NETWORK, N_("the network between")),
    (Whose.PLATFORM, N_("the platform")),
)


def charts(found: Sequence[Point], span: Span) -> list[Chart]:
    """Rate, delivery time, age of the oldest file, and failures by whose fault they were."""
    return [
        _chart(
            _("Delivered files"),
            found,
            span,
            (("delivered", _("delivered")),),
            lambda point: (float(point.sums.delivered),),
            _NUMBERS,
        ),
        _chart(
            _("Time from the event to the file's place"),
            found,
            span,
            (("half", _("half of the files")), ("most", _("95 of 100"))),
            _times,
            _TIMES,
            _(
                "Without files that were brought back, by a person or after an outage, or "
                "delivered once more."
            ),
        ),
        _chart(
            _("Age of the oldest file"),
            found,
            span,
            (("oldest", _("waited at most")),),
            lambda point: (point.sums.oldest,),
            _TIMES,
            _("Of files that were brought back, since then."),
        ),
        _chart(
            _("Failed tries, by whose fault"),
            found,
            span,
            tuple((whose.value, _(words)) for whose, words in _FAULTS),
            lambda point: tuple(float(point.sums.failed[whose.value]) for whose, _words in _FAULTS),
            _NUMBERS,
        ),
    ]


@dataclass(frozen=True)
class _Scale:
    """How values become heights, and how they are told."""

    told: Callable[[float], str]
    up: Callable[[float], float]
    down: Callable[[float], float]
    hint: str = ""

    def height(self, value: float, top: float) -> float:
        """In the drawing's units."""
        return _HEIGHT * self.up(value) / self.up(top) if top else 0.0

    def middle(self, top: float) -> float:
        """What stands half way up."""
        return self.down(self.up(top) / 2)


def _times(point: Point) -> tuple[float, float]:
    """The second one is what 95 of 100 files took longer than half of them."""
    half, most = point.quantile(0.5) or 0.0, point.quantile(0.95) or 0.0
    return half, max(0.0, most - half)


def _chart(
    title: str,
    found: Sequence[Point],
    span: Span,
    legend: tuple[tuple[str, str], ...],
    values: Callable[[Point], tuple[float, ...]],
    scale: _Scale,
    hint: str = "",
) -> Chart:
    columns = [values(point) for point in found]
    top = max((sum(column) for column in columns), default=0.0)
    marks = [
        mark
        for index, (point, column) in enumerate(zip(found, columns, strict=True))
        for mark in _column(index, point, column, top, legend, span, scale)
    ]
    latest = sum(columns[-1]) if columns else 0.0
    told = scale.told
    places = {"title": title, "span": span.label, "top": told(top), "now": told(latest)}
    summary = _("%(title)s, the last %(span)s: %(top)s at most, %(now)s now.") % places
    hints = " ".join(each for each in (_(scale.hint) if scale.hint else "", hint) if each)
    return Chart(title, told(top), told(scale.middle(top)), legend, marks, summary, hints)


def _column(
    index: int,
    point: Point,
    column: tuple[float, ...],
    top: float,
    legend: tuple[tuple[str, str], ...],
    span: Span,
    scale: _Scale,
) -> Iterable[Mark]:
    """The marks of one point, one upon the other; an empty one where nothing happened."""
    when = told_hour(point.at, span)
    below, seen = 0.0, 0.0
    for (kind, words), value in zip(legend, column, strict=True):
        seen += value
        reached = scale.height(seen, top)
        sentence = f"{when}: {scale.told(seen if kind == 'most' else value)} {words}"
        y = _HEIGHT - reached
        yield Mark(index * _STEP, y, _STEP - _GAP, reached - below, kind, sentence, point.at)
        below = reached


def _number(value: float) -> str:
    return number(round(value))


def told_hour(at: datetime, span: Span) -> str:
    """`23 Nov 14:00`; of days `23 Nov`."""
    return f"{day_and_month(at)} {at:%H:%M}" if span is Span.HOURS else day_and_month(at)


def told_seconds(value: float) -> str:
    """`3.2 s`, `12 min`."""
    return f"{decimal(value, 1)} s" if 0 < value < _EXACT_BELOW else duration(value)


_NUMBERS = _Scale(_number, float, float)
_TIMES = _Scale(told_seconds, math.log1p, math.expm1, N_("The scale is logarithmic."))
"""Logarithmic, for an outage of hours must not make seconds invisible."""
