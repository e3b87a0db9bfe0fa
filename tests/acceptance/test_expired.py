"""A certificate of RabbitMQ's or MongoDB's that has expired: told wherever one looks."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.program import Program
from tests.acceptance.test_processes import NO_CONSOLE, Running, started
from tests.acceptance.test_start import changed, told
from tests.integration.platform import until
from tests.servers.certificates import Authority
from tests.servers.tls_front import TlsFront

ADDRESS = "127.0.0.1"
EXPIRED = "certificate has expired"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def rabbitmq(courier: Program, authority: Authority) -> Iterator[TlsFront]:
    with _front(courier.settings["AMQP_URL"], authority) as front:
        yield front


@pytest.fixture
def mongodb(courier: Program, authority: Authority) -> Iterator[TlsFront]:
    with _front(courier.settings["MONGODB_URL"], authority) as front:
        yield front


def _front(url: str, authority: Authority) -> TlsFront:
    port = urlsplit(url).port
    assert port is not None
    return TlsFront(port, authority.issue(ADDRESS, expired=True))


def by_rabbitmq(courier: Program, authority: Authority, front: TlsFront) -> dict[str, str]:
    """The settings that lead there."""
    place = f"guest:guest@{ADDRESS}:{front.port}"
    url = changed(courier.settings["AMQP_URL"], scheme="amqps", netloc=place)
    return {"AMQP_URL": url, "TLS_CA_FILE": str(authority.file)}


def by_mongodb(courier: Program, authority: Authority, front: TlsFront) -> dict[str, str]:
    """The settings that lead there."""
    place = f"{ADDRESS}:{front.port}"
    url = changed(courier.settings["MONGODB_URL"], netloc=place, query="tls=true")
    return {"MONGODB_URL": url, "TLS_CA_FILE": str(authority.file)}


def reason(running: Running) -> str:
    """Why it is not ready, as a probe is told."""
    return running.wait_state("starting").reason


def test_an_expired_certificate_of_rabbitmqs_is_told_until_it_is_renewed(
    courier: Program, authority: Authority, rabbitmq: TlsFront
) -> None:
    there = by_rabbitmq(courier, authority, rabbitmq)
    words = f"the certificate is not trusted: {EXPIRED}"
    assert words in told(courier("check", "--json", **there), "RabbitMQ")
    with started(courier, 1, NO_CONSOLE, **there) as running:
        until(lambda: words in reason(running), lambda: f"the words; they are {reason(running)}")
        assert running.is_alive()
        rabbitmq.show(authority.issue(ADDRESS))
        running.wait_state("ready")
        running.terminate()
        running.wait_end()


def test_an_expired_certificate_of_mongodbs_is_told(
    courier: Program, authority: Authority, mongodb: TlsFront
) -> None:
    there = by_mongodb(courier, authority, mongodb)
    words = f"certificate verify failed: {EXPIRED}"
    assert words in told(courier("check", "--json", **there), "MongoDB")
    with started(courier, 1, NO_CONSOLE, **there) as running:
        expected = f"MongoDB does not answer: {ADDRESS}:{mongodb.port}: "
        until(lambda: words in reason(running), lambda: f"the words; they are {reason(running)}")
        assert expected in reason(running)
        assert running.is_alive()
        running.terminate()
        running.wait_end()
