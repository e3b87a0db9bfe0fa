"""`courier deliveries`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from config.errors import FieldRefused
from consumers.ledger import Document, Search, Status, Time, times_redelivered
from consumers.ledger.search import MOST
from transports.diagnosis import Whose
from worker import show
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import (
    Limit,
    OfAccount,
    Since,
    Until,
    check_range,
    choice,
    filled,
    one_more,
    require_account,
    up_to,
)
from worker.cli.output import AsJson, Cell
from worker.cli.redeliver import redeliver
from worker.cli.refusal import Refused
from worker.cli.tables import Column
from worker.delivery_csv import csv_blocks
from worker.searching import Order, search_of
from worker.story import read_story
from worker.story_step import Step, step_shape

DEFAULT_LIMIT = 50
PAGE = 1000
"""Rows that are read at once."""

_COLUMNS = (
    Column("RECORDING", least=36),
    Column("ACCOUNT", least=12),
    Column("STATUS", least=None),
    Column("TRIES", weight=1, least=None),
    Column("ARRIVED", weight=2, least=None),
    Column("PLACE OR LAST ERROR", weight=3, keeps="end"),
)

app = command_group()

app.command("redeliver")(redeliver)

STATUSES = {
    **{word.replace(" ", "-"): status for status, word in show.STATUS_WORDS.items()},
    **{status.value: status for status in Status if status is not Status.SKIPPED},
}
"""The words that the tables print, and those of JSON but for one, which is refused."""
_REFUSED = {
    Status.SKIPPED.value: (
        "customers read 'skipped' for a dead letter. Did you mean 'dead-letter' or "
        "'left-to-e-mail'?"
    )
}

OfStatus = Annotated[
    Status | None, choice(STATUSES, "--status", refused=_REFUSED, help="Only these.")
]
OfNumber = Annotated[
    str | None,
    typer.Option(
        metavar="DIGITS",
        parser=filled,
        help="Only of this number, as you have it, or of its end.",
    ),
]
OfName = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="TEXT",
        parser=filled,
        help="Only file names that begin so; '*TEXT': that have it.",
    ),
]
OfWhose = Annotated[
    Whose | None, typer.Option("--whose", help="Only those whose last failure is for them to mend.")
]
By = Annotated[
    Time, typer.Option("--by", help="Which time --since, --until and the order are about.")
]
InOrder = Annotated[Order, typer.Option("--order", help="Which come first.")]


@app.command("list")
def list_deliveries(
    *,
    account: OfAccount = None,
    number: OfNumber = None,
    name: OfName = None,
    status: OfStatus = None,
    whose: OfWhose = None,
    by: By = Time.ARRIVED,
    since: Since = None,
    until: Until = None,
    order: InOrder = Order.NEWEST,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List recordings, the newest first.

    Example: the call of 14:05 from a number:
    `courier deliveries list --number 01632960001 --by recorded --since 2026-11-23T14:00
    --until 2026-11-23T14:10`
    """
    chosen = _search(account, number, name, status, whose, by, since, until, order)
    with context.core() as core:
        found = core.ledger.searches.rows(chosen, min(one_more(limit) or PAGE, PAGE))
        rows, is_cut = up_to(limit, found)
        if not rows:
            require_account(core, account)
    print_rows(rows, as_json=as_json, empty="No recordings match.")
    output.note_cut(order.value, limit, is_cut=is_cut)


