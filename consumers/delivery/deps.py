"""The collaborators of every account session, made once by the composition root."""

from dataclasses import dataclass, field
from pathlib import Path

from config.directory import Directory
from consumers.amqp.connection import Broker, Publisher
from consumers.delivery.dead_letters import DeadLetters
from consumers.delivery.login_gate import LoginGate
from consumers.delivery.observed_limit import ObservedLimits
from consumers.delivery.policy import Rules
from consumers.delivery.slots import Slots
from consumers.intake.routing import Router
from consumers.ledger import Ledger
from consumers.observe import Observer
from consumers.sharding.leases import Ownership
from transports.base import Egress, Limits
from transports.sources.stores import Stores
from transports.tap import Taps


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
    logins: LoginGate
    rules: Rules
    limits: Limits
    egress: Egress
    source_dirs: tuple[Path, ...]
    max_source_bytes: int
    stores: Stores
    observe: Observer
    observed_limits: ObservedLimits = field(default_factory=ObservedLimits)
    taps: Taps = field(default_factory=Taps)
