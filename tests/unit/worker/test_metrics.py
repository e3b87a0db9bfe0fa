"""What Prometheus reads, by Prometheus' own parser."""

import platform
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Exemplar, Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from alerts.relay import AlertTried
from config.accounts import Protocol
from consumers.ledger import Result
from consumers.observe import (
    AccountChanged,
    CanaryEnded,
    EventTaken,
    FileEnded,
    LoggedIn,
    Observation,
    RaceLost,
    Trouble,
    TryEnded,
)
from consumers.trace import TraceContext
from transports.errors import Kind
from worker.metric_files import ProcessCounts
from worker.metric_names import Scope, named
from worker.metrics import Metrics
from worker.observers import not_of_files

open_families: Any = openmetrics.text_string_to_metric_families
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Nothing(Collector):
    """No platform to tell of."""

    def collect(self) -> list[Metric]:
        return []


def metrics() -> Metrics:
    return Metrics(Nothing())


def read(text: bytes) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(told: Metrics | bytes, name: str, **labels: str) -> float:
    text = told.render() if isinstance(told, Metrics) else told
    return read(text)[name, frozenset(labels.items())]


def test_names_types_and_labels_are_those_of_the_list() -> None:
    found = {}
    for family in text_string_to_metric_families(metrics().render().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels, family.documentation)
    listed = {
        each.name: (each.type.value, {*each.labels}, each.help)
        for each in named()
        if each.scope is Scope.PROCESS and not each.name.endswith("_up")
    }
    assert found == listed


def test_known_series_begin_at_zero() -> None:
    text = metrics().render()
    for outcome in ("routed", "duplicate", "invalid", "skipped"):
        assert value(text, "courier_events_total", outcome=outcome) == 0
    for outcome in ("delivered", "dead_lettered", "replayed"):
        assert value(text, "courier_files_total", outcome=outcome) == 0
    for outcome in ("sent", "failed"):
        assert value(text, "courier_alerts_total", outcome=outcome) == 0
    for change in ("delivery", "failed_try", "taken_back_try", "failure", "recovery"):
        assert value(text, "courier_lost_races_total", change=change) == 0
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
    (RaceLost("recovery", "a", "r"), "courier_lost_races_total", {"change": "recovery"}, 1),
    (LoggedIn("a", "refused"), "courier_logins_total", {"result": "refused"}, 1),
    (
        FileEnded("dead_lettered", "a", "r", reason="crash-loop"),
        "courier_dead_letters_total",
        {"reason": "crash-loop"},
        1,
    ),
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


FRESH: list[tuple[FileEnded, int, int]] = [
    (FileEnded("delivered", "a", "r", 300.0, was_well=True), 1, 0),
    (FileEnded("delivered", "a", "r", 300.1, was_well=True), 0, 1),
    (FileEnded("delivered", "a", "r", 3000.0), 0, 0),
    (FileEnded("dead_lettered", "a", "r", was_well=True), 0, 0),
]


@pytest.mark.parametrize(("ended", "within", "late"), FRESH)
def test_only_files_that_nothing_but_we_kept_waiting_tell_how_soon_we_deliver(
    ended: FileEnded, within: int, late: int
) -> None:
    told = metrics()
    told.observe(ended)
    assert value(told, "courier_fresh_files_total", result="within") == within
    assert value(told, "courier_fresh_files_total", result="late") == late


TRACE = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


