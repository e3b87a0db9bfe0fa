"""RabbitMQ and MongoDB under TLS: chain and name are checked alike, by each library."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest
from pydantic import SecretStr
from pymongo.errors import PyMongoError

from config.tls import Endpoint, Trust
from consumers.amqp import topology
from consumers.amqp.connection import Broker, BrokerAway, Publisher
from consumers.database_words import in_words
from consumers.intake.invalid_queue import InvalidFilter, look_at_invalid
from consumers.observe import Observation, Trouble
from deploy.local.mongodb import OPTIONS, installed, private_member
from deploy.local.processes import free_port
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.services import Services
from tests.integration.platform import until
from tests.servers.certificates import Authority, Pair
from tests.servers.own_broker import own_broker
from worker import mongodb

ADDRESS = "127.0.0.1"
_DEMAND = "{fail_if_no_peer_cert,true}"
REFUSED = "COURIER_TLS_CERT_FILE|reset by peer"
"""The server hangs up right after it told why; what is read first is a matter of moments."""
Library = Callable[[Endpoint], None]


@dataclass(frozen=True)
class Listeners:
    """Further ports of the broker, each under TLS with a certificate of its own."""

    authority: Authority
    """Issued all but one of the certificates."""
    stranger: Authority
    """Trusted by nobody here."""
    fine: int
    other_name: int
    named_localhost: int
    expired: int
    of_a_stranger: int
    demanding: int
    """Demands a certificate of the client."""


@pytest.fixture(scope="module")
def rabbitmq(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    with own_broker(services.rabbitmq, tmp_path_factory.mktemp("own") / "broker") as broker:
        yield broker


@pytest.fixture
def amqp_url(rabbitmq: RabbitMQ) -> str:
    """The virtual host of nobody else: nothing of it is looked at here."""
    return rabbitmq.url


@pytest.fixture(scope="module")
def listeners(rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listeners]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    fine = authority.issue(ADDRESS)
    made = [
        (free_port(), _options(fine)),
        (free_port(), _options(authority.issue("other.example"))),
        (free_port(), _options(authority.issue("localhost"))),
        (free_port(), _options(authority.issue(ADDRESS, expired=True))),
        (free_port(), _options(stranger.issue(ADDRESS))),
        (free_port(), _options(fine, demanded_of=authority)),
    ]
    listen = [
        f"ok = rabbit_networking:start_ssl_listener({_address(port)}, [{options}], 1)"
        for port, options in made
    ]
    rabbitmq.evaluate(f"application:ensure_all_started(ssl), {', '.join(listen)}.")
    yield Listeners(authority, stranger, *(port for port, _ in made))
    stop = [f"rabbit_networking:stop_tcp_listener({_address(port)})" for port, _ in made]
    rabbitmq.evaluate(f"{', '.join(stop)}.")


def _address(port: int) -> str:
    return f'{{"{ADDRESS}",{port},inet}}'


def _options(pair: Pair, demanded_of: Authority | None = None) -> str:
    """The listener's options, in Erlang."""
    own = f'{{certfile,"{pair.cert}"}},{{keyfile,"{pair.key}"}}'
    if demanded_of is None:
        return f"{own},{{verify,verify_none}}"
    return f'{own},{{cacertfile,"{demanded_of.file}"}},{{verify,verify_peer}},{_DEMAND}'


def at(amqp_url: str, port: int, trust: Trust, host: str = ADDRESS) -> Endpoint:
    parts = urlsplit(amqp_url)
    url = parts._replace(scheme="amqps", netloc=f"guest:guest@{host}:{port}").geturl()
    return Endpoint(SecretStr(url), trust)


def by_kombu(rabbitmq: Endpoint) -> None:
    topology.declare_once(rabbitmq, topology.INVALID)


def by_pika(rabbitmq: Endpoint) -> None:
    look_at_invalid(rabbitmq, InvalidFilter(), 0, 1)


def by_the_publisher(rabbitmq: Endpoint) -> None:
    seen: list[Observation] = []
    broker = Broker(rabbitmq, "test", seen.append)
    broker.start()
    try:
        until(lambda: broker.ready or seen, "the connection or its failure")
        if not broker.ready:
            (trouble, *_) = seen
            assert isinstance(trouble, Trouble)
            raise BrokerAway(trouble.words)
        Publisher(broker).publish_all([])
    finally:
        broker.stop()


every_library = pytest.mark.parametrize("library", [by_kombu, by_pika, by_the_publisher])


@every_library
def test_own_authority_and_name_are_enough(
    amqp_url: str, listeners: Listeners, library: Library
) -> None:
    library(at(amqp_url, listeners.fine, listeners.authority.trust()))


@every_library
def test_a_certificate_of_another_name_is_refused(
    amqp_url: str, listeners: Listeners, library: Library
) -> None:
    with pytest.raises(BrokerAway, match=r"the certificate is not trusted: .*127\.0\.0\.1"):
        library(at(amqp_url, listeners.other_name, listeners.authority.trust()))


@every_library
def test_a_certificate_of_an_unknown_authority_is_refused(
    amqp_url: str, listeners: Listeners, library: Library
) -> None:
    for trust in (listeners.authority.trust(), Trust()):
        with pytest.raises(BrokerAway, match="the certificate is not trusted: "):
            library(at(amqp_url, listeners.of_a_stranger, trust))


