"""The state of a worker (starting, ready, degraded, stopping), and the reasons."""

import threading
from dataclasses import dataclass

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from config.directory import Directory
from consumers.amqp.connection import Broker
from consumers.amqp.rights import Rights
from consumers.intake.intake import Intake
from consumers.ledger import Document, Ledger
from consumers.sharding.leases import Leases
from worker import clocks, mongodb
from worker.health import DEGRADED, Checks
from worker.outgoing import OutgoingWatch
from worker.preparation import Preparation

SHOWN = 3
"""Most accounts whose broken queues are named."""
READ = 3
"""Stored passwords that are read at each look: wrong keys read none of them."""
ASK_SECONDS = 1.5
"""Longest wait for the database: `/readyz` is to answer within two seconds."""


class Phase:
    """Where a program is in its life. Callable from any thread."""

    def __init__(self) -> None:
        self._was_ready = threading.Event()
        self._stopping = threading.Event()

    def told(self, well: bool) -> str:  # noqa: FBT001 - the one thing the health server knows
        """The state's word: `starting` was not well yet, `degraded` was and is not now."""
        if self._stopping.is_set():
            return "stopping"
        if well:
            self._was_ready.set()
            return "ready"
        return DEGRADED if self._was_ready.is_set() else "starting"

    def stop(self) -> None:
        """Note that the program has been asked to stop."""
        self._stopping.set()

    def running(self) -> str | None:
        """The check that fails while the program stops, however well all else is."""
        return "The program is stopping." if self._stopping.is_set() else None


@dataclass(frozen=True)
class Condition:
    """A worker's state in a word, whether it serves, and a sentence about what is not well."""

    word: str
    serves: bool
    words: str | None


class Readiness:
    """Checks the parts that a worker needs, and looks for flaws that do not stop it."""

    def __init__(
        self,
        database: Database[Document],
        directory: Directory,
        ledger: Ledger,
        brokers: tuple[Broker, ...],
        intake: Intake,
        leases: Leases,
        rights: Rights,
        outgoing: OutgoingWatch,
        preparation: Preparation,
    ) -> None:
        self._database = database
        self._directory = directory
        self._ledger = ledger
        self._rights = rights
        self._outgoing = outgoing
        self._preparation = preparation
        self._brokers = brokers
        self._intake = intake
        self._leases = leases
        self._ahead = 0.0  # this machine's clock, as MongoDB has last answered
        self.phase = Phase()

    @property
    def checks(self) -> Checks:
        """The checks that must be well; each gives a sentence where it is not."""
        return {
            "rabbitmq": self._rabbitmq,
            "mongodb": self._mongodb,
            "indexes": self._preparation.unready,
            "intake": self._taking,
            "accounts": self._owning,
            "running": self.phase.running,
        }

    @property
    def flaws(self) -> Checks:
        """The checks for flaws, which a person should mend while the work goes on."""
        return {
            "rights": self._lacking,
            "queues": self._queues,
            "invalid_events": self._keeping,
            "keys": self._reading,
            "outgoing": self._outgoing.flaw,
            "clock": self._clock,
        }

    def condition(self) -> Condition:
        """The worker's state now."""
        wrong = next(filter(None, (check() for check in self.checks.values())), None)
        word = self.phase.told(wrong is None)
        if wrong is not None:
            return Condition(word, serves=False, words=wrong)
        flaw = next(filter(None, (check() for check in self.flaws.values())), None)
        return Condition(DEGRADED if flaw else word, serves=True, words=flaw)

    def _rabbitmq(self) -> str | None:
        return next(filter(None, (broker.trouble for broker in self._brokers)), None)

    def _mongodb(self) -> str | None:
        try:
            self._ahead = clocks.difference(self._database, ASK_SECONDS)
        except PyMongoError as error:
            return mongodb.sentence(error)
        return None

    def _taking(self) -> str | None:
        lacking = self._rights.missing(stops_intake=True)
        if lacking is not None:
            return f"RabbitMQ refuses what the intake needs: {lacking}."
        trouble = self._intake.trouble
        if trouble is not None:
            return f"The intake takes no events: {trouble}."
        if not self._rights.are_known:
            return "The rights at RabbitMQ are not known yet."
        return None if self._intake.consuming.is_set() else "The intake does not consume yet."

    def _lacking(self) -> str | None:
        lacking = self._rights.missing(stops_intake=False)
        return lacking and f"RabbitMQ refuses: {lacking}."

    def _queues(self) -> str | None:
        try:
            with pymongo.timeout(ASK_SECONDS):
                broken = self._ledger.accounts.broken_queues()
        except PyMongoError:
            return None  # which its own check tells
        if not broken:
            return None
        named = [f"{name}: {error.words}" for name, error in list(broken.items())[:SHOWN]]
        what = "account has a queue" if len(broken) == 1 else "accounts have queues"
        return f"{len(broken)} {what} that cannot be used: {'; '.join(named)}."

    def _keeping(self) -> str | None:
        unkept = self._intake.unkept
        return unkept and f"Events that cannot be used cannot be kept: {unkept}."

    def _reading(self) -> str | None:
        try:
            with pymongo.timeout(ASK_SECONDS):
                return self._directory.unreadable(READ)
        except PyMongoError:
            return None  # which its own check tells

    def _clock(self) -> str | None:
        if not clocks.is_far(self._ahead):
            return None
        return f"This machine's clock is {clocks.in_words(self._ahead)}: {clocks.ADVICE}"

    def _owning(self) -> str | None:
        return None if self._leases.owned() else "This worker owns no accounts yet."
