"""How many sessions at once a server takes is learned from its refusals, and tried carefully."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.accounts import FtpSettings, Protocol
from consumers.delivery.observed_limit import (
    FIRST_PAUSE,
    HELD_SECONDS,
    LONGEST_PAUSE,
    STILL_COUNTED_SECONDS,
    ObservedLimit,
    ObservedLimits,
)

USEFUL = 8


class Clock:
    """The time, as a test has it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> ObservedLimit:
    return ObservedLimit(clock)


def test_without_a_refusal_all_that_is_useful_may_be_open(limit: ObservedLimit) -> None:
    limit.stand(3)
    assert min(USEFUL, limit.sessions) == USEFUL


@pytest.mark.parametrize(("taken", "left"), [(0, 1), (1, 1), (3, 3)])
def test_a_refusal_leaves_as_many_as_the_server_has_taken_and_never_none(
    limit: ObservedLimit, taken: int, left: int
) -> None:
    limit.refused(taken)
    assert min(USEFUL, limit.sessions) == left


def test_two_that_are_refused_together_are_one_lesson(limit: ObservedLimit, clock: Clock) -> None:
    limit.refused(2)
    limit.refused(2)
    clock.now += FIRST_PAUSE
    assert min(USEFUL, limit.sessions) == 3


def pause_of(limit: ObservedLimit, clock: Clock) -> float:
    """Seconds until one more is tried."""
    began, before = clock.now, min(USEFUL, limit.sessions)
    while min(USEFUL, limit.sessions) == before:
        clock.now += 0.5
    return clock.now - began


def test_one_more_at_a_time_is_tried_and_sooner_where_that_is_taken(
    limit: ObservedLimit, clock: Clock
) -> None:
    limit.refused(1)
    seen = []
    for sessions in range(2, 8):
        seen.append(pause_of(limit, clock))
        assert min(USEFUL, limit.sessions) == sessions
        limit.stand(sessions)
    assert seen == [60, 30, 15, 7.5, 5, 5]


def test_each_refused_step_doubles_the_pause_up_to_the_longest(
    limit: ObservedLimit, clock: Clock
) -> None:
    limit.refused(2)
    pauses = []
    for _ in range(6):
        pauses.append(pause_of(limit, clock))
        limit.refused(2)
    assert pauses == [60, 120, 240, 480, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_step_that_is_refused_after_some_were_taken_waits_for_long_again(
    limit: ObservedLimit, clock: Clock
) -> None:
    limit.refused(1)
    for sessions in (2, 3, 4):
        pause_of(limit, clock)
        limit.stand(sessions)
    pause_of(limit, clock)
    limit.refused(4)
    assert pause_of(limit, clock) == FIRST_PAUSE


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 2000)), max_size=30))
def test_there_is_always_room_for_one_and_never_for_more_than_is_useful(
    refusals: list[tuple[int, float]],
) -> None:
    clock = Clock()
    limit = ObservedLimit(clock)
    for taken, seconds in refusals:
        limit.refused(taken)
        clock.now += seconds
        assert 1 <= min(USEFUL, limit.sessions) <= USEFUL
        limit.stand(int(min(USEFUL, limit.sessions)))


def test_a_server_that_may_still_count_an_ended_session_is_left_alone_for_longer_each_time(
    limit: ObservedLimit, clock: Clock
) -> None:
    limit.stand(1)
    limit.has_ended()
    waits = []
    while (wait := limit.wait_for_ended()) is not None:
        waits.append(wait)
        clock.now += wait
    assert waits == [1, 2, 4, 8, 15, 15, 15, 15]
    limit.stand(1)
    assert limit.wait_for_ended() == 1, "it has taken one since"


def test_a_server_that_never_took_one_or_long_ago_is_not_waited_for(
    limit: ObservedLimit, clock: Clock
) -> None:
    assert limit.wait_for_ended() is None
    limit.stand(1)
    clock.now += STILL_COUNTED_SECONDS + 1
    assert limit.wait_for_ended() is None


def settings(**changes: object) -> FtpSettings:
    values = {"protocol": Protocol.FTP, "host": "one.example", "port": 21, "username": "u"}
    return FtpSettings.model_validate({**values, **changes})


def test_where_others_come_first_no_more_are_opened_for_a_moment_and_nothing_is_learned(
    limit: ObservedLimit, clock: Clock
) -> None:
    limit.hold(2)
    assert limit.sessions == 2
    clock.now += HELD_SECONDS
    assert limit.sessions >= USEFUL


def test_what_was_learned_is_kept_for_the_next_session_of_the_login_and_for_no_other() -> None:
    limits = ObservedLimits()
    limits.of("acme", settings()).refused(1)
    assert min(USEFUL, limits.of("acme", settings(path="other")).sessions) == 1
    assert min(USEFUL, limits.of("acme", settings(host="two.example")).sessions) == USEFUL
    assert min(USEFUL, limits.of("globex", settings()).sessions) == USEFUL


def test_no_more_logins_than_so_many_are_remembered() -> None:
    limits = ObservedLimits(most=2)
    for name in ("a", "b", "a", "c"):
        limits.of(name, settings()).refused(1)
    assert min(USEFUL, limits.of("a", settings()).sessions) == 1
    assert min(USEFUL, limits.of("b", settings()).sessions) == USEFUL
