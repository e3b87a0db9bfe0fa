"""Asks for everything that people and programs look at, and takes the time."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any

import httpx
from pymongo.database import Database

from consumers.ledger import Document, Ledger
from tests.bench.search.console import WAIT, Asked
from tests.bench.search.rows import CAUSES, Facts, Sizes, account_id, facts, kind_of
from worker.gauges import AGES, LATE_SECONDS

PAGE_SECONDS, COMMAND_SECONDS = 1.0, 0.6
"""What a page, a list or a search may take at the median, and a command."""
_CSV_LINES = 10_000

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Timed:
    """What was asked, and the median of how long the answer took, in seconds."""

    what: str
    seconds: float
    slowest: float
    allowed: float
    kilobytes: float | None = None
    """Of the answer."""


@dataclass(frozen=True)
class Question:
    """Something that people or programs look at."""

    what: str
    ask: Callable[[], int | None]
    """Returns the bytes of the answer."""
    allowed: float


class Clock:
    """Asks each thing several times, all of them in turn: a machine is slower in one minute than in
    another, and no question is to have a minute of its own."""

    def __init__(self, each: int, tell: Tell) -> None:
        self._each = each
        self._tell = tell

    def timed(self, questions: Iterable[Question]) -> list[Timed]:
        """What a process does once is not of it: each is asked once before."""
        asked = list(questions)
        sizes = [each.ask() for each in asked]
        taken: list[list[float]] = [[] for _ in asked]
        for _ in range(self._each):
            for question, seconds in zip(asked, taken, strict=True):
                began = time.perf_counter()
                question.ask()
                seconds.append(time.perf_counter() - began)
        found = []
        for question, size, seconds in zip(asked, sizes, taken, strict=True):
            kilobytes = None if size is None else size / 1000
            found.append(
                Timed(question.what, median(seconds), max(seconds), question.allowed, kilobytes)
            )
            self._say(found[-1])
        return found

    def _say(self, found: Timed) -> None:
        over = "  OVER" if found.seconds > found.allowed else ""
        self._tell(f"{found.seconds:.3f} s (slowest {found.slowest:.3f})  {found.what}{over}")


def searches(wanted: Facts) -> Mapping[str, Mapping[str, str]]:
    """What people look for: one recording in the middle, and what there is much or none of."""
    recorded = wanted.recorded
    day = {"since": f"{recorded:%Y-%m-%d}", "until": f"{recorded:%Y-%m-%d}"}
    around = {
        "since": (recorded - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M"),
        "until": (recorded + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M"),
    }
    return {
        "everything, the newest first": {},
        "everything by arrival, the oldest first": {"by": "arrived", "order": "oldest"},
        "the call of some minutes from a number": {"number": f"0{wanted.number[3:]}", **around},
        "a number": {"number": wanted.number},
        "the end of a number": {"number": wanted.number[-7:]},
        "a whole file name": {"file_name": wanted.file_name},
        "the beginning of a file name (a minute)": {"file_name": wanted.file_name[:13]},
        "the beginning of a file name (a month)": {"file_name": wanted.file_name[:6]},
        "a part of a file name, which none has": {"file_name": "*nowhere"},
        "a recording id": {"recording_id": wanted.recording_id},
        "a day": day,
        "a day by arrival": {**day, "by": "arrived"},
        "dead letters": {"status": "dead_lettered"},
        "dead letters of a day": {"status": "dead_lettered", **day},
        "what waits": {"status": "queued"},
        "the customers' fault": {"whose": "customer"},
        "the customers' fault on a day, by arrival": {"whose": "customer", "by": "arrived", **day},
        "the network's fault, by arrival": {"whose": "network", "by": "arrived"},
    }


def pages(asked: Asked, sizes: Sizes, began: datetime) -> Iterator[Question]:
    """The pages of the console, as the operator and as a reseller see them."""
    large, small, reseller = account_id(0), account_id(sizes.accounts // 2 + 1), account_id(1)
    wanted = facts(sizes.rows // 2 + 1, sizes, began)
    dead = next(each for each in range(sizes.rows // 2, sizes.rows) if kind_of(each) in CAUSES)
    of_account = ("", "/recordings", "/dead-letters", "/charts", "/audit", "/people", "/numbers")
    more = ("/alerts", "/ftp", "/permissions", "/server")
    operators = (
        *("/overview", "/overview?sort=-queued", "/overview?state=suspended"),
        *("/overview?search=customer+77", "/overview?dead_letters=yes", "/overview?page=100"),
        *("/accounts", "/accounts?open=*", f"/accounts?open={reseller}", "/accounts?search=77"),
        *("/dead-letters", "/dead-letters?fault=server", "/dead-letters?fault=file"),
        f"/dead-letters?account={large}",
        *("/invalid-events", "/invalid-events?page=50", "/charts", "/charts?span=weeks"),
        *("/audit", "/people", f"/recordings/{wanted.recording_id}"),
        f"/recordings/{facts(dead, sizes, began).recording_id}",
    )
    for path in operators:
        yield _page(asked.operator, f"page {path}", path)
    for whose, name in (("large", large), ("small", small), ("reseller's", reseller)):
        for path in (*of_account, *more):
            told = f"page of the {whose} account: {path or '/'}"
            yield _page(asked.operator, told, f"/accounts/{name}{path}")
    for path in ("/overview", "/accounts", f"/accounts/{reseller}"):
        yield _page(asked.reseller, f"a reseller's page {path}", path)
    for words, query in searches(wanted).items():
        yield _page(asked.operator, f"all accounts: {words}", "/recordings", query)
    for whose, name in (("large", large), ("small", wanted.account_id)):
        for words, query in searches(wanted).items():
            told = f"the {whose} account: {words}"
            yield _page(asked.operator, told, f"/accounts/{name}/recordings", query)
    for words, path in (
        ("all recordings, its first 10,000", "/recordings.csv"),
        ("the small account's recordings", f"/accounts/{small}/recordings.csv"),
    ):
        ask = partial(_lines, asked.operator, path)
        yield Question(f"CSV of {words}", ask, PAGE_SECONDS)


def api(asked: Asked, sizes: Sizes, began: datetime) -> Iterator[Question]:
    """The API, with a token of the provider and one of a reseller."""
    large, wanted = account_id(0), facts(sizes.rows // 2 + 1, sizes, began)
    for path in (
        *("/status", "/history", "/history?span=weeks", f"/accounts/{large}/history"),
        *("/accounts", "/accounts?limit=1000", "/accounts?sort=-queued", "/accounts?search=77"),
        *(f"/accounts/{large}", "/users?account_id=" + large, "/users", "/tokens", "/audit"),
        *(f"/audit?account_id={large}", "/deliveries", "/deliveries?limit=1000"),
        *(f"/deliveries?account_id={large}", "/deliveries?status=dead_lettered"),
        *("/deliveries?status=queued&order=oldest", f"/deliveries/{wanted.recording_id}"),
        *("/dead-letters", f"/dead-letters?account_id={large}", "/dead-letters?fault=platform"),
        *("/dead-letters/groups", f"/dead-letters/groups?account_id={large}"),
        *("/invalid-events", f"/accounts/{large}/alerts/history", f"/accounts/{large}/numbers"),
        *("/bulk-actions",),
    ):
        yield _page(asked.program, f"API {path}", path)
    for path in ("/accounts", "/audit", "/users", "/deliveries", "/dead-letters/groups"):
        yield _page(asked.resellers_program, f"API of a reseller {path}", path)


def gauges(database: Database[Document]) -> Iterator[Question]:
    """What `/metrics` reads of the database, once in five seconds at most."""
    ledger = Ledger(database)

    def read() -> None:
        ledger.totals()
        ledger.loads.read(AGES, LATE_SECONDS)

    yield Question("/metrics: what it reads of the ledger", read, PAGE_SECONDS)


def commands(environment: Mapping[str, str], sizes: Sizes, began: datetime) -> Iterator[Question]:
    """The commands that read, each a process."""
    large, small = account_id(0), account_id(sizes.accounts // 2 + 1)
    wanted = facts(sizes.rows // 2 + 1, sizes, began)
    for words in (
        *("--version", "status", "status --json", "top --once", "queue", "queue --by host"),
        *("accounts list", "accounts list --json", "accounts list --state suspended"),
        *(f"accounts list --parent {account_id(1)}", f"accounts show {large}"),
        *(f"accounts show {small}", f"accounts alerts history {large}", "deliveries list"),
        *(f"deliveries list --account {large}", f"deliveries list --number {wanted.number}"),
        *("deliveries list --status dead-letter", "deliveries list --whose customer"),
        *(f"deliveries show {wanted.recording_id}", "dead-letters list"),
        *(f"dead-letters list --account {large}", "dead-letters list --reason account"),
        *("invalid list", "numbers list", "users list", f"users list --account {large}"),
        "tokens list",
    ):
        run = partial(_command, words.split(), environment)
        yield Question(f"courier {words}", run, COMMAND_SECONDS)


def _page(
    client: httpx.Client, what: str, path: str, query: Mapping[str, str] | None = None
) -> Question:
    def get() -> int:
        answer = client.get(path, params=query) if query is not None else client.get(path)
        return len(answer.raise_for_status().content)

    return Question(what, get, PAGE_SECONDS)


def _lines(client: httpx.Client, path: str) -> int:
    """Read the first lines, and leave."""
    size = 0
    with client.stream("GET", path) as answer:
        answer.raise_for_status()
        for number, line in enumerate(answer.iter_lines(), 1):
            size += len(line)
            if number == _CSV_LINES:
                break
    return size


def _command(arguments: list[str], environment: Mapping[str, str]) -> int:
    answer: subprocess.CompletedProcess[Any] = subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=WAIT,
    )
    return len(answer.stdout)
