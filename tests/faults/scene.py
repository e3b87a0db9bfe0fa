"""The stage of a fault: workers as processes of their own, customers, and what is counted."""

import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from config.accounts import Protocol
from config.settings import Settings
from consumers.amqp import topology
from consumers.ledger import bucket_of
from deploy.local.customers import CustomerServer
from deploy.local.processes import Child
from deploy.local.services import Services
from tests.faults.accounting import Account, Tally, count
from tests.faults.history import History
from tests.faults.launcher import VARIABLE, Fault, Point
from tests.integration.platform import WAIT_SECONDS, Platform, all_in_short, until

ROOT = Path(__file__).parents[2]
LEASE = 3.0
CALM = 15.0
"""A lease that a busy machine does not lose: where nothing may be begun anew."""
SHORT_BEATS = {"consumers.amqp.connection:HEARTBEAT": 2, "consumers.intake.intake:HEARTBEAT": 2}
"""The broker misses a silent worker before its lease is over, as with the times of production."""


@dataclass
class Worker:
    """`courier run` in a process of its own, with a fault in it or without."""

    child: Child

    def start(self) -> None:
        self.child.start()

    def kill(self) -> None:
        """As the kernel does, or a power cut."""
        self.child.kill()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    @property
    def pid(self) -> int:
        assert self.child.pid is not None, "the worker was not started"
        return self.child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        process = self.child._process
        return process.poll() if process is not None else None

    @property
    def is_frozen(self) -> bool:
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def wait_end(self, limit: float = WAIT_SECONDS) -> int:
        """Its exit code, once it has ended."""
        until(lambda: self.exit_code is not None, "the worker to end", limit)
        code = self.exit_code
        assert code is not None
        return code

    def wait_frozen(self, limit: float = WAIT_SECONDS) -> None:
        until(lambda: self.is_frozen, "the worker to be frozen", limit)

    def held(self) -> tuple[int, int]:
        """How many threads and descriptors it has."""
        return tuple(  # type: ignore[return-value]
            len(list(Path(f"/proc/{self.pid}/{kind}").iterdir())) for kind in ("task", "fd")
        )

    def memory(self) -> int:
        """Kilobytes of resident memory."""
        (line,) = [
            line
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        ]
        return int(line.split()[1])


