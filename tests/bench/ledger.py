"""What the ledger costs a file: alone and in flights, and as it and the accounts become more.

`python -m tests.bench.ledger` measures on a MongoDB of its own, with the program's own calls, and
writes it into docs/scaling.md. `--rows` and `--accounts` name the sizes.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from bson import ObjectId
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from consumers.intake.events import decode
from consumers.ledger import Arrival, Claim, Claimant, Document, Ledger
from consumers.ledger.search_keys import keys_of
from deploy.local import mongodb
from deploy.local.processes import Child
from tests.bench.machine import load_average
from tests.bench.usage import cpu_seconds
from transports.job import Intent, Uploaded, Verified
from worker.mongodb import OURS

FOLDER = "/in"
FILES = 480
"""Of one measurement: that many are read off the kernel's clock, which ticks a hundred a second."""
SIZES = (1, 4, 16)
AT_ONCE = (1, 8)
"""Flights at once."""
ROUNDS = 3
ROWS = (1_000, 10_000, 100_000)
ACCOUNTS = (10, 100, 1_000, 10_000)
BATCH = 5_000
ME = Claimant("bench", "bench", 1)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
BEGIN, END = "<!-- ledger -->", "<!-- /ledger -->"
_OF_A_COMMAND = frozenset(
    {"lsid", "$clusterTime", "txnNumber", "maxTimeMS", "writeConcern", "readConcern", "$db"}
)
"""What `explain` does not want to be told."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds a file."""

    client: float
    mongod: float
    wall: float

    def cells(self) -> tuple[str, str, str]:
        return f"{self.client:.2f}", f"{self.mongod:.2f}", f"{self.wall:.2f}"


class Commands(monitoring.CommandListener):
    """The last command of each kind that was sent for rows of deliveries, or for accounts."""

    def __init__(self) -> None:
        self.last: dict[str, Document] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.last[event.command_name] = dict(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@dataclass
class Bench:
    """A MongoDB with a database whose rows only become more."""

    database: Database[Document]
    ledger: Ledger
    pid: int
    commands: Commands
    stored: int = 0
    _made: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))

    # --- rows that stand there ----------------------------------------------------------------

    def fill(self, rows: int, accounts: int) -> None:
        """So many delivered rows in all, by so many accounts in turn, and those accounts."""
        for first in range(self.stored, rows, BATCH):
            numbers = range(first, min(first + BATCH, rows))
            self.database["deliveries"].insert_many(
                [_delivered(number, f"account-{number % accounts}") for number in numbers],
                ordered=False,
            )
        self.stored = max(self.stored, rows)

    def make_accounts(self, accounts: int) -> None:
        """Each as it is between two sessions: not due."""
        run = {"state": "active", "routed": 1, "next_due": None, "epoch": 1, "bucket": 1}
        known = self.database["accounts"].count_documents({})
        for first in range(known, accounts, BATCH):
            self.database["accounts"].insert_many(
                [
                    {"_id": f"account-{number}", "run": run}
                    for number in range(first, min(first + BATCH, accounts))
                ]
            )

    # --- files that arrive --------------------------------------------------------------------

    def arrive(self, count: int, accounts: int) -> list[str]:
        """So many new files, their messages published."""
        arrivals = []
        for number in (next(self._made) for _ in range(count)):
            event = {
                "recording_id": f"new-{number}",
                "account_id": f"account-{number % accounts}",
                "file_url": f"file:///recordings/{number}.wav",
                "file_name": f"{number}.wav",
                "number": f"+44163296{number % 10_000:04d}",
                "recorded_at": "2026-11-23T14:05:00Z",
            }
            body = json.dumps(event).encode()
            arrivals.append(Arrival(decode(body, None), body, skipped=False))
        for first in range(0, count, 200):
            opened = self.ledger.arrivals.open(arrivals[first : first + 200])
            self.ledger.arrivals.routed([each.routing for each in opened if each.routing])
        return [each.event.recording_id for each in arrivals]

    def deliver(self, names: Sequence[str], size: int, at_once: int) -> None:
        """From the claim to what the rows say of the end, in flights of that size."""
        flights = [names[first : first + size] for first in range(0, len(names), size)]
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self._fly, flights))

    def _fly(self, names: Sequence[str]) -> None:
        ledger = self.ledger
        claims = ledger.claims.claim(dict.fromkeys(names, 1), ME, FOLDER)
        reserved = ledger.remote_paths.intend_flight(
            [(each, _intent(each), FOLDER, 1) for each in claims]
        )
        assert all(reserved)
        assert len(reserved) == len(names)
        ends = [(each, _uploaded(each)) for each in claims]
        assert len(ledger.outcomes.delivered(ends)) == len(names)

    # --- measuring ----------------------------------------------------------------------------

    def cost(self, work: Callable[[], Any], files: int) -> Cost:
        """Of the work, a file."""
        client, mongod = time.process_time(), cpu_seconds([self.pid])
        began = time.perf_counter()
        work()
        wall = time.perf_counter() - began
        used = time.process_time() - client, cpu_seconds([self.pid]) - mongod, wall
        return Cost(*(1000 * each / files for each in used))

    def cost_of_one(self, work: Callable[[], Any]) -> Cost:
        return self.cost(lambda: [work() for _ in range(20)], 20)

    def explained(self, work: Callable[[], Any]) -> Iterator[str]:
        """How MongoDB finds what each command of the work asks for."""
        self.commands.last.clear()
        work()
        for name, command in [*self.commands.last.items()]:
            if name in {"update", "find", "findAndModify", "count"}:
                yield f"{name}: {_plan(self.database, command)}"


