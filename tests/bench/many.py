"""Many accounts at once (f to h)."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.bench import peers
from tests.bench.fed import CELERY, KINDS, SR3, Job, Kind, fed
from tests.bench.figures import (
    EVERYTHING,
    OURS,
    OWN,
    RATE,
    AtMost,
    Contender,
    Contenders,
    Figures,
    Times,
    Workload,
)
from tests.bench.files import Recordings, check_delivered, make_ready, make_recordings
from tests.bench.peers import Errand, Peer
from tests.bench.program import event
from tests.bench.single import (
    LFTP,
    LFTP_RENAMED,
    LOGINS_AT_ONCE,
    OPENSSH,
    OPENSSH_GCM,
    OPENSSH_GCM_RENAMED,
    OPENSSH_RENAMED,
    PEERS,
    RCLONE,
    RECORDING,
    costs,
)
from tests.bench.stage import Stage
from tests.servers import Sshd
from tests.servers.namespace import LOOPBACK

CORES = os.cpu_count() or 1
LIMIT, ALONE = "the server's limit", f"{OURS}, 90 alone"
LOGINS = "logins an account"
_SMALL = 20 * 1000
_RAW_LOGINS = 16
"""Logins at once where the server's limit is looked for."""
_OPERATORS = 8
"""Processes that an operator would have run at once."""
_EIGHT = (OPENSSH, OPENSSH_GCM, OPENSSH_GCM_RENAMED, LFTP, LFTP_RENAMED, RCLONE)
"""Peers of f, a process for each account."""
OPENSSH_8, SR3_8 = f"8 {OPENSSH}", "8 metpx-sr3"


@dataclass(frozen=True)
class Crowd:
    """Accounts with one server, each with a folder of its own there."""

    stage: Stage
    server: Sshd
    recordings: Recordings
    accounts: Sequence[str]

    @property
    def customer(self) -> CustomerServer:
        """The server."""
        return self.server.customer

    def deliver(self, processes: int = 1, *, black_holed: Sequence[str] = ()) -> Figures:
        """This program brings every account's files; the rate is that of files.

        Those whose server never answers have as many files, and are not waited for.
        """
        everybody = [*self.accounts, *black_holed]
        with self.stage.courier() as (accounts, program), _black_hole() as nowhere:
            accounts.save("template", self.customer, Protocol.SFTP)
            accounts.copy("template", everybody)
            accounts.point_at(black_holed, nowhere)
            accounts.declare_queues(everybody)
            program.start(processes)
            logins_before, used = self.logins(), program.processor_seconds()
            make_ready(self.recordings, self.customer.root)
            events = [
                event(account, self.recordings.folder / name)
                for name in self.recordings.names
                for account in everybody
            ]
            seconds = program.time(events, self.accounts)
            program.check_rows(
                [each for each in events if each["account_id"] in set(self.accounts)], "delivered"
            )
            spent = costs(used, program.processor_seconds(), self.files)
            logins = (self.logins() - logins_before) / len(self.accounts)
        self.check()
        return {RATE: self.files / seconds, LOGINS: logins, **spent}

    def scripted(self, peer: Peer, at_once: int) -> Figures:
        """A peer brings them, one process an account, so many processes at a time."""
        self._make_folders()
        processes = [
            peer(
                Errand(
                    self.customer,
                    Protocol.SFTP,
                    self.recordings.folder,
                    self.stage.new_folder("peer"),
                    account,
                )
            )
            for account in self.accounts
        ]
        spent = peers.run(*processes, at_once=at_once)
        self.check()
        return {RATE: self.files / spent.seconds, OWN: 1000 * spent.processor_seconds / self.files}

    def fed(self, kind: Kind) -> Figures:
        """What people would build brings them: the accounts' files mixed, as they would come."""
        source, folders = self.recordings.folder, self.accounts
        place = (self.stage, self.customer, Protocol.SFTP, source)
        with fed(kind, *place, folders=folders) as running:
            self._make_folders()
            figures = running.time(
                [
                    Job(account, source / name, account)
                    for name in self.recordings.names
                    for account in self.accounts
                ]
            )
        self.check()
        return figures

    @property
    def files(self) -> int:
        """Of all accounts."""
        return len(self.accounts) * len(self.recordings.digests)

    def _make_folders(self) -> None:
        root = self.customer.root
        make_ready(self.recordings, root)
        for account in self.accounts:
            (root / account).mkdir()
            os.chown(root / account, root.stat().st_uid, root.stat().st_gid)

    def check(self) -> None:
        """Every account's files stand in its folder. Raises NotDelivered."""
        for account in self.accounts:
            check_delivered(self.recordings, self.customer.root / account)

    def logins(self) -> int:
        """Passwords that the server has accepted so far, by its own log."""
        return self.server.log.read_text(errors="replace").count("Accepted password")


