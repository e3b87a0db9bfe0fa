"""The parts that every command needs: the database, the directory, the ledger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pymongo.database import Database

from alerts.outbox import Outbox
from alerts.relay import AlertTried
from config.alert_addresses import AlertAddresses
from config.directory import Directory
from config.mail_links import MailLinks
from config.secrets import Vault
from config.settings import Settings
from consumers.amqp.connection import Broker, Publisher
from consumers.amqp.declared import DeclaredQueues
from consumers.delivery.dead_letters import DeadLetters
from consumers.intake.routing import Router
from consumers.ledger import Document, Ledger
from consumers.observe import BatchObserver, Observer
from transports.base import Egress
from worker import mongodb

DATABASE = "courier"
CONNECT_LIMIT = 10.0


@dataclass(frozen=True)
class Core:
    """Settings, database, and the two modules that know its documents."""

    settings: Settings
    database: Database[Document]
    directory: Directory
    ledger: Ledger


def egress(settings: Settings) -> Egress:
    """Where uploads, tests of settings and https sources may connect to."""
    return Egress(deny=settings.egress_deny, allow=settings.egress_allow)


@dataclass(frozen=True)
class Messaging:
    """The publishing connection, and the parts that publish over it."""

    broker: Broker
    publisher: Publisher
    router: Router
    dead_letters: DeadLetters


@contextmanager
def open_core(settings: Settings) -> Iterator[Core]:
    """Connect to MongoDB at its first use, which raises pymongo's errors where it is away."""
    with mongodb.connected(settings.mongodb) as client:
        database = client.get_default_database(DATABASE)
        directory = Directory(database, Vault(settings.secret_keys))
        yield Core(settings, database, directory, Ledger(database))


@contextmanager
def open_messaging(core: Core, observe: Observer) -> Iterator[Messaging]:
    """Connect to RabbitMQ for publishing. Raises BrokerAway where it cannot be reached."""
    messaging = make_messaging(core, observe)
    messaging.broker.start()
    try:
        messaging.broker.wait_ready(CONNECT_LIMIT)
        yield messaging
    finally:
        messaging.broker.stop()


def make_messaging(core: Core, observe: Observer, spans: BatchObserver | None = None) -> Messaging:
    """The parts that publish; their connection is not started yet."""
    rabbitmq = core.settings.rabbitmq
    broker = Broker(rabbitmq, "publishing", observe)
    publisher = Publisher(broker)
    queues = DeclaredQueues(rabbitmq)
    router = Router(queues, publisher, core.ledger, spans)
    dead_letters = DeadLetters(rabbitmq, queues, publisher, router, core.ledger, observe)
    return Messaging(broker, publisher, router, dead_letters)


def make_addresses(core: Core) -> AlertAddresses:
    """The record of what alert addresses were sent, and what their readers answered."""
    return AlertAddresses(core.database, must_confirm=core.settings.confirm_alert_emails)


def make_outbox(core: Core, observe: Callable[[AlertTried], None]) -> Outbox:
    """The outbox of alerts, by the settings of the process."""
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
