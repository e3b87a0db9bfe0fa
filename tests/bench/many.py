"""Many accounts at once (f to h)."""

import os
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.bench import peers
from tests.bench.figures import OURS, RATE, AtMost, Contenders, Figures, Times, Workload
from tests.bench.files import Recordings, check_delivered, make_ready, make_recordings
from tests.bench.peers import Errand, Peer
from tests.bench.program import event
from tests.bench.single import LOGINS_AT_ONCE, RECORDING, costs
from tests.bench.stage import Stage
from tests.servers import Sshd
from tests.servers.namespace import LOOPBACK

CORES = os.cpu_count() or 1
LIMIT, ALONE = "the server's limit", "90 alone"
LOGINS = "logins an account"
_SMALL = 20 * 1000
_RAW_LOGINS = 16
"""Logins at once where the server's limit is looked for."""
_OPERATORS = 8
"""Processes that an operator would have run at once."""


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
            files = len(self.accounts) * len(self.recordings.digests)
            spent = costs(used, program.processor_seconds(), files)
            logins = (self.logins() - logins_before) / len(self.accounts)
        self.check()
        return {RATE: files / seconds, LOGINS: logins, **spent}

    def scripted(self, peer: Peer, at_once: int) -> Figures:
        """A peer brings them, one process an account, so many processes at a time."""
        root = self.customer.root
        make_ready(self.recordings, root)
        for account in self.accounts:
            (root / account).mkdir()
            os.chown(root / account, root.stat().st_uid, root.stat().st_gid)
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
        began = monotonic()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(peers.run, processes))
        seconds = monotonic() - began
        self.check()
        return {RATE: len(self.accounts) * len(self.recordings.digests) / seconds}

    def check(self) -> None:
        """Every account's files stand in its folder. Raises NotDelivered."""
        for account in self.accounts:
            check_delivered(self.recordings, self.customer.root / account)

    def logins(self) -> int:
        """Passwords that the server has accepted so far, by its own log."""
        return self.server.log.read_text(errors="replace").count("Accepted password")


@contextmanager
def _crowd(stage: Stage, accounts: int, files: int, size: int) -> Iterator[Crowd]:
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
    with _crowd(stage, 8, 10 if quick else 100, RECORDING) as crowd:
        yield {
            OURS: partial(crowd.deliver, CORES),
            "8 OpenSSH sftp": partial(crowd.scripted, peers.openssh, 8),
            "8 lftp": partial(crowd.scripted, peers.lftp(1), 8),
            "8 rclone": partial(crowd.scripted, peers.rclone(1), 8),
        }


@contextmanager
def own_logins(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """g: the rates are accounts a second, which is logins a second."""
    files = 3
    with _crowd(stage, 50 if quick else 1000, files, _SMALL) as crowd:
        few = Crowd(stage, crowd.server, crowd.recordings, crowd.accounts[: 20 if quick else 200])

        def by_accounts(figures: Figures) -> Figures:
            return {**figures, RATE: figures[RATE] / files}

        def limit() -> Figures:
            count = 50 if quick else 300
            return {RATE: count / peers.run(peers.logins(crowd.customer, count, _RAW_LOGINS))}

        yield {
            OURS: lambda: by_accounts(crowd.deliver()),
            LIMIT: limit,
            f"{_OPERATORS} OpenSSH sftp": lambda: by_accounts(
                few.scripted(peers.openssh, _OPERATORS)
            ),
        }


@contextmanager
def black_holed(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """h: what ten accounts whose server never answers cost the ninety others."""
    with _crowd(stage, 90, 2 if quick else 6, _SMALL * 5) as crowd:
        dead = [f"unreachable-{number}" for number in range(10)]
        yield {
            OURS: partial(crowd.deliver, black_holed=dead),
            ALONE: partial(crowd.deliver),
        }


WORKLOADS = (
    Workload(
        "f",
        f"8 accounts x 100 x 480 KB, SFTP, {CORES} processes",
        "files/s",
        all_cores,
        (Times(1.25, ("8 OpenSSH sftp", "8 lftp", "8 rclone")),),
    ),
    Workload(
        "g",
        "1,000 accounts x 3 x 20 KB, each with its own login, SFTP",
        "logins/s",
        own_logins,
        (Times(round(1 / 1.1, 3), (LIMIT,)), AtMost(LOGINS, 1)),
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
