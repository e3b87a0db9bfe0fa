"""What Prometheus reads, by Prometheus' own parser."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pymongo
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pymongo.errors import ServerSelectionTimeoutError

from alerts.outbox import AlertTried
from config.accounts import Protocol
from consumers.observe import (
    AccountChanged,
    EventTaken,
    FileEnded,
    Observation,
    Trouble,
    TryEnded,
)
from transports.errors import Kind
from worker import metrics as module
from worker.metrics import Metrics

CONTRACT = {
    "courier_events_total": ("counter", {"outcome"}),
    "courier_tries_total": ("counter", {"protocol", "result", "kind"}),
    "courier_files_total": ("counter", {"outcome"}),
    "courier_uploaded_bytes_total": ("counter", {"protocol"}),
    "courier_upload_seconds": ("histogram", {"protocol"}),
    "courier_delivery_seconds": ("histogram", set[str]()),
    "courier_accounts": ("gauge", {"state"}),
    "courier_suspensions_total": ("counter", {"cause"}),
    "courier_queued_files": ("gauge", set[str]()),
    "courier_dead_letter_files": ("gauge", set[str]()),
    "courier_oldest_queued_seconds": ("gauge", set[str]()),
    "courier_alerts_total": ("counter", {"outcome"}),
    "courier_alerts_waiting": ("gauge", set[str]()),
    "courier_broken_queues": ("gauge", set[str]()),
    "courier_program_faults_total": ("counter", {"phase"}),
}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class Counts:
    accounts: dict[str, int] = field(default_factory=lambda: {"active": 3, "suspended": 1})
    queued: int = 12
    dead_letters: int = 2
    oldest_queued_seconds: float = 61.5
    broken_queues: int = 1


def metrics(
    totals: Callable[[], Counts] = Counts, alerts_waiting: Callable[[], int] = lambda: 4
) -> Metrics:
    return Metrics(totals, alerts_waiting)


def read(text: bytes) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(told: Metrics | bytes, name: str, **labels: str) -> float:
    text = told.render() if isinstance(told, Metrics) else told
    return read(text)[name, frozenset(labels.items())]


def away() -> Counts:
    raise ServerSelectionTimeoutError("no server")


def test_names_types_and_labels_are_those_of_the_contract() -> None:
    found = {}
    for family in text_string_to_metric_families(metrics().render().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
    assert found == CONTRACT


def test_known_series_begin_at_zero() -> None:
    text = metrics().render()
    for outcome in ("routed", "duplicate", "invalid", "skipped"):
        assert value(text, "courier_events_total", outcome=outcome) == 0
    for outcome in ("delivered", "dead_lettered", "replayed"):
        assert value(text, "courier_files_total", outcome=outcome) == 0
    for outcome in ("sent", "failed"):
        assert value(text, "courier_alerts_total", outcome=outcome) == 0
    for cause in ("account", "file"):
        assert value(text, "courier_suspensions_total", cause=cause) == 0
    for protocol in ("ftp", "sftp"):
        assert value(text, "courier_uploaded_bytes_total", protocol=protocol) == 0
        assert value(text, "courier_upload_seconds_count", protocol=protocol) == 0
        delivered = {"protocol": protocol, "result": "delivered", "kind": ""}
        assert value(text, "courier_tries_total", **delivered) == 0
        for kind in ("account", "file", "source", "busy", "ours"):
            failed = {"protocol": protocol, "result": "failed", "kind": kind}
            assert value(text, "courier_tries_total", **failed) == 0


OBSERVED: list[tuple[Observation | AlertTried, str, dict[str, str], float]] = [
    (EventTaken("invalid", None, None), "courier_events_total", {"outcome": "invalid"}, 1),
    (FileEnded("replayed", "a", "r"), "courier_files_total", {"outcome": "replayed"}, 1),
    (
        TryEnded("a", "r", Protocol.FTP, 1, 2.0, kind=Kind.BUSY),
        "courier_tries_total",
        {"protocol": "ftp", "result": "failed", "kind": "busy"},
        1,
    ),
    (
        TryEnded("a", "r", Protocol.SFTP, 1, 2.0, size=480_044),
        "courier_tries_total",
        {"protocol": "sftp", "result": "delivered", "kind": ""},
        1,
    ),
    (
        TryEnded("a", "r", Protocol.SFTP, 1, 2.0, size=480_044),
        "courier_uploaded_bytes_total",
        {"protocol": "sftp"},
        480_044,
    ),
    (
        TryEnded("a", "r", Protocol.SFTP, 1, 2.0, size=1),
        "courier_upload_seconds_sum",
        {"protocol": "sftp"},
        2,
    ),
    (
        TryEnded("a", "r", Protocol.SFTP, 1, 600.0, size=1),
        "courier_upload_seconds_bucket",
        {"protocol": "sftp", "le": "600.0"},
        1,
    ),
    (FileEnded("delivered", "a", "r", 0.05), "courier_delivery_seconds_bucket", {"le": "0.1"}, 1),
    (
        FileEnded("delivered", "a", "r", 345_600),
        "courier_delivery_seconds_bucket",
        {"le": "345600.0"},
        1,
    ),
    (
        AccountChanged("a", "suspended", 10, Kind.FILE),
        "courier_suspensions_total",
        {"cause": "file"},
        1,
    ),
    (AlertTried("failed", "a:1", "no"), "courier_alerts_total", {"outcome": "failed"}, 1),
]


@pytest.mark.parametrize(("observation", "name", "labels", "expected"), OBSERVED)
def test_an_observation_is_counted(
    observation: Observation | AlertTried, name: str, labels: dict[str, str], expected: float
) -> None:
    told = metrics()
    told.observe(observation)
    assert value(told, name, **labels) == expected


@pytest.mark.parametrize(
    "observation",
    [AccountChanged("a", "active", 0), AccountChanged("a", "probing", 10), Trouble("x", "y")],
)
def test_what_the_contract_does_not_count_changes_nothing(observation: Observation) -> None:
    told = metrics()
    before = read(told.render())
    told.observe(observation)
    assert read(told.render()) == before


def test_failed_tries_do_not_blur_the_length_of_uploads() -> None:
    told = metrics()
    told.observe(TryEnded("a", "r", Protocol.FTP, 1, 60.0, size=7, kind=Kind.ACCOUNT))
    assert value(told, "courier_upload_seconds_count", protocol="ftp") == 0
    assert value(told, "courier_uploaded_bytes_total", protocol="ftp") == 0


def test_the_gauges_are_read_on_a_scrape() -> None:
    text = metrics().render()
    assert value(text, "courier_accounts", state="active") == 3
    assert value(text, "courier_accounts", state="suspended") == 1
    for state in ("probing", "paused", "disabled"):
        assert value(text, "courier_accounts", state=state) == 0
    assert value(text, "courier_queued_files") == 12
    assert value(text, "courier_dead_letter_files") == 2
    assert value(text, "courier_oldest_queued_seconds") == 61.5
    assert value(text, "courier_alerts_waiting") == 4
    assert value(text, "courier_broken_queues") == 1


def test_the_database_is_not_asked_before_a_scrape_and_then_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[None] = []

    def totals() -> Counts:
        asked.append(None)
        return Counts()

    told = metrics(totals)
    assert asked == []
    told.render()
    told.render()
    assert len(asked) == 1
    monkeypatch.setattr(module, "CACHE_SECONDS", 0.0)
    told.render()
    assert len(asked) == 2


@pytest.mark.parametrize("missing", ["totals", "alerts"])
def test_without_the_database_the_counters_are_told_and_the_gauges_left_out(missing: str) -> None:
    def no_alerts() -> int:
        raise ServerSelectionTimeoutError("no server")

    told = metrics(away) if missing == "totals" else metrics(alerts_waiting=no_alerts)
    told.observe(EventTaken("routed", "a", "r"))
    text = told.render()
    assert value(text, "courier_events_total", outcome="routed") == 1
    families = {family.name for family in text_string_to_metric_families(text.decode())}
    gauges = {name for name, (kind, _) in CONTRACT.items() if kind == "gauge"}
    assert not families & gauges


def test_a_database_that_does_not_answer_holds_no_scrape_up() -> None:
    with pymongo.MongoClient[dict[str, int]]("mongodb://127.0.0.1:9/x") as client:

        def totals() -> Counts:
            return Counts(queued=client["x"]["y"].count_documents({}))

        begun = time.monotonic()
        text = metrics(totals).render()
    assert time.monotonic() - begun < 8
    assert b"courier_queued_files" not in text


def test_each_instance_counts_on_its_own() -> None:
    first, second = metrics(), metrics()
    first.observe(EventTaken("routed", "a", "r"))
    assert value(second, "courier_events_total", outcome="routed") == 0


def test_many_threads_lose_no_count() -> None:
    told = metrics()

    def count() -> None:
        for _ in range(500):
            told.observe(EventTaken("routed", "a", "r"))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert value(told, "courier_events_total", outcome="routed") == 2000


CHILD = """
from consumers.observe import EventTaken, TryEnded
from config.accounts import Protocol
from worker.metrics import Metrics

metrics = Metrics(lambda: None, lambda: 0)
metrics.observe(EventTaken("routed", "a", "r"))
metrics.observe(TryEnded("a", "r", Protocol.FTP, 1, 2.0, size=10))
"""


def test_the_counters_of_several_processes_are_summed(tmp_path: Path) -> None:
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", CHILD],
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": ""},
            cwd=Path(__file__).parents[3],
            timeout=60,
            check=True,
        )
    text = Metrics(Counts, lambda: 4, summed_from=tmp_path).render()
    assert value(text, "courier_events_total", outcome="routed") == 2
    assert value(text, "courier_events_total", outcome="skipped") == 0
    assert value(text, "courier_uploaded_bytes_total", protocol="ftp") == 20
    assert value(text, "courier_upload_seconds_bucket", protocol="ftp", le="2.5") == 2
    assert value(text, "courier_accounts", state="active") == 3
