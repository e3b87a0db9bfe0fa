"""What all flights of one account session share."""

import threading
from dataclasses import dataclass, field

from consumers.delivery.connection_pool import ConnectionPool
from consumers.delivery.deps import Deps
from consumers.delivery.outcome import OutcomeRecorder
from consumers.sharding.revocation import Revocation


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

    @property
    def is_cut(self) -> bool:
        """Whether uploads are cut at this moment: what they fail of is nobody's failure."""
        return self.stopping.is_set() or bool(self.revocation)

    @property
    def outcomes(self) -> OutcomeRecorder:
        """Writes down what becomes of the tries."""
        return OutcomeRecorder(self.account_id, self.epoch, self.deps)
