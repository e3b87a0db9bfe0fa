"""`courier top`."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from consumers.ledger import AccountTraffic, Totals, Traffic
from consumers.sharding.presence import Worker, workers
from worker.cli import context, output
from worker.cli.apps import single_command
from worker.cli.output import AsJson, Cell
from worker.cli.tables import Column
from worker.database import Core
from worker.show import Shape

SECONDS = 2.0
SHOWN = 5
"""Accounts of each table."""
_MEGABYTE = 1_000_000
_BUSIEST = (
    Column("BUSIEST", least=12),
    Column("FILES/MIN", least=None),
    Column("MB/MIN", weight=1, least=None),
    Column("UPLOADING", least=None),
)
_OLDEST = (Column("OLDEST", least=12), Column("WAITS FOR", least=None))

app = single_command()


@dataclass(frozen=True)
class Reading:
    """The platform at one moment."""

    totals: Totals
    traffic: Traffic
    workers: Sequence[Worker]

    @property
    def slots(self) -> int:
        """Uploads that all workers may have at once."""
        return sum(each.slots for each in self.workers)

    @property
    def slots_used(self) -> int:
        """Of them those that hold files."""
        return sum(self.traffic.flights.values())

    @property
    def busiest(self) -> list[AccountTraffic]:
        """The accounts with most files of the last minute, or at this moment."""
        busy = [each for each in self.traffic.accounts if each.delivered or each.uploading]
        return sorted(busy, key=lambda each: (-each.delivered, -each.uploading, each.account_id))

    @property
    def oldest(self) -> list[AccountTraffic]:
        """The accounts whose oldest file waits longest."""
        waiting = [each for each in self.traffic.accounts if each.oldest_seconds]
        return sorted(waiting, key=lambda each: (-each.oldest_seconds, each.account_id))


@app.command()
def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print it once instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what goes on, every two seconds until Ctrl-C: rates, slots, busiest and oldest accounts.

    Rates are those of the last minute. Off a terminal, and with **--json**, it is printed once.
    """
    with context.core() as core:
        if as_json:
            output.print_json(_json(_read(core)))
        elif once or not output.is_terminal():
            output.stdout().print(_page(_read(core)))
        else:
            _watch(core)


def _watch(core: Core) -> None:
    from rich.live import Live  # noqa: PLC0415 - most programs look once

    try:
        with Live(_page(_read(core)), console=output.stdout(), auto_refresh=False) as live:
            while True:
                time.sleep(SECONDS)
                live.update(_page(_read(core)), refresh=True)
    except KeyboardInterrupt:
        return  # it is how watching ends


def _read(core: Core) -> Reading:
    return Reading(core.ledger.totals(), core.ledger.traffic.read(), workers(core.database))


def _page(reading: Reading) -> Group:
    busiest = [
        (each.account_id, each.delivered, f"{each.size / _MEGABYTE:.1f}", each.uploading)
        for each in reading.busiest[:SHOWN]
    ]
    oldest = [
        (each.account_id, output.duration(each.oldest_seconds)) for each in reading.oldest[:SHOWN]
    ]
    width = output.terminal_width()
    return Group(
        output.page(_lines(reading)),
        "",
        output.table(_BUSIEST, busiest, width) if busiest else Text("Nothing is delivered."),
        "",
        output.table(_OLDEST, oldest, width) if oldest else Text("Nothing waits."),
    )


def _lines(reading: Reading) -> Iterator[tuple[str, Cell]]:
    totals, traffic = reading.totals, reading.traffic
    yield "arrived", f"{traffic.arrived} a minute"
    rate = f"{traffic.delivered} a minute"
    yield "delivered", f"{rate}, {_size(traffic) / _MEGABYTE:.1f} MB" if traffic.delivered else rate
    yield "waiting", _waiting(totals)
    yield "dead letters", Text(str(totals.dead_letters), style="red" if totals.dead_letters else "")
    used = f"{reading.slots_used} of {reading.slots} slots" if reading.slots else "no slots"
    yield "uploading", f"{used}, {sum(each.uploading for each in traffic.accounts)} files"
    yield "accounts", ", ".join(f"{n} {state}" for state, n in totals.accounts.items() if n)
    for each in reading.workers:
        slots = f"{traffic.flights.get(each.worker, 0)} of {each.slots} slots"
        yield f"  {each.host}, {each.pid}", f"{each.state}, {slots}"
    if not reading.workers:
        yield "workers", "none: 'courier run' starts one"


def _waiting(totals: Totals) -> str:
    if not totals.queued:
        return "0 files"
    return f"{totals.queued} files, the oldest for {output.duration(totals.oldest_queued_seconds)}"


def _size(traffic: Traffic) -> float:
    """Bytes of all files of the minute, by those that were looked at."""
    return traffic.size * traffic.delivered / max(1, traffic.looked_at)


def _json(reading: Reading) -> Shape:
    totals, traffic = reading.totals, reading.traffic
    return {
        "arrived_a_minute": traffic.arrived,
        "delivered_a_minute": traffic.delivered,
        "bytes_a_minute": round(_size(traffic)),
        "queued": totals.queued,
        "oldest_queued_seconds": round(totals.oldest_queued_seconds, 3),
        "dead_letters": totals.dead_letters,
        "slots": reading.slots,
        "slots_used": reading.slots_used,
        "accounts": totals.accounts,
        "busiest": [_account(each) for each in reading.busiest[:SHOWN]],
        "oldest": [_account(each) for each in reading.oldest[:SHOWN]],
    }


def _account(each: AccountTraffic) -> Shape:
    return {
        "account_id": each.account_id,
        "delivered_a_minute": each.delivered,
        "bytes_a_minute": each.size,
        "uploading": each.uploading,
        "oldest_seconds": round(each.oldest_seconds, 3),
    }
