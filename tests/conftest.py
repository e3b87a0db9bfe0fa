"""What every test may ask for: real services, and customers' servers on loopback.

A service that is missing fails the run with one sentence; nothing is ever skipped for it.
"""

import os
import secrets
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pika
import pytest
import structlog
from pymongo import MongoClient

from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from deploy.local.processes import ServiceError
from deploy.local.rabbitmq import URL_VARIABLE as BROKER_GIVEN
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.services import Services
from deploy.local.services import services as local_services
from tests.servers import Sshd, Vsftpd
from tests.servers.misbehaving import Mood, moody_server

# Each has a broker and a database beside it, half a gigabyte together.
_MOST_WORKERS = 4

# A virtual host costs 20 ms, the program that makes them half a second.
_VHOSTS_AT_ONCE = 25

# A shell has its background jobs ignore Ctrl-C, and what they start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Two busy cores make any deadline for one example fail now and then.
hypothesis.settings.register_profile("courier", deadline=None)
hypothesis.settings.load_profile("courier")


# A traceback with the values of all names takes seconds to lay out: a test's session would rest.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `make test` has: most tests wait more than they compute.

    Only one where the broker is given by its URL: its exchanges and queues are those of all.
    """
    cores = len(os.sched_getaffinity(0))
    return 0 if os.environ.get(BROKER_GIVEN) else min(cores + 1, _MOST_WORKERS)


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest) -> Iterator[Services]:
    """A broker and a replica set of each worker's own, or those of the environment."""
    try:
        with local_services() as running:
            yield running
    except ServiceError as error:
        # One worker of several cannot end the run by `pytest.exit`.
        request.session.shouldfail = str(error)
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture(scope="session")
def _mongo(services: Services) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](services.mongodb_url, tz_aware=True) as client:
        yield client


@pytest.fixture
def mongodb_url(services: Services, _mongo: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """A database of the test's own, dropped afterwards."""
    services.mongodb.start()  # a test of faults may have left it stopped
    name = f"test_{secrets.token_hex(6)}"
    yield urlsplit(services.mongodb_url)._replace(path=f"/{name}").geturl()
    services.mongodb.start()
    _mongo.drop_database(name)


class _VirtualHosts:
    """Empty ones, made in batches; a batch that fails fails the one test that needed it."""

    def __init__(self, rabbitmq: RabbitMQ) -> None:
        self._rabbitmq = rabbitmq
        self._batches = count()
        self._free: list[str] = []
        self._used: list[str] = []

    def take(self) -> str:
        """The name of one that no other test has."""
        if not self._free:
            batch = next(self._batches)
            names = [f"test-{batch}-{number}" for number in range(_VHOSTS_AT_ONCE)]
            old, self._used = self._used, []
            self._rabbitmq.replace_vhosts(old, names)
            self._free, self._used = names[::-1], names
        return self._free.pop()


@pytest.fixture(scope="session")
def _vhosts(services: Services) -> _VirtualHosts:
    return _VirtualHosts(services.rabbitmq)


@pytest.fixture
def amqp_url(services: Services, request: pytest.FixtureRequest) -> Iterator[str]:
    """A virtual host of the test's own.

    On a broker given by its URL, where none can be made: that one, and afterwards the queues
    of the accounts in the test's database are deleted.
    """
    services.rabbitmq.start()  # a test of faults may have left it stopped
    if services.rabbitmq.control is not None:
        vhosts: _VirtualHosts = request.getfixturevalue("_vhosts")
        yield services.rabbitmq.vhost_url(vhosts.take())
    else:
        database: str = request.getfixturevalue("mongodb_url")
        yield services.amqp_url
        _empty(services.amqp_url, database)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """OpenSSH with password logon. For other settings: `with Sshd(tmp_path, ...) as server`."""
    with Sshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def vsftpd(tmp_path: Path) -> Iterator[Vsftpd]:
    """vsftpd. For other settings: `with Vsftpd(tmp_path, extra=[...]) as server`."""
    with Vsftpd(tmp_path / "vsftpd") as server:
        yield server


@pytest.fixture
def asyncssh_server(tmp_path: Path) -> Iterator[AsyncSshServer]:
    """An SFTP server in this process that offers both logon methods."""
    with AsyncSshServer(
        _folder(tmp_path / "asyncssh"), logon=("password", "keyboard-interactive")
    ) as server:
        yield server


@pytest.fixture
def mood() -> Mood:
    """How the customer's server behaves, and what it has seen."""
    return Mood()


@pytest.fixture
def customer(
    tmp_path: Path, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AsyncSshServer]:
    """A customer's SFTP server of that mood.

    It answers a channel's requests one after the other, and on a busy machine loopback looks far
    away: a file whose renaming is held would hold the one that follows on its channel.
    """
    monkeypatch.setattr("consumers.delivery.connection_pool.ROUND_TRIP_FOR_ONE_MORE", 3600.0)
    with moody_server(tmp_path / "customer", mood) as server:
        yield server


@pytest.fixture
def pyftpd_server(tmp_path: Path) -> Iterator[PyFtpServer]:
    """An FTP server in this process."""
    with PyFtpServer(_folder(tmp_path / "pyftpd")) as server:
        yield server


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """A mail server in this process that keeps what it is sent."""
    with SmtpSink() as server:
        yield server


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _empty(amqp_url: str, mongodb_url: str) -> None:
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        database = client.get_default_database()
        accounts = {*database["accounts"].distinct("_id")}
        accounts |= {*database["deliveries"].distinct("account_id")}
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        channel = connection.channel()
        for queue in ("recordings.ready", "recordings.invalid"):
            channel.queue_delete(queue)
        for account in accounts:
            channel.queue_delete(f"deliveries.{account}")
            channel.queue_delete(f"dead-letters.{account}")
        for exchange in ("recordings", "deliveries"):
            channel.exchange_delete(exchange)
    finally:
        connection.close()
