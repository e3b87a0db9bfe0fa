"""The gauges of the whole platform, read from MongoDB and RabbitMQ when somebody scrapes.

MongoDB and RabbitMQ are each asked by a thread of their own, once in CACHE_SECONDS at most. Where
one of them is slow or away, a scrape gets the numbers of the last reading instead of waiting.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import pymongo
import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from pymongo.errors import PyMongoError

from consumers.amqp.connection import BrokerAway, BrokerRefuses
from consumers.amqp.depths import Depths, read_depths
from consumers.ledger import ACCOUNT_STATES, CanaryStatus, Load, Result, Totals
from consumers.sharding.presence import workers
from worker import losing_policies
from worker import metric_names as names
from worker.core import Core, make_outbox
from worker.logs import LogObserver
from worker.metric_names import Named
from worker.risky_settings import risky_settings

CACHE_SECONDS = 5.0
"""Numbers of this age are read anew by the next scrape."""
WAIT_SECONDS = 2.0
"""Longest wait of a scrape, well within a scrape's own limit."""
READ_SECONDS = 20.0
"""Longest reading of the database: with millions of files that wait, counting takes its time."""
STALE_SECONDS = 60.0
"""Numbers older than this are left out, even while a reading goes on."""
LATE_SECONDS = 300.0
"""A file that waits longer, although nothing but us delays it, is overdue."""
WARNED_OF = ("sources", "user", "networks", "metadata", "policies")
WORKER_STATES = ("starting", "ready", "degraded", "stopping")

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
AGES = (
    *(10, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE),
    *(_HOUR, 4 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY),
)
_AWAY = (PyMongoError, BrokerAway, BrokerRefuses)
T = TypeVar("T")


@dataclass(frozen=True)
class Figures:
    """What the database knows."""

    totals: Totals
    load: Load
    alerts_waiting: int
    workers: Mapping[str, int]
    """The number of workers in each state."""
    policies: int
    """The number of policies at RabbitMQ that would lose messages."""
    canary: CanaryStatus | None = None
    """None where the canary is off."""


class Source(Generic[T]):
    """A reading that is made when somebody asks for it. Callable from any thread."""

    def __init__(self, read: Callable[[], T]) -> None:
        """`read` limits its own wait; pymongo's errors and BrokerAway say that it is away."""
        self._read = read
        self._lock = threading.Lock()
        self._reading: threading.Event | None = None
        self._last: T | None = None
        self._read_at = -CACHE_SECONDS

    def get(self) -> T | None:
        """The last reading; None where the service is away."""
        with self._lock:
            if time.monotonic() - self._read_at < CACHE_SECONDS:
                return self._last
            if self._reading is None:
                self._reading = threading.Event()
                threading.Thread(target=self._ask, name="gauges", daemon=True).start()
            reading = self._reading
        reading.wait(WAIT_SECONDS)
        with self._lock:
            is_stale = time.monotonic() - self._read_at > STALE_SECONDS
            return None if is_stale else self._last

    def _ask(self) -> None:
        said = None
        try:
            said = self._read()
        except _AWAY:
            pass  # which None tells
        except Exception:  # noqa: BLE001 - a scrape is owed an answer; the log has the rest
            structlog.stdlib.get_logger("courier").exception("gauges_failed")
        with self._lock:
            self._last, self._read_at = said, time.monotonic()
            if self._reading is not None:
                self._reading.set()
            self._reading = None


