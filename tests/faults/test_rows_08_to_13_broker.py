"""The broker restarts, dies, falls silent, runs out of memory and loses patience."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, CustomerServer
from deploy.local.services import Services
from tests.contract.proxy import Proxy
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import CALM, LEASE, Scene, Worker, wait
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

PRODUCTION = {"consumers.amqp.connection:HEARTBEAT": 20, "consumers.intake.intake:HEARTBEAT": 20}


@contextmanager
def proxied(ground: Scene) -> Iterator[tuple[Proxy, str]]:
    """The broker behind a proxy, and the URL by which a worker reaches it there."""
    url = urlsplit(ground.platform.core.settings.amqp_url.get_secret_value())
    broker = CustomerServer(str(url.hostname), url.port or 5672, "", "", Path())
    with Proxy(broker) as proxy:
        place = f"{url.username}:{url.password}@{url.hostname}:{proxy.port}"
        yield proxy, url._replace(netloc=place).geturl()


def through(ground: Scene, url: str, lease_seconds: float = LEASE, **changes: float) -> Worker:
    """A worker that reaches the broker by this URL; started."""
    worker = ground.worker(constants={**changes}, lease_seconds=lease_seconds)
    worker.child.env = {**worker.child.env, "COURIER_AMQP_URL": url}
    worker.start()
    return worker


def test_row_08_the_broker_restarts_and_the_order_is_kept(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    mood.seconds_a_write = 0.05
    ground.customer("acme", customer.customer, Protocol.SFTP, uploads=1)
    ground.start(lease_seconds=CALM)
    ids = ground.publish("acme", 30)
    until(lambda: len(mood.renamed) >= 3, "some to be delivered")
    ground.platform.wait_routed(ids)
    ground.services.rabbitmq.restart()
    ids += ground.publish("acme", 3)
    ground.wait_delivered()
    ground.account_for_all()
    assert mood.renamed == ids
    tell("33 files in the order of their events")


def test_row_09_the_broker_is_killed_under_load_and_no_confirmed_message_is_lost(
    ground: Scene, customer: AsyncSshServer, tell: Tell
) -> None:
    accounts = [f"acme-{number}" for number in range(5)]
    for account in accounts:
        ground.customer(account, customer.customer, Protocol.SFTP)
    ground.start()
    for account in accounts:
        ground.publish(account)
    ground.wait_delivered()  # every queue is declared
    ground.services.rabbitmq.save_queue_list()
    refused = threading.Event()
    confirmed: list[str] = []

    def pipeline() -> None:
        while not refused.is_set():
            try:
                confirmed.extend(ground.publish(random.choice(accounts)))  # noqa: S311 - any
            except (pika.exceptions.AMQPError, OSError):
                refused.set()

    thread = threading.Thread(target=pipeline)
    thread.start()
    until(lambda: len(confirmed) > 60, "load")
    ground.services.rabbitmq.kill()
    thread.join(60)
    ground.services.rabbitmq.start()
    ground.publish(accounts[0])
    ground.wait_delivered()
    ground.account_for_all()
    tell(f"killed while the pipeline published: all {len(confirmed)} confirmed were delivered")


def test_row_10_the_connection_is_reset_during_an_upload_which_finishes(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    mood.held = True
    with proxied(ground) as (proxy, url):
        through(ground, url, CALM)
        ids = ground.publish("acme", 3)
        until(lambda: mood.uploads, "an upload")
        proxy.reset()
        wait(1)
        mood.held = False
        ground.wait_delivered()
        ground.account_for_all()
    assert sorted(mood.renamed) == ids
    assert len(mood.uploads) == 3
    tell("3 files, 3 uploads: the one that ran was finished and not sent again")


@pytest.mark.parametrize(
    ("seconds", "lease", "beats"),
    [
        pytest.param(7, LEASE, {}, id="7 seconds"),
        pytest.param(
            30, LEASE, {}, id="30 seconds, longer than a handshake", marks=pytest.mark.slow
        ),
        pytest.param(
            300,
            60.0,
            PRODUCTION,
            id="5 minutes",
            marks=[pytest.mark.slow, pytest.mark.timeout(500)],
        ),
    ],
)
def test_row_11_a_silent_connection_hangs_nothing(
    ground: Scene,
    customer: AsyncSshServer,
    mood: Mood,
    tell: Tell,
    seconds: float,
    lease: float,
    beats: dict[str, float],
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    mood.seconds_a_write = 0.05
    with proxied(ground) as (proxy, url):
        worker = through(ground, url, lease, **beats)
        ground.publish("acme", 20)
        until(lambda: len(mood.renamed) >= 3, "some to be delivered")
        proxy.silent.set()
        wait(seconds)
        proxy.silent.clear()
        ground.publish("acme")
        ground.wait_delivered(limit=90)
        worker.terminate()
        assert worker.wait_end() == 0
        ground.account_for_all()
    assert len(mood.renamed) == 21
    tell(f"silent for {seconds} s: resumed, stopped in order afterwards")


def test_row_12_an_upload_longer_than_the_acknowledgement_timeout_is_delivered_once(
    ground: Scene, customer: AsyncSshServer, mood: Mood, services: Services, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = ground.start(lease_seconds=CALM)
    # The channel on which events are taken in has the patience that it was opened with.
    until(lambda: ground.platform.consumers("recordings.ready"), "events to be taken in")
    with patience(services, 1500):
        mood.held = True
        ids = ground.publish("acme", 3)
        until(lambda: mood.uploads, "an upload")
        # The broker has lost patience when none of them is anybody's any more.
        ground.platform.wait_length("deliveries.acme", 3)
        wait(2)
        mood.held = False
        ground.wait_delivered()
        ground.account_for_all()
    assert sorted(mood.renamed) == ids
    assert len(mood.uploads) == 3
    assert [row["tries"] for row in ground.rows().values()] == [0, 0, 0]
    assert "the channel was closed" in worker.child.log.read_text(), "no timeout was met"
    tell("an upload longer than the timeout: the channel was closed, the file sent once")


@contextmanager
def patience(services: Services, milliseconds: int) -> Iterator[None]:
    """The broker's `consumer_timeout`, and how often it looks."""
    settings = (
        "application:set_env(rabbit, consumer_timeout, {}),"
        " application:set_env(rabbit, channel_tick_interval, {}), ok."
    )
    services.rabbitmq.evaluate(settings.format(milliseconds, 500))
    try:
        yield
    finally:
        services.rabbitmq.evaluate(settings.format(1_800_000, 60_000))


