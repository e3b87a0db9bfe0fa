"""How a worker is: starting, ready, degraded or stopping, and what of it is not well."""

import threading
from collections.abc import Callable

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from consumers.broker import Broker
from consumers.intake import Intake
from consumers.leases import Leases
from consumers.ledger import Document
from worker.health import Checks

PING_SECONDS = 2.0


class Readiness:
    """Asks each part that a worker cannot do without."""

    def __init__(
        self,
        database: Database[Document],
        brokers: tuple[Broker, ...],
        intake: Intake,
        leases: Leases,
    ) -> None:
        self._database = database
        self._brokers = brokers
        self._intake = intake
        self._leases = leases
        self._was_ready = threading.Event()
        self._stopping = threading.Event()

    @property
    def checks(self) -> Checks:
        """What must be well, each with its sentence where it is not."""
        parts: dict[str, Callable[[], str | None]] = {
            "rabbitmq": self._rabbitmq,
            "mongodb": self._mongodb,
            "intake": self._taking,
            "accounts": self._owning,
            "running": self._running,
        }
        return parts

    def state(self) -> str:
        """`starting` was never ready so far; `degraded` was, and something is away."""
        if self._stopping.is_set():
            return "stopping"
        if all(check() is None for check in self.checks.values()):
            self._was_ready.set()
            return "ready"
        return "degraded" if self._was_ready.is_set() else "starting"

    def stopping(self) -> None:
        """The worker has been asked to stop."""
        self._stopping.set()

    def _rabbitmq(self) -> str | None:
        connected = all(broker.ready for broker in self._brokers)
        return None if connected else "RabbitMQ is not connected."

    def _mongodb(self) -> str | None:
        try:
            with pymongo.timeout(PING_SECONDS):
                self._database.command("ping")
        except PyMongoError:
            return "MongoDB does not answer."
        return None

    def _taking(self) -> str | None:
        taking = self._intake.consuming.is_set()
        return None if taking else "The intake does not consume yet."

    def _owning(self) -> str | None:
        return None if self._leases.owned() else "This worker owns no accounts yet."

    def _running(self) -> str | None:
        return "The worker is stopping." if self._stopping.is_set() else None
