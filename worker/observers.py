"""Passes observations on to the log, the metrics and the spans. Their failures stay there."""

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
    """An observer that does not hear how the files of this account end.

    The canary's files are no customer's: freshness and the counts of files leave them out, and the
    canary has a metric of its own.
    """

    def told(observation: Observation | AlertTried) -> None:
        if not (isinstance(observation, FileEnded) and observation.account_id == account_id):
            hears(observation)

    return told


def _tell(observation: object, error: Exception) -> None:
    with contextlib.suppress(Exception):  # where the log itself is what fails
        log = structlog.stdlib.get_logger("courier")
        log.error("observer_failed", observation=type(observation).__name__, exc_info=error)