@contextmanager
def crowd_of(stage: Stage, accounts: int, files: int, size: int) -> Iterator[Crowd]:
    recordings = make_recordings(stage.new_folder("crowd") / "local", files, size)
    names = [f"customer-{number:04}" for number in range(accounts)]
    with Sshd(stage.new_folder("sshd"), extra=[LOGINS_AT_ONCE]) as server:
        yield Crowd(stage, server, recordings, names)


@contextmanager
def _black_hole() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server((LOOPBACK, 0), backlog=1000) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def all_cores(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """f: eight accounts, one process a core, beside eight processes of a peer."""
    with crowd_of(stage, 8, 10 if quick else 100, RECORDING) as crowd:
        yield {
            OURS: Contender(partial(crowd.deliver, CORES), EVERYTHING),
            **{
                f"8 {name}": Contender(partial(crowd.scripted, PEERS[name][0], 8), PEERS[name][1])
                for name in _EIGHT
            },
            SR3_8: Contender(partial(crowd.fed, KINDS[SR3]), KINDS[SR3].does),
            CELERY: Contender(partial(crowd.fed, KINDS[CELERY]), KINDS[CELERY].does),
        }


@contextmanager
def own_logins(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """g: the rates are accounts a second, which is logins a second."""
    files = 3
    with crowd_of(stage, 50 if quick else 1000, files, _SMALL) as crowd:
        few = Crowd(stage, crowd.server, crowd.recordings, crowd.accounts[: 20 if quick else 200])

        def by_accounts(figures: Figures) -> Figures:
            return {**figures, RATE: figures[RATE] / files}

        def limit() -> Figures:
            count = 50 if quick else 300
            spent = peers.run(peers.logins(crowd.customer, count, _RAW_LOGINS))
            return {RATE: count / spent.seconds}

        def scripted(peer: str) -> Contender:
            brought = partial(few.scripted, PEERS[peer][0], _OPERATORS)
            return Contender(lambda: by_accounts(brought()), PEERS[peer][1])

        yield {
            OURS: Contender(lambda: by_accounts(crowd.deliver()), EVERYTHING),
            LIMIT: Contender(limit),
            OPENSSH_8: scripted(OPENSSH),
            f"8 {OPENSSH_RENAMED}": scripted(OPENSSH_RENAMED),
            CELERY: Contender(lambda: by_accounts(few.fed(KINDS[CELERY])), KINDS[CELERY].does),
        }


@contextmanager
def black_holed(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """h: what ten accounts whose server never answers cost the ninety others."""
    with crowd_of(stage, 90, 2 if quick else 6, _SMALL * 5) as crowd:
        dead = [f"unreachable-{number}" for number in range(10)]
        yield {
            OURS: Contender(partial(crowd.deliver, black_holed=dead), EVERYTHING),
            ALONE: Contender(crowd.deliver, EVERYTHING),
        }


WORKLOADS = (
    Workload(
        "f",
        f"8 accounts x 100 x 480 KB, SFTP, {CORES} processes",
        "files/s",
        all_cores,
        (
            Times(1.0, tuple(f"8 {name}" for name in _EIGHT)),
            Times(3, (SR3_8,)),
            Times(3, (CELERY,)),
        ),
    ),
    Workload(
        "g",
        "1,000 accounts x 3 x 20 KB, each with its own login, SFTP",
        "logins/s",
        own_logins,
        (Times(1.5, (OPENSSH_8,)), Times(3, (CELERY,)), AtMost(LOGINS, 1)),
        rounds=1,
    ),
    Workload(
        "h",
        "90 accounts x 6 x 100 KB, SFTP, beside 10 black-holed",
        "files/s",
        black_holed,
        (Times(0.95, (ALONE,)),),
    ),
)
