"""A reading that is shared by all who look costs a bounded share of the worker."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.console.recent import SHARE, Recent


def test_a_slow_reading_is_kept_for_nine_times_as_long_as_it_took() -> None:
    readings = 0

    def read() -> int:
        nonlocal readings
        readings += 1
        time.sleep(0.05)
        return readings

    recent = Recent(read)
    began = time.monotonic()
    while readings < 3:
        recent.get()
        time.sleep(0.001)

    assert time.monotonic() - began >= 2 * 0.05 * SHARE


def test_a_reading_that_failed_is_not_kept() -> None:
    failing = True

    def read() -> str:
        if failing:
            raise ConnectionError
        return "fine"

    recent = Recent(read)
    with pytest.raises(ConnectionError):
        recent.get()
    failing = False

    assert recent.get() == "fine"


def test_a_fresh_reading_has_begun_after_it_was_asked_for_and_is_shared_by_those_who_wait() -> None:
    readings: list[int] = []
    going, go_on, waiting = threading.Event(), threading.Event(), threading.Barrier(9)

    def read() -> int:
        readings.append(len(readings) + 1)
        going.set()
        assert go_on.wait(60)
        return readings[-1]

    def ask() -> int:
        waiting.wait(60)
        return recent.fresh()

    recent = Recent(read)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(recent.fresh)
        assert going.wait(60)
        others = [pool.submit(ask) for _ in range(8)]
        waiting.wait(60)
        time.sleep(0.2)  # so that all of them have asked
        go_on.set()
        assert first.result(60) == 1
        assert {each.result(60) for each in others} == {2}
