"""SIGTERM and SIGINT: the first asks to stop in order, the second to hurry."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass(frozen=True)
class StopSignals:
    """What has been asked for so far."""

    stop: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """The signals that come while the block runs; before and after, they do what they did."""
    asked = StopSignals()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if asked.stop.is_set():
            asked.hurry.set()
        asked.stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield asked
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