class PlatformGauges(Collector):
    """The gauges. Where MongoDB or RabbitMQ is away, its gauges are left out and its `up` is 0."""

    def __init__(
        self,
        figures: Callable[[], Figures],
        depths: Callable[[], Depths],
        warnings: Mapping[str, int],
    ) -> None:
        """`warnings`: the number of warnings about the settings, by subject."""
        self._warnings = warnings
        self._figures = Source(figures)
        self._depths = Source(depths)

    @classmethod
    def of(cls, core: Core) -> "PlatformGauges":
        """The gauges of the platform that the settings name."""
        waiting = make_outbox(core, LogObserver()).waiting
        canary = core.settings.canary_account

        def figures() -> Figures:
            with pymongo.timeout(READ_SECONDS):
                return Figures(
                    core.ledger.totals(),
                    core.ledger.loads.read(AGES, LATE_SECONDS),
                    waiting(),
                    Counter(each.state for each in workers(core.database)),
                    len(losing_policies.known(core.database)),
                    core.ledger.canary.status(canary) if canary is not None else None,
                )

        warnings = Counter(each.name for each in risky_settings(core.settings))
        return cls(figures, lambda: read_depths(core.settings.rabbitmq), warnings)

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask anybody."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All that can be told now."""
        figures, depths = self._figures.get(), self._depths.get()
        yield _gauge(names.MONGODB_UP, figures is not None)
        yield _gauge(names.RABBITMQ_UP, depths is not None)
        if figures is not None:
            yield from _of_accounts(figures)
            yield from _of_files(figures)
            yield _by(names.WORKERS, WORKER_STATES, figures.workers)
            yield _gauge(names.ALERTS_WAITING, figures.alerts_waiting)
            warnings = {**self._warnings, "policies": figures.policies}
            yield _by(names.CONFIGURATION_WARNINGS, WARNED_OF, warnings)
            if figures.canary is not None:
                yield from _of_canary(figures.canary)
        if depths is not None and depths.intake is not None:
            yield _gauge(names.INTAKE_WAITING, depths.intake)
        if depths is not None and depths.invalid is not None:
            yield _gauge(names.INVALID_EVENTS, depths.invalid)


def _of_accounts(figures: Figures) -> Iterator[Metric]:
    yield _by(names.ACCOUNTS, ACCOUNT_STATES, figures.totals.accounts)
    yield _gauge(names.DUE_ACCOUNTS, figures.load.due_accounts)
    yield _gauge(names.BROKEN_QUEUES, figures.totals.broken_queues)


def _of_files(figures: Figures) -> Iterator[Metric]:
    totals, load = figures.totals, figures.load
    yield _gauge(names.DUE_FILES, load.due_files)
    yield _gauge(names.QUEUED_FILES, load.ages[-1])
    yield _ages(load)
    yield _gauge(names.OLDEST_QUEUED, totals.oldest_queued_seconds)
    yield _gauge(names.OVERDUE_FILES, load.overdue_files)
    yield _gauge(names.DEAD_LETTER_FILES, totals.dead_letters)
    if load.last_delivered is not None:
        yield _gauge(names.LAST_DELIVERY, load.last_delivered.timestamp())


def _of_canary(status: CanaryStatus) -> Iterator[Metric]:
    yield _gauge(names.CANARY_SUCCESS, status.result is Result.OK)
    yield _gauge(names.CANARY_LAST_SUCCESS, status.succeeded_at.timestamp())
    yield _gauge(names.CANARY_LAST_LOOK, status.looked_at.timestamp())
    if status.seconds is not None:
        yield _gauge(names.CANARY_SECONDS, status.seconds)


def _ages(load: Load) -> Metric:
    """The histogram has no sum: for that each file's age would have to be read."""
    family = Metric(names.QUEUED_AGE.name, names.QUEUED_AGE.help, "gaugehistogram")
    bounds = [*map(floatToGoString, AGES), "+Inf"]
    for bound, files in zip(bounds, load.ages, strict=True):
        family.add_sample(f"{family.name}_bucket", {"le": bound}, files)
    return family


def _gauge(named: Named, value: float) -> Metric:
    return GaugeMetricFamily(named.name, named.help, value)


def _by(named: Named, values: tuple[str, ...], counted: Mapping[str, int]) -> Metric:
    """One series for each value of the only label; 0 where nothing has that value."""
    family = GaugeMetricFamily(named.name, named.help, labels=[*named.labels])
    for value in values:
        family.add_metric([value], counted.get(value, 0))
    return family
