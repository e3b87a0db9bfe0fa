"""The section of docs/scaling.md: a table for each size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.ledger import PAGE
from tests.bench.search.asking import Timed

BEGIN, END = "<!-- search -->", "<!-- /search -->"


def table(figures: Sequence[Timed]) -> Iterator[str]:
    """What took longer than it may is bold."""
    over = sum(each.seconds > each.allowed for each in figures)
    slowest = max(figures, key=lambda each: each.seconds / each.allowed)
    yield (
        f"{len(figures) - over} of {len(figures)} are within their time (1 s, a command 0.6 s). "
        f"The nearest to it: {slowest.what}, {slowest.seconds:.2f} s."
    )
    yield ""
    yield "| asked | median s | slowest s | KB |"
    yield "|---|--:|--:|--:|"
    for each in figures:
        seconds = f"{each.seconds:.3f}"
        told = f"**{seconds}**" if each.seconds > each.allowed else seconds
        size = "" if each.kilobytes is None else f"{each.kilobytes:,.0f}"
        yield f"| {each.what.replace('|', '/')} | {told} | {each.slowest:.3f} | {size} |"


def write(text: str, size: str, page: Path = PAGE) -> None:
    """Put it into the section, in the place of what was there of this size."""
    head, _, rest = page.read_text().partition(BEGIN)
    section, _, tail = rest.partition(END)
    begin, end = f"<!-- search of {size} -->", f"<!-- /search of {size} -->"
    before, _, after = section.partition(begin)
    kept = [before.strip(), after.partition(end)[2].strip()]
    whole = "\n\n".join(part for part in (kept[0], f"{begin}\n{text}\n{end}", kept[1]) if part)
    page.write_text(f"{head}{BEGIN}\n{whole}\n{END}{tail}")