@pytest.mark.parametrize("resource", ["memory", "disk"])
def test_row_13_under_an_alarm_uploads_go_on_and_publishing_waits(
    make_scene: MakeScene,
    customer: AsyncSshServer,
    mood: Mood,
    services: Services,
    tell: Tell,
    resource: str,
) -> None:
    ground = make_scene()
    ground.customer("acme", customer.customer, Protocol.SFTP)
    mood.held = True
    ground.start()
    ids = ground.publish("acme", 10)
    ground.platform.wait_routed(ids)
    alarm = f"{{{{resource_limit, {resource}, node()}}, []}}"
    services.rabbitmq.evaluate(f"rabbit_alarm:set_alarm({alarm}), ok.")
    try:
        mood.held = False
        ground.wait_delivered(*ids)
        waiting = threading.Thread(target=ground.publish, args=("acme", 2))
        waiting.start()
        wait(3)
        assert waiting.is_alive(), "the pipeline's publish was confirmed under the alarm"
    finally:
        services.rabbitmq.evaluate(
            f"rabbit_alarm:clear_alarm({{resource_limit, {resource}, node()}}), ok."
        )
    waiting.join(60)
    ground.wait_delivered()
    ground.account_for_all()
    assert len(mood.renamed) == 12
    tell("10 files delivered under the alarm, 2 that were published under it after it")
