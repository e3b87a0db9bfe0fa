"""The one way to print: tables and pages for people, compact JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Cell = str | int | Text | None

STYLES = {
    "active": "green",
    "delivered": "green",
    "suspended": "red",
    "dead_lettered": "red",
    "probing": "yellow",
    "paused": "yellow",
    "queued": "cyan",
    "uploading": "cyan",
    "disabled": "dim",
    "skipped": "dim",
    "discarded": "dim",
}
_UNLIMITED = 10_000
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def stdout() -> Console:
    """For answers. Off a terminal nothing is coloured, wrapped or cut."""
    return _console(stderr=False)


def stderr() -> Console:
    """For what accompanies an answer: progress, notes."""
    return _console(stderr=True)


def print_json(value: Any) -> None:
    """One line of JSON, in ASCII."""
    print(json.dumps(value, separators=(",", ":")), flush=True)  # noqa: T201 - an answer


def say(text: str, style: str = "") -> None:
    """A line of an answer."""
    stdout().print(Text(printable(text), style=style))


def note(text: str) -> None:
    """A line beside the answer, on stderr."""
    stderr().print(Text(printable(text), style="dim"))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str) -> None:
    """Aligned columns, numbers to the right; a sentence on stderr where there are no rows."""
    listed = list(rows)
    if not listed:
        note(empty)
        return
    stdout().print(table(columns, listed))


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    """The same, to be shown inside something else."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        is_count = all(isinstance(row[number], int) for row in rows)
        drawn.add_column(name, justify="right" if is_count else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    return drawn


def print_page(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Names and values, aligned; values that are None are left out."""
    stdout().print(page(pairs))


def page(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """The same, to be shown inside something else."""
    lines = [(Text(name, style="dim"), value) for name, value in pairs if value is not None]
    return aligned(lines)


def aligned(lines: Iterable[Sequence[Cell]]) -> Table:
    """Lines of as many cells each, aligned, without a heading."""
    drawn = Table.grid(padding=(0, 2))
    for line in lines:
        drawn.add_row(*(_cell(value) for value in line))
    for column in drawn.columns:
        column.overflow = "fold"
    return drawn


def coloured(word: str, told: str | None = None) -> Text:
    """A state or a status in its colour, by another word where one is given."""
    return Text(told or word.replace("_", "-"), style=STYLES.get(word, ""))


WARNING = Text("!", style="yellow")


def mark(*, ok: bool) -> Text:
    """✓ or ✗."""
    return Text("✓", style="green") if ok else Text("✗", style="red")


def step_line(name: str, detail: str, *, ok: bool) -> None:
    """A step that was taken, shown at once."""
    line = Text.assemble(mark(ok=ok), " ", f"{printable(name)} ", (printable(detail), "dim"))
    stdout().print(line)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def moment(iso: str | None) -> str | None:
    """`2026-11-23 14:05:00Z`, from the time as JSON has it."""
    return None if iso is None else f"{iso[:10]} {iso[11:19]}Z"


def printable(text: str) -> str:
    """The text on one line, unable to speak to the terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Any]:
    """A bar on stderr for work on many things; yields what is called after each."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = stderr()
    bar = Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # an answer that is piped must not go to the bar
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def stop_printing() -> None:
    """Drop the buffered output: nobody reads it, and it must not raise at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _cell(value: Cell) -> Text:
    if isinstance(value, Text):
        return value
    return Text("" if value is None else printable(str(value)))


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNLIMITED
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)
