"""`courier run`: the composition root, which makes, starts and stops every part."""

import contextlib
import os
import socket
import threading
import time
import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pymongo
from pymongo.errors import PyMongoError

from alerts.relay import DAY, AlertTried
from config.settings import Settings
from consumers.amqp.connection import Broker
from consumers.amqp.rights import Rights
from consumers.delivery.deps import Deps
from consumers.delivery.login_gate import LoginGate
from consumers.delivery.policy import Rules
from consumers.delivery.slots import Slots
from consumers.intake.intake import Intake
from consumers.observe import Observation
from consumers.sharding.leases import LOOK_SECONDS, RENEWALS, Leases
from consumers.sharding.presence import Presence
from consumers.sharding.scheduler import Scheduler
from consumers.upkeep.alerting import send_alerts
from consumers.upkeep.canary import Canary
from consumers.upkeep.findable import Findable
from consumers.upkeep.periodic import Periodic
from consumers.upkeep.reconciler import route_unrouted
from consumers.upkeep.removal import discard_ownerless
from transports.backends import load_backends
from transports.base import Limits
from worker.core import (
    Core,
    egress,
    make_bulk_runner,
    make_messaging,
    make_outbox,
    stores,
)
from worker.gauges import PlatformGauges
from worker.health import Checks, HealthServer
from worker.history import History
from worker.logs import LogObserver
from worker.losing_policies import PolicyWatch
from worker.metrics import Metrics
from worker.observers import Observers, not_of_files
from worker.outgoing import OutgoingWatch
from worker.preparation import Preparation
from worker.readiness import Condition, Readiness
from worker.tracing import spans_of

if TYPE_CHECKING:
    from worker.console.server import ConsoleServer

GRACE_SECONDS = 30.0
ALERT_SECONDS = 1.0
ROUND_SECONDS = 5.0
"""Longest wait for a round that runs when the service stops; all end by themselves."""
RETENTION_SECONDS = 30.0
FORGOTTEN_AT_ONCE = 500
"""Rows that leave the ledger in one step: so few that no other work notices."""
RECONCILE_SECONDS = 10.0
SEARCH_SECONDS = 5.0
"""Time between two looks for rows of an earlier version, which no search finds."""
RIGHTS_SECONDS = 1.0
"""Time between two checks of whether the rights at RabbitMQ are due to be looked at."""
OWNERLESS_SECONDS = 60.0
LOAD_SECONDS = 1.0
"""How old the numbers of slots and sessions may be."""
CANARY_SECONDS = 1.0
HISTORY_SECONDS = 10.0
"""How late a chart tells of what a process has seen."""
BULK_SECONDS = 1.0
"""How soon a bulk action goes on whose process has ended, or was not the one to begin it."""
SERVERS_SECONDS = 1.0
"""How late a process hears that another one was not let in by a server."""


