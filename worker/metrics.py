"""The metrics of this program. Their names, types and labels are those of `metric_names`.

With several processes, set FOLDER_VARIABLE to an empty folder in the environment before any of them
imports prometheus_client. The process that answers scrapes is given the counts of that folder as
`summed`, and tells the sums of all processes, of ended ones too.
"""

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import assert_never, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from alerts.relay import AlertTried
from config.accounts import Protocol
from consumers.ledger import CRASH_LOOP, Result
from consumers.observe import (
    AccountChanged,
    CanaryEnded,
    Change,
    EventTaken,
    FileEnded,
    FilesDiscarded,
    LoggedIn,
    Observation,
    ProgramFailed,
    RaceLost,
    Trouble,
    TryEnded,
)
from consumers.trace import TraceContext
from transports.errors import Kind
from transports.phases import Phase
from worker import metric_names as names
from worker.exemplars import Exemplars, Series, labels_of
from worker.metric_files import FOLDER_VARIABLE, ProcessCounts
from worker.metric_names import Named

FRESH_SECONDS = 300.0
"""The service level: the time in which a recording of a healthy account is to be in its place."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
UPLOAD_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
DELIVERY_BUCKETS = (
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    *(_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR),
    *(_DAY, 2 * _DAY, 4 * _DAY),
)


class Metrics:
    """The counters of this process, and beside them the gauges of `platform`, for a scrape."""

    def __init__(
        self,
        platform: Collector,
        *,
        summed: ProcessCounts | None = None,
        restarts: Callable[[], int] = lambda: 0,
    ) -> None:
        """`restarts` gives the number of workers that a supervisor has replaced."""
        own = CollectorRegistry()
        self._events = _counter(names.EVENTS, own)
        self._tries = _counter(names.TRIES, own)
        self._files = _counter(names.FILES, own)
        self._fresh = _counter(names.FRESH_FILES, own)
        self._dead = _counter(names.DEAD_LETTERS, own)
        self._bytes = _counter(names.BYTES, own)
        self._upload_seconds = _histogram(names.UPLOAD_SECONDS, UPLOAD_BUCKETS, own)
        self._delivery_seconds = _histogram(names.DELIVERY_SECONDS, DELIVERY_BUCKETS, own)
        self._logins = _counter(names.LOGINS, own)
        self._suspensions = _counter(names.SUSPENSIONS, own)
        self._alerts = _counter(names.ALERTS, own)
        self._faults = _counter(names.PROGRAM_FAULTS, own)
        self._lost_races = _counter(names.LOST_RACES, own)
        self._canary_runs = _counter(names.CANARY_RUNS, own)
        self._slots = _live_gauge(names.SLOTS, own)
        self._sessions = _live_gauge(names.SESSIONS, own)
        self._create_known()
        folder = os.environ.get(FOLDER_VARIABLE)
        self._exemplars = Exemplars(Path(folder)) if folder else None
        self._registry = own
        if summed is not None:
            self._registry = CollectorRegistry()
            self._registry.register(summed)
        self._registry.register(_Program(restarts))
        self._registry.register(platform)

    @property
    def registry(self) -> CollectorRegistry:
        """All of it, for a scrape."""
        return self._registry

    def render(self) -> bytes:
        """The answer to a scrape, in Prometheus' text format."""
        return scraped(self._registry)[1]

    def scrape(self, accept: str) -> tuple[str, bytes]:
        """The content type and the text for a scrape that takes these formats."""
        return scraped(self._registry, accept)

    def tell_load(self, *, used: int, free: int, sessions: int) -> None:
        """Set the gauges of the upload slots, and of the accounts that are worked."""
        self._slots.labels("used").set(used)
        self._slots.labels("free").set(free)
        self._sessions.set(sessions)
        if self._exemplars is not None:
            self._exemplars.write()

    def observe(self, observation: Observation | AlertTried) -> None:
        """Count the observation. Callable from any thread."""
        match observation:
            case TryEnded():
                self._count_try(observation)
            case FileEnded():
                self._count_file(observation)
            case AccountChanged(state="suspended", kind=kind):
                self._suspensions.labels(kind or "").inc()
            case AccountChanged() | FilesDiscarded() | Trouble():
                pass  # the log's alone
            case _:
                counter, label = self._counter_of(observation)
                counter.labels(label).inc()

    def _counter_of(
        self,
        observation: EventTaken | LoggedIn | RaceLost | CanaryEnded | ProgramFailed | AlertTried,
    ) -> tuple[Counter, str]:
        """What counts the observation, by which value of its only label."""
        match observation:
            case EventTaken(outcome=outcome):
                return self._events, outcome
            case LoggedIn(result=result):
                return self._logins, result
            case RaceLost(change=change):
                return self._lost_races, change
            case AlertTried(outcome=outcome):
                return self._alerts, outcome
            case CanaryEnded(result=result):
                return self._canary_runs, result
            case ProgramFailed(where=where):
                return self._faults, where
            case _:
                assert_never(observation)

    def _count_try(self, ended: TryEnded) -> None:
        if ended.kind is not None:
            self._tries.labels(ended.protocol, "failed", ended.kind).inc()
            return
        self._tries.labels(ended.protocol, "delivered", "").inc()
        self._bytes.labels(ended.protocol).inc(ended.size)
        upload_seconds = self._upload_seconds.labels(ended.protocol)
        upload_seconds.observe(ended.seconds, _exemplar(ended.trace))
        if self._exemplars and ended.trace:
            series = Series(names.UPLOAD_SECONDS.name, UPLOAD_BUCKETS, protocol=ended.protocol)
            self._exemplars.note(series, ended.seconds, ended.trace.trace_id)

    def _count_file(self, ended: FileEnded) -> None:
        self._files.labels(ended.outcome).inc()
        if ended.outcome == "dead_lettered":
            self._dead.labels(ended.reason or "").inc()
        if ended.delivery_seconds is None:
            return
        self._delivery_seconds.observe(ended.delivery_seconds, _exemplar(ended.trace))
        if self._exemplars and ended.trace:
            series = Series(names.DELIVERY_SECONDS.name, DELIVERY_BUCKETS)
            self._exemplars.note(series, ended.delivery_seconds, ended.trace.trace_id)
        if ended.was_well:
            is_fresh = ended.delivery_seconds <= FRESH_SECONDS
            self._fresh.labels("within" if is_fresh else "late").inc()

    def _create_known(self) -> None:
        """Begin every known series at 0, so that `rate()` sees the first increment too."""
        _create(self._events, "routed", "duplicate", "invalid", "skipped")
        _create(self._files, "delivered", "dead_lettered", "replayed")
        _create(self._fresh, "within", "late")
        _create(self._dead, Kind.ACCOUNT, Kind.FILE, Kind.SOURCE, CRASH_LOOP)
        _create(self._logins, "accepted", "refused", "failed")
        _create(self._alerts, "sent", "failed")
        _create(self._suspensions, Kind.ACCOUNT, Kind.FILE)
        _create(self._faults, *Phase)
        _create(self._lost_races, *get_args(Change))
        _create(self._bytes, *Protocol)
        _create(self._slots, "used", "free")
        _create(self._canary_runs, *Result)
        for protocol in Protocol:
            self._upload_seconds.labels(protocol)
            self._tries.labels(protocol, "delivered", "")
            for kind in Kind:
                self._tries.labels(protocol, "failed", kind)


