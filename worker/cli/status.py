"""`courier status`."""

import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from consumers.ledger import BUCKETS
from consumers.sharding.presence import workers
from worker import show
from worker.cli import context, output
from worker.cli.apps import single_command
from worker.cli.output import AsJson, Cell
from worker.database import Core
from worker.show import Shape

SECONDS = 1.0

app = single_command()


@app.command()
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh it until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the platform in a few numbers: accounts by state, files waiting, workers."""
    with context.core() as core:
        if watch:
            _watch(core, as_json=as_json)
        else:
            _print(core, as_json=as_json)


def _watch(core: Core, *, as_json: bool) -> None:
    try:
        if output.stdout().is_terminal and not as_json:
            _refresh(core)
        else:
            _print_again(core, as_json=as_json)
    except KeyboardInterrupt:
        return  # it is how watching ends


def _print_again(core: Core, *, as_json: bool) -> None:
    """Off a terminal the status cannot be refreshed in place: print it again."""
    while True:
        _print(core, as_json=as_json)
        time.sleep(SECONDS)


def _print(core: Core, *, as_json: bool) -> None:
    if as_json:
        output.print_json(_read(core))
    else:
        output.stdout().print(_page(_read(core)))


def _refresh(core: Core) -> None:
    from rich.live import Live  # noqa: PLC0415 - most look once

    with Live(_page(_read(core)), console=output.stdout(), auto_refresh=False) as live:
        while True:
            time.sleep(SECONDS)
            live.update(_page(_read(core)), refresh=True)


def _read(core: Core) -> Shape:
    return show.status_shape(core.ledger.totals(), workers(core.database))


def _page(numbers: Shape) -> Table:
    return output.page(_lines(numbers))


def _lines(numbers: Shape) -> Iterator[tuple[str, Cell]]:
    for state, count in numbers["accounts"].items():
        style = output.STYLES[state] if count else "dim"
        yield f"accounts {state}", Text(str(count), style=style)
    yield "files queued", numbers["queued"]
    if numbers["queued"]:
        yield "oldest queued", f"{output.duration(numbers['oldest_queued_seconds'])} ago"
    dead = numbers["dead_letters"]
    yield "dead letters", Text(str(dead), style="red" if dead else "")
    count = numbers["workers"]
    yield "workers", Text(str(count) if count else "none: 'courier run' starts one")
    for each in numbers["worker_processes"]:
        share = f"{each['buckets'] / BUCKETS:.0%} of the accounts"
        yield f"  {each['host']}, {each['pid']}", Text(f"{each['state']}, {share}")
