"""The collaborators of every account session, made once by the composition root."""

from dataclasses import dataclass
from pathlib import Path

from config.directory import Directory
from consumers.broker import Broker, Publisher
from consumers.dead_letters import DeadLetters
from consumers.ledger import Ledger
from consumers.observe import Observer
from consumers.ownership import Ownership
from consumers.policy import Rules
from consumers.routing import Router
from consumers.slots import Slots
from transports.base import Egress, Limits


@dataclass(frozen=True)
class Means:
    """The shared collaborators; a session owns none of them."""

    worker: str
    directory: Directory
    ledger: Ledger
    broker: Broker
    publisher: Publisher
    router: Router
    dead_letters: DeadLetters
    ownership: Ownership
    slots: Slots
    rules: Rules
    limits: Limits
    egress: Egress
    source_dirs: tuple[Path, ...]
    max_source_bytes: int
    observe: Observer
