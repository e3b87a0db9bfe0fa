"""The parts of a process that works: what publishes, what tells people, what reads recordings.

Commands that only look need `database` alone, and do not wait for the libraries of these parts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.alert_addresses import AlertAddresses
from config.audit import Audit
from config.mail_links import MailLinks
from config.settings import Settings
from transports.sources.stores import Stores
from worker.database import Core, open_core

if TYPE_CHECKING:
    from alerts.outbox import Outbox
    from alerts.relay import AlertTried
    from consumers.amqp.connection import Broker, Publisher
    from consumers.delivery.dead_letters import DeadLetters
    from consumers.delivery.redelivery import Redelivery
    from consumers.intake.routing import Router
    from consumers.observe import BatchObserver, Observer
    from consumers.upkeep.bulk import BulkRunner
    from transports.base import Egress

__all__ = [
    "CONNECT_LIMIT",
    "Core",
    "Messaging",
    "egress",
    "make_addresses",
    "make_bulk_runner",
    "make_messaging",
    "make_outbox",
    "open_core",
    "open_messaging",
    "stores",
]

CONNECT_LIMIT = 10.0


def egress(settings: Settings) -> "Egress":
    """Where uploads, tests of settings and stores of recordings may be, how they leave, and where
    servers may connect to us."""
    from transports.base import ActiveFtp, Egress  # noqa: PLC0415 - as for `make_messaging`

    ports, addresses = settings.active_ftp_ports, settings.active_ftp_addresses
    return Egress(
        deny=settings.egress_deny,
        allow=settings.egress_allow,
        sources=settings.source_address,
        proxy=settings.proxy,
        active=None if ports is None else ActiveFtp(addresses, ports),
    )


def stores(settings: Settings) -> Stores:
    """The stores that recordings may come from over the network."""
    return Stores(settings.logins_of_sources, settings.s3, settings.google, settings.azure)


@dataclass(frozen=True)
class Messaging:
    """The publishing connection, and the parts that publish over it."""

    broker: "Broker"
    publisher: "Publisher"
    router: "Router"
    dead_letters: "DeadLetters"
    redelivery: "Redelivery"


@contextmanager
def open_messaging(core: Core, observe: "Observer") -> Iterator[Messaging]:
    """Connect to RabbitMQ for publishing. Raises BrokerAway where it cannot be reached."""
    messaging = make_messaging(core, observe)
    messaging.broker.start()
    try:
        messaging.broker.wait_ready(CONNECT_LIMIT)
        yield messaging
    finally:
        messaging.broker.stop()


def make_messaging(
    core: Core, observe: "Observer", spans: "BatchObserver | None" = None
) -> Messaging:
    """The parts that publish; their connection is not started yet.

    Their libraries are loaded here: most commands publish nothing.
    """
    from consumers.amqp.connection import Broker, Publisher  # noqa: PLC0415 - said above
    from consumers.amqp.declared import DeclaredQueues  # noqa: PLC0415 - said above
    from consumers.delivery.dead_letters import DeadLetters  # noqa: PLC0415 - said above
    from consumers.delivery.redelivery import Redelivery  # noqa: PLC0415 - said above
    from consumers.intake.routing import Router  # noqa: PLC0415 - said above

    rabbitmq = core.settings.rabbitmq
    broker = Broker(rabbitmq, "publishing", observe)
    publisher = Publisher(broker)
    queues = DeclaredQueues(rabbitmq)
    router = Router(queues, publisher, core.ledger, spans)
    dead_letters = DeadLetters(rabbitmq, queues, publisher, router, core.ledger, observe)
    redelivery = Redelivery(router, core.ledger)
    return Messaging(broker, publisher, router, dead_letters, redelivery)


def make_bulk_runner(core: Core, messaging: Messaging) -> "BulkRunner":
    """What carries out bulk actions."""
    from config.tokens import Tokens  # noqa: PLC0415 - as for `make_messaging`
    from config.users import Users  # noqa: PLC0415 - as for `make_messaging`
    from consumers.upkeep.account_acts import AccountActs  # noqa: PLC0415 - as for `make_messaging`
    from consumers.upkeep.bulk import BulkRunner  # noqa: PLC0415 - as for `make_messaging`

    audit, find = Audit(core.database), core.directory.find
    users, tokens = Users(core.database, find), Tokens(core.database, find)
    return BulkRunner(
        core.ledger,
        messaging.dead_letters,
        core.settings.rabbitmq,
        messaging.publisher,
        audit,
        AccountActs(core.ledger, core.directory, users, tokens, audit),
    )


def make_addresses(core: Core) -> AlertAddresses:
    """The record of what alert addresses were sent, and what their readers answered."""
    return AlertAddresses(core.database, must_confirm=core.settings.confirm_alert_emails)


def make_outbox(core: Core, observe: "Callable[[AlertTried], None]") -> "Outbox":
    """The outbox of alerts, by the settings of the process."""
    from alerts.outbox import Outbox  # noqa: PLC0415 - as for `make_messaging`

    settings = core.settings
    return Outbox(
        core.database,
        sender=settings.alert_from,
        platform=settings.platform_name,
        smtp=settings.smtp,
        oncall=settings.oncall_emails,
        addresses=make_addresses(core),
        links=MailLinks(settings.secret_keys, settings.console_url),
        observe=observe,
    )
