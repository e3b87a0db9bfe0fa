"""Every alert fires for its fault at a real Prometheus, and ends once the fault is mended.

Two run with the suite; all with `make alerts`, which writes docs/alerts.md.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pika
import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, SmtpSink
from deploy.local.processes import Child
from deploy.local.services import Services
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import ROOT, Scene, environment
from tests.faults.test_rows_33_crash_loop import MOST_DEATHS, start_and_die
from tests.faults.watch import FACTOR, Watch, watching
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

FOREIGN = {"x-queue-type": "classic"}
IT = ("it@customer.example",)
pytestmark = pytest.mark.timeout(600)

MakeWatch = Callable[..., Watch]


@pytest.fixture
def make_watch(make_scene: MakeScene, tell: Tell) -> Iterator[MakeWatch]:
    """The stage with a Prometheus; what each alert does is kept for the table."""
    with ExitStack() as stack:

        def make(factor: float = FACTOR, **settings: Any) -> Watch:
            return stack.enter_context(watching(make_scene(**settings), tell, factor))

        yield make


@pytest.fixture
def watch(make_watch: MakeWatch) -> Watch:
    """The same with the settings of these tests."""
    return make_watch()


def channel_of(ground: Scene) -> Any:
    """A channel of the pipeline's, in a connection of its own."""
    url = ground.platform.core.settings.amqp_url.get_secret_value()
    return pika.BlockingConnection(pika.URLParameters(url)).channel()


def publish_invalid(ground: Scene, count: int) -> None:
    for _ in range(count):
        ground.platform.publish_raw(b"{}")


def test_alerts_on_invalid_events_fire_and_end(watch: Watch) -> None:
    watch.start()
    watch.strike()
    publish_invalid(watch.ground, 20)
    watch.wait_firing("CourierMostEventsInvalid", "CourierInvalidEvents")
    watch.wait_ended("CourierMostEventsInvalid", "CourierInvalidEvents")


def test_alerts_on_a_worker_that_is_gone_fire_and_end(watch: Watch) -> None:
    worker = watch.start()
    watch.strike()
    worker.kill()
    watch.wait_firing("CourierNoWorker", "CourierTargetDown")
    worker.start()
    watch.wait_ended("CourierNoWorker", "CourierTargetDown")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alert", "factor"),
    [("CourierFreshnessBurnsFast", 60), ("CourierFreshnessBurnsSlowly", 1440)],
)
def test_an_alert_on_late_files_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer, mood: Mood, alert: str, factor: float
) -> None:
    watch = make_watch(factor)
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    watch.start()
    mood.held = True
    ids = watch.ground.publish("acme", 15)
    until(lambda: age_of(watch, ids[-1]) > 5, "the files to be late")
    watch.strike()
    mood.held = False
    watch.wait_firing(alert)
    watch.wait_ended(alert)


def age_of(watch: Watch, recording: str) -> float:
    """Seconds since its event was taken; 0 before."""
    arrived = watch.ground.platform.row(recording).get("created_at")
    return (datetime.now(UTC) - arrived).total_seconds() if arrived else 0.0


@pytest.mark.slow
def test_an_alert_on_files_that_do_not_come_fires_and_ends(
    watch: Watch, customer: AsyncSshServer, mood: Mood
) -> None:
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    watch.start()
    watch.strike()
    mood.held = True
    watch.ground.publish("acme", 15)
    watch.wait_firing("CourierFilesOverdue")
    mood.held = False
    watch.wait_ended("CourierFilesOverdue")


@pytest.mark.slow
def test_an_alert_on_a_file_that_has_waited_for_a_day_fires_and_ends(
    watch: Watch, customer: AsyncSshServer
) -> None:
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    watch.start()
    accounts = watch.ground.platform.core.ledger.accounts
    assert accounts.pause("acme")
    (recording,) = watch.ground.publish("acme")
    watch.ground.platform.wait_routed([recording])
    yesterday = datetime.now(UTC) - timedelta(days=1)
    rows = watch.ground.platform.core.database["deliveries"]
    rows.update_one({"_id": recording}, {"$set": {"created_at": yesterday}})
    watch.strike()
    watch.wait_firing("CourierOldestFileWaits")
    assert accounts.resume("acme")
    watch.wait_ended("CourierOldestFileWaits")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alert", "factor"),
    [("CourierManyAccountsFailing", 60), ("CourierSuspendedAccountsRising", 720)],
)
def test_an_alert_on_suspended_accounts_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer, mood: Mood, alert: str, factor: float
) -> None:
    watch = make_watch(factor, suspend_after=2, suspend_seconds=900)
    names = [f"acme-{number}" for number in range(6)]
    for name in names:
        watch.ground.customer(name, customer.customer, Protocol.SFTP)
    watch.start()
    watch.strike()
    mood.read_only = True
    for name in names:
        watch.ground.publish(name, 2)
    watch.wait_firing(alert)
    mood.read_only = False
    for name in names:
        watch.ground.platform.wait_state(name, "suspended")
        watch.ground.platform.core.ledger.accounts.try_now(name)
    watch.wait_ended(alert)
    watch.ground.wait_delivered()