@app.command("export")
def export(
    *,
    account: OfAccount = None,
    number: OfNumber = None,
    name: OfName = None,
    status: OfStatus = None,
    whose: OfWhose = None,
    by: By = Time.ARRIVED,
    since: Since = None,
    until: Until = None,
    order: InOrder = Order.NEWEST,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Print all recordings that match as CSV (RFC 4180), the newest first.

    A text that a spreadsheet would take for a formula, such as a number with +, begins with an
    apostrophe; JSON has it as it is.
    """
    chosen = _search(account, number, name, status, whose, by, since, until, order)
    with context.core() as core:
        require_account(core, account)
        searches = core.ledger.searches
        with _counting(searches.count(chosen)) as tell:
            for text in _texts(_told(searches.rows(chosen), tell), as_json=as_json):
                sys.stdout.write(text)


@app.command("show")
def show_delivery(
    recording_id: Annotated[str, typer.Argument(metavar="ID", help="The recording's id.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what became of a recording, and how: each try, and what it waited for."""
    with context.core() as core:
        row = core.ledger.queries.row(recording_id)
        story = read_story(core, row, is_operator=True) if row is not None else []
    if row is None:
        raise Refused(
            f"There is no recording {recording_id!r}: 'courier deliveries list' shows those there "
            "are, 'courier invalid list' those whose events could not be used."
        )
    if as_json:
        told = [step_shape(each) for each in story]
        output.print_json({**show.delivery_shape(row), "story": told})
    else:
        output.print_page(_page(row))
        output.say("")
        output.say("What happened:")
        output.stdout().print(output.aligned(_lines(story)))


def print_rows(rows: Iterable[Document], *, as_json: bool, empty: str) -> None:
    """Rows of the ledger, as a table or as JSON."""
    shapes = [show.delivery_shape(row) for row in rows]
    if as_json:
        output.print_json(shapes)
        return
    output.print_table(
        _COLUMNS,
        [
            (
                shape["recording_id"],
                shape["account_id"],
                _status(shape),
                shape["tries"],
                output.moment(shape["created_at"]),
                show.place(shape) or output.words(shape["last_error"] or ""),
            )
            for shape in shapes
        ],
        empty=empty,
    )


def _search(
    account: str | None,
    number: str | None,
    name: str | None,
    status: Status | None,
    whose: Whose | None,
    by: Time,
    since: datetime | None,
    until: datetime | None,
    order: Order,
) -> Search:
    check_range(since, until)
    try:
        return search_of(
            account_id=account,
            number=number,
            file_name=name,
            status=status,
            whose=whose,
            by=by,
            since=since,
            until=until,
            order=order,
        )
    except FieldRefused as refusal:
        option = {"file_name": "name"}.get(refusal.field, refusal.field)
        raise typer.BadParameter(str(refusal), param_hint=f"--{option}") from None


def _counting(found: int | None) -> AbstractContextManager[Callable[[], None]]:
    """A bar, which ends where that is known; none where the rows themselves are seen."""
    if sys.stdout.isatty():
        return nullcontext(lambda: None)
    return output.counting("Exporting", None if found is None or found > MOST else found)


def _told(rows: Iterable[Document], tell: Callable[[], None]) -> Iterator[show.Shape]:
    for row in rows:
        yield show.delivery_shape(row)
        tell()


def _texts(shapes: Iterable[show.Shape], *, as_json: bool) -> Iterable[str]:
    if as_json:
        return (f"{json.dumps(shape, separators=(',', ':'))}\n" for shape in shapes)
    return csv_blocks(shapes)


def _page(row: Document) -> Iterator[tuple[str, Cell]]:
    shape = show.delivery_shape(row)
    yield "recording", shape["recording_id"]
    yield "account", shape["account_id"]
    yield "number", shape["number"]
    yield "status", _status(shape)
    yield "reason", shape["reason"]
    yield "source", shape["file_url"]
    yield "file name", shape["file_name"]
    yield "place", shape["remote_path"]
    yield "size", shape["size"]
    yield "verified by", show.verified_by(shape["verified"])
    yield "failed tries", shape["tries"]
    yield "last error", shape["last_error"]
    yield "said by", show.speaker(shape["last_error_by"])
    yield from show.cause_lines(shape["last_error_cause"])
    yield "advice", row["last_error"]["advice"] if row["last_error"] else None
    yield "arrived", output.moment(shape["created_at"])
    yield "delivered", output.moment(shape["delivered_at"])
    yield "replaced", _replaced(shape)
    yield "redelivered", _redelivered(row)
    yield "dead letter since", output.moment(shape["dead_at"])
    yield "trace", shape["trace_id"]


def _lines(story: Iterable[Step]) -> Iterator[tuple[Cell, Cell]]:
    for step in story:
        style = "red" if step.went_wrong else "green" if step.what == Status.DELIVERED else ""
        yield output.moment(show.iso(step.at)) or "now", Text(output.printable(step.text), style)
        for line in _details(step):
            yield None, Text(output.printable(f"  {line}"), "dim")


def _details(step: Step) -> Iterator[str]:
    if step.until is not None:
        yield f"until {output.moment(show.iso(step.until))}"
    if step.said:
        yield f'"{step.said}" ({show.speaker(step.said_by) or "not known who said it"})'
    if step.whose_turn:
        yield f"who can mend it: {step.whose_turn} ({step.cause})"
    if step.next_step:
        yield step.next_step
    if step.seconds is not None:
        sent = f"{step.bytes:,} bytes in " if step.bytes else ""
        yield f"{sent}{step.seconds:.1f} s by worker {step.worker}"
    if step.next_at is not None:
        yield f"next try at {output.moment(show.iso(step.next_at))} or later"


def _status(shape: show.Shape) -> Text:
    return output.coloured(shape["status"], show.STATUS_WORDS[Status(shape["status"])])


def _redelivered(row: Document) -> str | None:
    if not (times := times_redelivered(row)):
        return None
    before = row["redelivered"]["before"]
    at = output.moment(show.iso(before.get("at")))
    return f"asked for {times} times; before that at {before.get('path')}, {at}"


def _replaced(shape: show.Shape) -> str | None:
    if shape["replaced_by"] is None:
        return None
    return f"{output.moment(shape['replaced_at'])} by {shape['replaced_by']}"
