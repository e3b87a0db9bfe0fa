"""The collaborators of every account session, made once by the composition root."""

from dataclasses import dataclass
from pathlib import Path

from config.directory import Directory
from consumers.amqp.connection import Broker, Publisher
from consumers.delivery.dead_letters import DeadLetters
from consumers.delivery.policy import Rules
from consumers.delivery.slots import Slots
from consumers.intake.routing import Router
from consumers.ledger import Ledger
from consumers.observe import Observer
from consumers.sharding.leases import Ownership
from transports.base import Egress, Limits


@dataclass(frozen=True)
class Deps:
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
