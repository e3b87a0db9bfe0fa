"""`courier queue`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from config.accounts import Account, may_use_ftp
from config.errors import AccountError
from consumers.ledger import AGES, NO_FILES, QueueShape
from worker.account_facts import AccountFacts
from worker.cli import context, output
from worker.cli.apps import single_command
from worker.cli.output import AsJson, Cell
from worker.cli.tables import Column
from worker.cli.waits import REMOVED, STATES, Wait, coloured, meaning, why_waiting
from worker.database import Core
from worker.show import Shape

DEFAULT_LIMIT = 20
NAMED = 5
"""Rows whose reason is told beneath the table."""
AGE_NAMES = (*(f"{age / 60:.0f}m" for age in AGES), "older")
_NO_SERVER = "(no settings)"

app = single_command()


class By(StrEnum):
    """What a row stands for."""

    ACCOUNT = "account"
    HOST = "host"


@dataclass(frozen=True)
class Row:
    """What waits for one account or one server."""

    name: str
    accounts: int
    shape: QueueShape
    wait: Wait
    """Of its account that has to be looked at first."""
    example: str
    """That account."""
    alike: int = 1
    """How many of its accounts are in that state."""


@app.command()
def queue(
    *,
    by: Annotated[
        By, typer.Option(help="A row for each account, or for each server.")
    ] = By.ACCOUNT,
    limit: Annotated[
        int, typer.Option(min=0, help="At most so many rows; 0 for all.")
    ] = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Show the shape of what waits: how many files of which age, and what they wait for.

    The columns tell how old files are: up to **5m** old, up to **10m**, and so on. The row with
    most of the oldest files comes first. What its state means is told beneath.
    """
    with context.core() as core:
        shapes = core.ledger.shapes.by_account()
        read = _by_account if by is By.ACCOUNT else _by_host
        shown, all_rows = read(core, shapes, limit)
        if as_json:
            output.print_json([_json(row, by) for row in shown])
            return
        _print(core, shown, all_rows, shapes, by)


def _by_account(core: Core, shapes: Mapping[str, QueueShape], limit: int) -> tuple[list[Row], int]:
    """The first rows, and how many there are."""
    shown = {name: shapes[name] for name in _heaviest_first(shapes)[: limit or None]}
    rows = [Row(name, 1, shown[name], wait, name) for name, wait in _waiting(core, shown)]
    return rows, len(shapes)


def _by_host(core: Core, shapes: Mapping[str, QueueShape], limit: int) -> tuple[list[Row], int]:
    """The first rows, and how many there are."""
    hosts = core.ledger.summaries.hosts(list(shapes))
    servers: dict[str, dict[str, QueueShape]] = {}
    for name, shape in shapes.items():
        servers.setdefault(hosts.get(name, _NO_SERVER), {})[name] = shape
    sums = {server: QueueShape.of_all([*each.values()]) for server, each in servers.items()}
    names = _heaviest_first(sums)[: limit or None]
    shown = {name: shape for server in names for name, shape in servers[server].items()}
    waits = dict(_waiting(core, shown))
    rows = [_server_row(server, sums[server], servers[server], waits) for server in names]
    return rows, len(servers)


def _server_row(
    server: str, total: QueueShape, shapes: Mapping[str, QueueShape], waits: Mapping[str, Wait]
) -> Row:
    """A row that tells of the account that has to be looked at first."""
    first = min(
        shapes,
        key=lambda name: (
            STATES.index(waits[name].state),
            [-files for files in shapes[name].heaviness],
        ),
    )
    alike = sum(waits[name].state == waits[first].state for name in shapes)
    return Row(server, len(shapes), total, waits[first], first, alike)


def _heaviest_first(shapes: Mapping[str, QueueShape]) -> list[str]:
    return sorted(shapes, key=lambda name: (shapes[name].heaviness, name), reverse=True)


def _waiting(core: Core, shapes: Mapping[str, QueueShape]) -> Iterator[tuple[str, Wait]]:
    """What these accounts wait for, by few queries however many they are.

    It reads all of their settings: it is asked for accounts whose rows are shown, and no others.
    """
    loaded = core.ledger.accounts.load_all([*shapes])
    find = _with_those_above(core, {name: account for name, (account, _) in loaded.items()}).get
    for name, shape in shapes.items():
        match loaded.get(name):
            case None:
                yield name, Wait(REMOVED, "what waits for it is discarded within minutes")
            case Account() as account, run:
                facts = AccountFacts(account, run, may_use_ftp(account, find), NO_FILES)
                after = core.settings.suspend_after
                yield name, why_waiting(facts, shape, after)
            case why, _:
                yield name, Wait("disabled", str(why))


def _with_those_above(
    core: Core, accounts: Mapping[str, Account | AccountError]
) -> dict[str, Account]:
    """The accounts that can be used, and those above them, level by level."""
    known: dict[str, Account] = {}
    level = accounts
    while level:
        usable = {name: each for name, each in level.items() if isinstance(each, Account)}
        known |= usable
        parents = {each.parent for each in usable.values() if each.parent}
        level = core.directory.find_all(parents - known.keys())
    return known


def _print(
    core: Core, shown: Sequence[Row], rows: int, shapes: Mapping[str, QueueShape], by: By
) -> None:
    lines = [_line(row, by) for row in shown]
    if rows > 1:
        lines.append(_total(shapes, by))
    output.print_table(_columns(by), lines, empty="No files wait.")
    if len(shown) < rows:
        output.note(f"{rows - len(shown)} more rows; --limit 0 lists all.")
    for row in [row for row in shown if row.wait.words][:NAMED]:
        output.note(_told(row, by))
    for state in [state for state in STATES if state in {row.wait.state for row in shown}]:
        output.note(f"{state}: {meaning(state, core.settings)}.")


def _columns(by: By) -> tuple[Column, ...]:
    counts = (Column(name, least=None) for name in ("FILES", *AGE_NAMES))
    state = Column("STATE", least=None)
    if by is By.HOST:
        return (Column("SERVER", least=16), Column("ACCTS", least=None), *counts, state)
    return (Column("ACCOUNT", least=12), *counts, state)


def _line(row: Row, by: By) -> tuple[Cell, ...]:
    accounts = (row.accounts,) if by is By.HOST else ()
    state = coloured(row.wait.state)
    return (row.name, *accounts, row.shape.files, *row.shape.ages, state)


def _total(shapes: Mapping[str, QueueShape], by: By) -> tuple[Cell, ...]:
    shape = QueueShape.of_all([*shapes.values()])
    accounts = (len(shapes),) if by is By.HOST else ()
    return ("TOTAL", *accounts, shape.files, *shape.ages, None)


def _told(row: Row, by: By) -> str:
    """The reason, and what there is to be done, or the command that tells more."""
    reason = f"{row.example} is {row.wait.told}: {row.wait.words.rstrip('.')}."
    if by is By.HOST:
        reason = f"{row.name}: {row.alike} of {row.accounts} accounts so. {reason}"
    tells = f"'courier accounts show {row.example}' tells more."
    return f"{reason} {row.wait.advice or tells}"


def _json(row: Row, by: By) -> Shape:
    named = {"account_id": row.name} if by is By.ACCOUNT else {"server": row.name}
    return {
        **named,
        "accounts": row.accounts,
        "files": row.shape.files,
        "ages": dict(zip(AGE_NAMES, row.shape.ages, strict=True)),
        "oldest_seconds": round(row.shape.oldest_seconds, 3),
        "state": row.wait.state,
        "why": row.wait.words or None,
        "example": row.example,
    }
