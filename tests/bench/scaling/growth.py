"""What grows: workers, accounts that are known, accounts that each log in, queues at rest."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.bench.figures import RATE, Figures
from tests.bench.files import Recordings, check_delivered, make_ready, make_recordings
from tests.bench.many import crowd_of
from tests.bench.program import event
from tests.bench.single import LOGINS_AT_ONCE, RECORDING, costs
from tests.bench.stage import Stage
from tests.bench.usage import resident_megabytes
from tests.integration.platform import until
from tests.servers import Sshd

WORKERS = (1, 2, 4)
ACCOUNTS = (10, 100, 1_000, 10_000)
QUEUES = (10, 100, 1_000)
MEMORY = "broker MB"
_BUSY = 10
"""Accounts that have files, of those that are known."""
_SMALL = 20 * 1000

Measured = Mapping[int, Figures]
"""The medians of the rounds, by how many there were."""


def medians(rounds: Sequence[Figures]) -> Figures:
    """Of each figure over the rounds."""
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


def workers(stage: Stage, rounds: int, *, quick: bool) -> Measured:
    """The same files by so many worker processes: eight accounts, SFTP."""
    found: dict[int, list[Figures]] = {count: [] for count in WORKERS}
    with crowd_of(stage, 8, 10 if quick else 100, RECORDING) as crowd:
        for _ in range(rounds):
            for count in WORKERS:
                found[count].append(crowd.deliver(count))
    return {count: medians(each) for count, each in found.items()}


def sessions(stage: Stage, rounds: int, *, quick: bool) -> Measured:
    """The dearest way to bring files: a login for every three small ones."""
    accounts = 20 if quick else 300
    with crowd_of(stage, accounts, 3, _SMALL) as crowd:
        return {accounts: medians([crowd.deliver() for _ in range(rounds)])}


def accounts(stage: Stage, rounds: int, *, quick: bool) -> Measured:
    """The same files for ten accounts, of so many that are known."""
    recordings = make_recordings(stage.new_folder("accounts") / "local", 4 if quick else 40, _SMALL)
    found: dict[int, list[Figures]] = {count: [] for count in ACCOUNTS}
    with Sshd(stage.new_folder("sshd"), extra=[LOGINS_AT_ONCE]) as server:
        for _ in range(rounds):
            for count in ACCOUNTS:
                found[count].append(_of_so_many(stage, server.customer, recordings, count))
    return {count: medians(each) for count, each in found.items()}


def _of_so_many(
    stage: Stage, server: CustomerServer, recordings: Recordings, count: int
) -> Figures:
    names = [f"customer-{number:05}" for number in range(count)]
    busy = names[:_BUSY]
    with stage.courier() as (made, program):
        made.save("template", server, Protocol.SFTP)
        made.copy("template", names)
        made.declare_queues(busy)
        program.start()
        until(lambda: not made.anything_due(), "nothing to be due", 60)
        make_ready(recordings, server.root)
        events = [
            event(name, recordings.folder / each) for each in recordings.names for name in busy
        ]
        before = program.processor_seconds()
        seconds = program.time(events, busy)
        used = costs(before, program.processor_seconds(), len(events))
        program.check_rows(events, "delivered")
    for name in busy:
        check_delivered(recordings, server.root / name)
    return {RATE: len(events) / seconds, **used}


@dataclass(frozen=True)
class Queues:
    """What the broker holds of memory, by how many queues it has."""

    megabytes: Mapping[int, float]

    @property
    def each(self) -> float:
        """MB of one queue more."""
        fewest, most = min(self.megabytes), max(self.megabytes)
        return (self.megabytes[most] - self.megabytes[fewest]) / (most - fewest)


def queues(stage: Stage, *, quick: bool) -> Queues:
    """Accounts' queues, empty and without a consumer."""
    found = {}
    declared = 0
    with ExitStack() as stack:
        made, program = stack.enter_context(stage.courier())
        for count in QUEUES[:2] if quick else QUEUES:
            made.declare_queues([f"resting-{number:05}" for number in range(declared, count)])
            declared = count
            found[count] = sum(map(resident_megabytes, program.parts["broker"]))
    return Queues(found)