@every_library
def test_an_expired_certificate_is_refused(
    amqp_url: str, listeners: Listeners, library: Library
) -> None:
    with pytest.raises(BrokerAway, match=r"the certificate is not trusted: .*expired"):
        library(at(amqp_url, listeners.expired, listeners.authority.trust()))


@every_library
def test_a_broker_that_demands_a_certificate_gets_ours(
    amqp_url: str, listeners: Listeners, library: Library
) -> None:
    own = listeners.authority.issue("courier")
    library(at(amqp_url, listeners.demanding, listeners.authority.trust(own)))
    with pytest.raises(BrokerAway, match=REFUSED):
        library(at(amqp_url, listeners.demanding, listeners.authority.trust()))
    strange = listeners.authority.trust(listeners.stranger.issue("courier"))
    with pytest.raises(BrokerAway, match=REFUSED):
        library(at(amqp_url, listeners.demanding, strange))
    late = listeners.authority.trust(listeners.authority.issue("courier", expired=True))
    with pytest.raises(BrokerAway, match=REFUSED):
        library(at(amqp_url, listeners.demanding, late))


@every_library
def test_a_port_without_tls_is_told_as_such(
    amqp_url: str, listeners: Listeners, library: Library
) -> None:
    port = urlsplit(amqp_url).port
    assert port is not None
    with pytest.raises(BrokerAway) as caught:
        library(at(amqp_url, port, listeners.authority.trust()))
    assert "_ssl.c" not in str(caught.value)


@every_library
def test_each_node_of_a_cluster_is_checked_for_its_own_name(
    amqp_url: str, listeners: Listeners, library: Library
) -> None:
    """Both orders happen: the order is one of chance."""
    trust = listeners.authority.trust()
    good = at(amqp_url, listeners.named_localhost, trust, host="localhost")
    bad = at(amqp_url, listeners.other_name, trust)
    for _ in range(6):
        library(_cluster(bad, good))
    with pytest.raises(BrokerAway, match="not trusted"):
        library(_cluster(bad, bad))


def test_a_lost_connection_is_replaced_under_the_name_of_the_next_node(
    amqp_url: str, listeners: Listeners
) -> None:
    trust = listeners.authority.trust()
    one = at(amqp_url, listeners.fine, trust)
    two = at(amqp_url, listeners.named_localhost, trust, host="localhost")
    broker = Broker(_cluster(one, two), "test", _unheard)
    broker.start()
    try:
        broker.wait_ready(60)
        for _ in range(4):
            broker.call(lambda connection: connection.close())
            until(lambda: broker.ready, "another connection")
        assert broker.call(_server_name) in {ADDRESS, "localhost"}
    finally:
        broker.stop()


def _cluster(*nodes: Endpoint) -> Endpoint:
    urls = ";".join(node.url.get_secret_value() for node in nodes)
    return Endpoint(SecretStr(urls), nodes[0].trust)


def _server_name(connection: pika.BlockingConnection) -> str:
    name: str = connection._impl.params.ssl_options.server_hostname
    return name


def _unheard(_observation: Observation) -> None:
    """What happens in between is not the test's concern."""


@pytest.fixture
def mongod(tmp_path: Path, listeners: Listeners) -> Iterator[str]:
    """A replica set that speaks TLS alone and demands a certificate; its URL without a host."""
    authority = listeners.authority
    server = authority.issue(ADDRESS)
    both = tmp_path / "server.pem"
    both.write_bytes(server.cert.read_bytes() + server.key.read_bytes())
    tls = ("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(both))
    options = (*OPTIONS, *tls, "--tlsCAFile", str(authority.file))
    client = {"tls": True, "tlsCAFile": str(authority.file), "tlsCertificateKeyFile": str(both)}
    program = installed()
    assert program is not None
    with private_member(tmp_path / "mongod", program, options, client) as member:
        member.wait_ready()
        yield str(member.member)


def test_mongodb_under_tls_gets_our_certificate_and_is_checked_like_the_others(
    mongod: str, listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that refuses is asked again for as long as one that is away.
    monkeypatch.setitem(mongodb.OURS, "timeoutMS", 5_000)
    authority, stranger = listeners.authority, listeners.stranger
    own = authority.issue("courier")
    url = f"mongodb://{mongod}/x?tls=true"
    assert not asked(url, authority.trust(own))
    elsewhere = url.replace(ADDRESS, "localhost")
    assert "not valid for 'localhost'" in asked(elsewhere, authority.trust(own))
    assert "certificate verify failed" in asked(url, stranger.trust(own))
    for unfit in (
        authority.trust(),  # we show none
        authority.trust(stranger.issue("courier")),
        authority.trust(authority.issue("courier", expired=True)),
    ):
        assert "demands TLS (tls=true in the URL), or a certificate" in asked(url, unfit)
    assert "demands TLS (tls=true in the URL)" in asked(url.partition("?")[0], Trust())


def asked(url: str, trust: Trust) -> str:
    """The words in which it fails; empty where it takes a write."""
    try:
        with mongodb.connected(Endpoint(SecretStr(url), trust)) as client:
            mongodb.ask(client.get_default_database())
            client.get_default_database()["x"].insert_one({})
    except PyMongoError as error:
        return in_words(error)
    return ""


def test_without_tls_in_the_url_the_files_are_not_used(
    services: Services, listeners: Listeners
) -> None:
    trust = listeners.authority.trust(listeners.authority.issue("x"))
    with mongodb.connected(Endpoint(SecretStr(services.mongodb_url), trust)) as client:
        mongodb.ask(client.get_default_database())
