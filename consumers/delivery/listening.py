"""Hears what is said to an account's server while a person has asked for it (`courier trace`)."""

import contextlib
import threading
import time
from datetime import UTC, datetime

import pymongo
from pymongo.errors import PyMongoError

from consumers.delivery.deps import Deps
from consumers.ledger import RunState, TracedLine
from transports.tap import Line

MOST_LINES = 400
"""Of a piece: what is said faster than this nobody reads."""
PIECE_SECONDS = 0.4
WRITE_SECONDS = 1.0
"""Longest wait for the database: nobody's files are to wait for what a person reads."""


class Listening:
    """For one session of an account. Its thread calls all of it but what the tap calls."""

    def __init__(self, deps: Deps, account_id: str) -> None:
        self._deps = deps
        self._account_id = account_id
        self._tap = deps.taps.of(account_id)
        self._lock = threading.Lock()
        self._lines: list[TracedLine] = []
        self._left_out = 0
        self._until = 0.0
        self._written_at = 0.0

    def note(self, run: RunState) -> None:
        """Begin, go on or stop, as the account's state says."""
        seconds = run.seconds_until(run.traced_until)
        self._until = time.monotonic() + seconds
        self._tap.listener = self._hear if seconds else None

    def hand_over(self, *, now: bool = False) -> None:
        """Write down what was heard, if it is time; with `now` in any case."""
        if self._tap.listener is None and not self._lines:
            return
        if time.monotonic() >= self._until:
            self._tap.listener = None
        if now or time.monotonic() - self._written_at >= PIECE_SECONDS:
            self._written_at = time.monotonic()
            self._write()

    def end(self) -> None:
        """The session is over."""
        self._tap.listener = None
        self.hand_over(now=True)

    def _hear(self, line: Line) -> None:
        told = TracedLine(datetime.now(UTC), line.connection, line.by.value, line.text)
        with self._lock:
            if len(self._lines) < MOST_LINES:
                self._lines.append(told)
            else:
                self._left_out += 1

    def _write(self) -> None:
        """What cannot be written is lost: it is for a person's eyes alone."""
        with self._lock:
            lines, self._lines = self._lines, []
            left_out, self._left_out = self._left_out, 0
        if lines:
            with contextlib.suppress(PyMongoError), pymongo.timeout(WRITE_SECONDS):
                self._deps.ledger.traces.write(self._account_id, self._deps.worker, lines, left_out)
