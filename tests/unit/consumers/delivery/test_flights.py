"""The flights of a session: what they take of the process's slots, and when they give it back."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.delivery.flights import Ended, Flights
from consumers.delivery.slots import Slots


def claim(name: str) -> Any:
    return SimpleNamespace(recording_id=name, file_name=f"{name}.wav")


class Held:
    """Flights that end when they are told to."""

    def __init__(self, slots: Slots) -> None:
        self.flights = Flights(8, slots, threading.Event())
        self.go_on: dict[str, threading.Event] = {}

    def begin(self, name: str, most: int = 8) -> bool:
        with self.flights.room(most) as is_room:
            if is_room:
                self.go_on[name] = threading.Event()
                self.flights.begin([claim(name)], lambda: self._end(name))
        return is_room

    def end(self, name: str) -> None:
        self.go_on[name].set()

    def _end(self, name: str) -> list[Ended]:
        self.go_on[name].wait(20)
        return [Ended(claim(name), delivered=True)]


@pytest.fixture
def slots() -> Slots:
    """Of a process with six, of which the session has taken one."""
    slots = Slots(6)
    assert slots.take()
    return slots


@pytest.fixture
def held(slots: Slots) -> Iterator[Held]:
    held = Held(slots)
    yield held
    for name in held.go_on:
        held.end(name)
    held.flights.close()
    assert slots.free == 5


def wait_free(slots: Slots, free: int) -> None:
    for _ in range(400):
        if slots.free == free:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{slots.free} are free, not {free}")


def test_the_first_uses_the_slot_of_the_session_and_each_other_one_more(
    held: Held, slots: Slots
) -> None:
    assert [held.begin(name) for name in "abc"] == [True, True, True]
    assert slots.free == 3


def test_no_more_than_asked_for(held: Held, slots: Slots) -> None:
    assert [held.begin(name, most=2) for name in "abc"] == [True, True, False]
    assert slots.free == 4


def test_the_last_free_slot_is_left_to_an_account_that_becomes_due(
    held: Held, slots: Slots
) -> None:
    assert [held.begin(name) for name in "abcdefg"] == [True] * 5 + [False] * 2
    assert slots.free == 1


def test_the_slot_of_one_that_has_ended_is_free_though_nobody_has_collected_it(
    held: Held, slots: Slots
) -> None:
    for name in "abc":
        held.begin(name)
    held.end("a")
    wait_free(slots, 4)
    held.end("b")
    wait_free(slots, 5)
    assert len(held.flights) == 3


def test_room_that_is_not_used_costs_nothing(held: Held, slots: Slots) -> None:
    held.begin("a")
    with held.flights.room(8) as is_room:
        assert is_room
        assert slots.free == 4
    assert slots.free == 5


def test_one_that_begins_after_all_have_ended_uses_the_slot_of_the_session(
    held: Held, slots: Slots
) -> None:
    held.begin("a")
    held.begin("b")
    held.end("a")
    held.end("b")
    wait_free(slots, 5)
    assert held.begin("c")
    assert slots.free == 5
    assert "c" in held.flights
    assert held.flights.file_names == {"a.wav", "b.wav", "c.wav"}


def test_a_flight_that_raises_anything_at_all_has_ended(slots: Slots) -> None:
    flights = Flights(8, slots, threading.Event())

    def dies() -> list[Ended]:
        raise SystemExit

    with flights.room(8) as is_room:
        assert is_room
        flights.begin([claim("a"), claim("b")], dies)
    ((first, second),) = flights.close()
    assert isinstance(first.error, SystemExit)
    assert isinstance(second.error, SystemExit)
    assert not len(flights)
    assert slots.begin_exclusive(flights)


def test_one_that_could_not_be_begun_does_not_run(
    slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    flights = Flights(8, slots, threading.Event())

    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(flights._pool, "submit", no_thread)
        with pytest.raises(RuntimeError), flights.room(8):
            flights.begin([claim("a")], lambda: [Ended(claim("a"))])
    assert flights.close() == []
    assert not len(flights)
    assert slots.begin_exclusive(flights)