class Service:
    """One worker process: listens at once, and starts to work when MongoDB is there."""

    def __init__(self, core: Core, *, console: bool = False, health: bool = True) -> None:
        settings = core.settings
        self._core = core
        self._worker = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._outbox = make_outbox(core, self._observe)
        self._presence = Presence(core.database, self._worker)
        self._told: tuple[Condition, int] | None = None
        self._tell_at = 0.0
        self._ownerless_at = 0.0
        self._leases = Leases(
            core.database,
            self._presence,
            self._worker,
            busy=self._busy_buckets,
            ttl=settings.lease_seconds,
        )
        self._metrics = Metrics(PlatformGauges.of(core))
        self._spans = spans_of(settings, self._worker, self._observe)
        counted = not_of_files(settings.canary_account, self._metrics.observe)
        traced = (self._spans.observe,) if self._spans else ()
        self._outgoing = OutgoingWatch()
        self._history = History(core.ledger.hours, settings.canary_account)
        heard = (LogObserver(), counted, self._outgoing.observe, self._history.observe)
        self._observers = Observers(*heard, *traced)
        batches = Observers(self._spans.batch) if self._spans else None
        self._publishing = make_messaging(core, self._observe, batches)
        self._consuming = Broker(settings.rabbitmq, "consuming", self._observe)
        self._slots = Slots(settings.upload_slots)
        self._logins = LoginGate(
            core.ledger.servers,
            settings.suspend_seconds,
            Limits(),
            egress(settings),
            workers=lambda: self._leases.workers,
        )
        self._scheduler = Scheduler(
            self._means(), settings.upload_slots, lambda: self._intake.has_backlog
        )
        self._intake = Intake(
            settings.rabbitmq,
            core.directory,
            core.ledger,
            self._publishing.publisher,
            self._publishing.router,
            self._observe,
            self._scheduler.wake,
            batches,
        )
        self._rights = Rights(settings.rabbitmq)
        self._policies = PolicyWatch(core, self._observe)
        self._preparation = Preparation(core.database, self._ensure_indexes)
        self._readiness = Readiness(
            core.database,
            core.directory,
            core.ledger,
            (self._consuming, self._publishing.broker),
            self._intake,
            self._leases,
            self._rights,
            self._outgoing,
            self._preparation,
        )
        lease_round = min(settings.lease_seconds / RENEWALS, LOOK_SECONDS)
        bulk = make_bulk_runner(core, self._publishing)
        findable = Findable(core.ledger, self._leases.owned)
        self._rounds = [
            Periodic("alerts", ALERT_SECONDS, self._send_alerts, self._observe),
            Periodic("retention", RETENTION_SECONDS, self._forget_old, self._observe),
            Periodic("reconciler", RECONCILE_SECONDS, self._reconcile, self._observe),
            Periodic("search", SEARCH_SECONDS, findable.look, self._observe),
            Periodic("policies", RIGHTS_SECONDS, self._policies.look, self._observe),
            Periodic("rights", RIGHTS_SECONDS, self._rights.look, self._observe),
            Periodic("history", HISTORY_SECONDS, self._history.write, self._observe),
            Periodic("bulk actions", BULK_SECONDS, bulk.look, self._observe),
            Periodic("load", LOAD_SECONDS, self._tell_load, self._observe),
            Periodic("servers", SERVERS_SECONDS, self._logins.refresh, self._observe),
            Periodic("leases", lease_round, self._keep_leases, self._observe),
        ]
        if settings.canary_account is not None:
            canary = self._make_canary(settings.canary_account)
            self._rounds.append(Periodic("canary", CANARY_SECONDS, canary.look, self._observe))
        self._working = threading.Event()
        self._health = self._make_health() if health else None
        self._with_console = console
        self._console: ConsoleServer | None = None

    @property
    def console_address(self) -> tuple[str, int] | None:
        """Where the console is served; None where it is left out."""
        return self._console.address if self._console else None

    @property
    def health_address(self) -> tuple[str, int] | None:
        """Where `/metrics`, `/healthz` and `/readyz` are answered; None where they are not."""
        return self._health.address if self._health else None

    def is_ready(self) -> bool:
        """What `/readyz` tells: the topology stands, events are taken, accounts are worked."""
        return self._readiness.condition().word == "ready"

    def listen(self) -> None:
        """Answer `/metrics`, `/healthz` and `/readyz`, which needs neither broker nor database.

        Harmless where it does. Raises OSError where the address cannot be had.
        """
        if self._health is not None and not self._health.running:
            self._health.start()

    def prepare(self, stop: threading.Event) -> bool:
        """Wait until the indexes stand, which takes minutes where one is new and rows are many.

        False where `stop` was set before. `/readyz` and the log tell what is built.
        """
        return self._preparation.run(stop)

    def start(self) -> None:
        """Begin to take events and to deliver, after `prepare`, which it does where nobody has.

        Raises OSError where an address cannot be had, pymongo's errors where MongoDB is away.
        """
        self.listen()
        if not self._preparation.is_done:
            self.prepare(threading.Event())
        self._leases.prepare()
        load_backends()
        if self._with_console:
            self._console = self._make_console()
            self._console.start()
        self._publishing.broker.start()
        self._consuming.start()
        self._intake.start()
        self._scheduler.start()
        for each in self._rounds:
            each.start()
        self._working.set()

    def stop(self, hurry: threading.Event) -> None:
        """Take no more, let uploads end within the grace time, give the rest back.

        Uploads are cut at once where `hurry` is set. Harmless where it has not been started.
        """
        self._readiness.phase.stop()
        if self._working.is_set():
            self._working.clear()
            self._end_work(hurry)
        if self._health is not None:
            self._health.stop()
        if self._spans is not None:
            self._spans.close()

    def _ensure_indexes(self) -> None:
        self._core.ledger.ensure_indexes()
        self._outbox.ensure_indexes()
        self._presence.ensure_indexes()

    def _end_work(self, hurry: threading.Event) -> None:
        if self._console is not None:
            self._console.stop()
        # Before the first of them is waited for: with a database that is away all wait at once.
        until = time.monotonic() + GRACE_SECONDS
        self._scheduler.ask_to_stop()
        self._intake.stop()
        self._scheduler.stop(max(0.0, until - time.monotonic()), hurry)
        for each in self._rounds:
            each.ask_to_stop()
        until = time.monotonic() + ROUND_SECONDS
        for each in self._rounds:
            each.join(max(0.0, until - time.monotonic()))
        self._consuming.stop()
        self._publishing.broker.stop()
        self._end_with_the_database()

    def _make_health(self) -> HealthServer:
        return HealthServer(
            self._core.settings.metrics_bind,
            metrics=self._metrics.scrape,
            live=self._liveness(),
            ready=self._readiness.checks,
            state=self._readiness.phase.told,
            flaws=self._readiness.flaws,
        )

    def _make_console(self) -> "ConsoleServer":
        from worker.console.server import ConsoleServer  # noqa: PLC0415 - only where it is served

        return ConsoleServer(self._core.settings.console_bind, self._core, self._publishing)

    def _means(self) -> Deps:
        settings = self._core.settings
        return Deps(
            worker=self._worker,
            directory=self._core.directory,
            ledger=self._core.ledger,
            broker=self._consuming,
            publisher=self._publishing.publisher,
            router=self._publishing.router,
            dead_letters=self._publishing.dead_letters,
            ownership=self._leases,
            slots=self._slots,
            logins=self._logins,
            rules=rules_of(settings),
            limits=Limits(),
            egress=egress(settings),
            source_dirs=settings.source_dirs,
            max_source_bytes=settings.max_source_bytes,
            stores=stores(settings),
            observe=self._observe,
        )

    def _make_canary(self, account_id: str) -> Canary:
        return Canary(
            account_id,
            self._core.directory,
            self._core.ledger,
            self._publishing.publisher,
            self._publishing.dead_letters,
            self._leases,
            Limits(),
            egress(self._core.settings),
            self._observe,
        )

    def _observe(self, observation: Observation | AlertTried) -> None:
        self._observers(observation)

    def _send_alerts(self) -> None:
        send_alerts(self._core.ledger, self._core.directory, self._outbox)

    def _reconcile(self) -> None:
        broker = self._publishing.broker
        if not broker.ready:
            return
        if time.monotonic() >= self._ownerless_at:
            self._ownerless_at = time.monotonic() + OWNERLESS_SECONDS
            discard_ownerless(self._core.ledger, broker, self._observe)
        route_unrouted(self._core.ledger, self._publishing.router)

    def _liveness(self) -> Checks:
        """The threads whose end only a restart of the process can mend."""
        threads: dict[str, _Threaded] = {
            "intake": self._intake,
            "scheduler": self._scheduler,
            "consuming": self._consuming,
            "publishing": self._publishing.broker,
        }
        return {name: partial(self._dead, part) for name, part in threads.items()}

    def _dead(self, part: "_Threaded") -> str | None:
        is_missed = self._working.is_set() and not part.alive
        return "Its thread has ended." if is_missed else None

    def _busy_buckets(self) -> set[int]:
        return self._scheduler.busy_buckets()

    def _tell_load(self) -> None:
        slots = self._slots
        self._metrics.tell_load(used=slots.used, free=slots.free, sessions=self._scheduler.sessions)

    def _forget_old(self) -> None:
        age = timedelta(days=self._core.settings.retention_days)
        self._core.ledger.retention.forget_final(age, FORGOTTEN_AT_ONCE)

    def _tell_changes(self) -> None:
        """Let the other workers see this worker's state at once."""
        now = (self._readiness.condition(), len(self._leases.owned()))
        if now != self._told:
            condition, buckets = now
            self._presence.tell(
                condition.word,
                buckets,
                serves=condition.serves,
                words=condition.words,
                slots=self._core.settings.upload_slots,
            )
            self._told = now

    def _keep_leases(self) -> None:
        """Tell this worker's state, and share the accounts with the other workers.

        The state is told before the first lease is taken. Otherwise a worker killed in between
        would be unknown to the others, and they would wait until its lease expires.
        """
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + self._core.settings.lease_seconds / RENEWALS
            self._told = None
        self._tell_changes()
        self._leases.round()
        self._tell_changes()

    def _end_with_the_database(self) -> None:
        """Leases that are not given back expire by themselves; charts can do without a moment."""
        with pymongo.timeout(ROUND_SECONDS):
            for last in (self._leases.release_all, self._history.write):
                with contextlib.suppress(PyMongoError):
                    last()


def rules_of(settings: Settings) -> Rules:
    """The policy's numbers, from the settings of the process."""
    days = settings.dormant_after_days
    return Rules(
        max_tries=settings.max_tries,
        suspend_after=settings.suspend_after,
        suspend_seconds=settings.suspend_seconds,
        retry_delays=settings.retry_delays,
        replay_after_outage=settings.replay_after_outage,
        dormant_after=None if days is None else days * DAY,
    )


class _Threaded(Protocol):
    @property
    def alive(self) -> bool: ...
