"""What a customer has after whoever brings the files was killed once in mid-run (k).

SIGKILL, all its processes at once, when about half of the files have their final names. A program
of the customer's then reads what has a final name, whole or cut, and leaves it there. After that
the same is started again and runs until it has nothing left, and the customer's program reads what
is new or was written anew. A file is recognized by its content.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from deploy.local.processes import Child
from tests.bench import peers
from tests.bench.fed import KINDS, Job, Kind, fed
from tests.bench.figures import EVERYTHING, OURS, Contender, Contenders, Figures, Never, Workload
from tests.bench.files import Recordings, make_ready, make_recordings
from tests.bench.peers import Errand, Peer
from tests.bench.program import event
from tests.bench.single import (
    LFTP_4,
    LFTP_4_RENAMED,
    LOGINS_AT_ONCE,
    OPENSSH,
    OPENSSH_RENAMED,
    PEERS,
    RCLONE_4,
    RECORDING,
)
from tests.bench.stage import Stage
from tests.integration.platform import until
from tests.servers import Sshd

LOST, TWICE, CUT, LEFT = "lost", "twice", "cut", "left over"
_TEMPORARY = (".part", ".partial")
_PEERS = (OPENSSH, OPENSSH_RENAMED, LFTP_4, LFTP_4_RENAMED, RCLONE_4)
Written = tuple[int, int]
"""A file as it was written once: its inode, and when it was changed."""
_SETTLE_SECONDS = 2.0
"""Until the server has written what had reached it."""


@dataclass
class Customer:
    """Reads what has a final name, and compares."""

    folder: Path
    digests: Mapping[str, str]
    _whole: dict[str, set[Written]] = field(default_factory=lambda: defaultdict(set))
    _cut: set[Written] = field(default_factory=set)

    @property
    def arrived(self) -> int:
        """How many have a final name now."""
        return len(self._final())

    def look(self) -> None:
        """Read everything that has a final name."""
        names = {digest: name for name, digest in self.digests.items()}
        for path in self._final():
            with path.open("rb") as file:
                name = names.get(hashlib.file_digest(file, "sha256").hexdigest())
            found = path.stat()
            read = self._cut if name is None else self._whole[name]
            read.add((found.st_ino, found.st_mtime_ns))

    def figures(self) -> Figures:
        """What went wrong, in files; temporary ones that still stand there are left over."""
        files = sum(path.is_file() for path in self.folder.rglob("*"))
        return {
            LOST: sum(name not in self._whole for name in self.digests),
            TWICE: sum(len(written) - 1 for written in self._whole.values()),
            CUT: len(self._cut),
            LEFT: files - self.arrived,
        }

    def _final(self) -> list[Path]:
        return [
            path
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.endswith(_TEMPORARY)
        ]


@dataclass(frozen=True)
class Run:
    """One server, and the files that go there."""

    stage: Stage
    server: CustomerServer
    recordings: Recordings

    def ours(self) -> Figures:
        """This program."""
        with self.stage.courier() as (accounts, program):
            accounts.save("acme", self.server, Protocol.SFTP)
            accounts.declare_queues(["acme"])
            program.start()
            events = [event("acme", self.recordings.folder / each) for each in self._names]
            customer = self._customer()
            with program.publishing() as publish:
                publish(events)
            self._interrupt(customer, program.stop)
            program.start()
            program.clock.empty(program.queues(["acme"]), program.what_is_missing)
        return self._end(customer)

    def fed(self, kind: Kind) -> Figures:
        """What people would build."""
        with fed(kind, self.stage, self.server, Protocol.SFTP, self.recordings.folder) as running:
            customer = self._customer()
            running.publish([Job("acme", self.recordings.folder / each) for each in self._names])
            self._interrupt(customer, running.kill)
            running.start()
            running.await_empty()
        return self._end(customer)

    def scripted(self, peer: Peer) -> Figures:
        """A script that is run again, as the operator would."""
        work = self.stage.new_folder("peer")
        process = peer(Errand(self.server, Protocol.SFTP, self.recordings.folder, work))
        customer = self._customer()
        child = Child("peer", process.argv, work / "peer.log", process.env)
        child.start()
        try:
            self._interrupt(customer, child.kill)
        finally:
            child.kill()
        peers.run(process)
        return self._end(customer)

    @property
    def _names(self) -> list[str]:
        return self.recordings.names

    def _customer(self) -> Customer:
        make_ready(self.recordings, self.server.root)
        return Customer(self.server.root, self.recordings.digests)

    def _interrupt(self, customer: Customer, kill: Callable[[], None]) -> None:
        half = len(self._names) // 2
        until(lambda: customer.arrived >= half, "half of the files to arrive", 300)
        kill()
        time.sleep(_SETTLE_SECONDS)
        customer.look()

    @staticmethod
    def _end(customer: Customer) -> Figures:
        time.sleep(_SETTLE_SECONDS)
        customer.look()
        return customer.figures()


@contextmanager
def interrupted(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """k: everybody is killed once in mid-run and started again."""
    folder = stage.new_folder("killed")
    recordings = make_recordings(folder / "local", 120 if quick else 400, RECORDING)
    with Sshd(stage.new_folder("sshd"), extra=[LOGINS_AT_ONCE]) as server:
        run = Run(stage, server.customer, recordings)
        yield {
            OURS: Contender(run.ours, EVERYTHING),
            **{name: Contender(partial(run.fed, kind), kind.does) for name, kind in KINDS.items()},
            **{
                name: Contender(partial(run.scripted, PEERS[name][0]), PEERS[name][1])
                for name in _PEERS
            },
        }


WORKLOADS = (
    Workload(
        "k",
        "400 x 480 KB, one account, SFTP, killed once in mid-run and started again",
        "files",
        interrupted,
        (Never(LOST), Never(TWICE), Never(CUT), Never(LEFT)),
        counts=(LOST, TWICE, CUT, LEFT),
    ),
)
