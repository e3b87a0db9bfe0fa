"""A limit of kilobytes a second is kept evenly, whoever sends."""

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.network.bandwidth import KILOBYTE, Bandwidth

BLOCK = 255 * 1024


class Hours:
    """A clock that goes on by sleeping alone, and sleeps a little too long."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 500.0
        self.late = late
        self.slept = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.late
        self.slept += 1

    def bandwidth(self) -> Bandwidth:
        return Bandwidth(self.clock, self.sleep)


def blocks_of(size: int) -> Iterator[bytes]:
    while size:
        yield bytes(min(size, BLOCK))
        size -= min(size, BLOCK)


def seconds_for(hours: Hours, pieces: Iterable[bytes]) -> float:
    began = hours.now
    for _ in pieces:
        pass
    return hours.now - began


@pytest.mark.parametrize("late", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("kilobytes", [10, 100, 1_000, 10_000])
def test_a_large_file_takes_as_long_as_the_limit_says_within_a_tenth(
    kilobytes: int, late: float
) -> None:
    """Also where every sleep is too long: the time is made good."""
    hours, expected = Hours(late), 60.0
    size = int(kilobytes * KILOBYTE * expected)
    took = seconds_for(hours, hours.bandwidth().spread(blocks_of(size), kilobytes))
    assert 0.9 * expected <= took <= 1.1 * expected


@given(st.lists(st.binary(max_size=5000), max_size=20), st.integers(1, 1_000_000))
def test_the_bytes_are_the_same(blocks: list[bytes], kilobytes: int) -> None:
    spread = Hours().bandwidth().spread(blocks, kilobytes)
    assert b"".join(spread) == b"".join(blocks)


def test_it_is_sent_evenly_and_in_few_steps() -> None:
    """Ten pieces a second, not one block every few seconds; and it sleeps once for each."""
    hours = Hours()
    moments = [hours.now for _ in hours.bandwidth().spread(blocks_of(1_000_000), 100)]
    gaps = [after - before for before, after in pairwise(moments)]
    assert max(gaps) <= 0.11
    assert hours.slept <= len(moments) <= 110


def test_what_was_not_used_is_not_kept_for_later() -> None:
    hours = Hours()
    bandwidth = hours.bandwidth()
    seconds_for(hours, bandwidth.spread(blocks_of(100_000), 100))
    hours.now += 3600
    took = seconds_for(hours, bandwidth.spread(blocks_of(1_000_000), 100))
    assert took >= 9.0


def test_a_limit_that_is_changed_counts_from_the_next_piece() -> None:
    hours = Hours()
    bandwidth = hours.bandwidth()
    seconds_for(hours, bandwidth.spread(blocks_of(100_000), 10))
    took = seconds_for(hours, bandwidth.spread(blocks_of(1_000_000), 1000))
    assert took <= 1.5


def test_several_threads_share_it() -> None:
    """Measured in time that was spent: together they are no faster than one."""
    bandwidth, size = Bandwidth(), 50_000
    threads = [
        threading.Thread(target=lambda: [None for _ in bandwidth.spread(blocks_of(size), 200)])
        for _ in range(4)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert time.monotonic() - began >= 0.9 * (4 * size / 200_000) - 0.1