class ExporterMetrics:
    """The metrics of a program that does no work itself: the platform's gauges alone."""

    def __init__(self, platform: Collector) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Program(None))
        self._registry.register(platform)

    def render(self) -> bytes:
        """The answer to a scrape, in Prometheus' text format."""
        return scraped(self._registry)[1]

    def scrape(self, accept: str) -> tuple[str, bytes]:
        """The content type and the text for a scrape that takes these formats."""
        return scraped(self._registry, accept)


def scraped(registry: CollectorRegistry, accept: str = "") -> tuple[str, bytes]:
    """The content type and the text: OpenMetrics where it is taken, which alone has exemplars."""
    if openmetrics.CONTENT_TYPE_LATEST.partition(";")[0] in accept:
        return openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    return CONTENT_TYPE_LATEST, generate_latest(registry)


class _Program(Collector):
    """Metrics about the scraped program itself; the sums of its workers are not among them."""

    def __init__(self, restarts: Callable[[], int] | None) -> None:
        self._restarts = restarts
        self._started = time.time()

    def collect(self) -> Iterator[Metric]:
        """The version that runs, its start, and the number of replaced workers."""
        versions = {"version": version("courier"), "python": platform.python_version()}
        build = names.BUILD_INFO
        family = GaugeMetricFamily(build.name, build.help, labels=[*versions])
        family.add_metric([*versions.values()], 1)
        yield family
        start = names.START_TIME
        yield GaugeMetricFamily(start.name, start.help, self._started)
        if self._restarts is not None:
            restarts = names.WORKER_RESTARTS
            yield CounterMetricFamily(restarts.name, restarts.help, self._restarts())


def _counter(named: Named, registry: CollectorRegistry) -> Counter:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return Counter(named.name, named.help, [*named.labels], registry=registry)


def _histogram(named: Named, buckets: Sequence[float], registry: CollectorRegistry) -> Histogram:
    return Histogram(named.name, named.help, [*named.labels], buckets=buckets, registry=registry)


def _live_gauge(named: Named, registry: CollectorRegistry) -> Gauge:
    """A gauge; of several processes it is the sum over those that live."""
    return Gauge(
        named.name, named.help, [*named.labels], registry=registry, multiprocess_mode="livesum"
    )


def _exemplar(trace: TraceContext | None) -> dict[str, str] | None:
    return labels_of(trace.trace_id) if trace else None


def _create(metric: Counter | Gauge, *values: str) -> None:
    for value in values:
        metric.labels(value)
