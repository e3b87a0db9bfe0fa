"""What Prometheus is told. Names, types and labels are those of the contract.

No label carries an account, a file or a path: there are too many of them.

Several processes: set `PROMETHEUS_MULTIPROC_DIR` to an empty folder in the environment before
any of them imports prometheus_client, and give the one that answers scrapes that folder as
`summed_from`; it then tells the sums of all, of ended ones too.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol as Interface
from typing import assert_never

import pymongo
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from pymongo.errors import PyMongoError

from alerts.outbox import AlertTried
from config.accounts import Protocol
from consumers.observe import (
    AccountChanged,
    EventTaken,
    FileEnded,
    FilesDiscarded,
    Observation,
    ProgramFailed,
    Trouble,
    TryEnded,
)
from transports.errors import Kind, Phase

CACHE_SECONDS = 5.0
"""How old the numbers read from the database may be."""
READ_SECONDS = 2.0
"""Longest wait for the database, well within a scrape's own limit."""
STATES = ("active", "suspended", "probing", "paused", "disabled")

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
UPLOAD_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
DELIVERY_BUCKETS = (
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    *(_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR),
    *(_DAY, 2 * _DAY, 4 * _DAY),
)


class Totals(Interface):
    """What the ledger counts over all accounts."""

    @property
    def accounts(self) -> Mapping[str, int]: ...
    @property
    def queued(self) -> int: ...
    @property
    def dead_letters(self) -> int: ...
    @property
    def oldest_queued_seconds(self) -> float: ...
    @property
    def broken_queues(self) -> int: ...


class Metrics:
    """The counters of this process, and the gauges that are read from the database on a scrape.

    `totals` and `alerts_waiting` may raise pymongo's errors: the gauges are then left out.
    """

    def __init__(
        self,
        totals: Callable[[], Totals],
        alerts_waiting: Callable[[], int],
        *,
        summed_from: Path | None = None,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        self._events = Counter(
            "courier_events", "Events taken from the intake queue.", ["outcome"], registry=own
        )
        self._tries = Counter(
            "courier_tries",
            "Tries of files, by their result and the kind of failure.",
            ["protocol", "result", "kind"],
            registry=own,
        )
        self._files = Counter(
            "courier_files",
            "Files delivered, dead-lettered, or returned from there.",
            ["outcome"],
            registry=own,
        )
        self._bytes = Counter(
            "courier_uploaded_bytes", "Bytes of delivered files.", ["protocol"], registry=own
        )
        self._upload_seconds = Histogram(
            "courier_upload_seconds",
            "Length of the tries that delivered a file.",
            ["protocol"],
            buckets=UPLOAD_BUCKETS,
            registry=own,
        )
        self._delivery_seconds = Histogram(
            "courier_delivery_seconds",
            "From an event's arrival to its file's place at the customer.",
            buckets=DELIVERY_BUCKETS,
            registry=own,
        )
        self._suspensions = Counter(
            "courier_suspensions",
            "Suspensions of accounts, by the kind of the failure that caused them.",
            ["cause"],
            registry=own,
        )
        self._alerts = Counter("courier_alerts", "Alert e-mails tried.", ["outcome"], registry=own)
        self._faults = Counter(
            "courier_program_faults",
            "Errors that nobody foresaw, by the phase of a try or the part of the program. "
            "Each has its traceback in the log as `program_failed`.",
            ["phase"],
            registry=own,
        )
        self._create_known()
        self._registry = own
        if summed_from is not None:
            self._registry = CollectorRegistry()
            MultiProcessCollector(self._registry, path=str(summed_from))  # type: ignore[no-untyped-call]
        self._registry.register(_Gauges(totals, alerts_waiting))

    @property
    def registry(self) -> CollectorRegistry:
        """All of it, for a scrape."""
        return self._registry

    def render(self) -> bytes:
        """The answer to a scrape, in Prometheus' text format."""
        return generate_latest(self._registry)

    def observe(self, observation: Observation | AlertTried) -> None:
        """Count it. Callable from any thread."""
        match observation:
            case EventTaken(outcome=outcome):
                self._events.labels(outcome).inc()
            case TryEnded():
                self._count_try(observation)
            case FileEnded(outcome=outcome, delivery_seconds=seconds):
                self._files.labels(outcome).inc()
                if seconds is not None:
                    self._delivery_seconds.observe(seconds)
            case AccountChanged(state="suspended", cause=cause):
                self._suspensions.labels(cause or "").inc()
            case AlertTried(outcome=outcome):
                self._alerts.labels(outcome).inc()
            case ProgramFailed(where=where):
                self._faults.labels(where).inc()
            case AccountChanged() | FilesDiscarded() | Trouble():
                pass  # the log's alone
            case _:
                assert_never(observation)

    def _count_try(self, ended: TryEnded) -> None:
        if ended.kind is not None:
            self._tries.labels(ended.protocol, "failed", ended.kind).inc()
            return
        self._tries.labels(ended.protocol, "delivered", "").inc()
        self._bytes.labels(ended.protocol).inc(ended.size)
        self._upload_seconds.labels(ended.protocol).observe(ended.seconds)

    def _create_known(self) -> None:
        """Begin every known series at 0, so that `rate()` sees the first increment too."""
        for outcome in ("routed", "duplicate", "invalid", "skipped"):
            self._events.labels(outcome)
        for outcome in ("delivered", "dead_lettered", "replayed"):
            self._files.labels(outcome)
        for outcome in ("sent", "failed"):
            self._alerts.labels(outcome)
        for cause in (Kind.ACCOUNT, Kind.FILE):
            self._suspensions.labels(cause)
        for phase in Phase:
            self._faults.labels(phase)
        for protocol in Protocol:
            self._bytes.labels(protocol)
            self._upload_seconds.labels(protocol)
            self._tries.labels(protocol, "delivered", "")
            for kind in Kind:
                self._tries.labels(protocol, "failed", kind)


class _Gauges(Collector):
    """Reads the database when scraped, at most once in `CACHE_SECONDS`, also while it is away."""

    def __init__(self, totals: Callable[[], Totals], alerts_waiting: Callable[[], int]) -> None:
        self._totals = totals
        self._alerts_waiting = alerts_waiting
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._last: list[Metric] = []

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The gauges, or none where the database is away."""
        with self._lock:
            if self._read_at is None or time.monotonic() - self._read_at >= CACHE_SECONDS:
                self._last = self._read()
                self._read_at = time.monotonic()
            yield from self._last

    def _read(self) -> list[Metric]:
        try:
            with pymongo.timeout(READ_SECONDS):
                return _gauges(self._totals(), self._alerts_waiting())
        except PyMongoError:
            return []


def _gauges(totals: Totals, alerts_waiting: int) -> list[Metric]:
    accounts = GaugeMetricFamily("courier_accounts", "Accounts, by state.", labels=["state"])
    for state in STATES:
        accounts.add_metric([state], totals.accounts.get(state, 0))
    return [
        accounts,
        GaugeMetricFamily("courier_queued_files", "Files that wait.", totals.queued),
        GaugeMetricFamily("courier_dead_letter_files", "Files given up.", totals.dead_letters),
        GaugeMetricFamily(
            "courier_oldest_queued_seconds",
            "How long the oldest of the files that wait has waited.",
            totals.oldest_queued_seconds,
        ),
        GaugeMetricFamily(
            "courier_broken_queues",
            "Accounts whose queue at RabbitMQ cannot be used.",
            totals.broken_queues,
        ),
        GaugeMetricFamily("courier_alerts_waiting", "Alert e-mails not sent yet.", alerts_waiting),
    ]
