"""What people would build instead of this program: `metpx-sr3` and a Celery task, fed by RabbitMQ.

Both are run as programs of their own, from a virtual environment that is theirs alone
(`tools/requirements.txt`, put into the checkout's ignored folder by `make bench`), as their manuals
have it: sr3's `sender` with its own message format, a temporary name and quorum queues, four
instances where one account has all files, else a sender for each account; Celery with four
processes and the task of `tools/recording_task.py`.
"""

import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import pika

from config import accounts
from deploy.local.customers import CustomerServer
from deploy.local.folders import STATE
from deploy.local.processes import Child, ServiceError
from deploy.local.services import Services
from tests.bench.clock import Clock
from tests.bench.figures import RATE, Figures, Work, cost
from tests.bench.program import of_services, used_by
from tests.bench.stage import Place, Stage
from tests.bench.usage import children_of
from tests.integration.platform import until

TOOLS = STATE / "bench" / "tools"
"""Their virtual environment."""
TASKS = Path(__file__).with_name("tools")
AT_ONCE = 4
SR3, CELERY = f"metpx-sr3 -{AT_ONCE}", f"Celery -{AT_ONCE}"
SR3_DOES = Work(fed=True, renamed=True)
CELERY_DOES = Work(fed=True, renamed=True, compared=True, recorded=True)
"""paramiko's `put` asks for the size."""
_EXCHANGE = "recordings"
_NAP = 7.0
"""Seconds that an idle sr3 sleeps at most before it looks again (6.4 with its own settings)."""
_CALM_SECONDS = 1.5
_START_SECONDS = 90.0
_CONNECTIONS = 'length(rabbit_connection_tracking:list(<<"{vhost}">>)).'


@dataclass(frozen=True)
class Job:
    """One recording for one account."""

    account: str
    path: Path
    to: str = "."
    """The account's folder, beneath the one that the login leads to."""


@dataclass(frozen=True)
class Message:
    """What one of them takes for a job."""

    exchange: str
    key: str
    body: bytes
    properties: pika.BasicProperties


class Kind(Protocol):
    """One of the two."""

    @property
    def does(self) -> Work:
        """Besides bringing the bytes."""

    @property
    def naps(self) -> float:
        """Seconds that it may sleep before it looks at its queues."""

    def queues(self, accounts: Sequence[str]) -> list[str]:
        """Where their messages go."""

    def children(self, task: "Task") -> list[Child]:
        """Its processes, not started."""

    def is_ready(self, task: "Task", children: Sequence[Child]) -> bool:
        """Whether they wait for messages."""

    def message(self, job: Job) -> Message:
        """What it is told of a job."""


@dataclass(frozen=True)
class Task:
    """Where messages come from, where files go, and for whom."""

    services: Services
    place: Place
    server: CustomerServer
    protocol: accounts.Protocol
    accounts: Sequence[str]
    folders: Sequence[str]
    """Of the accounts, beneath the one that the login leads to."""
    source: Path
    """The folder of all recordings."""
    work: Path


