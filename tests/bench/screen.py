"""The tables as a terminal shows them."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.figures import OURS
from tests.bench.report import HEADS, Result, Row, counts, rows

_WIDTHS = (25, 12, 15, 15, 11, 10, 9, 6)
_MET = {True: Text("met", "green"), False: Text("missed", "bold red"), None: Text("")}


def print_tables(results: Sequence[Result], console: Console) -> None:
    """One table a workload, all of them aligned."""
    for result in results:
        console.print(f"\n[bold]{result.workload.key}. {result.workload.title}[/]")
        console.print(_counted(result) if result.workload.counts else _compared(result))


def _compared(result: Result) -> Table:
    table = _table()
    for name, width in zip(HEADS, _WIDTHS, strict=True):
        numeric = name in HEADS[2:6]
        table.add_column(name, min_width=width, justify="right" if numeric else "left")
    for row in rows(result):
        table.add_row(*_cells(row))
    return table


def _counted(result: Result) -> Table:
    table = _table()
    for name, width in zip(HEADS[:2], _WIDTHS[:2], strict=True):
        table.add_column(name, min_width=width)
    for name in result.workload.counts:
        table.add_column(name, min_width=9, justify="right")
    for row in counts(result):
        table.add_row(row.who, row.does, *row.counts, style=_style(row.who))
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False)


def _cells(row: Row) -> list[Text]:
    told = (row.who, row.does, row.median, row.spread, row.cost, row.ratio, row.goal)
    return [*(Text(each, _style(row.who)) for each in told), _MET[row.met]]


def _style(who: str) -> str:
    return "bold cyan" if who == OURS else ""
