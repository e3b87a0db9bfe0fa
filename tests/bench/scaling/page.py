"""The written page: what stands between marks in docs/scaling.md and in the runbook's sizing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import BROKER, DATABASE, OWN, RATE, Figures
from tests.bench.machine import Machine
from tests.bench.report import number
from tests.bench.scaling import growth, plan
from tests.bench.scaling.growth import Measured, Queues
from tests.bench.scaling.services import Limit

NAME = "scaling.md"
BEGIN, END = "<!-- scaling -->", "<!-- /scaling -->"
SIZING, SIZING_END = "<!-- sizing -->", "<!-- /sizing -->"
MANY, LOGINS = "many files an account", "a login for every 3 files"


@dataclass
class Scaling:
    """All that was measured; what was not is left out."""

    machine: Machine
    rounds: int
    quick: bool
    workers: Measured | None = None
    sessions: Measured | None = None
    accounts: Measured | None = None
    queues: Queues | None = None
    broker: Sequence[Limit] = ()
    database: Sequence[Limit] = ()

    def lines(self) -> Iterator[str]:
        """Of docs/scaling.md."""
        if self.quick:
            yield "A quick run: fewer and smaller files than the titles say."
        rounds = f"medians of {self.rounds} rounds" if self.rounds > 1 else "one round"
        yield f"Measured on {self.machine.day}, on {self.machine.hardware}; {rounds}."
        yield self.machine.load
        yield f"{self.machine.versions}."
        if self.workers:
            yield from _head("Workers", "8 accounts x 100 x 480 KB, SFTP, loopback.")
            yield from _grown("worker processes", self.workers)
        if self.accounts:
            words = "The same 400 files of 20 KB for ten accounts, of so many that are known. SFTP."
            yield from _head("Accounts", words)
            yield from _grown("accounts", self.accounts)
        if self.sessions:
            words = "3 files of 20 KB for each account, which logs in for them once. SFTP."
            yield from _head("Accounts that each log in", words)
            yield from _grown("accounts", self.sessions)
        if self.queues:
            yield from _queues(self.queues)
        if self.broker:
            words = (
                "One node, two queues, two clients with 300 bytes a message; nobody else asks it."
            )
            yield from _head("RabbitMQ alone", words)
            yield from _limits(self.broker, "messages")
        if self.database:
            words = (
                "One member of a replica set, rows with the ledger's indexes, each write with the "
                "majority and the journal, conditional as a claim is; nobody else asks it."
            )
            yield from _head("MongoDB alone", words)
            yield from _limits(self.database, "rows")
        if self.loads:
            yield from _head("Ten million files a day, on paper", _paper())
            rows_alone = max((each.rate for each in self.database), default=None)
            yield from plan.hosts(self.loads, rows_alone)
            yield from self._beside_limits()

    def sizing(self) -> Iterator[str]:
        """Of the runbook."""
        yield f"Measured on {self.machine.day}, on {self.machine.hardware} for everything."
        yield self.machine.load
        yield ""
        yield "| load | worker | RabbitMQ | MongoDB |"
        yield "|---|--:|--:|--:|"
        for name, costs in self.loads.items():
            yield f"| {name} | {' | '.join(_costs(costs))} |"
        for name, costs in self.loads.items():
            yield ""
            yield f"For {name}:"
            yield ""
            yield from plan.by_day(costs)

    @property
    def loads(self) -> dict[str, Figures]:
        """The costs of a file, by kind of load."""
        many = {MANY: self.workers[min(self.workers)]} if self.workers else {}
        each = {LOGINS: next(iter(self.sessions.values()))} if self.sessions else {}
        return {**many, **each}

    def _beside_limits(self) -> Iterator[str]:
        need = plan.Need(plan.TEN_MILLION, next(iter(self.loads.values())))
        yield ""
        for what, each, limits in (
            ("messages", plan.MESSAGES, self.broker),
            ("rows", plan.WRITES, self.database),
        ):
            if limits:
                best = max(limits, key=lambda limit: limit.rate)
                asked = each * need.a_second
                part = f"{asked / best.rate:.0%}"
                yield f"- {asked:,.0f} {what} a second are {part} of *{best.what}* alone."
        if self.queues:
            gigabytes = self.queues.each * 2 * 10_000 / 1000
            yield (
                "- 10,000 accounts with events have 20,000 queues at most (one for files, one for "
                f"dead letters): {gigabytes:.1f} GB of a node's memory at "
                f"{self.queues.each:.2f} MB each (computed; 1,000 were measured)."
            )


def _paper() -> str:
    return (
        f"Computed: the busiest hour has {plan.BUSIEST:.0%} of a day's files, and {plan.SPARE} "
        "cores are planned for each that is busy then. A worker process uses one core at most."
    )


def _head(title: str, words: str) -> Iterator[str]:
    yield from ("", f"### {title}", "", words, "")


def _costs(figures: Figures) -> list[str]:
    return [number(figures[each]) for each in (OWN, BROKER, DATABASE)]


def _grown(what: str, measured: Measured) -> Iterator[str]:
    yield f"| {what} | files/s | worker ms a file | RabbitMQ ms a file | MongoDB ms a file |"
    yield "|--:|--:|--:|--:|--:|"
    for count, figures in measured.items():
        yield f"| {count:,} | {number(figures[RATE])} | {' | '.join(_costs(figures))} |"


def _queues(measured: growth.Queues) -> Iterator[str]:
    words = f"Empty quorum queues; each one more takes {measured.each:.2f} MB of a node."
    yield from _head("Queues at rest", words)
    yield "| queues | RabbitMQ, MB resident |"
    yield "|--:|--:|"
    for count, megabytes in measured.megabytes.items():
        yield f"| {count:,} | {megabytes:.0f} |"


def _limits(limits: Iterable[Limit], unit: str) -> Iterator[str]:
    yield f"| | {unit}/s | service ms each | client ms each | one core of the service: {unit}/s |"
    yield "|---|--:|--:|--:|--:|"
    for each in limits:
        figures = (each.rate, each.service_ms, each.client_ms, each.of_a_core)
        yield f"| {each.what} | {' | '.join(map(_precise, figures))} |"


def _precise(value: float) -> str:
    return f"{value:.3f}" if value < 1 else number(value)


def write(file: Path, lines: Iterable[str], marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Replace what stands between the marks; a file that is not there is made."""
    begin, end = marks
    file.parent.mkdir(parents=True, exist_ok=True)
    text = file.read_text(encoding="utf-8") if file.exists() else f"{begin}\n{end}\n"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    measured = "\n".join(lines)
    file.write_text(f"{head}{begin}\n{measured}\n{end}{tail}", encoding="utf-8")
