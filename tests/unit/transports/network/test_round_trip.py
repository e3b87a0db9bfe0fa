"""The round trip: the least of the recent answers that nothing could hold up."""

import pytest

from transports.network.round_trip import RoundTrip

QUICK, SLOW = 0.001, 0.04


class Line:
    """A clock that is moved by hand, and the round trip measured by it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.seen = RoundTrip(lambda: self.now)

    def answers(self, seconds: float, times: int) -> float:
        """So many requests, one after the other; what the round trip is then."""
        for _ in range(times):
            asked = self.seen.ask()
            self.now += seconds
            self.seen.answer(asked)
        return self.seen.seconds


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


def test_nothing_is_said_before_six_answers(line: Line) -> None:
    assert line.answers(SLOW, 5) == 0
    assert line.answers(SLOW, 1) == pytest.approx(SLOW)


def test_one_quick_answer_among_slow_ones_is_the_round_trip(line: Line) -> None:
    line.answers(SLOW, 6)
    line.answers(QUICK, 1)
    assert line.answers(SLOW, 15) == pytest.approx(QUICK)


def test_a_line_that_becomes_slower_is_followed_after_sixteen_answers(line: Line) -> None:
    line.answers(QUICK, 20)
    assert line.answers(SLOW, 16) == pytest.approx(SLOW)


def test_answers_that_stand_behind_others_make_no_line_a_far_one(line: Line) -> None:
    line.answers(QUICK, 6)
    busy = line.seen.ask()
    assert line.answers(SLOW, 100) == pytest.approx(QUICK)
    line.seen.answer(busy)
    assert line.answers(SLOW, 15) == pytest.approx(SLOW)


def test_an_answer_behind_others_counts_where_it_is_the_quickest(line: Line) -> None:
    line.answers(SLOW, 6)
    line.seen.ask()
    assert line.answers(QUICK, 1) == pytest.approx(QUICK)


def test_the_answer_to_a_large_request_is_no_measure(line: Line) -> None:
    line.answers(QUICK, 6)
    for _ in range(20):
        asked = line.seen.ask(100_000)
        line.now += SLOW
        line.seen.answer(asked)
    assert line.seen.seconds == pytest.approx(QUICK)


def test_what_is_never_answered_holds_nothing_up_any_more(line: Line) -> None:
    line.answers(QUICK, 6)
    line.seen.ask()
    line.seen.ask()
    line.seen.forget(2)
    assert line.answers(SLOW, 16) == pytest.approx(SLOW)


def test_an_answer_that_is_read_late_took_no_longer_than_the_server(line: Line) -> None:
    late = RoundTrip(lambda: heard_at)
    for _ in range(6):
        asked = late.ask()
        heard_at = line.now + QUICK
        line.now += SLOW
        late.answer(asked)
    assert late.seconds == pytest.approx(QUICK)
