"""A reading that is shared by all who look costs a bounded share of the worker."""

import time

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
