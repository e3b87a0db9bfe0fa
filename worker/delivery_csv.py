"""Recordings as CSV (RFC 4180), which no spreadsheet and no terminal acts upon."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from worker.cli.output import printable
from worker.show import DELIVERY_FIELDS, STATUS_WORDS, Shape, worded

_BLOCK = 200
"""Lines that are handed on together."""
_FORMULA = re.compile("[=+@\uff1d\uff0b\uff20\uff0d-]")
"""First characters of cells that a spreadsheet would calculate (OWASP, "CSV Injection")."""


def csv_blocks(shapes: Iterable[Shape]) -> Iterator[str]:
    """The heading, then a line for each, some lines at a time; as operators read them.

    A text that a spreadsheet would take for a formula, such as a number with +, begins with an
    apostrophe.
    """
    rest = (worded(shape, STATUS_WORDS) for shape in shapes)
    return csv_pages(iter(lambda: list(islice(rest, _BLOCK)), []))


def csv_pages(
    pages: Iterable[Sequence[Shape]], fields: Sequence[str] = DELIVERY_FIELDS
) -> Iterator[str]:
    """The same page by page; of a page without a shape an empty text."""
    yield _lines([fields])
    for page in pages:
        yield _lines([_inert(shape[name]) for name in fields] for shape in page)


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _inert(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text.lstrip()) else text
