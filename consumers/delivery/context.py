"""What all flights of one account session share."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pymongo
from pymongo.errors import PyMongoError

from consumers.delivery.connection_pool import ConnectionPool
from consumers.delivery.deps import Deps
from consumers.delivery.outcome import OutcomeRecorder
from consumers.sharding.revocation import Revocation
from transports.network.bandwidth import Bandwidth

STOPPING_SECONDS, MISSED_SECONDS = 10.0, 0.2
"""Longest wait of a process that ends for the database, for what the next session can do too: as
long as the election of another primary takes. A claim that is not given back counts as lost."""


@dataclass
class Failures:
    """The failures of one account session, written down one at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while one is written down, over all that this asks of MongoDB, and while the session
    reads its account's state and claims: nothing is claimed on a state that a failure changes."""
    count: int = 0


@dataclass(frozen=True)
class Context:
    """For all threads of the session."""

    account_id: str
    epoch: int
    deps: Deps
    pool: ConnectionPool
    stopping: threading.Event
    failures: Failures
    revocation: Revocation
    session: str
    """Its id, which the claims name: the owner's token."""
    bandwidth: Bandwidth = field(default_factory=Bandwidth)
    """What its uploads share, where the account has a limit."""
    _missed: threading.Event = field(default_factory=threading.Event)
    """Set where the database did not answer in time while the process ends."""

    @property
    def is_cut(self) -> bool:
        """Whether uploads are cut at this moment: what they fail of is nobody's failure."""
        return self.stopping.is_set() or bool(self.revocation)

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Around what may be left to the next session. A process that ends waits for it shortly,
        and where it has missed the database once hardly at all: it may be away for all files."""
        if not self.stopping.is_set():
            yield
            return
        try:
            with pymongo.timeout(MISSED_SECONDS if self._missed.is_set() else STOPPING_SECONDS):
                yield
        except PyMongoError:
            self._missed.set()
            raise

    @property
    def outcomes(self) -> OutcomeRecorder:
        """Writes down what becomes of the tries."""
        return OutcomeRecorder(self.account_id, self.epoch, self.deps)
