"""`courier deliveries`."""

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.text import Text

from consumers.ledger import Document, Selection, Status
from worker import show
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import OfAccount, Since, Until, require_account
from worker.cli.output import AsJson, Cell
from worker.cli.refusal import Refused

DEFAULT_LIMIT = 50
_FORMULA = re.compile("[=+@\uff1d\uff0b\uff20\uff0d-]")
"""First characters of cells that a spreadsheet would calculate (OWASP, "CSV Injection")."""

app = command_group()

OfStatus = Annotated[Status | None, typer.Option("--status", help="Only these.")]


@app.command("list")
def list_deliveries(
    *,
    account: OfAccount = None,
    status: OfStatus = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List recordings, the newest first."""
    chosen = Selection(account_id=account, status=status, since=since, until=until)
    with context.core() as core:
        rows = list(core.ledger.queries.select(chosen, limit))
        if not rows:
            require_account(core, account)
    print_rows(rows, as_json=as_json, empty="No recordings match.")
    if limit and len(rows) == limit and not as_json:
        output.note(f"These are the newest {limit}; --limit 0 lists all.")


@app.command("export")
def export(
    *,
    account: OfAccount = None,
    status: OfStatus = None,
    since: Since = None,
    until: Until = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Print all recordings that match as CSV (RFC 4180), the newest first.

    A text that a spreadsheet would take for a formula, such as a number with +, begins with an
    apostrophe; JSON has it as it is.
    """
    chosen = Selection(account_id=account, status=status, since=since, until=until)
    with context.core() as core:
        require_account(core, account)
        shapes = (show.delivery_shape(row) for row in core.ledger.queries.select(chosen))
        if as_json:
            for shape in shapes:
                output.print_json(shape)
        else:
            _print_csv(shapes)


@app.command("show")
def show_delivery(
    recording_id: Annotated[str, typer.Argument(metavar="ID", help="The recording's id.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what became of a recording."""
    with context.core() as core:
        row = core.ledger.queries.row(recording_id)
    if row is None:
        raise Refused(
            f"There is no recording {recording_id!r}: 'courier deliveries list' shows those there "
            "are, 'courier invalid list' those whose events could not be used."
        )
    if as_json:
        output.print_json(show.delivery_shape(row))
    else:
        output.print_page(_page(row))


def print_rows(rows: Iterable[Document], *, as_json: bool, empty: str) -> None:
    """Rows of the ledger, as a table or as JSON."""
    shapes = [show.delivery_shape(row) for row in rows]
    if as_json:
        output.print_json(shapes)
        return
    output.print_table(
        ("RECORDING", "ACCOUNT", "STATUS", "TRIES", "ARRIVED", "PLACE OR LAST ERROR"),
        [
            (
                shape["recording_id"],
                shape["account_id"],
                _status(shape),
                shape["tries"],
                output.moment(shape["created_at"]),
                shape["remote_path"] or shape["last_error"],
            )
            for shape in shapes
        ],
        empty=empty,
    )


def _print_csv(shapes: Iterable[show.Shape]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(show.DELIVERY_FIELDS)
    for shape in shapes:
        writer.writerow(_inert(shape[name]) for name in show.DELIVERY_FIELDS)


def _inert(value: Any) -> Any:
    """The value as a cell that neither a spreadsheet nor a terminal acts upon."""
    if not isinstance(value, str):
        return value
    text = output.printable(value)
    return f"'{text}" if _FORMULA.match(text.lstrip()) else text


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
    yield "verified by", shape["verified"]
    yield "failed tries", shape["tries"]
    yield "last error", shape["last_error"]
    yield "said by", show.speaker(shape["last_error_by"])
    yield "advice", row["last_error"]["advice"] if row["last_error"] else None
    yield "arrived", output.moment(shape["created_at"])
    yield "delivered", output.moment(shape["delivered_at"])
    yield "replaced", _replaced(shape)
    yield "dead letter since", output.moment(shape["dead_at"])
    yield "trace", shape["trace_id"]


def _status(shape: show.Shape) -> Text:
    return output.coloured(shape["status"], show.STATUS_WORDS[Status(shape["status"])])


def _replaced(shape: show.Shape) -> str | None:
    if shape["replaced_by"] is None:
        return None
    return f"{output.moment(shape['replaced_at'])} by {shape['replaced_by']}"