def _delivered(number: int, account_id: str) -> Document:
    """As a row is after its file was delivered, days ago."""
    when = datetime.now(UTC) - timedelta(days=9, seconds=-number / 10)
    return delivered_row(f"old-{number}", account_id, when)


def delivered_row(name: str, account_id: str, when: datetime) -> Document:
    """As a row is after its file was delivered."""
    body = {"recording_id": name, "account_id": account_id, "file_url": f"file:///r/{name}.wav"}
    path = f"{FOLDER}/{name}.wav"
    return {
        "_id": name,
        "account_id": account_id,
        "number": None,
        "file_url": body["file_url"],
        "file_name": f"{name}.wav",
        "size": 480_000,
        "size_given": False,
        "sha256": "a" * 64,
        "sha256_given": False,
        "recorded_at": None,
        "event": json.dumps(body),
        "arrival": ObjectId(),
        "status": "delivered",
        **dict.fromkeys(("tries", "account_tries"), 0),
        **dict.fromkeys(("starts", "turn", "epoch", "copy"), 1),
        "claim": None,
        "parts": [],
        **dict.fromkeys(("created_at", "routed_at", "unrouted_at", "delivered_at"), when),
        **dict.fromkeys(("not_before", "last_error", "dead_at", "reason")),
        "verified": "size",
        "remote_path": path,
        "wanted": path,
        **keys_of(None, None, when),
    }


def _path(claim: Claim) -> str:
    return f"{FOLDER}/{claim.file_name}"


def _intent(claim: Claim) -> Intent:
    return Intent(f"{FOLDER}/{claim.part}", _path(claim), 7, "a" * 64)


def _uploaded(claim: Claim) -> Uploaded:
    return Uploaded(_path(claim), 7, "a" * 64, Verified.SIZE, sent=True)


def _plan(database: Database[Document], command: Mapping[str, Any]) -> str:
    """Its stages, with the index, and what was looked at for each row that was found."""
    asked = {name: value for name, value in command.items() if name not in _OF_A_COMMAND}
    if "updates" in asked:
        asked["updates"] = asked["updates"][:1]
    found = database.command("explain", asked, verbosity="executionStats")
    plan, stats = found["queryPlanner"]["winningPlan"], found["executionStats"]
    stages = " < ".join(_stages(plan.get("queryPlan", plan)))
    return f"{stages}; {stats['totalKeysExamined']} keys, {stats['totalDocsExamined']} rows read"


def _stages(plan: Mapping[str, Any]) -> Iterator[str]:
    index = f" {plan['indexName']}" if "indexName" in plan else ""
    yield f"{plan['stage']}{index}"
    if "inputStage" in plan:
        yield from _stages(plan["inputStage"])


@contextmanager
def bench() -> Iterator[Bench]:
    """On a MongoDB of its own, as the tests have it."""
    mongod = mongodb.installed()
    if mongod is None:
        raise SystemExit("MongoDB is not on this machine: run `make setup`.")
    commands = Commands()
    with (
        tempfile.TemporaryDirectory() as folder,
        mongodb.private_member(Path(folder), mongod) as member,
    ):
        member.wait_ready()
        assert isinstance(member.process, Child)
        with MongoClient[Document](member.url, event_listeners=[commands], **OURS) as client:
            database = client.get_default_database()
            ledger = Ledger(database)
            ledger.ensure_indexes()
            yield Bench(database, ledger, member.process.pid or 0, commands)


# --- what is asked ------------------------------------------------------------------------------


def flights(bench: Bench) -> Iterator[str]:
    """Files alone and together, in turn, so that what disturbs one disturbs all."""
    yield "| files a flight | flights at once | client | mongod | wall |"
    yield "|--:|--:|--:|--:|--:|"
    measured: dict[tuple[int, int], list[Cost]] = {}
    bench.deliver(bench.arrive(FILES, 10), 16, 1)
    for _ in range(ROUNDS):
        for at_once in AT_ONCE:
            for size in SIZES:
                names = bench.arrive(FILES, 10)
                cost = bench.cost(lambda: bench.deliver(names, size, at_once), FILES)
                measured.setdefault((size, at_once), []).append(cost)
    for (size, at_once), costs in measured.items():
        yield f"| {size} | {at_once} | {' | '.join(_middle(costs).cells())} |"


