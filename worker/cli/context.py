"""The database and the broker of a command, open while the command runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pymongo

from config.settings import load_settings
from worker import mongodb
from worker.database import Core, open_core

if TYPE_CHECKING:
    from consumers.observe import Observation
    from worker.core import Messaging

DATABASE_SECONDS = 5.0
"""How long a command waits before it says that the database is away."""


@contextmanager
def core() -> Iterator[Core]:
    """The database, the directory and the ledger, by the settings of the process.

    Raises ConfigError, and pymongo's errors where MongoDB is away.
    """
    try:
        with open_core(load_settings()) as opened:
            with pymongo.timeout(DATABASE_SECONDS):
                mongodb.ask(opened.database)
            yield opened
    finally:
        mongodb.end_at_once()


@contextmanager
def messaging() -> Iterator[tuple[Core, "Messaging"]]:
    """The same with a connection to RabbitMQ. Raises BrokerAway."""
    from worker.core import open_messaging  # noqa: PLC0415 - its libraries take a while to load

    with core() as opened, open_messaging(opened, _unheard) as connected:
        yield opened, connected


def _unheard(_observation: "Observation") -> None:
    """A command prints its own outcome: observations are not logged."""
