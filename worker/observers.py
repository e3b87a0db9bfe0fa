"""What happens is told to the log and the metrics; none of them can fail whoever tells it."""

import contextlib
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from alerts.relay import AlertTried
from consumers.observe import FileEnded, Observation

Told = TypeVar("Told")
Hears = Callable[[Observation | AlertTried], None]


class Observers(Generic[Told]):
    """Callable from any thread. Never raises: an observer that fails is one line in the log."""

    def __init__(self, *observers: Callable[[Told], None]) -> None:
        self._observers = observers

    def __call__(self, observation: Told) -> None:
        """Tell each of them."""
        for observer in self._observers:
            try:
                observer(observation)
            except Exception as error:  # noqa: BLE001 - a file's outcome is worth more than its log
                _tell(observation, error)


def not_of_files(account_id: str | None, hears: Hears) -> Hears:
    """An observer that is not told how the files of this account end.

    Those of the canary are no customer's: they are left out of freshness and of what is counted of
    files, and have a figure of their own.
    """

    def told(observation: Observation | AlertTried) -> None:
        if not (isinstance(observation, FileEnded) and observation.account_id == account_id):
            hears(observation)

    return told


def _tell(observation: object, error: Exception) -> None:
    with contextlib.suppress(Exception):  # where the log itself is what fails
        log = structlog.stdlib.get_logger("courier")
        log.error("observer_failed", observation=type(observation).__name__, exc_info=error)
