"""`courier dead-letters`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from config.audit import Action
from consumers.ledger import CRASH_LOOP, Document, Ledger, Selection, Status
from transports.errors import Kind
from worker import audit_facts
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.deliveries import DEFAULT_LIMIT, print_rows
from worker.cli.options import (
    Limit,
    OfAccount,
    Since,
    Until,
    Yes,
    check_range,
    choice,
    filled,
    one_more,
    require_account,
    up_to,
)
from worker.cli.output import AsJson
from worker.cli.record import record
from worker.cli.refusal import Refused
from worker.database import Core

if TYPE_CHECKING:
    from consumers.delivery.dead_letters import DeadLetters

REASONS = {reason: reason for reason in (*map(str, Kind), CRASH_LOOP)}

app = command_group()

OfRecording = Annotated[
    str | None,
    typer.Option("--recording", metavar="ID", parser=filled, help="Only this recording."),
]
OfReason = Annotated[
    str | None,
    choice(REASONS, "--reason", help="Only those that failed by this."),
]


@app.command("list")
def list_dead_letters(
    *,
    account: OfAccount = None,
    recording: OfRecording = None,
    since: Since = None,
    until: Until = None,
    reason: OfReason = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first."""
    chosen = _selection(account, recording, since, until, reason)
    with context.core() as core:
        rows, is_cut = up_to(limit, core.ledger.queries.select(chosen, one_more(limit)))
        if not rows:
            require_account(core, account)
    print_rows(rows, as_json=as_json, empty="There are no dead letters.")
    output.note_cut("newest", limit, is_cut=is_cut)


@app.command("replay")
def replay(
    *,
    account: OfAccount = None,
    recording: OfRecording = None,
    since: Since = None,
    until: Until = None,
    reason: OfReason = None,
) -> None:
    """Put dead letters back on their way, the oldest first, with no tries counted."""
    chosen = _selection(account, recording, since, until, reason)
    with context.messaging() as (core, messaging):
        found = _found(core, chosen)
        act = messaging.dead_letters.replay
        _note_begin(core, "replay dead-letters", found)
        with _noting(core, Action.DEAD_LETTERS_REPLAYED, found, messaging.dead_letters) as done:
            _each("Replaying", found, act, done)
    output.say(f"{_dead_letters(len(done))} replayed.")


@app.command("discard")
def discard(
    *,
    account: OfAccount = None,
    recording: OfRecording = None,
    since: Since = None,
    until: Until = None,
    reason: OfReason = None,
    yes: Yes = False,
) -> None:
    """Give dead letters up for good; the ledger keeps their rows as discarded."""
    chosen = _selection(account, recording, since, until, reason)
    with context.messaging() as (core, messaging):
        found = _found(core, chosen)
        if found and not yes and recording is None and sys.stdin.isatty():
            question = f"Give up {_dead_letters(len(found))} of {account or 'all accounts'}?"
            typer.confirm(question, abort=True, err=True)
        act = messaging.dead_letters.discard
        _note_begin(core, "discard dead-letters", found)
        with _noting(core, Action.DEAD_LETTERS_DISCARDED, found, messaging.dead_letters) as done:
            _each("Discarding", found, act, done)
    output.say(f"{_dead_letters(len(done))} discarded.")


def _selection(
    account: str | None,
    recording: str | None,
    since: datetime | None,
    until: datetime | None,
    reason: str | None,
) -> Selection:
    check_range(since, until)
    return Selection(account, recording, Status.DEAD_LETTERED, since, until, reason)


def _found(core: Core, chosen: Selection) -> list[Document]:
    """The dead letters asked for, oldest first. Raises Refused where a named one is missing."""
    rows = list(core.ledger.queries.select(chosen))
    if not rows:
        require_account(core, chosen.account_id)
    if not rows and chosen.recording_id is not None:
        raise Refused(_not_dead(core.ledger, chosen.recording_id))
    return rows[::-1]


def _not_dead(ledger: Ledger, recording_id: str) -> str:
    row = ledger.queries.row(recording_id)
    if row is None:
        return f"There is no recording {recording_id!r}: 'courier dead-letters list' shows them."
    if row["status"] != Status.DEAD_LETTERED:
        return f"The recording {recording_id!r} is {row['status']}: it is no dead letter."
    return f"The recording {recording_id!r} does not match the other filters: leave them out."


def _each(
    what: str, rows: list[Document], act: Callable[[str], bool], done: list[Document]
) -> None:
    with output.counting(what, len(rows)) as tell:
        for row in rows:
            if act(row["_id"]):
                done.append(row)
            tell()


def _note_begin(core: Core, act: str, rows: list[Document]) -> None:
    """In the audit first: a command that dies in its midst has no end to tell."""
    for account_id, ids in _by_account(rows):
        record(core, Action.BULK_BEGUN, account_id, {}, audit_facts.begun(act, ids))


def _by_account(rows: list[Document]) -> Iterator[tuple[str, list[str]]]:
    for account_id in sorted({row["account_id"] for row in rows}):
        yield account_id, [row["_id"] for row in rows if row["account_id"] == account_id]


@contextmanager
def _noting(
    core: Core, action: Action, rows: list[Document], dead_letters: "DeadLetters"
) -> Iterator[list[Document]]:
    """Collect what is done. At the end, also of a run that was cut short, write an audit entry for
    each account and remove the messages from the queues.
    """
    done: list[Document] = []
    try:
        yield done
    finally:
        for account_id, ids in _by_account(done):
            record(core, action, account_id, {}, audit_facts.recordings(ids))
        for account_id, _ in _by_account(rows):
            dead_letters.sweep(account_id)


def _dead_letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count} dead letters"
