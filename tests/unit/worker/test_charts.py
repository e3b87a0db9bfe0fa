"""Sums of hours become points, quantiles and drawings."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from consumers.ledger.hours import BOUNDS, Hour, Sums
from worker.charts import Chart, Point, Span, charts, points, told_seconds

NOW = datetime(2026, 11, 29, 14, 41, 7, tzinfo=UTC)


def hour(ago: int, **sums: object) -> Hour:
    at = NOW.replace(minute=0, second=0) - timedelta(hours=ago)
    return Hour(at, Sums(**sums))  # type: ignore[arg-type]


def drawn(*hours: Hour, span: Span = Span.HOURS) -> dict[str, Chart]:
    return {each.title: each for each in charts(points(hours, span, NOW), span)}


def test_every_step_has_a_point_and_the_last_one_holds_now() -> None:
    for span in Span:
        found = points([], span, NOW)
        assert len(found) == span.points
        assert found[-1].at <= NOW < found[-1].at + span.step
        assert found[0].at == span.since(NOW)


def test_hours_of_one_day_are_one_point_of_weeks() -> None:
    found = points([hour(1, delivered=2), hour(3, delivered=5, oldest=9.0)], Span.WEEKS, NOW)
    assert (found[-1].sums.delivered, found[-1].sums.oldest) == (7, 9.0)
    assert not any(each.sums.delivered for each in found[:-1])


def test_what_lies_outside_the_span_is_left_out() -> None:
    assert not any(
        each.sums.delivered
        for each in points([hour(48, delivered=2), hour(-1, delivered=2)], Span.HOURS, NOW)
    )


@pytest.mark.parametrize(
    ("took", "share", "seconds"),
    [
        ({}, 0.5, None),
        ({"0": 10}, 0.5, 0.5),
        ({"0": 5, "2": 5}, 0.5, 1.0),
        ({"0": 50, "2": 50}, 0.95, 4.7),
        ({str(len(BOUNDS)): 1}, 0.5, float(BOUNDS[-1])),
    ],
)
def test_a_quantile_lies_between_its_bounds(
    took: dict[str, int], share: float, seconds: float | None
) -> None:
    told = Point(NOW, Sums(took=Counter(took))).quantile(share)
    assert told == (seconds if seconds is None else pytest.approx(seconds))


def test_the_highest_bar_reaches_the_top_and_tells_its_number() -> None:
    chart = drawn(hour(0, delivered=5), hour(2, delivered=2000))["Delivered files"]
    highest = max(chart.marks, key=lambda mark: mark.height)
    assert (highest.y, highest.height) == (0, 100)
    assert highest.words.endswith("12:00: 2,000 delivered")
    assert chart.top == "2,000"
    assert chart.summary == "Delivered files, the last 48 hours: 2,000 at most, 5 now."
    assert chart.width == 480


def test_failures_stand_upon_each_other_by_whose_fault_they_are() -> None:
    failed = Counter(customer=6, network=3, platform=1)
    chart = drawn(hour(0, failed=failed))["Failed tries, by whose fault"]
    bars = [mark for mark in chart.marks if mark.height]
    assert [(mark.kind, round(mark.y), round(mark.height)) for mark in bars] == [
        ("customer", 40, 60),
        ("network", 10, 30),
        ("platform", 0, 10),
    ]


def test_the_second_time_is_told_whole_and_not_as_what_it_is_longer() -> None:
    took = Counter({"0": 50, "2": 50})
    chart = drawn(hour(0, took=took))["Time from the event to the file's place"]
    half, most = [mark for mark in chart.marks if mark.height]
    assert (most.y, round(half.height + most.height)) == (0, 100)
    assert half.words.endswith("1.0 s half of the files")
    assert most.words.endswith("4.7 s 95 of 100")


def test_a_chart_says_that_its_scale_is_logarithmic_and_what_it_leaves_out() -> None:
    told = {title: chart.hint for title, chart in drawn().items()}
    assert told == {
        "Delivered files": "",
        "Time from the event to the file's place": "The scale is logarithmic. "
        "Without files that were brought back, by a person or after an outage, or delivered once "
        "more.",
        "Age of the oldest file": "The scale is logarithmic. "
        "Of files that were brought back, since then.",
        "Failed tries, by whose fault": "",
    }


def test_nothing_at_all_is_an_empty_drawing() -> None:
    for chart in drawn(span=Span.WEEKS).values():
        assert not any(mark.height for mark in chart.marks)
        assert chart.width == 910


@pytest.mark.parametrize(("value", "words"), [(0, "0 s"), (0.25, "0.2 s"), (75, "1 min")])
def test_times_are_told_as_people_say_them(value: float, words: str) -> None:
    assert told_seconds(value) == words