def _middle(costs: Sequence[Cost]) -> Cost:
    each = (
        [cost.client for cost in costs],
        [cost.mongod for cost in costs],
        [cost.wall for cost in costs],
    )
    return Cost(*map(median, each))


def growing(bench: Bench, rows: Sequence[int]) -> Iterator[str]:
    """The same work beside more and more rows that were delivered before."""
    yield "| rows | arrive: mongod | wall | deliver: mongod | wall | a look at 16: wall |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for count in rows:
        bench.fill(count, 10)
        yield f"| {count:,} | {' | '.join(_steps(bench, 10))} |"


def spreading(bench: Bench, accounts: Sequence[int]) -> Iterator[str]:
    """The same work for more and more accounts; and what the scheduler asks ten times a second."""
    yield (
        "| accounts | arrive: mongod | wall | deliver: mongod | wall | a look at 16: wall "
        "| which are due: wall |"
    )
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    for count in accounts:
        bench.make_accounts(count)
        steps = [*_steps(bench, count)]
        due = _middle([bench.cost_of_one(lambda: _look_for_due(bench)) for _ in range(5)])
        yield f"| {count:,} | {' | '.join(steps)} | {due.wall:.2f} |"


def _steps(bench: Bench, accounts: int) -> Iterator[str]:
    names: list[str] = []
    arrive, deliver, look = [], [], []
    for _ in range(ROUNDS):
        arrive.append(bench.cost(lambda: names.extend(bench.arrive(FILES, accounts)), FILES))
        new = names[-FILES:]
        look.append(bench.cost_of_one(lambda: bench.ledger.queries.summaries(new[:16])))
        deliver.append(bench.cost(lambda: bench.deliver(new, 16, 3), FILES))
    for costs in (arrive, deliver):
        _, mongod, wall = _middle(costs).cells()
        yield mongod
        yield wall
    yield f"{_middle(look).wall:.2f}"


def _look_for_due(bench: Bench) -> list[str]:
    return bench.ledger.accounts.due(10, range(256), [])


def plans(bench: Bench) -> Iterator[str]:
    """How each command finds its rows, beside all that stand there by now."""
    names = bench.arrive(16, 10)
    ledger = bench.ledger
    yield from (
        f"- A look at 16 rows. {each}."
        for each in bench.explained(lambda: ledger.queries.summaries(names))
    )
    claims: list[Claim] = []

    def claim() -> None:
        claims.extend(ledger.claims.claim(dict.fromkeys(names, 1), ME, FOLDER))

    yield from (f"- The claim of 16. {each}." for each in bench.explained(claim))
    intents = [(each, _intent(each), FOLDER, 1) for each in claims]
    asked = bench.explained(lambda: ledger.remote_paths.intend_flight(intents))
    yield from (f"- An intent. {each}." for each in asked)
    ends = [(each, _uploaded(each)) for each in claims]
    asked = bench.explained(lambda: ledger.outcomes.delivered(ends))
    yield from (f"- Sixteen that are delivered. {each}." for each in asked)
    asked = bench.explained(lambda: _look_for_due(bench))
    yield from (f"- Which accounts are due. {each}." for each in asked)


# --- the page -----------------------------------------------------------------------------------


def section(rows: Sequence[int], accounts: Sequence[int]) -> str:
    """The section of the page. Takes minutes: a million rows alone are several."""
    load = load_average()
    with bench() as ground:
        one = [*flights(ground)]
        two = [*growing(ground, rows)]
        three = [*spreading(ground, accounts)]
        four = [*plans(ground)]
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head = (
        f"Written by `python -m tests.bench.ledger` on {day}. {load} Milliseconds a file, medians "
        f"of {ROUNDS} rounds in turn; client and mongod are processor time. A file is claimed, its "
        "intent is written, and it is delivered: each durably, by a majority. MongoDB has a cache "
        "of 0.25 GB, which a million rows do not fit into."
    )
    more_rows = (
        f"Beside more and more rows that were delivered before, {FILES} files each time, in three "
        "flights of 16 at once:"
    )
    more_accounts = f"For more and more accounts, beside {rows[-1]:,} rows:"
    found = "How the commands find what they ask for, at the end of all this:"
    parts = (one, [more_rows], two, [more_accounts], three, [found], four)
    body = "\n\n".join("\n".join(part) for part in parts)
    return f"{head}\n\n{body}"


def write(text: str, page: Path = PAGE) -> None:
    """Put it between the page's marks, in place of what was there; the rest is others'."""
    head, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def _numbers(text: str) -> list[int]:
    return [int(float(each)) for each in text.split(",")]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=_numbers, default=[*ROWS], help="1e3,1e4,1e5")
    parser.add_argument("--accounts", type=_numbers, default=[*ACCOUNTS], help="10,100,1e3")
    parser.add_argument("--show", action="store_true", help="print it instead of writing the page")
    asked = parser.parse_args()
    text = section(asked.rows, asked.accounts)
    if asked.show:
        print(text)
    else:
        write(text)


if __name__ == "__main__":
    main()
