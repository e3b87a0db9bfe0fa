"""`courier invalid`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer

from config.audit import Action
from config.documents import clock
from config.settings import load_settings
from config.tls import Endpoint
from consumers.intake.invalid_queue import (
    PART,
    InvalidFilter,
    InvalidMessage,
    discard_invalid,
    later_invalid,
    look_at_invalid,
    oldest_invalid,
    replay_invalid,
)
from consumers.intake.reasons import Reason
from worker import audit_facts, show
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import MOST_LISTED, Limit, Until, Yes, filled, one_more, one_of, up_to
from worker.cli.output import AsJson, Cell
from worker.cli.record import record
from worker.cli.tables import Column
from worker.database import Core

SHOWN = 60
_COLUMNS = (
    Column("REASON", least=20),
    Column("RECORDING", weight=3),
    Column("ACCOUNT", weight=4),
    Column("SIZE", weight=1, least=None),
    Column("BEGINS", weight=2),
)

app = command_group()


def _known(given: str) -> str:
    """The beginning of a reason. Raises typer.BadParameter where no reason begins so, and where it
    is empty, which would be every reason."""
    filled(given)
    if not any(given.startswith(code) or code.startswith(given) for code in Reason):
        one_of({str(code): code for code in Reason})(given)
    return given


OfReason = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        parser=_known,
        autocompletion=lambda: [str(code) for code in Reason],
        help="Only those whose reason begins with this.",
    ),
]


@app.command("list")
def list_invalid(
    *, reason: OfReason = None, limit: Limit = MOST_LISTED, as_json: AsJson = False
) -> None:
    """List what lies in recordings.invalid, the oldest first."""
    chosen = InvalidFilter(reason or "")
    seen = oldest_invalid(_rabbitmq(), chosen, one_more(limit) or PART)
    oldest, is_cut = up_to(limit, seen.events)
    found = [show.invalid_shape(each) for each in oldest]
    if as_json:
        output.print_json(found)
    else:
        lines = [_line(each) for each in found]
        output.print_table(_COLUMNS, lines, empty="There are no invalid events.")
    output.note_cut("oldest", limit, is_cut=is_cut)
    if seen.in_queue > seen.looked_at:
        output.note(
            f"Only the oldest {seen.looked_at} of {seen.in_queue} were looked at: replay or "
            "discard some to see what lies behind them."
        )


def _line(event: show.Shape) -> tuple[Cell, ...]:
    return (
        event["reason"],
        event["recording_id"],
        event["account_id"],
        event["size"],
        event["begins"][:SHOWN],
    )


@app.command("replay")
def replay(*, reason: OfReason = None, until: Until = None) -> None:
    """Publish them again; those that still cannot be used come back.

    Only what lay there when the command began is taken.
    """
    from consumers.amqp import topology  # noqa: PLC0415 - its library takes a while to load

    with context.messaging() as (core, messaging):
        arrived_by, url = _bound(core, until), core.settings.rabbitmq
        topology.declare_once(url, topology.RECORDINGS, topology.INTAKE)
        _note_begin(core, "replay invalid-events", reason or "", arrived_by)
        with _noting(core, Action.INVALID_REPLAYED, "Replaying") as done:
            count = replay_invalid(url, messaging.publisher, reason or "", done, arrived_by)
        later = later_invalid(url, reason or "", arrived_by)
    output.say(f"{_events(count)} published again.{_passed_over(later)}")


@app.command("discard")
def discard(*, reason: OfReason = None, until: Until = None, yes: Yes = False) -> None:
    """Take them out for good; only what lay there when the command began."""
    with context.core() as core:
        arrived_by, url = _bound(core, until), core.settings.rabbitmq
        if not yes and sys.stdin.isatty():
            chosen = InvalidFilter(reason or "")
            there = look_at_invalid(url, chosen, 0, 0, arrived_by=arrived_by).matching
            if there:
                typer.confirm(f"Give up {_events(there)}?", abort=True, err=True)
        _note_begin(core, "discard invalid-events", reason or "", arrived_by)
        with _noting(core, Action.INVALID_DISCARDED, "Discarding") as done:
            count = discard_invalid(url, reason or "", done, arrived_by)
        later = later_invalid(url, reason or "", arrived_by)
    output.say(f"{_events(count)} discarded.{_passed_over(later)}")


def _bound(core: Core, until: datetime | None) -> datetime:
    """What arrives from now on is not decided of: nobody has seen it. By the database's clock, as
    for bulk actions of the console."""
    now = clock(core.database)
    return now if until is None else min(until, now)


def _passed_over(later: int) -> str:
    """Those that came meanwhile; one that was published again may have come back too."""
    if not later:
        return ""
    stay = "stays" if later == 1 else "stay"
    return f" {_events(later)} of later {stay}: 'courier invalid list' shows what is there."


def _note_begin(core: Core, act: str, reason: str, arrived_by: datetime) -> None:
    """In the audit first: a command that dies in its midst has no end to tell."""
    chosen = InvalidFilter(reason)
    there = look_at_invalid(core.settings.rabbitmq, chosen, 0, 0, arrived_by=arrived_by)
    if there.matching:
        told = {"act": act, "of": there.matching} | ({"reason": reason} if reason else {})
        record(core, Action.BULK_BEGUN, None, {}, told)


@contextmanager
def _noting(core: Core, action: Action, what: str) -> Iterator[Callable[[InvalidMessage], None]]:
    """Collect the messages that are done, for the audit, also where the run is cut short.

    The entry is the platform's: an unreadable event has no account.
    """
    dealt_with: list[InvalidMessage] = []
    try:
        with output.counting(what) as tell:

            def done(message: InvalidMessage) -> None:
                dealt_with.append(message)
                tell()

            yield done
    finally:
        if dealt_with:
            record(core, action, None, {}, audit_facts.invalid_events(dealt_with))


def _rabbitmq() -> Endpoint:
    return load_settings().rabbitmq


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
