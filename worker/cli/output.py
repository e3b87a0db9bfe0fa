"""The one way to print: tables and pages for people, compact JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import repeat
from typing import Annotated, Any, Literal

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.cli.tables import Column, fit, shortened

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
_as_json = json.JSONEncoder(separators=(",", ":")).encode
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def stdout() -> Console:
    """For answers. Off a terminal nothing is coloured, wrapped or cut."""
    return _console(stderr=False)


def stderr() -> Console:
    """For what accompanies an answer: progress, notes."""
    return _console(stderr=True)


def is_terminal() -> bool:
    """Whether answers go to a terminal."""
    return sys.stdout.isatty()


def terminal_width() -> int | None:
    """Its columns; None off a terminal."""
    return stdout().width if is_terminal() else None


def print_json(value: Any) -> None:
    """One line of JSON, in ASCII."""
    print(_as_json(value), flush=True)  # noqa: T201 - an answer


def print_json_list(values: Iterable[Any]) -> None:
    """The same of a list, which is never held as a whole."""
    before = "["
    for each in values:
        sys.stdout.write(before + _as_json(each))
        before = ","
    print("[]" if before == "[" else "]", flush=True)  # noqa: T201 - an answer


def say(text: str, style: str = "") -> None:
    """A line of an answer."""
    stdout().print(Text(printable(text), style=style))


def note(text: str) -> None:
    """A line beside the answer, on stderr."""
    stderr().print(Text(printable(text), style="dim"))


def complain(text: str) -> None:
    """The sentence of a command that was refused or has failed, on stderr."""
    stderr().print(Text(printable(text)))


def note_cut(which: str, limit: int, *, is_cut: bool) -> None:
    """Where a list has more: which of them it shows, as `newest`, and how all are listed."""
    if is_cut:
        note(f"These are the {which} {limit}; --limit 0 lists all.")


def print_table(
    columns: Sequence[str | Column], rows: Iterable[Sequence[Cell]], *, empty: str
) -> None:
    """Aligned columns, numbers to the right; a sentence on stderr where there are no rows.

    On a terminal the table is as wide as that at most: see `tables.fit`.
    """
    listed = list(rows)
    if not listed:
        note(empty)
    elif is_terminal():
        stdout().print(table(columns, listed, terminal_width()))
    else:
        print(plain_table(columns, listed))  # noqa: T201 - an answer


def plain_table(columns: Sequence[str | Column], rows: Sequence[Sequence[Cell]]) -> str:
    """The same without colours, and whole. Of thousands of rows it takes a moment."""
    names = [each.name if isinstance(each, Column) else each for each in columns]
    told = map(_plain_column, names, zip(*rows, strict=True))
    return "\n".join(map("  ".join, zip(*told, strict=True)))


def table(
    columns: Sequence[str | Column], rows: Sequence[Sequence[Cell]], width: int | None = None
) -> Table:
    """The same, to be shown inside something else; `width` None: with all there is."""
    told = [each if isinstance(each, Column) else Column(each) for each in columns]
    cells = [[_cell(value) for value in row] for row in rows]
    shown = fit(told, cells, width)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, _ in shown:
        is_count = all(isinstance(row[number], int) for row in rows)
        justify: Literal["right", "left"] = "right" if is_count else "left"
        drawn.add_column(told[number].name, justify=justify, overflow="fold")
    for row in cells:
        drawn.add_row(*(shortened(row[number], told[number], room) for number, room in shown))
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


@lru_cache(64)
def coloured(word: str, told: str | None = None) -> Text:
    """A state or a status in its colour, by another word where one is given.

    A list has thousands of few words: they share their texts, which nobody changes.
    """
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
    if text.isprintable():
        return text  # as most are, of which a list has thousands
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Any]:
    """A bar on stderr for work on many things; yields what is called after each."""
    from rich.progress import (  # noqa: PLC0415 - only where there is much to do
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
    )

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


def _plain_column(name: str, values: Sequence[Cell]) -> list[str]:
    """The name and the values beneath it, each as wide as the widest; counts to the right."""
    texts = [name, *_plain(values)]
    pad = str.rjust if all(isinstance(value, int) for value in values) else str.ljust
    # Of what is written in ASCII each character takes one cell: most columns are.
    if "".join(texts).isascii():
        return list(map(pad, texts, repeat(max(map(len, texts)))))
    widths = list(map(cell_len, texts))
    widest = max(widths)
    return [
        pad(text, len(text) + widest - width) for text, width in zip(texts, widths, strict=True)
    ]


def _plain(values: Sequence[Cell]) -> list[str]:
    """A column's texts, looked at together: of thousands hardly any is to be looked at alone."""
    texts = list(map(_text, values))
    return texts if "".join(texts).isprintable() else list(map(printable, texts))


def _text(value: Cell) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Text):
        return value.plain
    return "" if value is None else str(value)


def _cell(value: Cell) -> Text:
    if isinstance(value, Text):
        return value
    return Text("" if value is None else printable(str(value)))


def words(text: str) -> Text:
    """A cell that is read from its start, also in a column that keeps the ends of values."""
    return Text(printable(text), overflow="ellipsis")


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNLIMITED
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)
