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
    """The signals that arrive in the block. After it they are ignored, because the program ends.

    A late signal would interrupt Python's own shutdown, and print a traceback.
    """
    asked = StopSignals()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if asked.stop.is_set():
            asked.hurry.set()
        asked.stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        signal.signal(number, on_signal)
    try:
        yield asked
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