@pytest.mark.slow
def test_an_alert_on_e_mails_that_do_not_go_out_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink
) -> None:
    watch = make_watch(suspend_after=2, suspend_seconds=900)
    watch.ground.customer("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    watch.start()
    watch.strike()
    smtp_sink.stop()
    mood.read_only = True
    watch.ground.publish("acme", 2)
    watch.wait_firing("CourierAlertsNotSent")
    smtp_sink.start()
    watch.wait_ended("CourierAlertsNotSent")


@pytest.mark.slow
def test_alerts_on_a_queue_that_is_refused_fire_and_end(
    watch: Watch, customer: AsyncSshServer
) -> None:
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    watch.start()
    watch.strike()
    channel = channel_of(watch.ground)
    try:
        channel.queue_declare("deliveries.acme", durable=True, arguments=FOREIGN)
        (recording,) = watch.ground.publish("acme")
        watch.wait_firing("CourierBrokenQueues", "CourierWorkersUnwell")
        channel.queue_delete("deliveries.acme")
    finally:
        channel.connection.close()
    watch.wait_ended("CourierBrokenQueues", "CourierWorkersUnwell")
    watch.ground.wait_delivered(recording)


@pytest.mark.slow
def test_an_alert_on_dead_letters_by_customers_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer, mood: Mood
) -> None:
    watch = make_watch(240, suspend_after=1000, retry_delays=(0.0,))
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    watch.start()
    mood.refused_names = {f"acme-{number:05}.wav" for number in range(1, 41)}
    watch.strike()
    watch.ground.publish("acme", 40)
    watch.wait_firing("CourierDeadLettersByCustomers")
    watch.wait_ended("CourierDeadLettersByCustomers")


@pytest.mark.slow
def test_an_alert_on_recordings_that_are_not_there_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer
) -> None:
    watch = make_watch(120, retry_delays=(0.0,))
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    watch.start()
    watch.strike()
    for number in range(12):
        gone = watch.ground.platform.folder / f"gone-{number}.wav"
        watch.ground.platform.publish("acme", gone)
    watch.wait_firing("CourierDeadLettersBySources")
    watch.wait_ended("CourierDeadLettersBySources")


@pytest.mark.slow
def test_an_alert_on_a_file_that_kills_workers_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer
) -> None:
    watch = make_watch(240)
    ground = watch.ground
    ground.customer("acme", customer.customer, Protocol.SFTP)
    (poison,) = ground.publish("acme")
    for _ in range(MOST_DEATHS):
        start_and_die(ground, poison)
    watch.strike()
    watch.start(is_well=False)
    watch.wait_firing("CourierDeadLettersByUs")
    watch.wait_ended("CourierDeadLettersByUs")


@pytest.mark.slow
def test_an_alert_on_events_that_are_not_taken_fires_and_ends(
    watch: Watch, customer: AsyncSshServer
) -> None:
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    away = watch.ground.error("consumers.intake.intake:Intake._take", "OSError", calls=40)
    watch.start(away, constants={"consumers.intake.intake:PREFETCH": 1})
    watch.strike()
    watch.ground.publish("acme", 10)
    watch.wait_firing("CourierIntakeLags")
    watch.wait_ended("CourierIntakeLags")
    watch.ground.wait_delivered()