@dataclass
class Fed:
    """One of them as it runs."""

    kind: Kind
    task: Task
    _children: list[Child] = field(default_factory=list)

    def start(self) -> None:
        """Start it, and return once it waits for messages."""
        self._children = self.kind.children(self.task)
        for child in self._children:
            child.start()
        until(self._is_ready, self._last_words, _START_SECONDS)
        time.sleep(_CALM_SECONDS)

    def kill(self) -> None:
        """End all of it at once (SIGKILL)."""
        for child in self._children:
            child.kill()

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        own = [child.pid for child in self._children if child.pid is not None]
        return [pid for each in own for pid in (each, *children_of(each))]

    @property
    def queues(self) -> list[str]:
        """All its queues."""
        return self.kind.queues(self.task.accounts)

    @property
    def clock(self) -> Clock:
        """Of its virtual host."""
        return Clock(self.task.services, self.task.place.name, self.task.work)

    def publish(self, jobs: Sequence[Job]) -> None:
        """In one transaction: on return all are in their queues, confirmed."""
        with _channel(self.task.place) as channel:
            channel.tx_select()
            for each in map(self.kind.message, jobs):
                channel.basic_publish(each.exchange, each.key, each.body, each.properties)
            channel.tx_commit()

    def time(self, jobs: Sequence[Job]) -> Figures:
        """Bring these; the rate is that of jobs."""
        used = self._used()
        seconds = self.clock.time(
            lambda: self.publish(jobs),
            len(jobs),
            self.queues,
            pids=self.pids,
            missing=self._last_words,
            frozen_for=self.kind.naps,
        )
        spent = {
            cost(part): 1000 * (now - used[part]) / len(jobs) for part, now in self._used().items()
        }
        return {RATE: len(jobs) / seconds, **spent}

    def await_empty(self) -> None:
        """Wait until it has taken and acknowledged everything. Raises AssertionError."""
        self.clock.empty(self.queues, self._last_words)

    def _used(self) -> dict[str, float]:
        return used_by({"worker": self.pids, **of_services(self.task.services)})

    def _is_ready(self) -> bool:
        for child in self._children:
            child.check()
        return self.kind.is_ready(self.task, self._children)

    def _last_words(self) -> str:
        logs = sorted(self.task.work.rglob("*.log"))
        told = "\n".join(path.read_text(errors="replace")[-800:] for path in logs[-3:])
        return f"all queues to be empty: {told}"


@contextmanager
def fed(
    kind: Kind,
    stage: Stage,
    server: CustomerServer,
    protocol: accounts.Protocol,
    source: Path,
    *,
    folders: Sequence[str] = (".",),
) -> Iterator[Fed]:
    """One of them with an empty virtual host, running, for an account in each of these folders."""
    names = [account_of(folder) for folder in folders]
    with stage.place() as place:
        work = stage.new_folder("fed")
        task = Task(stage.services, place, server, protocol, names, folders, source, work)
        running = Fed(kind, task)
        with _channel(place) as channel:
            channel.exchange_declare(_EXCHANGE, "topic", durable=True)
        try:
            running.start()
            yield running
        finally:
            running.kill()


