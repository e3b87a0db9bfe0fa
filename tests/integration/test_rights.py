"""What RabbitMQ refuses: told in its own words, before it stops anything that could go on."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.accounts import Protocol
from config.tls import Endpoint
from consumers.amqp import rights, topology
from consumers.upkeep import reconciler
from deploy.local.customers import PyFtpServer, SmtpSink
from deploy.local.services import Services
from tests.integration.platform import Platform, platform, settings_for, until
from tests.servers.broker_users import EVERYTHING, NOTHING, LimitedUser
from worker import checks, service
from worker.service import Service

FOREIGN = {"x-max-length": 7}
BASE = r"recordings|deliveries|recordings\.(ready|invalid)"
BOTH = (True, False)
OWN = r"(deliveries|dead-letters)\..*"


@pytest.fixture
def limited(services: Services, amqp_url: str) -> LimitedUser:
    return LimitedUser.at(services.rabbitmq, amqp_url)


@pytest.fixture
def courier(
    limited: LimitedUser, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path
) -> Iterator[Platform]:
    """The platform, with a user of the broker whose rights each test gives."""
    limited.may()
    settings = settings_for(limited.url, mongodb_url, smtp_sink.url, retry_delays=(0,))
    with platform(settings, tmp_path / "recordings") as made:
        yield made


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be mended is looked at often."""
    monkeypatch.setattr(rights, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(service, "RECONCILE_SECONDS", 0.5)
    monkeypatch.setattr(reconciler, "UNROUTED_AGE", timedelta(seconds=0.5))


@contextmanager
def serving(courier: Platform) -> Iterator[Service]:
    """The service at work, ready or not."""
    started = Service(courier.core)
    started.start()
    try:
        yield started
    finally:
        started.stop(hurry=threading.Event())


def readyz(running: Service) -> tuple[int, dict[str, Any]]:
    assert running.health_address is not None
    host, port = running.health_address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/readyz", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_readyz(running: Service, code: int, status: str, *words: str) -> None:
    """Until it answers so, with all these words."""

    def answers() -> bool:
        found, told = readyz(running)
        named = json.dumps(told["checks"])
        return (found, told["status"]) == (code, status) and all(word in named for word in words)

    until(answers, lambda: f"{code} {status} {words}; it is {readyz(running)}")


def stand(amqp_url: str, *accounts: str) -> None:
    """Everything stands already, declared by somebody who may."""
    queues = [topology.account_queue(name) for name in accounts]
    dead = [topology.dead_letter_queue(name) for name in accounts]
    base = (topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE, topology.INVALID)
    topology.declare_once(Endpoint(SecretStr(amqp_url)), *base, *queues, *dead)


def check(courier: Platform) -> checks.Checked:
    return next(each for each in checks.run_checks(courier.core) if each.name == "RabbitMQ")


# --- which rights are missing ---------------------------------------------------------------

LACKING = [
    ({}, [], []),
    ({"configure": f"^({BASE}|{OWN})$"}, [], []),
    ({"write": f"^({BASE}|{OWN})$"}, [], ["exchange 'amq.default'"]),
    ({"write": rf"^(recordings.*|amq\.default|{OWN})$"}, ["exchange 'deliveries'"], []),
    ({"write": rf"^(deliveries.*|amq\.default|{OWN}|recordings\..*)$"}, [], ["'recordings'"]),
    ({"configure": f"^({BASE})$"}, [], ["deliveries.<account>", "dead-letters.<account>"]),
    ({"read": rf"^({OWN}|deliveries|recordings\..*)$"}, [], ["exchange 'recordings'"]),
    ({"write": rf"^(recordings|deliveries|amq\.default|{OWN})$"}, [], ["queue 'recordings.ready'"]),
    ({"read": f"^({BASE})$"}, [], ["deliveries.<account>", "dead-letters.<account>"]),
    ({"read": rf"^({OWN}|recordings|deliveries|recordings\.invalid)$"}, ["'recordings.ready'"], []),
]


@pytest.mark.parametrize(("given", "stopping", "others"), LACKING)
def test_each_right_that_is_missing_is_told_in_rabbitmqs_words(
    limited: LimitedUser, given: dict[str, str], stopping: list[str], others: list[str]
) -> None:
    stand(limited.amqp_url)
    limited.may(**given)
    found = rights.refusals(Endpoint(SecretStr(limited.url)))
    told = {stops: [each.words for each in found if each.stops_intake is stops] for stops in BOTH}
    assert len(told[True]) == len(stopping), found
    assert len(told[False]) == len(others), found
    for words, expected in zip(told[True] + told[False], stopping + others, strict=True):
        assert expected in words
        assert "refused for user" in words


def test_what_stands_already_needs_no_right_to_configure(limited: LimitedUser) -> None:
    stand(limited.amqp_url)
    limited.may(configure=f"^({OWN})$")
    assert rights.refusals(Endpoint(SecretStr(limited.url))) == []


def test_to_try_the_rights_leaves_nothing_and_takes_nothing(courier: Platform) -> None:
    rabbitmq = courier.core.settings.rabbitmq
    topology.declare_once(rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE)
    with courier._channel() as channel:
        channel.queue_declare("audit")
        channel.queue_bind("audit", "recordings", "#")
        channel.queue_bind("audit", "deliveries", "courier.check")
    for number in range(3):
        courier.publish_raw(b"%d" % number)
    for _ in range(2):
        assert rights.refusals(rabbitmq) == []
    courier.wait_length("audit", 3)
    courier.wait_length("recordings.ready", 3)
    with courier._channel() as channel:
        seen = [channel.basic_get("recordings.ready") for _ in range(3)]
    assert [body for _, _, body in seen] == [b"0", b"1", b"2"]
    assert not any(method and method.redelivered for method, _, _ in seen)


def test_queues_of_accounts_are_looked_at_and_none_is_made(courier: Platform) -> None:
    rabbitmq = courier.core.settings.rabbitmq
    with courier._channel() as channel:
        channel.queue_declare("deliveries.acme", durable=True)
        channel.queue_declare("dead-letters.other", durable=True, arguments=FOREIGN)
    topology.declare_once(rabbitmq, topology.account_queue("fine"))
    found = rights.broken_queues(rabbitmq, ["acme", "fine", "new", "other"])
    assert set(found) == {"deliveries.acme", "dead-letters.other"}
    assert all("inequivalent arg" in words for words in found.values())
    assert rights.broken_queues(rabbitmq, ["new"]) == {}


# --- the service goes on --------------------------------------------------------------------


def test_an_event_that_cannot_be_kept_as_invalid_stops_none_behind_it(
    courier: Platform, limited: LimitedUser
) -> None:
    courier.core.directory.create("acme", ftp_access=True)
    limited.may(write=f"^({BASE}|{OWN})$")
    with serving(courier) as running:
        wait_readyz(running, 200, "degraded", "amq.default", "refused for user")
        for _ in range(3):
            courier.publish_raw(b"nonsense")
        ids = courier.publish_many("acme", ["a.wav", "b.wav"])
        courier.wait_routed(ids)
        wait_readyz(running, 200, "degraded", "invalid_events", "cannot be kept")
        assert "amq.default" in check(courier).detail
        limited.may()
        courier.wait_length("recordings.invalid", 3)
        wait_readyz(running, 200, "ready")
    courier.wait_length("recordings.ready", 0)


def test_events_that_cannot_be_routed_at_all_are_told_as_such(
    courier: Platform, limited: LimitedUser
) -> None:
    courier.core.directory.create("acme", ftp_access=True)
    limited.may(write=rf"^(recordings.*|amq\.default|{OWN})$")
    with serving(courier) as running:
        wait_readyz(running, 503, "starting", "exchange 'deliveries'", "refused for user")
        ids = courier.publish_many("acme", ["a.wav"])
        limited.may()
        courier.wait_routed(ids)
        wait_readyz(running, 200, "ready")


def test_an_intake_queue_of_others_is_told_in_rabbitmqs_words(courier: Platform) -> None:
    with courier._channel() as channel:
        channel.queue_declare("recordings.ready", durable=True)
    with serving(courier) as running:
        wait_readyz(running, 503, "starting", "inequivalent arg", "recordings.ready")
        found = check(courier)
        assert not found.ok
        assert "inequivalent arg" in found.detail
        with courier._channel() as channel:
            channel.queue_delete("recordings.ready")
        wait_readyz(running, 200, "ready")


def test_without_a_right_to_configure_what_stands_is_used(
    courier: Platform, limited: LimitedUser
) -> None:
    courier.core.directory.create("acme", ftp_access=True)
    stand(limited.amqp_url, "acme")
    limited.may(configure=NOTHING)
    with serving(courier) as running:
        courier.wait_routed(courier.publish_many("acme", ["a.wav"]))
        wait_readyz(running, 200, "degraded", "deliveries.<account>")
    assert courier.run_state("acme").last_error is None


def test_the_broken_queue_of_an_account_is_shown_and_holds_up_nobody_else(
    courier: Platform, pyftpd_server: PyFtpServer
) -> None:
    for name in ("acme", "other"):
        courier.account(name, pyftpd_server.customer, Protocol.FTP)
    with courier._channel() as channel:
        channel.queue_declare("deliveries.acme", durable=True, arguments=FOREIGN)
    with serving(courier) as running:
        wait_readyz(running, 200, "ready")
        waits = courier.publish_many("acme", ["a.wav"])
        for name in courier.publish_many("other", ["b.wav"]):
            courier.wait_status(name, "delivered")
        wait_readyz(running, 200, "degraded", "acme", "inequivalent arg")
        error = courier.run_state("acme").last_error
        assert error is not None
        assert error.kind == "ours"
        assert "inequivalent arg" in error.words
        assert "delete it" in error.advice
        assert courier.row(waits[0])["status"] == "queued"
        assert courier.core.ledger.totals().broken_queues == 1
        assert "deliveries.acme: inequivalent arg" in check(courier).detail
        with courier._channel() as channel:
            channel.queue_delete("deliveries.acme")
        courier.wait_status(waits[0], "delivered")
        wait_readyz(running, 200, "ready")
    assert courier.run_state("acme").last_error is None
    assert courier.core.ledger.totals().broken_queues == 0


def test_a_queue_that_may_not_be_read_is_shown_on_its_account(
    courier: Platform, limited: LimitedUser, pyftpd_server: PyFtpServer
) -> None:
    for name in ("acme", "other"):
        courier.account(name, pyftpd_server.customer, Protocol.FTP)
    stand(limited.amqp_url, "acme")
    limited.may(read=rf"^({BASE}|deliveries\.(other|check-.*)|dead-letters\..*)$")
    with serving(courier) as running:
        wait_readyz(running, 200, "degraded", "acme", "refused for user")
        waits = courier.publish_many("acme", ["a.wav"])
        for name in courier.publish_many("other", ["b.wav"]):
            courier.wait_status(name, "delivered")
        courier.wait_routed(waits)
        wait_readyz(running, 200, "degraded", "acme", "refused for user")
        assert "deliveries.acme" in str(courier.run_state("acme").last_error)
        limited.may(read=EVERYTHING)
        courier.wait_status(waits[0], "delivered")
        wait_readyz(running, 200, "ready")
