"""`courier run` with one process and with several: how it says it is, and how it is ended."""

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from config.accounts import Protocol
from consumers.ledger import bucket_of
from deploy.local.customers import AsyncSshServer, SmtpSink
from deploy.local.processes import free_port
from deploy.local.services import Services
from tests.acceptance.program import LIMIT, Program, ended
from tests.acceptance.stage import NOWHERE
from tests.integration.platform import Platform, platform, until
from tests.servers.misbehaving import Mood
from worker.service import GRACE_SECONDS

ANSWERED_WITHIN = 2.0
"""Longest time for an answer of `/readyz`; a busy machine may be a little late."""
BUSY_SECONDS = 5.0
FLAWS = {"rights", "queues", "invalid_events", "keys", "outgoing", "clock", "flaws"}
"""Checks of `/readyz` whose failure degrades a service that goes on."""

NO_CONSOLE = "--no-console"
WHILE_AWAY = 4.0
"""In which each connection is tried anew several times."""

one_or_two = pytest.mark.parametrize("processes", [1, 2])


@dataclass(frozen=True)
class Health:
    """What one who probes is answered."""

    code: int
    state: str
    checks: dict[str, str]
    seconds: float
    """How long the answer took."""

    @property
    def reason(self) -> str:
        """What is not well."""
        return " ".join(told for told in self.checks.values() if told != "ok")


@dataclass(frozen=True)
class Running:
    """`courier run` as an operator and a probe see it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str, port: int | None = None) -> tuple[int, str]:
        """Status and body, of the metrics' port or another. Raises OSError where none listens."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=LIMIT)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def health(self, path: str = "/readyz") -> Health | None:
        """The answer to a probe; None where nothing listens yet."""
        asked = time.monotonic()
        try:
            code, body = self.get(path)
        except OSError:
            assert self.process.poll() is None, self.log.read_text()
            return None
        told = json.loads(body)
        return Health(code, told["status"], told["checks"], time.monotonic() - asked)

    def is_alive(self) -> bool:
        """What `/healthz` says."""
        health = self.health("/healthz")
        return health is not None and (health.code, health.state) == (200, "alive")

    def wait_state(self, state: str) -> Health:
        """The answer of `/readyz`, once it is this state."""
        seen: list[Health | None] = [None]

        def come() -> Health | None:
            seen[0] = self.health()
            return seen[0] if seen[0] and seen[0].state == state else None

        health = until(come, lambda: f"{state}; it is {seen[0]}\n{self.log.read_text()[-3000:]}")
        assert isinstance(health, Health)
        serves = all(told == "ok" for name, told in health.checks.items() if name not in FLAWS)
        assert health.code == (200 if serves else 503)
        return health

    def counted(self, name: str) -> float:
        """The value of a series of `/metrics`."""
        _, body = self.get("/metrics")
        found = re.search(rf"^{re.escape(name)} (\S+)$", body, re.MULTILINE)
        assert found, body
        return float(found[1])

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait_end(self, limit: float = LIMIT) -> None:
        """It ends in order: with 0, with no traceback in its log."""
        code = self.process.wait(limit)
        log = self.log.read_text()
        assert code == 0, log
        assert "Traceback" not in log, log


@pytest.fixture
def ground(courier: Program, tmp_path: Path) -> Iterator[Platform]:
    """The same broker and database, to prepare and to look at."""
    with platform(courier.core_settings(), tmp_path / "recordings") as place:
        yield place


@contextmanager
def started(courier: Program, processes: int, *options: str, **changes: str) -> Iterator[Running]:
    """`courier run`; whatever happens inside, neither it nor a worker of its runs afterwards."""
    port = free_port()
    log = courier.folder / "courier.log"
    changes["METRICS_BIND"] = f"127.0.0.1:{port}"
    process = courier.start_logged(log, "run", "--processes", processes, *options, **changes)
    with ended(process):
        yield Running(process, port, log)


def workers(courier: Program) -> dict[int, dict[str, Any]]:
    """What `courier status` shows of the workers, by process."""
    told = courier.inside("status", "--json").json
    assert told["workers"] == len(told["worker_processes"])
    return {each["pid"]: each for each in told["worker_processes"]}


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def accounts_of_both(ground: Platform, wanted: int) -> list[str]:
    """Names of accounts, as many of either worker, once both have taken what is theirs."""

    def owners() -> dict[int, str]:
        rows = ground.core.database["leases"].find({"owner": {"$ne": None}})
        return {row["_id"]: row["owner"] for row in rows}

    until(lambda: len(owners()) == 1024 and len({*owners().values()}) == 2, "two owners of all")
    owner = owners()
    names = [f"acme-{number}" for number in range(200)]
    mine: dict[str, list[str]] = {}
    for name in names:
        mine.setdefault(owner[bucket_of(name)], []).append(name)
    return [name for each in mine.values() for name in each[:wanted]]


