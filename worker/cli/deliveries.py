"""`courier deliveries`."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from consumers.ledger import Document, Selection, Status
from worker import show
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import OfAccount, Since, Until, require_account
from worker.cli.output import AsJson, Cell
from worker.cli.refusal import Refused

DEFAULT_LIMIT = 50

app = command_group()


@app.command("list")
def list_deliveries(
    *,
    account: OfAccount = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List recordings, the newest first."""
    chosen = Selection(account_id=account, status=status, since=since, until=until)
    with context.core() as core:
        rows = list(core.ledger.files.select(chosen, limit))
        if not rows:
            require_account(core, account)
    print_rows(rows, as_json=as_json, empty="No recordings match.")
    if limit and len(rows) == limit and not as_json:
        output.note(f"These are the newest {limit}; --limit 0 lists all.")


@app.command("show")
def show_delivery(
    recording_id: Annotated[str, typer.Argument(metavar="ID", help="The recording's id.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what became of a recording."""
    with context.core() as core:
        row = core.ledger.files.row(recording_id)
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
                output.coloured(shape["status"]),
                shape["tries"],
                output.moment(shape["created_at"]),
                shape["remote_path"] or shape["last_error"],
            )
            for shape in shapes
        ],
        empty=empty,
    )


def _page(row: Document) -> Iterator[tuple[str, Cell]]:
    shape = show.delivery_shape(row)
    yield "recording", shape["recording_id"]
    yield "account", shape["account_id"]
    yield "number", shape["number"]
    yield "status", output.coloured(shape["status"])
    yield "reason", shape["reason"]
    yield "source", shape["file_url"]
    yield "file name", shape["file_name"]
    yield "place", shape["remote_path"]
    yield "size", shape["size"]
    yield "verified by", shape["verified"]
    yield "failed tries", shape["tries"]
    yield "last error", shape["last_error"]
    yield "advice", row["last_error"]["advice"] if row["last_error"] else None
    yield "arrived", output.moment(shape["created_at"])
    yield "delivered", output.moment(shape["delivered_at"])
    yield "dead-lettered", output.moment(shape["dead_at"])
