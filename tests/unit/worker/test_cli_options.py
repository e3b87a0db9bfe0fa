"""How the commands read times."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from worker.cli.options import check_range, filled, moment


@pytest.mark.parametrize(
    ("given_text", "meant"),
    [
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T14:05", datetime(2026, 11, 23, 14, 5, tzinfo=UTC)),
        ("2026-11-23 14:05:06.5", datetime(2026, 11, 23, 14, 5, 6, 500_000, tzinfo=UTC)),
        ("2026-11-23T14:05:00Z", datetime(2026, 11, 23, 14, 5, tzinfo=UTC)),
        ("2026-11-23T14:05:00+02:00", datetime(2026, 11, 23, 12, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_iso_8601_and_utc_where_it_names_no_offset(
    given_text: str, meant: datetime
) -> None:
    assert moment(given_text) == meant


@pytest.mark.parametrize(
    ("given_text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_duration_is_so_long_ago(given_text: str, ago: timedelta) -> None:
    before = datetime.now(UTC)
    assert before - ago <= moment(given_text) <= datetime.now(UTC) - ago


@pytest.mark.parametrize(
    "given_text", ["", "yesterday", "2h30", "-2h", "999999999w", "0001-01-01T00:00+14:00"]
)
def test_anything_else_is_wrong_usage(given_text: str) -> None:
    with pytest.raises(typer.BadParameter, match="nor so long ago"):
        moment(given_text)


@pytest.mark.parametrize("given_text", ["", " ", "\t"])
def test_a_choice_is_not_widened_by_a_variable_that_is_not_set(given_text: str) -> None:
    with pytest.raises(typer.BadParameter, match="it is empty"):
        filled(given_text)


def test_a_range_the_wrong_way_round_is_wrong_usage() -> None:
    day = datetime(2026, 11, 23, tzinfo=UTC)
    for since, until in ((day, day), (day, day - timedelta(days=1))):
        with pytest.raises(typer.BadParameter, match="--until must be later"):
            check_range(since, until)
    check_range(day, None)
    check_range(None, day)
    check_range(day, day + timedelta(seconds=1))


@given(st.text())
def test_no_text_breaks_the_reading_of_times(given_text: str) -> None:
    with contextlib.suppress(typer.BadParameter):
        assert moment(given_text).tzinfo is UTC
