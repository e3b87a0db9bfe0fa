"""What a command works with, opened for as long as it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from config.settings import load_settings
from consumers.observe import Observation
from worker.core import Core, Messaging, open_core, open_messaging


@contextmanager
def core() -> Iterator[Core]:
    """The database, the directory and the ledger, by the settings of the process."""
    with open_core(load_settings()) as opened:
        yield opened


@contextmanager
def messaging() -> Iterator[tuple[Core, Messaging]]:
    """The same with a connection to RabbitMQ. Raises BrokerAway."""
    with core() as opened, open_messaging(opened, _unheard) as connected:
        yield opened, connected


def _unheard(_observation: Observation) -> None:
    """A command tells its own story."""
