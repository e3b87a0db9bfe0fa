"""This program, measured whole: `courier run` as a real process, from events to acknowledgements.

The clock begins when all events lie in `recordings.ready`: the intake is part of what is measured.
"""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika

from consumers.amqp import names, topology
from consumers.ledger import Document
from deploy.local.processes import Child, Process
from deploy.local.services import Services
from tests.bench.clock import Clock
from tests.bench.usage import children_of, cpu_seconds
from tests.faults.scene import environment
from tests.integration.platform import Platform, until

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
CALM_SECONDS = 1.5
"""Between ready and the clock: what runs once after the start is over then."""


@dataclass
class Program:
    """`courier run --no-console` on an empty platform."""

    platform: Platform
    services: Services
    vhost: str
    folder: Path
    _child: Child | None = None
    _pids: list[int] = field(default_factory=list)

    def start(self, processes: int = 1) -> None:
        """Start it, and return once it is ready and has nothing to do."""
        env = environment(self.platform.core.settings)
        argv = [sys.executable, "-m", "worker", "run", "--no-console"]
        argv += ["--processes", str(processes)] if processes > 1 else []
        log = self.folder / "courier.log"
        places = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder)}
        self._child = Child("Courier", argv, log, {**env, **places})
        self._child.start()
        until(self._is_ready, lambda: f"Courier to be ready: {_end_of(log)}", START_SECONDS)
        time.sleep(CALM_SECONDS)
        assert self._child.pid is not None
        main, children = self._child.pid, children_of(self._child.pid)
        self._pids = [main, *children]

    @property
    def workers(self) -> list[int]:
        """The processes that deliver, without their supervisor."""
        return self._pids[1:] or self._pids

    @property
    def parts(self) -> dict[str, list[int]]:
        """The processes of the platform; none of what runs somewhere else."""
        return {
            "worker": self.workers,
            **of_services(self.services),
        }

    def processor_seconds(self) -> dict[str, float]:
        """What each part has used so far."""
        return used_by(self.parts)

    def stop(self) -> None:
        """End it at once: all that it held is thrown away."""
        if self._child is not None:
            self._child.kill()
            for pid in self.workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._child, self._pids = None, []

    def _is_ready(self) -> bool:
        assert self._child is not None
        self._child.check()
        address = f"http://{self.platform.core.settings.metrics_bind}/readyz"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def time(self, events: Sequence[Mapping[str, Any]], watched: Iterable[str]) -> float:
        """Seconds from all events in RabbitMQ until the watched accounts' last acknowledgement.

        Without accounts: until the last event is acknowledged by the intake.
        """

        def publish_all() -> None:
            with self.publishing() as publish:
                publish(events)

        return self.clock.time(
            publish_all,
            len(events),
            self.queues(watched),
            pids=self._pids,
            missing=self.what_is_missing,
        )

    @staticmethod
    def queues(accounts: Iterable[str]) -> list[str]:
        """What has to be empty when these accounts have their files."""
        return [topology.INTAKE.name, *map(topology.account_queue_name, accounts)]

    @property
    def clock(self) -> Clock:
        """Of its virtual host."""
        return Clock(self.services, self.vhost, self.folder)

    @contextmanager
    def publishing(self) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
        """Publishes events in one transaction: on return all are in their queue, confirmed."""
        url = self.platform.core.settings.amqp_url.get_secret_value()
        properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
        connection = pika.BlockingConnection(pika.URLParameters(url))
        try:
            channel = connection.channel()
            channel.tx_select()

            def publish(events: Sequence[Mapping[str, Any]]) -> None:
                for each in events:
                    body = json.dumps(each).encode()
                    exchange, key = topology.RECORDINGS.name, names.READY_KEY
                    channel.basic_publish(exchange, key, body, properties)
                channel.tx_commit()

            yield publish
        finally:
            connection.close()

    def check_rows(self, events: Sequence[Mapping[str, Any]], status: str) -> None:
        """Every event has its row in this state. Raises AssertionError."""
        found = self._count({"_id": {"$in": [event["recording_id"] for event in events]}}, status)
        assert found == len(events), f"{found} of {len(events)} are {status} in the ledger"

    def _count(self, query: Document, status: str) -> int:
        rows = self.platform.core.database["deliveries"]
        return rows.count_documents({**query, "status": status})

    def what_is_missing(self) -> str:
        """For a wait that was in vain."""
        counts = {status: self._count({}, status) for status in ("queued", "delivered")}
        return f"all queues to be empty; rows: {counts}; {_end_of(self.folder / 'courier.log')}"


def of_services(services: Services) -> dict[str, list[int]]:
    """The processes of broker and database; none of what runs somewhere else."""
    return {
        "broker": _processes(services.rabbitmq.process),
        "database": _processes(services.mongodb.process),
    }


def used_by(parts: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Processor seconds of each part so far."""
    return {name: cpu_seconds(pids) for name, pids in parts.items()}


def _processes(process: Process) -> list[int]:
    if not isinstance(process, Child) or process.pid is None:
        return []
    return [process.pid, *children_of(process.pid)]


def event(account_id: str, path: Path) -> dict[str, str]:
    """A recording-ready event."""
    return {
        "recording_id": str(uuid.uuid4()),
        "account_id": account_id,
        "file_url": path.as_uri(),
        "file_name": path.name,
    }


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
