"""How a worker is: starting, ready, degraded or stopping, and what of it is not well."""

import threading

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from consumers.broker import Broker
from consumers.intake import Intake
from consumers.leases import Leases
from consumers.ledger import Document
from worker import mongodb
from worker.health import Checks

ASK_SECONDS = 1.5
"""Longest wait for the database: whoever asks `/readyz` has the answer within two seconds."""


class Phase:
    """Where a program is in its life. Callable from any thread."""

    def __init__(self) -> None:
        self._was_ready = threading.Event()
        self._stopping = threading.Event()

    def told(self, well: bool) -> str:  # noqa: FBT001 - the one thing the health server knows
        """`starting` was never well so far; `degraded` was, and is not now."""
        if self._stopping.is_set():
            return "stopping"
        if well:
            self._was_ready.set()
            return "ready"
        return "degraded" if self._was_ready.is_set() else "starting"

    def stop(self) -> None:
        """The program has been asked to stop."""
        self._stopping.set()

    def running(self) -> str | None:
        """The check that fails while the program stops, however well all else is."""
        return "The program is stopping." if self._stopping.is_set() else None


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
        self.phase = Phase()

    @property
    def checks(self) -> Checks:
        """What must be well, each with its sentence where it is not."""
        return {
            "rabbitmq": self._rabbitmq,
            "mongodb": self._mongodb,
            "intake": self._taking,
            "accounts": self._owning,
            "running": self.phase.running,
        }

    def state(self) -> str:
        """How the worker is now."""
        return self.phase.told(all(check() is None for check in self.checks.values()))

    def _rabbitmq(self) -> str | None:
        connected = all(broker.ready for broker in self._brokers)
        return None if connected else "RabbitMQ is not connected."

    def _mongodb(self) -> str | None:
        try:
            with pymongo.timeout(ASK_SECONDS):
                self._database.command("ping")
        except PyMongoError as error:
            return mongodb.sentence(error)
        return None

    def _taking(self) -> str | None:
        taking = self._intake.consuming.is_set()
        return None if taking else "The intake does not consume yet."

    def _owning(self) -> str | None:
        return None if self._leases.owned() else "This worker owns no accounts yet."
