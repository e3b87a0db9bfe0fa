"""What a real run tells Prometheus: summed over its workers, right after one was replaced, and by
the exporter while no worker runs."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from deploy.local.install import program
from deploy.local.processes import Child, free_port
from deploy.local.services import Services
from tests.acceptance.program import Program, ended
from tests.acceptance.test_processes import (
    NO_CONSOLE,
    Running,
    accounts_of_both,
    children,
    deliver,
    started,
)
from tests.integration.platform import Platform, platform, until
from tests.servers.misbehaving import Mood

SLOTS = 7


@pytest.fixture
def ground(courier: Program, tmp_path: Path) -> Iterator[Platform]:
    """The same broker and database, to prepare and to look at."""
    with platform(courier.core_settings(), tmp_path / "recordings") as place:
        place.core.ledger.ensure_indexes()
        yield place


def scraped(running: Running) -> dict[str, float]:
    """All series of a scrape, which promtool has nothing against."""
    _, text = running.get("/metrics")
    judged_by_promtool(text)
    return {
        sample.name
        + "".join(
            f"{{{key}={value}}}" for key, value in sorted(sample.labels.items())
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def judged_by_promtool(text: str) -> None:
    promtool = program("promtool")
    assert promtool is not None, "run: make setup-tests"
    said = subprocess.run(
        [promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def tells(running: Running, expected: dict[str, float]) -> None:
    """Wait until a scrape has these values."""
    seen: dict[str, float | None] = {}

    def told() -> bool:
        found = scraped(running)
        seen.update({name: found.get(name) for name in expected})
        return seen == expected

    until(told, lambda: f"{expected}; it is {seen}\n{running.log.read_text()[-3000:]}")


def test_two_workers_are_told_as_one_also_after_one_was_killed_and_replaced(
    courier: Program, ground: Platform, customer: AsyncSshServer
) -> None:
    settled = {
        "courier_workers{state=ready}": 2.0,
        "courier_upload_slots{state=free}": 2.0 * SLOTS,
        "courier_upload_slots{state=used}": 0.0,
        "courier_account_sessions": 0.0,
        "courier_due_accounts": 0.0,
        "courier_due_files": 0.0,
        "courier_queued_files": 0.0,
        "courier_queued_age_seconds_bucket{le=+Inf}": 0.0,
        "courier_overdue_files": 0.0,
        "courier_intake_waiting_events": 0.0,
        "courier_invalid_events": 0.0,
        "courier_accounts{state=active}": 4.0,
        "courier_mongodb_up": 1.0,
        "courier_rabbitmq_up": 1.0,
    }
    with started(courier, 2, NO_CONSOLE, UPLOAD_SLOTS=str(SLOTS)) as running:
        running.wait_state("ready")
        accounts = accounts_of_both(ground, wanted=2)
        for account in accounts:
            ground.account(account, customer.customer, Protocol.SFTP)
        deliver(ground, customer, accounts, "before")
        counted = {
            "courier_files_total{outcome=delivered}": 4.0,
            "courier_fresh_files_total{result=within}": 4.0,
            "courier_fresh_files_total{result=late}": 0.0,
            "courier_logins_total{result=accepted}": 4.0,
            "courier_delivery_seconds_count": 4.0,
            "courier_worker_restarts_total": 0.0,
        }
        tells(running, {**counted, **settled})

        os.kill(min(children(running.process.pid)), signal.SIGKILL)
        tells(running, {**counted, **settled, "courier_worker_restarts_total": 1.0})
        running.wait_state("ready")
        ground.publish_raw(b"no event")
        deliver(ground, customer, accounts, "after")
        counted |= {
            "courier_files_total{outcome=delivered}": 8.0,
            "courier_fresh_files_total{result=within}": 8.0,
            "courier_delivery_seconds_count": 8.0,
            "courier_logins_total{result=accepted}": 8.0,
            "courier_worker_restarts_total": 1.0,
        }
        tells(running, {**counted, **settled, "courier_invalid_events": 1.0})
        assert scraped(running)["courier_last_delivery_timestamp_seconds"] == pytest.approx(
            max(ground.row(f"{each}-after.wav")["delivered_at"].timestamp() for each in accounts),
            abs=0.01,
        )
        running.terminate()
        running.wait_end()


def test_a_prometheus_takes_the_traces_and_the_ages_of_what_two_workers_do(
    courier: Program, ground: Platform, customer: AsyncSshServer, mood: Mood, tmp_path: Path
) -> None:
    ground.account("acme", customer.customer, Protocol.SFTP)
    with (
        started(courier, 2, NO_CONSOLE) as running,
        prometheus(tmp_path / "prometheus", running.port) as ask,
    ):
        running.wait_state("ready")
        ground.publish("acme", ground.recording("a.wav"), recording_id="a")
        trace_id = ground.wait_status("a", "delivered")["traceparent"].split("-")[1]

        def traces() -> set[str]:
            found = ask("query_exemplars", query="courier_delivery_seconds_bucket")
            return {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}

        until(lambda: traces() == {trace_id}, "the recording's trace")
        mood.held = True
        ground.publish("acme", ground.recording("b.wav"))
        youngest = "histogram_quantile(0.5, max by (le) (courier_queued_age_seconds_bucket))"

        def age() -> float:
            [told] = ask("query", query=youngest)["result"]
            return float(told["value"][1])

        until(lambda: age() > 0, "the age of the file that waits")
        mood.held = False
        [up] = ask("query", query="up")["result"]
        assert up["value"][1] == "1"
        running.terminate()
        running.wait_end()


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Callable[..., Any]]:
    """A real one that scrapes this port; ask it by the name of a path of its API."""
    folder.mkdir()
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: courier, "
        f"static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    )
    address = f"127.0.0.1:{free_port()}"
    argv = [
        str(program("prometheus")),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    child = Child("Prometheus", argv, folder / "log")

    def ask(path: str, **query: str) -> Any:
        url = f"http://{address}/api/v1/{path}?{urlencode(query)}"
        with urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    child.start()
    try:
        until(lambda: _answers(ask), (folder / "log").read_text)
        yield ask
    finally:
        child.kill()


def _answers(ask: Callable[..., Any]) -> bool:
    try:
        return bool(ask("status/buildinfo"))
    except OSError:
        return False


def test_the_exporter_tells_what_is_due_while_no_worker_runs(
    courier: Program, ground: Platform, customer: AsyncSshServer
) -> None:
    for account in ("acme", "other"):
        ground.account(account, customer.customer, Protocol.SFTP)
    with started(courier, 1, NO_CONSOLE) as running:
        running.wait_state("ready")
        assert ground.core.ledger.accounts.pause("other")
        ground.core.ledger.accounts.pause("acme")
        for account in ("acme", "other"):
            ids = [ground.publish(account, ground.recording(f"{account}{n}.wav")) for n in range(3)]
            ground.wait_routed(ids)
        running.terminate()
        running.wait_end()
    ground.core.ledger.accounts.resume("acme")
    with exporter(courier) as told:
        told.wait_state("ready")
        assert told.is_alive()
        tells(
            told,
            {
                "courier_due_accounts": 1.0,
                "courier_due_files": 3.0,
                "courier_queued_files": 6.0,
                "courier_accounts{state=paused}": 1.0,
                "courier_mongodb_up": 1.0,
            },
        )
        assert not [name for name in scraped(told) if name.startswith("courier_files")]
        told.terminate()
        told.wait_end()
    lines = [json.loads(line)["event"] for line in told.log.read_text().splitlines()]
    assert lines == ["exporter_started", "exporter_stopped"]


def test_the_exporter_answers_while_database_and_broker_are_away_and_when_they_are_back(
    courier: Program, services: Services
) -> None:
    services.mongodb.stop()
    with exporter(courier) as told:
        waiting = told.wait_state("starting")
        assert "MongoDB does not answer" in waiting.reason
        assert told.is_alive()
        tells(told, {"courier_mongodb_up": 0.0, "courier_rabbitmq_up": 1.0})
        assert "courier_due_files" not in scraped(told)
        services.mongodb.start()
        told.wait_state("ready")
        tells(told, {"courier_mongodb_up": 1.0, "courier_due_files": 0.0})
        told.terminate()
        told.wait_end()


def test_an_exporter_whose_address_is_taken_says_so(courier: Program) -> None:
    with exporter(courier) as told:
        told.wait_state("ready")
        sentence = courier.refuses("exporter", METRICS_BIND=f"127.0.0.1:{told.port}")
    assert "cannot be used (Address already in use)" in sentence
    assert "COURIER_METRICS_BIND" in sentence


@contextmanager
def exporter(courier: Program) -> Iterator[Running]:
    """`courier exporter`, which is gone afterwards."""
    port, log = free_port(), courier.folder / "exporter.log"
    process = courier.start_logged(log, "exporter", METRICS_BIND=f"127.0.0.1:{port}")
    with ended(process):
        yield Running(process, port, log)
