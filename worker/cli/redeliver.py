"""`courier deliveries redeliver`."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from config.audit import Action
from consumers.ledger import Document, times_redelivered
from worker import audit_facts, show
from worker.cli import context, output
from worker.cli.options import Until, Yes, account_ids, check_range, moment
from worker.cli.output import AsJson
from worker.cli.record import record
from worker.cli.refusal import Refused
from worker.database import Core

if TYPE_CHECKING:
    from worker.core import Messaging

MANY = 100
"""Above so many files they are asked for twice."""
NAMED = 10
"""Recordings without a source that are named."""


@dataclass(frozen=True)
class Found:
    """The recordings that were asked for."""

    usable: list[Document]
    gone: list[Document]
    """Their sources are."""
    before: int
    """How many were redelivered before, and are left out."""


def redeliver(
    *,
    account: Annotated[
        str,
        typer.Option(metavar="ID", help="Whose recordings they are.", autocompletion=account_ids),
    ],
    since: Annotated[
        datetime,
        typer.Option(
            metavar="TIME", parser=moment, help="Arrived at or after: ISO 8601, or 2h, 3d."
        ),
    ],
    until: Until = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were redelivered before.")
    ] = False,
    yes: Yes = False,
    files: Annotated[
        int | None,
        typer.Option(min=0, metavar="COUNT", help=f"How many it must be, above {MANY} files."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deliver recordings once more that were delivered already.

    They arrive as **name (2).ext**, or over the file that stands there, as the account's setting
    for existing files says. Each is sent once, however often the command is repeated; **--again**
    sends what was redelivered before. Those whose source is gone are named and left as they are.
    """
    check_range(since, until)
    with context.messaging() as (core, messaging):
        core.directory.get(account)
        found = _found(core, account, since, until, again=again)
        _tell_left_out(found)
        if found.usable:
            _confirm(account, len(found.usable), files, yes=yes)
            ids = [row["_id"] for row in found.usable]
            facts = audit_facts.begun("redeliver deliveries", ids)
            record(core, Action.BULK_BEGUN, account, {}, facts)
        with _noting(core, account) as done:
            _send(messaging, found.usable, done)
    _tell(found, done, as_json=as_json)


def _found(
    core: Core, account_id: str, since: datetime, until: datetime | None, *, again: bool
) -> Found:
    from worker.source_look import is_gone  # noqa: PLC0415 - it knows every store

    rows = list(core.ledger.redelivery.candidates(account_id, since, until))
    wanted = [row for row in rows if again or not times_redelivered(row)]
    usable, gone = list[Document](), list[Document]()
    with output.counting("Looking for their sources", len(wanted)) as tell:
        for row in wanted:
            (gone if is_gone(core, row["file_url"]) else usable).append(row)
            tell()
    return Found(usable, gone, len(rows) - len(wanted))


def _tell_left_out(found: Found) -> None:
    if found.before:
        output.note(f"{_files(found.before)} redelivered before: left out; --again sends them too.")
    for row in found.gone[:NAMED]:
        url = show.without_credentials(row["file_url"])
        output.note(f"{row['_id']}: its source is gone ({url}).")
    if len(found.gone) > NAMED:
        output.note(f"{len(found.gone) - NAMED} sources more are gone.")


def _confirm(account_id: str, count: int, files: int | None, *, yes: bool) -> None:
    """Ask once, above MANY files twice; whoever cannot be asked says so by options."""
    if files is not None and files != count:
        raise Refused(f"It would be {_files(count)}, not {files}: nothing was sent.")
    if not sys.stdin.isatty():
        if not yes:
            raise Refused(f"{_files(count)} of {account_id} would be sent again: say so by --yes.")
        if count > MANY and files is None:
            raise Refused(f"These are {_files(count)}: say so by --files {count} besides --yes.")
        return
    if not yes:
        typer.confirm(f"Send {_files(count)} of {account_id} again?", abort=True, err=True)
    if count > MANY and files is None:
        answer = typer.prompt(f"These are {_files(count)}. Type their number", err=True)
        if answer.strip() != str(count):
            raise Refused(f"That is not {count}: nothing was sent.")


def _send(messaging: "Messaging", rows: Sequence[Document], done: list[str]) -> None:
    with output.counting("Redelivering", len(rows)) as tell:
        for row in rows:
            if messaging.redelivery.again(row["_id"], times_redelivered(row)):
                done.append(row["_id"])
            tell()


@contextmanager
def _noting(core: Core, account_id: str) -> Iterator[list[str]]:
    """Collect what is done, for the audit, also of a run that was cut short."""
    done = list[str]()
    try:
        yield done
    finally:
        if done:
            record(core, Action.REDELIVERED, account_id, {}, audit_facts.recordings(done))


def _tell(found: Found, done: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        output.print_json(
            {
                "redelivered": list(done),
                "source_gone": [row["_id"] for row in found.gone],
                "redelivered_before": found.before,
            }
        )
        return
    output.say(f"{_files(len(done))} on the way again.")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
