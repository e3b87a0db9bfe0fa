"""`python -m tests.faults.soak --minutes 10`: random faults under load, then the accounting.

Four workers, 200 accounts on eight real servers behind proxies. With `--nodes 3` the broker is a
cluster, and one of its nodes at a time dies. Ends with exit code 1 where a recording was lost,
truncated or doubled, or where an account had two owners by the database's log.
"""

import argparse
import logging
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pika

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.services import Services, services
from tests.contract.proxy import Proxy
from tests.faults.accounting import count
from tests.faults.scene import Scene, Worker, scene
from tests.integration.platform import all_in_short, platform, settings_for
from tests.servers import Sshd, Vsftpd

ACCOUNTS = 200
WORKERS = 4
LEASE = 6.0
FILES_A_SECOND = 10.0
LARGE_EVERY = 40
INTERRUPTED = 130
SETTLE_SECONDS = 300.0

T = TypeVar("T")
Server = Sshd | Vsftpd | AsyncSshServer | PyFtpServer


def main() -> int:
    """Run the soak and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--nodes", type=int, default=1, help="of RabbitMQ")
    arguments = parser.parse_args()
    logging.disable()  # what the libraries tell of each cut connection
    say(f"seed {arguments.seed}, {arguments.minutes:g} minutes")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        chance = random.Random(arguments.seed)  # noqa: S311 - to be repeated by its seed
        try:
            soak = _prepare(Path(folder), chance, stack, arguments.nodes)
            soak.run(arguments.minutes * 60)
        except KeyboardInterrupt:
            say("stopped: nothing was counted")
            return INTERRUPTED
        return soak.account()


def say(text: str) -> None:
    """A line with the time."""
    print(f"{time.strftime('%T')}  {text}", flush=True)  # noqa: T201 - what it is run for


def _prepare(folder: Path, chance: random.Random, stack: ExitStack, nodes: int) -> "Soak":
    running = stack.enter_context(services(nodes))
    mail = stack.enter_context(SmtpSink())
    settings = settings_for(
        running.amqp_url,
        running.mongodb_url,
        mail.url,
        retry_delays=(0.0, 0.5, 1.0, 2.0),
        suspend_seconds=5.0,
        lease_seconds=LEASE,
    )
    place = stack.enter_context(platform(settings, folder / "recordings"))
    ground = stack.enter_context(scene(place, running, folder, quiet=True))
    customers = [stack.enter_context(_served(each)) for each in _servers(folder)]
    soak = Soak(ground, running, customers, chance)
    soak.set_up()
    return soak


def _servers(folder: Path) -> Iterator[Server]:
    for number in range(2):
        yield Sshd(folder / f"sshd-{number}", extra=["MaxStartups 200"])
        yield Vsftpd(folder / f"vsftpd-{number}")
        for name, kind in (("asyncssh", AsyncSshServer), ("pyftpd", PyFtpServer)):
            root = folder / f"{name}-{number}"
            root.mkdir()
            yield kind(root)


@contextmanager
def _served(server: Server) -> Iterator["Customer"]:
    with server, Proxy(server.customer) as proxy:
        yield Customer(server, proxy)


@dataclass
class Customer:
    """A server, and the proxy that the workers reach it by."""

    server: Server
    proxy: Proxy

    @property
    def name(self) -> str:
        return f"{type(self.server).__name__} {self.server.customer.port}"


@dataclass
class Soak:
    """Load, faults, and the count of both."""

    ground: Scene
    services: Services
    customers: list[Customer]
    chance: random.Random
    faults: Counter[str] = field(default_factory=Counter)
    _workers: list[Worker] = field(default_factory=list)
    _mends: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _broken: set[int] = field(default_factory=set)
    """What a fault holds already: by identity, until it is mended."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def set_up(self) -> None:
        """Accounts, workers, and one file each, so that every queue and folder is there."""
        for number in range(ACCOUNTS):
            each = self.customers[number % len(self.customers)]
            facts = each.server.customer
            protocol = Protocol.SFTP if facts.host_key else Protocol.FTP
            name = f"account-{number:03}"
            self.ground.customer(name, facts, protocol, port=each.proxy.port)
        self._workers = [self.ground.start() for _ in range(WORKERS)]
        for account in self.ground.accounts:
            self.ground.publish(account)
        self.ground.wait_delivered(limit=180)
        say(f"{ACCOUNTS} accounts on {len(self.customers)} servers, {WORKERS} workers: ready")

    def run(self, seconds: float) -> None:
        """Publish and do harm for so long; then mend everything and let it settle."""
        pipeline = threading.Thread(target=self._publish, name="pipeline", daemon=True)
        pipeline.start()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._pause(self.chance.uniform(2, 5))
            self._harm()
        self._pause(0, everything=True)
        self._ended.set()
        pipeline.join()
        say(f"load ended after {len(self.ground.published)} recordings; settling")
        self._settle()

    def _settle(self) -> None:
        ended = [worker.child.name for worker in self._workers if worker.exit_code is not None]
        assert not ended, f"{ended} ended by themselves"
        ends = time.monotonic() + SETTLE_SECONDS
        rows = self.ground.platform.core.database["deliveries"]
        waiting = {"status": {"$in": ["queued", "uploading"]}}
        while time.monotonic() < ends:
            taken = rows.count_documents({}) >= len(self.ground.published)
            if taken and not rows.count_documents(waiting):
                return
            time.sleep(1)
        say(f"not settled after {SETTLE_SECONDS:.0f} s: {all_in_short(rows.find(waiting))}")

    # --- load ---------------------------------------------------------------------------------

    def _publish(self) -> None:
        """As the pipeline does: again until it is confirmed."""
        number = 0
        accounts = list(self.ground.accounts.values())
        load = random.Random(self.chance.random())  # noqa: S311 - to be repeated by its seed
        while not self._ended.is_set():
            number += 1
            account = load.choice(accounts)
            name = f"soak-{number:06}"
            content = f"{name} of {account.account_id} ".encode() * load.randrange(50, 1500)
            if number % LARGE_EVERY == 0:
                content *= 20
            source = self.ground.platform.recording(f"{name}.wav", content)
            while not self._is_confirmed(name, account.account_id, source):
                time.sleep(0.5)
            account.published[name] = content
            self._ended.wait(load.expovariate(FILES_A_SECOND))

    def _is_confirmed(self, name: str, account_id: str, source: Path) -> bool:
        try:
            self.ground.platform.publish(account_id, source, recording_id=name)
        except (pika.exceptions.AMQPError, OSError):
            return False
        return True

    # --- harm -----------------------------------------------------------------------------------

    def _pause(self, seconds: float, *, everything: bool = False) -> None:
        """Let time pass, and mend in it what is to be mended."""
        ends = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            due = [mend for mend in self._mends if mend[0] <= now or everything]
            for mend in due:
                self._mends.remove(mend)
                mend[1]()
            if now >= ends and not (everything and self._mends):
                return
            time.sleep(0.1)

    def _harm(self) -> None:
        kinds: dict[Callable[[], str | None], int] = {
            self._kill_worker: 24,
            self._freeze_worker: 20,
            self._stop_server: 14,
            self._reset_server: 24,
            self._silence_server: 10,
            self._restart_broker: 2,
            self._kill_broker: 2 if self._is_single else 40,
            self._restart_database: 2,
            self._kill_database: 2,
        }
        (harm,) = self.chance.choices([*kinds], [*kinds.values()])
        told = harm()
        if told is None:  # what it would break is broken already
            return
        self.faults[harm.__name__.strip("_").replace("_", " ")] += 1
        say(told)

    def _kill_worker(self) -> str | None:
        worker = self._free(self._workers)
        if worker is None:
            return None
        worker.kill()
        self._later(worker, self.chance.uniform(0, 4), worker.start)
        return f"{worker.child.name} killed"

    def _freeze_worker(self) -> str | None:
        worker = self._free(self._workers)
        if worker is None:
            return None
        worker.freeze()
        seconds = self.chance.uniform(1, 3 * LEASE)
        self._later(worker, seconds, worker.wake)
        return f"{worker.child.name} frozen for {seconds:.1f} s"

    def _stop_server(self) -> str | None:
        customer = self._free(self.customers)
        if customer is None:
            return None
        customer.server.stop()
        seconds = self.chance.uniform(1, 12)
        self._later(customer, seconds, customer.server.start)
        return f"{customer.name} stopped for {seconds:.1f} s"

    def _silence_server(self) -> str | None:
        customer = self._free(self.customers)
        if customer is None:
            return None
        customer.proxy.silent.set()
        seconds = self.chance.uniform(1, 10)
        self._later(customer, seconds, customer.proxy.silent.clear)
        return f"{customer.name} silent for {seconds:.1f} s"

    def _reset_server(self) -> str:
        customer = self.chance.choice(self.customers)
        customer.proxy.reset()
        return f"{customer.name}: all connections reset"

    @property
    def _is_single(self) -> bool:
        return len(self.services.nodes) == 1

    def _restart_broker(self) -> str | None:
        node = self._free_node()
        if node is None:
            return None
        node.restart()
        return f"{self._called(node)} restarted"

    def _kill_broker(self) -> str | None:
        node = self._free_node()
        if node is None:
            return None
        node.save_queue_list()
        node.kill()
        if self._is_single:
            node.start()
            return "broker killed and started"
        seconds = self.chance.uniform(0, 20)
        self._later(node, seconds, node.start)
        return f"{self._called(node)} killed for {seconds:.1f} s"

    def _free_node(self) -> RabbitMQ | None:
        """Any while all run: two of three are the majority that quorum queues need."""
        nodes = self.services.nodes
        return (
            None if any(id(node) in self._broken for node in nodes) else self.chance.choice(nodes)
        )

    def _called(self, node: RabbitMQ) -> str:
        return "broker" if self._is_single else f"broker's node {self.services.nodes.index(node)}"

    def _restart_database(self) -> str:
        self.services.mongodb.restart()
        return "database restarted"

    def _kill_database(self) -> str:
        self.services.mongodb.kill()
        self.services.mongodb.start()
        return "database killed and started"

    def _free(self, of: Sequence[T]) -> T | None:
        free = [each for each in of if id(each) not in self._broken]
        return self.chance.choice(free) if free else None

    def _later(self, what: object, seconds: float, mend: Callable[[], None]) -> None:
        self._broken.add(id(what))

        def mended() -> None:
            mend()
            self._broken.discard(id(what))

        self._mends.append((time.monotonic() + seconds, mended))

    # --- the end --------------------------------------------------------------------------------

    def account(self) -> int:
        """Print the figures; 1 where something was lost, truncated or doubled."""
        rows = self.ground.rows()
        tally = count(self.ground.accounts.values(), rows)
        moments = sorted(row["delivered_at"] for row in rows.values() if row["delivered_at"])
        gaps = [after - before for before, after in pairwise(moments)]
        waits = [
            row["delivered_at"] - row["created_at"] for row in rows.values() if row["delivered_at"]
        ]
        broken = self._broken_promises()
        figures: dict[str, object] = {
            "published": tally.published,
            "delivered": tally.delivered,
            "dead-lettered": tally.dead_lettered,
            "queued": tally.queued,
            "duplicates": tally.doubled,
            "truncated": tally.truncated,
            "lost": tally.lost,
            "two owners": len(broken),
            "longest gap": _seconds(max(gaps, default=timedelta())),
            "longest wait": _seconds(max(waits, default=timedelta())),
            "claims": self.ground.history.claims,
            "faults": sum(self.faults.values()),
            **{f"  {name}": number for name, number in sorted(self.faults.items())},
        }
        for name, figure in figures.items():
            print(f"{name:<20}{figure:>12}")  # noqa: T201 - what it is run for
        for sentence in [*broken, *tally.faults][:60]:  # the rarer ones are not crowded out
            say(sentence)
        return 1 if tally.faults or broken else 0

    def _broken_promises(self) -> list[str]:
        try:
            self.ground.history.check()
        except AssertionError as error:
            return str(error).splitlines()
        return []


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.1f} s"


if __name__ == "__main__":
    sys.exit(main())
