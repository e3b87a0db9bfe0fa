"""What the platform itself does: the intake alone, and ten thousand accounts at rest (i, j)."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from config.accounts import Protocol
from tests.bench.figures import (
    EVERYTHING,
    OURS,
    RATE,
    AtLeast,
    AtMost,
    Contender,
    Contenders,
    Figures,
    Workload,
)
from tests.bench.files import make_recordings
from tests.bench.program import Program, event
from tests.bench.single import LOGINS_AT_ONCE
from tests.bench.stage import Stage
from tests.bench.usage import resident_megabytes
from tests.integration.platform import until
from tests.servers import Sshd

INTAKE_ACCOUNTS = 20
IDLE_SECONDS = 20.0
_GLANCE = 0.004
_SMALL = 20 * 1000

MEMORY, CPU = "worker MB", "worker % of a core"
MEDIAN, LONGEST = "median s to the upload", "longest s to the upload"


@contextmanager
def intake(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """i: events into the queues of accounts that are paused, so that nothing else happens."""
    yield {OURS: Contender(partial(_take_in, stage, 500 if quick else 4000), EVERYTHING)}


def _take_in(stage: Stage, count: int) -> Figures:
    with stage.courier() as (accounts, program):
        names = [f"paused-{number:02}" for number in range(INTAKE_ACCOUNTS)]
        accounts.create_paused(names)
        accounts.declare_queues(names)
        program.start()
        source = stage.folder / "never-read.wav"
        events = [event(names[number % len(names)], source) for number in range(count)]
        seconds = program.time(events, [])
        program.check_rows(events, "queued")
        _check_routed(program, names, count)
    return {RATE: count / seconds}


def _check_routed(program: Program, names: list[str], count: int) -> None:
    """All are in the accounts' queues, and the ledger says so."""
    rows = program.platform.core.database["deliveries"]
    assert rows.count_documents({"routed_at": {"$ne": None}}) == count, "not all noted as routed"
    there = sum(program.platform.queue_length(f"deliveries.{name}") for name in names)
    assert there == count, f"{there} of {count} messages are in the accounts' queues"


@contextmanager
def at_rest(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """j: accounts of which one in fifty has ever had an event."""
    measured = partial(_rest, stage, 1000 if quick else 10_000, 10 if quick else 40)
    yield {OURS: Contender(measured, EVERYTHING)}


def _rest(stage: Stage, accounts: int, arrivals: int) -> Figures:
    recordings = make_recordings(stage.new_folder("rest") / "local", 2, _SMALL)
    first, second = (recordings.folder / name for name in recordings.names)
    names = [f"customer-{number:05}" for number in range(accounts)]
    known = names[::50]
    with (
        Sshd(stage.new_folder("sshd"), extra=[LOGINS_AT_ONCE]) as server,
        stage.courier() as (made, program),
    ):
        made.save("template", server.customer, Protocol.SFTP)
        made.copy("template", names)
        made.declare_queues(known)
        program.start()
        program.time([event(name, first) for name in known], known)
        until(lambda: not made.anything_due(), "all sessions to end", 60)
        idle = _idle(program)
        waits = _waits(program, random.sample(known, min(arrivals, len(known))), second)
    return {**idle, MEDIAN: median(waits), LONGEST: max(waits)}


def _idle(program: Program) -> Figures:
    time.sleep(IDLE_SECONDS / 4)
    before = program.processor_seconds()
    time.sleep(IDLE_SECONDS)
    figures = {}
    for name, seconds in program.processor_seconds().items():
        figures[f"{name} % of a core"] = 100 * (seconds - before[name]) / IDLE_SECONDS
        figures[f"{name} MB"] = sum(map(resident_megabytes, program.parts[name]))
    return figures


def _waits(program: Program, accounts: list[str], source: Path) -> list[float]:
    """Seconds from an event to its claim, one account after the other, at odd moments."""
    waits = []
    for account in accounts:
        time.sleep(random.uniform(0.2, 0.8))  # noqa: S311 - no secret
        waits.append(_wait(program, event(account, source)))
    return waits


def _wait(program: Program, one: dict[str, str]) -> float:
    rows = program.platform.core.database["deliveries"]
    begun = {"_id": one["recording_id"], "starts": {"$gt": 0}}
    with program.publishing() as publish:
        began = time.monotonic()
        publish([one])
        while rows.find_one(begun, {"_id": 1}) is None:
            assert time.monotonic() - began < 60, "the upload did not begin within 60 s"
            time.sleep(_GLANCE)
        return time.monotonic() - began


WORKLOADS = (
    Workload(
        "i",
        f"the intake alone, {INTAKE_ACCOUNTS} accounts",
        "events/s",
        intake,
        (AtLeast(RATE, 1500),),
    ),
    Workload(
        "j",
        "10,000 accounts at rest, 200 of them with queues",
        "",
        at_rest,
        (AtMost(MEMORY, 150), AtMost(CPU, 2), AtMost(LONGEST, 1), AtMost(MEDIAN, 0.3)),
        rounds=1,
    ),
)