def deliver(ground: Platform, customer: AsyncSshServer, accounts: list[str], run: str) -> None:
    """A recording for each account, waited for until it is at the customer."""
    ids = [f"{account}-{run}.wav" for account in accounts]
    for account, recording in zip(accounts, ids, strict=True):
        ground.publish(account, ground.recording(recording), recording_id=recording)
    for recording in ids:
        ground.wait_status(recording, "delivered")
        assert (customer.customer.root / recording).is_file()


def test_two_workers_share_the_work_and_one_that_is_killed_is_replaced(
    courier: Program, ground: Platform, customer: AsyncSshServer
) -> None:
    delivered = 'courier_files_total{outcome="delivered"}'
    console = free_port()
    with started(courier, 2, CONSOLE_BIND=f"127.0.0.1:{console}") as running:
        running.wait_state("ready")
        assert running.get("/sign-in", console)[0] == 200
        assert running.is_alive()
        first = workers(courier)
        assert set(first) == children(running.process.pid)
        assert [each["state"] for each in first.values()] == ["ready", "ready"]

        accounts = accounts_of_both(ground, wanted=2)
        for account in accounts:
            ground.account(account, customer.customer, Protocol.SFTP)
        deliver(ground, customer, accounts, "before")
        until(lambda: running.counted(delivered) == 4, "both workers' files to be counted")
        assert running.counted('courier_events_total{outcome="routed"}') == 4

        victim, survivor = sorted(first)
        os.kill(victim, signal.SIGKILL)
        told = running.wait_state("degraded")
        assert told.checks["workers"].startswith("1 of 2 workers are not ready")
        running.wait_state("ready")
        new = children(running.process.pid)
        assert len(new) == 2
        assert (victim in new, survivor in new) == (False, True)
        shown = workers(courier)
        assert {pid for pid, each in shown.items() if each["state"] == "ready"} >= new
        assert "worker_replaced" in running.log.read_text()

        deliver(ground, customer, accounts, "after")
        until(lambda: running.counted(delivered) == 8, "the dead worker's files to count still")
        running.terminate()
        running.wait_end()
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    after = [line for line in lines if line.get("recording_id", "").endswith("-after.wav")]
    assert sorted(line["recording_id"] for line in after) == sorted(
        f"{account}-after.wav" for account in accounts
    ), "a file is one line"
    assert {(line["event"], line["outcome"], line["try"]) for line in after} == {
        ("file_ended", "delivered", 1)
    }
    assert not [pid for pid in new if Path(f"/proc/{pid}").exists()]
    assert workers(courier).keys() <= {victim}


@one_or_two
def test_an_accounts_broken_queue_degrades_the_service_and_check_names_it(
    courier: Program, ground: Platform, customer: AsyncSshServer, processes: int
) -> None:
    ground.account("acme", customer.customer, Protocol.SFTP)
    connection = pika.BlockingConnection(pika.URLParameters(courier.settings["AMQP_URL"]))
    connection.channel().queue_declare("deliveries.acme", durable=True)
    connection.close()
    with started(courier, processes, NO_CONSOLE) as running:
        running.wait_state("ready")
        ground.publish("acme", ground.recording("a.wav"))
        told = running.wait_state("degraded")
        assert "1 account has a queue that cannot be used: acme: RabbitMQ refuses" in told.reason
        assert told.code == 200
        assert running.counted("courier_broken_queues") == 1
        until(lambda: f"{processes} degraded" in detail(courier, "workers"), "all to tell of it")
        assert "deliveries.acme: inequivalent arg" in detail(courier, "RabbitMQ")
        shown = courier.inside("accounts", "show", "acme", "--json").json
        assert "inequivalent arg" in shown["last_error"]
        assert "delete it" in shown["last_error_advice"]
        running.terminate()
        running.wait_end()


@one_or_two
def test_what_is_open_to_more_than_may_be_meant_is_logged_once_at_the_start(
    courier: Program, processes: int
) -> None:
    with started(courier, processes, NO_CONSOLE, EGRESS_ALLOW="127.0.0.0/8") as running:
        running.wait_state("ready")
        until(lambda: '"service_started"' in running.log.read_text(), "the start")
        running.terminate()
        running.wait_end()
        lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    told = [line["what"] for line in lines if line["event"] == "exposed"]
    assert told == ["sources", *(["user"] if os.geteuid() == 0 else []), "networks"]


