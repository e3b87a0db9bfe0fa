"""The parts that the intake works with."""

from collections.abc import Iterator
from datetime import timedelta

import pika
import pytest
from cryptography.fernet import Fernet
from kombu import Connection
from pydantic import SecretStr
from pymongo.database import Database

from config.directory import Directory
from config.secrets import Vault
from config.tls import Endpoint
from consumers.amqp import topology
from consumers.amqp.connection import Broker, Publisher
from consumers.amqp.declared import DeclaredQueues
from consumers.intake.routing import Router
from consumers.ledger import Document, Ledger
from consumers.observe import Observation
from consumers.upkeep import reconciler
from tests.integration.intake.route import ACCOUNT, LIMIT, Route


@pytest.fixture
def route(amqp_url: str, database: Database[Document]) -> Iterator[Route]:
    rabbitmq = Endpoint(SecretStr(amqp_url))
    seen: list[Observation] = []
    directory = Directory(database, Vault([SecretStr(Fernet.generate_key().decode())]))
    directory.create(ACCOUNT, ftp_access=True)
    ledger = Ledger(database)
    broker = Broker(rabbitmq, "publishing", seen.append)
    publisher = Publisher(broker)
    with Connection(amqp_url) as declaring:
        topology.declare_base(declaring.default_channel)
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    broker.start()
    try:
        broker.wait_ready(LIMIT)
        router = Router(DeclaredQueues(rabbitmq), publisher, ledger)
        yield Route(rabbitmq, directory, ledger, publisher, router, connection.channel(), seen)
    finally:
        broker.stop()
        if connection.is_open:
            connection.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish counts as dead as soon as it was begun."""
    monkeypatch.setattr(reconciler, "UNROUTED_AGE", timedelta(0))