@pytest.mark.slow
def test_an_alert_on_workers_that_die_again_and_again_fires_and_ends(watch: Watch) -> None:
    settings = watch.ground.platform.core.settings
    changes = {"metrics_bind": f"127.0.0.1:{watch.target}", "lease_seconds": 30.0}
    supervisor = Child(
        "courier run",
        [sys.executable, "-m", "worker", "run", "--processes", "2", "--no-console"],
        watch.ground.folder / "supervisor.log",
        {**environment(settings.model_copy(update=changes)), "PYTHONPATH": str(ROOT)},
    )
    try:
        supervisor.start()
        watch.wait_scraped()
        watch.strike()
        killed: set[int] = set()

        def has_killed_four() -> bool:
            for pid in workers_of(supervisor) - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            return len(killed) >= 4

        until(has_killed_four, "four workers to be killed")
        watch.wait_firing("CourierWorkersRestarting")
        watch.wait_ended("CourierWorkersRestarting")
    finally:
        left = workers_of(supervisor)
        supervisor.kill()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def workers_of(supervisor: Child) -> set[int]:
    """The process numbers of its workers that live."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(parent) == supervisor.pid and state != "Z" and "--supervised" in command:
            found.add(int(folder.name))
    return found


@pytest.mark.slow
def test_an_alert_on_an_error_that_nobody_foresaw_fires_and_ends(
    watch: Watch, customer: AsyncSshServer
) -> None:
    watch.ground.customer("acme", customer.customer, Protocol.SFTP)
    fault = watch.ground.error(
        "transports.sftp.server:SftpServer.put_all", "OverflowError", calls=2
    )
    watch.start(fault)
    watch.strike()
    watch.ground.publish("acme")
    watch.wait_firing("CourierProgramFaults")
    watch.wait_ended("CourierProgramFaults")
    watch.ground.wait_delivered()


@pytest.mark.slow
def test_an_alert_on_slots_that_are_all_in_use_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer, mood: Mood
) -> None:
    watch = make_watch(upload_slots=2)
    for number in range(6):
        watch.ground.customer(f"acme-{number}", customer.customer, Protocol.SFTP)
    watch.start()
    watch.strike()
    mood.held = True
    for number in range(6):
        watch.ground.publish(f"acme-{number}", 3)
    watch.wait_firing("CourierSlotsFull")
    mood.held = False
    watch.wait_ended("CourierSlotsFull")


@pytest.mark.slow
@pytest.mark.parametrize("alert", ["CourierRabbitMQAway", "CourierMongoDBAway"])
def test_an_alert_on_what_we_stand_on_fires_and_ends(
    watch: Watch, services: Services, alert: str
) -> None:
    server = services.rabbitmq if alert == "CourierRabbitMQAway" else services.mongodb
    watch.start()
    watch.strike()
    server.stop()
    try:
        watch.wait_firing(alert)
    finally:
        server.start()
    watch.wait_ended(alert)


@pytest.mark.slow
def test_an_alert_on_a_policy_that_loses_messages_fires_and_ends(
    watch: Watch, services: Services
) -> None:
    vhost = unquote(urlsplit(watch.ground.platform.core.settings.amqp_url.get_secret_value()).path)
    watch.start(
        constants={
            "worker.losing_policies:AFTER_SECONDS": 0.0,
            "worker.losing_policies:AGAIN_SECONDS": 2,
        }
    )
    where = ("-p", vhost.removeprefix("/"))
    watch.strike()
    limit = '{"max-length": 1}'
    services.rabbitmq.administer("set_policy", *where, "--apply-to", "queues", "short", "", limit)
    watch.wait_firing("CourierPoliciesLoseMessages")
    services.rabbitmq.administer("clear_policy", *where, "short")
    watch.wait_ended("CourierPoliciesLoseMessages")


CANARY = {"consumers.ledger.canary:_MINUTE_MS": 2000, "consumers.upkeep.canary:LATE_SECONDS": 5.0}
"""The canary's minute has 2 seconds here."""


@pytest.mark.slow
def test_an_alert_on_a_canary_that_does_not_arrive_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer, mood: Mood
) -> None:
    watch = make_watch(canary_account="canary")
    watch.ground.customer("canary", customer.customer, Protocol.SFTP)
    watch.start(constants=CANARY)
    watch.strike()
    mood.read_only = True
    watch.wait_firing("CourierCanaryWrong")
    mood.read_only = False
    watch.wait_ended("CourierCanaryWrong")


@pytest.mark.slow
def test_an_alert_on_a_canary_that_nobody_sees_to_fires_and_ends(
    make_watch: MakeWatch, customer: AsyncSshServer
) -> None:
    watch = make_watch(canary_account="canary")
    watch.ground.customer("canary", customer.customer, Protocol.SFTP)
    away = watch.ground.error("consumers.upkeep.canary:Canary.look", "OSError", calls=30)
    watch.strike()
    watch.start(away, constants=CANARY, is_well=False)
    watch.wait_firing("CourierCanaryNotRunning")
    watch.wait_ended("CourierCanaryNotRunning")