@contextmanager
def _channel(place: Place) -> Iterator[Any]:
    connection = pika.BlockingConnection(pika.URLParameters(place.amqp_url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def account_of(folder: str) -> str:
    """The account whose folder it is."""
    return "acme" if folder == "." else folder


@dataclass(frozen=True)
class Sr3:
    """A sender of sr3: one with several instances for one account, else one for each account."""

    does: Work = SR3_DOES
    naps: float = _NAP

    def queues(self, accounts: Sequence[str]) -> list[str]:
        return [f"sr3-{account}" for account in accounts]

    def children(self, task: Task) -> list[Child]:
        configuration = task.work / "config" / "sr3"
        (configuration / "sender").mkdir(parents=True, exist_ok=True)
        (configuration / "credentials.conf").write_text(_credentials(task))
        instances = AT_ONCE if len(task.accounts) == 1 else 1
        found = []
        for account, folder in zip(task.accounts, task.folders, strict=True):
            settings = configuration / "sender" / f"{account}.conf"
            settings.write_text(_sender(task, account, folder, instances))
            found += [self._instance(task, account, number + 1) for number in range(instances)]
        return found

    @staticmethod
    def _instance(task: Task, account: str, number: int) -> Child:
        python = str(TOOLS / "bin" / "python")
        argv = [python, "-m", "sarracenia.instance", "--no", str(number)]
        places = {"XDG_CONFIG_HOME": task.work / "config", "XDG_CACHE_HOME": task.work / "cache"}
        return Child(
            "metpx-sr3",
            [*argv, "start", f"sender/{account}"],
            task.work / f"sr3-{account}-{number}.log",
            {"HOME": str(task.work), **{name: str(path) for name, path in places.items()}},
        )

    def is_ready(self, task: Task, children: Sequence[Child]) -> bool:
        asked = _CONNECTIONS.format(vhost=task.place.name)
        return int(task.services.rabbitmq.evaluate(asked)) == len(children)

    def message(self, job: Job) -> Message:
        body = {
            "pubTime": time.strftime("%Y%m%dT%H%M%S.00", time.gmtime()),
            "baseUrl": "file:/",
            "relPath": job.path.name,
            "size": job.path.stat().st_size,
        }
        properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
        key = f"v03.{job.account}"
        return Message(_EXCHANGE, key, json.dumps(body).encode(), properties)


def _credentials(task: Task) -> str:
    user = urlsplit(task.place.amqp_url)
    server = task.server
    secret = quote(server.password, safe="")
    return (
        f"amqp://{user.username}:{user.password}@{user.hostname}:{user.port}/{task.place.name}\n"
        f"{_address(task, secret)}\n"
    )


def _address(task: Task, secret: str | None = None) -> str:
    server = task.server
    password = f":{secret}" if secret else ""
    scheme = task.protocol.value
    return f"{scheme}://{server.username}{password}@{server.host}:{server.port}"


def _sender(task: Task, account: str, folder: str, instances: int) -> str:
    broker = urlsplit(task.place.amqp_url)
    return f"""\
broker amqp://{broker.username}@{broker.hostname}:{broker.port}/{task.place.name}
exchange {_EXCHANGE}
queueName sr3-{account}
queueType quorum
subtopic {account}.#
sendTo {_address(task)}
baseDir {task.source}
directory {folder}
inflight .part
instances {instances}
accept .*
"""


@dataclass(frozen=True)
class Celery:
    """A worker with several processes; every account's recordings go into its one queue."""

    does: Work = CELERY_DOES
    naps: float = 0.0
    at_once: int = AT_ONCE
    _ready: Callable[[str], object] = re.compile(r"celery@\S+ ready").search

    def queues(self, accounts: Sequence[str]) -> list[str]:
        return ["celery-recordings"]

    def children(self, task: Task) -> list[Child]:
        server = task.server
        environment = {
            "PYTHONPATH": str(TASKS),
            "TASK_AMQP_URL": task.place.amqp_url,
            "TASK_MONGODB_URL": task.place.mongodb_url,
            "TASK_PROTOCOL": task.protocol.value,
            "TASK_SERVER": json.dumps([server.host, server.port, server.username, server.password]),
        }
        argv = [str(TOOLS / "bin" / "celery"), "-A", "recording_task", "worker"]
        argv += ["--concurrency", str(self.at_once), "--loglevel", "INFO"]
        log = task.work / f"celery-{uuid.uuid4().hex}.log"
        return [Child("Celery", argv, log, environment)]

    def is_ready(self, task: Task, children: Sequence[Child]) -> bool:
        return all(self._ready(child.log.read_text(errors="replace")) for child in children)

    def message(self, job: Job) -> Message:
        number = str(uuid.uuid4())
        name = os.path.normpath(f"{job.to}/{job.path.name}")
        arguments = [number, job.account, str(job.path), name]
        embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
        properties = pika.BasicProperties(
            content_type="application/json",
            content_encoding="utf-8",
            correlation_id=number,
            delivery_mode=2,
            headers={"lang": "py", "task": "recordings.deliver", "id": number, "root_id": number},
        )
        body = json.dumps([arguments, {}, embedded]).encode()
        return Message("", "celery-recordings", body, properties)


def versions() -> dict[str, str]:
    """What is installed of them. Raises ServiceError."""
    return {"metpx-sr3": _version("metpx_sr3"), "Celery": _version("celery")}


def _version(package: str) -> str:
    folders = list(TOOLS.glob(f"lib/python3*/site-packages/{package}-*.dist-info"))
    if not folders:
        raise ServiceError(
            f"The benchmark's {package} is missing: run `make bench`, which installs it."
        )
    return folders[0].name.removesuffix(".dist-info").split("-")[1]


KINDS: dict[str, Kind] = {SR3: Sr3(), CELERY: Celery()}
