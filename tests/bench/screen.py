"""The tables as a terminal shows them."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.figures import OURS
from tests.bench.report import HEADS, Result, Row, rows

_WIDTHS = (24, 17, 19, 11, 11, 7)
_MET = {True: Text("met", "green"), False: Text("missed", "bold red"), None: Text("")}


def print_tables(results: Sequence[Result], console: Console) -> None:
    """One table a workload, all of them aligned."""
    for result in results:
        console.print(f"\n[bold]{result.workload.key}. {result.workload.title}[/]")
        table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False)
        for name, width in zip(HEADS, _WIDTHS, strict=True):
            numeric = name in HEADS[1:4]
            table.add_column(name, min_width=width, justify="right" if numeric else "left")
        for row in rows(result):
            table.add_row(*_cells(row))
        console.print(table)


def _cells(row: Row) -> list[Text]:
    style = "bold cyan" if row.who == OURS else ""
    told = (row.who, row.median, row.spread, row.ratio, row.goal)
    return [*(Text(each, style) for each in told), _MET[row.met]]