def exemplars(told: Metrics) -> dict[tuple[str, str], Exemplar | None]:
    """By bucket, of a scrape by OpenMetrics' own parser."""
    kind, text = told.scrape(OPEN_METRICS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    return {
        (sample.name, sample.labels["le"]): sample.exemplar
        for family in open_families(text.decode())
        for sample in family.samples
        if sample.exemplar is not None
    }


def test_a_bucket_has_the_trace_of_its_last_recording_where_openmetrics_is_taken() -> None:
    told = metrics()
    told.observe(FileEnded("delivered", "a", "r", 0.2, trace=TraceContext.begun()))
    told.observe(FileEnded("delivered", "a", "r", 0.15, trace=TRACE))
    told.observe(TryEnded("a", "r", Protocol.FTP, 1, 2.0, size=10, trace=TRACE))
    told.observe(TryEnded("a", "r", Protocol.FTP, 1, 70.0, size=10))
    found = exemplars(told)
    assert set(found) == {
        ("courier_delivery_seconds_bucket", "0.25"),
        ("courier_upload_seconds_bucket", "2.5"),
    }
    exemplar = found["courier_delivery_seconds_bucket", "0.25"]
    assert exemplar is not None
    assert (exemplar.labels, exemplar.value) == ({"trace_id": TRACE.trace_id}, 0.15)
    assert TRACE.trace_id.encode() not in told.render()


def test_slots_and_sessions_are_told_as_they_are_now() -> None:
    told = metrics()
    told.tell_load(used=3, free=29, sessions=2)
    told.tell_load(used=1, free=31, sessions=1)
    assert value(told, "courier_upload_slots", state="used") == 1
    assert value(told, "courier_upload_slots", state="free") == 31
    assert value(told, "courier_account_sessions") == 1


def test_a_supervisor_tells_how_many_workers_it_has_replaced() -> None:
    text = Metrics(Nothing(), restarts=lambda: 3).render()
    assert value(text, "courier_worker_restarts_total") == 3


def test_what_runs_is_told_and_since_when() -> None:
    begun = time.time()
    text = metrics().render()
    versions = {"version": version("courier"), "python": platform.python_version()}
    assert value(text, "courier_build_info", **versions) == 1
    assert begun - 1 <= value(text, "courier_start_time_seconds") <= time.time()


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
import sys
from prometheus_client.registry import Collector
from consumers.observe import EventTaken, TryEnded
from config.accounts import Protocol
from consumers.trace import TraceContext
from worker.metrics import Metrics

class Nothing(Collector):
    def collect(self):
        return []

metrics = Metrics(Nothing())
metrics.observe(EventTaken("routed", "a", "r"))
trace = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
metrics.observe(TryEnded("a", "r", Protocol.FTP, 1, 2.0, size=10, trace=trace))
metrics.tell_load(used=1, free=3, sessions=1)
"""


def run_children(folder: Path, number: int) -> list[int]:
    """So many processes count one after the other; their numbers."""
    pids = []
    for _ in range(number):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD],
            env={"PROMETHEUS_MULTIPROC_DIR": str(folder), "PATH": ""},
            cwd=Path(__file__).parents[3],
        ) as child:
            assert child.wait(60) == 0
            pids.append(child.pid)
    return pids


def test_the_counters_of_several_processes_are_summed(tmp_path: Path) -> None:
    run_children(tmp_path, 2)
    text = Metrics(Nothing(), summed=ProcessCounts(tmp_path)).render()
    assert value(text, "courier_events_total", outcome="routed") == 2
    assert value(text, "courier_events_total", outcome="skipped") == 0
    assert value(text, "courier_uploaded_bytes_total", protocol="ftp") == 20
    assert value(text, "courier_upload_seconds_bucket", protocol="ftp", le="2.5") == 2
    assert value(text, "courier_upload_slots", state="free") == 6
    assert value(text, "courier_worker_restarts_total") == 0


def test_exemplars_of_several_processes_are_told_by_whoever_sums_them(tmp_path: Path) -> None:
    pids = run_children(tmp_path, 2)
    counts = ProcessCounts(tmp_path)
    told = Metrics(Nothing(), summed=counts)
    for ended in (None, pids[0]):
        if ended:
            counts.retire(ended)
        [(bucket, exemplar)] = exemplars(told).items()
        assert bucket == ("courier_upload_seconds_bucket", "2.5")
        assert exemplar is not None
        assert (exemplar.labels, exemplar.value) == ({"trace_id": TRACE.trace_id}, 2.0)


def test_processes_that_have_ended_keep_their_counts_and_lose_their_gauges_and_files(
    tmp_path: Path,
) -> None:
    counts = ProcessCounts(tmp_path)
    told = Metrics(Nothing(), summed=counts)
    pids = run_children(tmp_path, 3)
    before = read(told.render())
    for pid in pids[:2]:
        counts.retire(pid)
    after = read(told.render())
    gauges = {
        key for key in before if key[0] in {"courier_upload_slots", "courier_account_sessions"}
    }
    assert {key: after[key] for key in after if key not in gauges} == {
        key: before[key] for key in before if key not in gauges
    }
    assert value(told, "courier_upload_slots", state="free") == 3
    assert len(list(tmp_path.iterdir())) == 6  # two of the ended ones, four of the one that lives
    counts.retire(pids[0])  # again: nothing is there
    assert read(told.render()) == after


def test_files_of_the_canary_are_in_no_figure_but_its_own() -> None:
    told = metrics()
    hears = not_of_files("canary", told.observe)
    hears(FileEnded("delivered", "canary", "canary-canary-1", 400.0))
    hears(FileEnded("delivered", "acme", "one", 1.0))
    hears(CanaryEnded("canary", "canary-canary-1", Result.LATE, 400.0))
    assert value(told, "courier_files_total", outcome="delivered") == 1
    assert value(told, "courier_delivery_seconds_count") == 1
    assert value(told, "courier_canary_runs_total", result="late") == 1
    assert value(told, "courier_canary_runs_total", result="ok") == 0
