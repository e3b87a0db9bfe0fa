"""How far a machine's clock is from the database's, as far as an answer tells."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from worker import clocks

ASKED = 1_800_000_000.0


@pytest.mark.parametrize(
    ("theirs", "under_way", "ahead"),
    [
        (0.0, 0.0, 0.0),
        (-300.0, 1.0, 300.0),
        (+300.0, 1.0, -299.0),
        (+1.0, 2.0, 0.0),  # in the time that the answer took
    ],
)
def test_what_the_answer_was_under_way_is_no_difference(
    monkeypatch: pytest.MonkeyPatch, theirs: float, under_way: float, ahead: float
) -> None:
    moments = iter([ASKED, ASKED + under_way])
    nowhere: Any = None
    monkeypatch.setattr(time, "time", lambda: next(moments))
    monkeypatch.setattr(clocks, "clock", lambda _: datetime.fromtimestamp(ASKED + theirs, UTC))
    assert clocks.difference(nowhere, 1.0) == ahead


@pytest.mark.parametrize(
    ("ahead", "far", "words"),
    [
        (60.0, False, "1 minute ahead of MongoDB's"),
        (61.0, True, "1 minute ahead of MongoDB's"),
        (-301.0, True, "5 minutes behind MongoDB's"),
        (100_000_000.0, True, "1157 days 9 hours ahead of MongoDB's"),
    ],
)
def test_more_than_a_minute_is_told_in_minutes(ahead: float, *, far: bool, words: str) -> None:
    assert clocks.is_far(ahead) is far
    assert clocks.in_words(ahead) == words
