"""Who may begin an upload, and how long anybody waits for one that has to be alone."""

import pytest

from consumers.delivery import slots
from consumers.delivery.slots import Slots

ONE, ANOTHER = object(), object()
CLEARING, ALONE, SILENCE = slots.CLEARING_SECONDS, slots.EXCLUSIVE_SECONDS, slots.SILENCE_SECONDS


class Clock:
    """The module's monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(slots, "time", made)
    return made


def ask_for(process: Slots, clock: Clock, seconds: float, who: object = ONE) -> bool:
    """Ask each second to be alone, for so long; whether it was granted."""
    for _ in range(round(seconds)):
        if process.begin_exclusive(who):
            return True
        clock.now += 1
    return process.begin_exclusive(who)


def seconds_held_back(process: Slots, clock: Clock) -> int:
    """How long others wait while somebody asks to be alone, and something runs on and on."""
    for second in range(10_000):
        process.begin_exclusive(ONE)
        if process.begin():
            process.end()
            return second
        clock.now += 1
    raise AssertionError("for ever")


def test_uploads_run_side_by_side_where_none_has_to_be_alone() -> None:
    process = Slots(2)
    assert process.begin()
    assert process.begin()


def test_nothing_begins_while_one_is_alone(clock: Clock) -> None:
    process = Slots(2)
    assert process.begin_exclusive(ONE)
    clock.now += ALONE - 1
    assert not process.begin()
    assert not process.begin_exclusive(ANOTHER)
    process.end()
    assert process.begin()


@pytest.mark.usefixtures("clock")
def test_it_waits_until_those_that_run_have_ended_and_nothing_new_begins() -> None:
    process = Slots(3)
    assert process.begin()
    assert process.begin()
    assert not process.begin_exclusive(ONE)
    assert not process.begin()
    process.end()
    assert not process.begin_exclusive(ONE)
    process.end()
    assert not process.begin()
    assert process.begin_exclusive(ONE)


def test_a_long_upload_holds_the_others_back_for_a_while_only(clock: Clock) -> None:
    process = Slots(3)
    process.begin()
    assert seconds_held_back(process, clock) == CLEARING
    assert process.begin()
    assert not ask_for(process, clock, CLEARING - 1)
    assert process.begin(), "they go on for as long as they were held back"


def test_each_time_in_vain_is_twice_as_long_up_to_a_limit(clock: Clock) -> None:
    process = Slots(3)
    process.begin()
    times = []
    for _ in range(7):
        times.append(seconds_held_back(process, clock))
        clock.now += times[-1]
    assert times == [20, 40, 80, 160, 300, 300, 300]


def test_whoever_asks_no_more_is_waited_for_no_longer(clock: Clock) -> None:
    process = Slots(3)
    process.begin()
    process.begin_exclusive(ONE)
    clock.now += SILENCE - 0.1
    assert not process.begin()
    clock.now += 0.1
    assert process.begin()


def test_an_old_question_holds_nobody_back_for_longer(clock: Clock) -> None:
    process = Slots(3)
    process.begin()
    process.begin_exclusive(ONE)
    clock.now += 1000
    assert not process.begin_exclusive(ANOTHER), "it counts from now"
    process.end()
    assert process.begin_exclusive(ANOTHER)
    process.end()
    assert process.begin()


def test_half_of_the_time_belongs_to_the_others(clock: Clock) -> None:
    process = Slots(3)
    process.begin()
    assert not ask_for(process, clock, 5)
    process.end()
    assert process.begin_exclusive(ONE)
    clock.now += 10
    process.end()
    for _ in range(15):
        assert not process.begin_exclusive(ANOTHER)
        assert process.begin()
        process.end()
        clock.now += 1
    assert process.begin_exclusive(ANOTHER)


def test_an_upload_that_takes_long_shares_the_process(clock: Clock) -> None:
    process = Slots(3)
    process.begin_exclusive(ONE)
    clock.now += ALONE - 1
    assert process.exclusive_for(ONE) == ALONE - 1
    assert process.exclusive_for(ANOTHER) is None
    process.share(ANOTHER)
    assert not process.begin()
    process.share(ONE)
    assert process.begin()
    process.end()
    process.end()
    clock.now += ALONE
    assert process.begin_exclusive(ANOTHER)
