"""Repeats work in a thread of its own, however the last round ended."""

import threading
from collections.abc import Callable

from consumers.faults import observed
from consumers.observe import Observer


class Periodic:
    """Runs `work` every `seconds`. An error is observed, and the next round comes all the same."""

    def __init__(
        self, name: str, seconds: float, work: Callable[[], object], observe: Observer
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._observe = observe
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Begin no other round."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for the round that runs, for `seconds` at most."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._once()
            self._stopping.wait(self._seconds)

    def _once(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - one bad round must not end all the others
            self._observe(observed(error, self._name))