@one_or_two
def test_a_service_that_waits_for_its_database_says_so_and_ends_when_it_is_told_to(
    courier: Program, processes: int
) -> None:
    away = f"mongodb://{NOWHERE}/courier"
    with started(courier, processes, NO_CONSOLE, MONGODB_URL=away) as running:
        waiting = running.wait_state("starting")
        assert f"MongoDB does not answer: {NOWHERE}: Connection refused." in waiting.reason
        assert running.is_alive()
        running.terminate()
        running.wait_end()


def test_a_service_that_has_waited_for_its_database_begins_once_it_is_there(
    courier: Program, services: Services
) -> None:
    services.mongodb.stop()
    with started(courier, 1, NO_CONSOLE) as running:
        running.wait_state("starting")
        services.mongodb.start()
        running.wait_state("ready")
        running.terminate()
        running.wait_end()


@one_or_two
def test_a_service_that_loses_its_database_says_so_soon_and_is_ready_when_it_is_back(
    courier: Program, services: Services, processes: int
) -> None:
    with started(courier, processes, NO_CONSOLE) as running:
        running.wait_state("ready")
        services.mongodb.stop()
        lost = running.wait_state("degraded")
        assert "MongoDB does not answer: " in lost.reason
        assert lost.seconds < ANSWERED_WITHIN + BUSY_SECONDS
        assert running.is_alive()
        services.mongodb.start()
        running.wait_state("ready")
        running.terminate()
        running.wait_end()
        assert "Topology" not in running.log.read_text()  # the driver's own particulars


@one_or_two
def test_the_first_sigterm_lets_an_upload_end_and_the_second_cuts_it(
    courier: Program, ground: Platform, customer: AsyncSshServer, mood: Mood, processes: int
) -> None:
    ground.account("acme", customer.customer, Protocol.SFTP)
    mood.held = True
    with started(courier, processes, NO_CONSOLE) as running:
        running.wait_state("ready")
        ground.publish("acme", ground.recording("long.wav"), recording_id="long")
        until(lambda: mood.uploads, "the upload to begin")
        running.terminate()
        stopping = running.wait_state("stopping")
        assert stopping.checks["running"] == "The program is stopping."
        assert ground.row("long")["status"] == "uploading"
        running.terminate()
        running.wait_end(GRACE_SECONDS / 2)
    mood.held = False
    until(lambda: not mood.open_now, "the customer's server to let go of the file")
    assert not mood.renamed
    row = ground.row("long")
    assert (row["status"], row["tries"]) == ("queued", 0)
    assert ground.queue_length("deliveries.acme") == 1


def test_the_service_waits_for_its_database_and_ends_on_ctrl_c(courier: Program) -> None:
    away = f"mongodb://{NOWHERE}/courier"
    process = courier.start("run", METRICS_BIND="127.0.0.1:0", MONGODB_URL=away)
    with ended(process):
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        assert (line["event"], line["where"]) == ("trouble", "mongodb")
        assert "Connection refused" in line["words"]
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=LIMIT)
    assert (process.returncode, rest) == (0, "")


@pytest.mark.parametrize(
    ("login", "place", "words"),
    [
        ("guest:guest", NOWHERE, "Connection refused"),
        ("guest:wrong", None, "Login was refused using authentication mechanism PLAIN."),
    ],
    ids=["away", "refuses"],
)
def test_a_broker_that_cannot_be_used_is_told_in_a_line_for_each_part_and_no_other_words(
    courier: Program, login: str, place: str | None, words: str
) -> None:
    url = courier.settings["AMQP_URL"].replace("guest:guest", login)
    if place is not None:
        url = urlsplit(url)._replace(netloc=f"{login}@{place}").geturl()
    with started(courier, 1, NO_CONSOLE, AMQP_URL=url) as running:
        until(lambda: words in running.wait_state("starting").reason, "the reason")
        time.sleep(WHILE_AWAY)
        running.terminate()
        running.wait_end()
        lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    ours = {"service_started", "exposed", "trouble", "service_stopping", "service_stopped"}
    assert {line["event"] for line in lines} <= ours
    told = [line["words"] for line in lines if line["event"] == "trouble"]
    assert {each.partition(": ")[0] for each in told} >= {"consuming", "publishing"}
    assert all(words in each for each in told)
    assert len(told) <= 2 * len({*told}), "they are told again after a minute"


def test_the_service_refuses_a_taken_address_and_no_process_at_all(
    courier: Program, smtp_sink: SmtpSink
) -> None:
    taken = f"127.0.0.1:{smtp_sink.port}"
    sentence = courier("run", METRICS_BIND=taken).sentence
    assert sentence.startswith(f"The metrics address {taken} cannot be used (Address already in")
    assert courier.inside("run", "--processes", "0").code == 2


def detail(courier: Program, service: str) -> str:
    """What `courier check` says of a service."""
    found = {each["name"]: each["detail"] for each in courier("check", "--json").json}
    return str(found[service])