@dataclass
class Scene:
    """Everything a test of a fault acts on."""

    platform: Platform
    services: Services
    folder: Path
    history: History
    workers: list[Worker] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    _number: int = 0

    def customer(
        self, account_id: str, server: CustomerServer, protocol: Protocol, **changes: Any
    ) -> None:
        """An account whose files land in a folder of its own at the server."""
        path = changes.pop("path", account_id)
        self.platform.account(account_id, server, protocol, path=path, **changes)
        self.accounts[account_id] = Account(account_id, server.root / path)

    def publish(self, account_id: str, count: int = 1, *, size: int = 20_000) -> list[str]:
        """Recordings, each with content of its own; their ids."""
        return [self._publish_one(account_id, size) for _ in range(count)]

    def _publish_one(self, account_id: str, size: int) -> str:
        self._number += 1
        name = f"{account_id}-{self._number:05}.wav"
        head = f"{name} {uuid.uuid4()} ".encode()
        source = self.platform.recording(name, head * (size // len(head) + 1))
        account = self.accounts[account_id]
        account.unsure[name] = source.read_bytes()
        self.platform.publish(account_id, source, recording_id=name)
        account.published[name] = account.unsure.pop(name)
        return name

    def worker(
        self,
        *points: Point,
        constants: dict[str, float] | None = None,
        limits: dict[str, float] | None = None,
        apart: bool = False,
        **settings: Any,
    ) -> Worker:
        """A worker, not started yet; what is named differs from the platform's settings."""
        fault = Fault(
            points=list(points),
            constants={**SHORT_BEATS, **(constants or {})},
            limits=limits or {},
            apart=apart,
        )
        env = environment(self.platform.core.settings.model_copy(update=settings))
        name = f"worker-{len(self.workers)}"
        child = Child(
            name,
            [sys.executable, "-m", "tests.faults.launcher"],
            self.folder / f"{name}.log",
            # Not by the working folder: a server of the test's own process may change it.
            {**env, VARIABLE: json.dumps(fault), "PYTHONPATH": str(ROOT)},
        )
        worker = Worker(child)
        self.workers.append(worker)
        return worker

    def start(self, *points: Point, **changes: Any) -> Worker:
        """The same, started."""
        worker = self.worker(*points, **changes)
        worker.start()
        return worker

    def point(
        self, at: str, when: str, *, call: int = 1, frozen: bool = False, about: str = ""
    ) -> Point:
        """A worker dies there, or is frozen: the first one that comes to it."""
        number = signal.SIGSTOP if frozen else signal.SIGKILL
        once = str(self.folder / f"struck-{uuid.uuid4().hex}")
        return Point(at=at, when=when, call=call, signal=number, once=once, about=about)

    def error(self, at: str, raises: str, *, calls: int = 1000, about: str = "") -> Point:
        """The worker meets this error there, so many times."""
        return Point(
            at=at, when="before", call=calls, signal=0, once="", about=about, raises=raises
        )

    def owner(self, account_id: str) -> str | None:
        """The worker whose lease the account's bucket is, by the database."""
        lease = self.platform.core.database["leases"].find_one({"_id": bucket_of(account_id)})
        return lease["owner"] if lease else None

    def wait_owned(self, account_id: str, *, not_by: str | None = None) -> str:
        """The owner of the account, once there is one."""
        return str(
            until(
                lambda: (owner := self.owner(account_id)) != not_by and owner,
                f"{account_id} to be owned",
            )
        )

    def wait_delivered(self, *ids: str, limit: float = WAIT_SECONDS) -> None:
        """Wait until these recordings, or all, are delivered."""
        wanted = set(ids or self.published)

        def missing() -> set[str]:
            done = self.platform.core.database["deliveries"].find(
                {"_id": {"$in": list(wanted)}, "status": "delivered"}, {"_id": 1}
            )
            return wanted - {row["_id"] for row in done}

        def what() -> str:
            rows = [self.platform.row(name) for name in sorted(missing())]
            return f"all {len(wanted)} to be delivered; not yet {all_in_short(rows)}"

        until(lambda: not missing(), what, limit)

    @property
    def published(self) -> dict[str, bytes | None]:
        return {
            name: content
            for account in self.accounts.values()
            for name, content in account.published.items()
        }

    def rows(self) -> dict[str, dict[str, Any]]:
        """All rows of the ledger by recording id."""
        return {row["_id"]: row for row in self.platform.core.database["deliveries"].find()}

    def wait_clean(self) -> None:
        """Wait until whoever was woken, or cut, has removed its own temporary files."""
        folders = [account.folder for account in self.accounts.values()]
        until(
            lambda: not [path for each in folders for path in each.rglob("*.part")],
            "every temporary file to be removed",
        )

    def account_for_all(self) -> Tally:
        """The accounting of the matrix, from disks, ledger, broker and recorded history."""
        until(lambda: set(self.published) <= set(self.rows()), "all events to be taken")
        self._take_in_unsure()
        tally = count(self.accounts.values(), self.rows())
        tally.assert_whole()
        self._account_for_messages()
        self.history.check()
        return tally

    def _take_in_unsure(self) -> None:
        """What was published without a confirm counts where it came in."""
        rows = self.rows()
        for account in self.accounts.values():
            for name in [name for name in account.unsure if name in rows]:
                account.published[name] = account.unsure.pop(name)

    def _account_for_messages(self) -> None:
        """What is final is acknowledged; what is dead stands in its queue; nothing is held back."""
        rows = self.rows().values()
        for account_id in self.accounts:
            mine = [row for row in rows if row["account_id"] == account_id]
            statuses = [row["status"] for row in mine]
            dead = statuses.count("dead_lettered")
            if not {"queued", "uploading"} & set(statuses):
                self.platform.wait_length(f"deliveries.{account_id}", 0)
            if dead:
                queue = f"dead-letters.{account_id}"
                until(lambda q=queue, n=dead: self.platform.queue_length(q) >= n, queue)  # type: ignore[misc]
        self.platform.wait_length("recordings.ready", 0)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as a process is given them."""
    return {
        f"COURIER_{name.upper()}": _rendered(getattr(settings, name))
        for name in settings.model_fields_set
    }


def _rendered(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(_rendered(each) for each in value)
    return str(value)


@contextmanager
def scene(
    platform: Platform, services: Services, folder: Path, *, quiet: bool = False
) -> Iterator[Scene]:
    """The stage; at its end every worker is gone. Unless `quiet`, their logs are shown."""
    url = platform.core.settings.mongodb_url.get_secret_value()
    topology.declare_once(
        platform.core.settings.rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
    )
    with History(url, platform.core.database.name) as history:
        made = Scene(platform, services, folder, history)
        try:
            yield made
        finally:
            for worker in made.workers:
                worker.kill()
            for worker in () if quiet else made.workers:
                if worker.child.log.exists():
                    print(worker.child.log.read_text(errors="replace")[-20_000:])  # noqa: T201 - shown with a failure


def wait(seconds: float) -> None:
    """Let so much time pass: for what must not happen meanwhile."""
    time.sleep(seconds)
