"""The gauges of the platform, and how they are had from what is slow or away."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pymongo
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from pymongo.errors import ServerSelectionTimeoutError
from structlog.testing import capture_logs

from consumers.amqp.connection import BrokerAway
from consumers.amqp.depths import Depths
from consumers.ledger import CanaryStatus, Load, Result, Totals
from worker import gauges as module
from worker.gauges import AGES, Figures, PlatformGauges, Source
from worker.metric_names import Scope, Type, named
from worker.metrics import ExporterMetrics

open_families: Any = openmetrics.text_string_to_metric_families
FIGURES = Figures(
    Totals({"active": 3, "suspended": 1}, 12, 2, 61.5, broken_queues=1),
    Load(5, 7, (*range(len(AGES)), 12), 4, datetime(2026, 11, 23, 14, 5, tzinfo=UTC)),
    alerts_waiting=4,
    workers={"ready": 2},
    policies=2,
    canary=CanaryStatus(
        looked_at=datetime(2026, 11, 23, 14, 6, tzinfo=UTC),
        succeeded_at=datetime(2026, 11, 23, 14, 5, tzinfo=UTC),
        seconds=2.5,
        result=Result.LATE,
    ),
)
OF_DATABASE = {
    "courier_accounts{state=active}": 3,
    "courier_accounts{state=suspended}": 1,
    "courier_accounts{state=paused}": 0,
    "courier_due_accounts": 5,
    "courier_due_files": 7,
    "courier_queued_files": 12,
    "courier_queued_age_seconds_bucket{le=60.0}": 2,
    "courier_queued_age_seconds_bucket{le=+Inf}": 12,
    "courier_oldest_queued_seconds": 61.5,
    "courier_overdue_files": 4,
    "courier_dead_letter_files": 2,
    "courier_last_delivery_timestamp_seconds": 1795442700,
    "courier_broken_queues": 1,
    "courier_alerts_waiting": 4,
    "courier_workers{state=ready}": 2,
    "courier_workers{state=degraded}": 0,
    "courier_configuration_warnings{about=policies}": 2,
    "courier_configuration_warnings{about=user}": 1,
    "courier_configuration_warnings{about=metadata}": 0,
    "courier_canary_success": 0,
    "courier_canary_seconds": 2.5,
    "courier_canary_last_success_timestamp_seconds": 1795442700,
    "courier_canary_last_look_timestamp_seconds": 1795442760,
}
OF_BROKER = {"courier_intake_waiting_events": 8, "courier_invalid_events": 3}


def told(
    figures: Callable[[], Figures] = lambda: FIGURES,
    depths: Callable[[], Depths] = lambda: Depths(8, 3),
) -> dict[str, float]:
    text = ExporterMetrics(PlatformGauges(figures, depths, {"user": 1})).render().decode()
    return {
        sample.name
        + "".join(f"{{{name}={value}}}" for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def no_database() -> Figures:
    raise ServerSelectionTimeoutError("no server")


def no_broker() -> Depths:
    raise BrokerAway("Connection refused")


def test_all_is_told_where_both_answer() -> None:
    found = told()
    expected = {**OF_DATABASE, **OF_BROKER, "courier_mongodb_up": 1, "courier_rabbitmq_up": 1}
    assert {name: found.get(name) for name in expected} == expected


def test_names_types_and_labels_are_those_of_the_list() -> None:
    text = (
        ExporterMetrics(PlatformGauges(lambda: FIGURES, lambda: Depths(8, 3), {})).render().decode()
    )
    found = {
        family.name: (
            {label for sample in family.samples for label in sample.labels} - {"le"},
            family.documentation,
        )
        for family in text_string_to_metric_families(text)
    }
    of_a_worker = {Type.COUNTER, Type.HISTOGRAM}
    for each in named():
        if each.scope is Scope.PLATFORM:
            assert found[each.name] == ({*each.labels}, each.help)
        assert each.type not in of_a_worker or each.name not in found


def test_openmetrics_own_parser_takes_all_of_it() -> None:
    metrics = ExporterMetrics(PlatformGauges(lambda: FIGURES, lambda: Depths(8, 3), {}))
    _, text = metrics.scrape("application/openmetrics-text")
    found = {family.name: family.type for family in open_families(text.decode())}
    assert found["courier_queued_age_seconds"] == "gaugehistogram"


def test_a_canary_that_is_off_has_no_gauges_and_one_that_has_never_run_is_no_success() -> None:
    off = told(lambda: replace(FIGURES, canary=None))
    assert not [name for name in off if "canary" in name]
    fresh = told(lambda: replace(FIGURES, canary=CanaryStatus()))
    assert fresh["courier_canary_success"] == 0
    assert fresh["courier_canary_last_look_timestamp_seconds"] == 0
    assert "courier_canary_seconds" not in fresh


def test_without_the_database_its_numbers_are_left_out_and_that_is_told() -> None:
    found = told(figures=no_database)
    assert (found["courier_mongodb_up"], found["courier_rabbitmq_up"]) == (0, 1)
    assert not {name for name in OF_DATABASE if name in found}
    assert {name: found[name] for name in OF_BROKER} == OF_BROKER


def test_without_the_broker_its_numbers_are_left_out_and_that_is_told() -> None:
    found = told(depths=no_broker)
    assert (found["courier_mongodb_up"], found["courier_rabbitmq_up"]) == (1, 0)
    assert not {name for name in OF_BROKER if name in found}
    assert {name: found[name] for name in OF_DATABASE} == OF_DATABASE


def test_a_queue_that_may_not_be_looked_at_is_left_out() -> None:
    found = told(depths=lambda: Depths(8, None))
    assert found["courier_intake_waiting_events"] == 8
    assert "courier_invalid_events" not in found


def test_a_fault_of_the_program_takes_no_other_number_away() -> None:
    def broken() -> Figures:
        raise ValueError("a fault")

    with capture_logs() as lines:
        assert told(figures=broken)["courier_invalid_events"] == 3
    assert [line["event"] for line in lines] == ["gauges_failed"]


def test_nothing_is_asked_before_it_is_wanted_and_then_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def count() -> int:
        asked.append(0)
        return len(asked)

    source = Source(count)
    assert asked == []
    assert [source.get(), source.get()] == [1, 1]
    monkeypatch.setattr(module, "CACHE_SECONDS", 0.0)
    assert source.get() == 2


def test_whoever_comes_during_a_reading_waits_for_it_and_begins_no_other() -> None:
    asked: list[int] = []
    go_on = threading.Event()

    def slow() -> str:
        asked.append(0)
        go_on.wait(30)
        return "read"

    source = Source(slow)
    got: list[str | None] = []
    threads = [threading.Thread(target=lambda: got.append(source.get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert (got, asked) == (["read"] * 4, [0])


def test_a_slow_reading_holds_no_scrape_up_and_what_was_read_before_is_told_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(module, "CACHE_SECONDS", 0.0)
    go_on = threading.Event()
    go_on.set()
    asked: list[int] = []

    def read() -> int:
        go_on.wait(60)
        asked.append(0)
        return len(asked)

    source = Source(read)
    deadline = time.monotonic() + 30
    while source.get() is None:
        assert time.monotonic() < deadline
    go_on.clear()
    assert source.get() is not None
    monkeypatch.setattr(module, "STALE_SECONDS", 0.0)
    assert source.get() is None
    go_on.set()


def test_a_database_that_does_not_answer_holds_no_scrape_up() -> None:
    with pymongo.MongoClient[dict[str, int]]("mongodb://127.0.0.1:9/x") as client:

        def figures() -> Figures:
            client["x"]["y"].count_documents({})
            return FIGURES

        begun = time.monotonic()
        with pymongo.timeout(10):
            found = told(figures=figures)
    assert time.monotonic() - begun < 8
    assert found["courier_mongodb_up"] == 0
