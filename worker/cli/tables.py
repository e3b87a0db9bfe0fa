"""Which columns of a table a terminal has room for, and how wide each of them may be. Pure."""

from collections.abc import Sequence
from textwrap import fill
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.text import Text

GAP = 2
"""Cells between two columns."""
ELLIPSIS = "…"
ALWAYS = 100
"""The weight of a column that stays, however narrow the terminal is."""


class Column(NamedTuple):
    """A column, and what becomes of it where the terminal is too narrow for the table."""

    name: str
    weight: int = ALWAYS
    """The lightest column is left out first."""
    least: int | None = 8
    """Cells that a shortened value keeps; None: values are not shortened."""
    keeps: Literal["start", "end", "all"] = "start"
    """The side of a value that is read first: of a path it is the end. "all": of a sentence nothing
    is left out, it takes more lines. A cell may have it otherwise: see `output.words`."""


class Shown(NamedTuple):
    """A column that there is room for."""

    number: int
    width: int


def fit(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int | None
) -> list[Shown]:
    """The columns to be shown, each with its width; with a `width` of None all of them, whole."""
    natural = [_natural(column, [row[n] for row in rows]) for n, column in enumerate(columns)]
    if width is None:
        return [Shown(*each) for each in enumerate(natural)]
    natural = [min(each, width) for each in natural]
    least = [_least(*each) for each in zip(columns, natural, strict=True)]
    kept = _heaviest(columns, least, width)
    shares = _shares(natural, least, kept, width)
    return [Shown(number, shares[number]) for number in kept]


def shortened(text: Text, column: Column, width: int) -> Text:
    """The text in so many cells, with "…" for what is left out; as it is where it fits."""
    if text.cell_len <= width or column.least is None:
        return text
    if column.keeps == "all":
        return Text(fill(text.plain, width), style=text.style)
    if column.keeps == "end" and text.overflow != "ellipsis":
        plain = text.plain
        while plain and cell_len(plain) >= width:
            plain = plain[1:]
        return Text(ELLIPSIS + plain, style=text.style)
    cut = text.copy()
    cut.truncate(width, overflow="ellipsis")
    return cut


def _natural(column: Column, cells: Sequence[Text]) -> int:
    return max([cell_len(column.name), *(each.cell_len for each in cells)])


def _least(column: Column, natural: int) -> int:
    if column.least is None:
        return natural
    return min(natural, max(column.least, cell_len(column.name)))


def _heaviest(columns: Sequence[Column], least: Sequence[int], width: int) -> list[int]:
    """The numbers of the columns that fit at their least widths; those that always stay at any."""
    kept = list(range(len(columns)))
    while _taken(least, kept) > width:
        light = [number for number in kept if columns[number].weight < ALWAYS]
        if not light:
            break
        kept.remove(min(light, key=lambda number: columns[number].weight))
    return kept


def _shares(
    natural: Sequence[int], least: Sequence[int], kept: Sequence[int], width: int
) -> list[int]:
    """The widest gives way first, down to its least width."""
    shares = list(natural)
    for _ in range(_taken(natural, kept) - width):
        wide = [number for number in kept if shares[number] > least[number]]
        if not wide:
            break
        shares[max(wide, key=lambda number: shares[number])] -= 1
    return shares


def _taken(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[number] for number in kept) + GAP * (len(kept) - 1)
