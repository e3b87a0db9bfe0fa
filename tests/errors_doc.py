"""Writes docs/errors.md from the catalogue and from what servers were heard to say.

`python -m tests.errors_doc`

A test fails where the two differ.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.servers.said import SAID
from transports.diagnosis import CHAPTERS, Entry, Whose

DOC = Path(__file__).parents[1] / "docs/errors.md"
_WHOSE = "".join(f"- **{each}**: {each.label}.\n" for each in Whose)
_HEAD = f"""\
# Errors

Every failure has a cause, by which alert, page, API, commands and log call it: the last three by
its code (`last_error_cause`, `cause`). Who can mend it:

{_WHOSE}
"Servers say" has their own words, as the contract suite heard them of the servers in
[servers.md](servers.md); those of servers that it cannot run are from their makers' pages and
sources, and stand in brackets. "…" is what varies.

This page is written from the code: `python -m tests.errors_doc`.
"""


def written() -> str:
    """The document as it is to be."""
    return _HEAD + "".join(map(_chapter, CHAPTERS))


def _chapter(title: str) -> str:
    entries = "".join(f"\n{line}" for each in CHAPTERS[title] for line in _lines(each))
    return f"\n## {title}\n{entries}\n"


def _lines(entry: Entry) -> Iterator[str]:
    yield f"### `{entry.code}`"
    yield ""
    yield f"{entry.cause} Who can mend it: **{entry.whose}**."
    yield ""
    yield f"What to do: {entry.next_step}"
    yield ""
    if entry.for_customers:
        yield f"The account's own people read: {entry.for_customers}"
        yield ""
    said = [each for each in SAID if each.cause == entry.code]
    if said:
        yield "Servers say:"
        yield ""
    for each in said:
        words = f"`{each.words}` ({each.server})"
        yield f"- {words}" if each.heard else f"- [{words}]"
    if said:
        yield ""


if __name__ == "__main__":
    DOC.write_text(written())
