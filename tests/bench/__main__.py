"""`python -m tests.bench`: measures, prints the table, and writes the report.

`--only a,c` and `--rounds 1` for a part, `--quick` for small sizes. Only a whole run, or `--write`,
changes the report in docs/; the others leave theirs in the ignored folder of the checkout.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from pika.exceptions import AMQPError
from pymongo.errors import PyMongoError
from rich.console import Console

from deploy.local.folders import STATE
from deploy.local.processes import ServiceError
from deploy.local.services import services
from tests.bench import killed, load, many, secured, single
from tests.bench.accounts import NotSaved
from tests.bench.figures import OURS, Contender, Contenders, Figures, Workload
from tests.bench.files import NotDelivered
from tests.bench.machine import load_average, machine
from tests.bench.peers import PeerFailed
from tests.bench.report import NAME, Result, write
from tests.bench.screen import print_tables
from tests.bench.stage import Stage

ROUNDS = 3
FAILURES = (
    PeerFailed,
    NotDelivered,
    NotSaved,
    ServiceError,
    AMQPError,
    PyMongoError,
    OSError,
    AssertionError,
)
"""What one run may end with: the others go on."""
WIDTH = 150
"""Of the table, where it goes into a file."""
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WORKLOADS = (
    *single.WORKLOADS,
    *many.WORKLOADS,
    *load.WORKLOADS,
    *killed.WORKLOADS,
    *secured.WORKLOADS,
)


def main() -> int:
    """Measure what is asked for; 1 where something could not be measured."""
    arguments = _arguments()
    chosen = [each for each in WORKLOADS if _is_chosen(each, arguments.only)]
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    folder = Path(tempfile.mkdtemp(prefix="courier-bench-"))
    folder.chmod(0o755)  # the servers' own users come through it
    load = load_average()
    try:
        with services() as running:
            stage = Stage(running, folder)
            seen = machine(running, load)
            results = [_measured(each, stage, arguments, console) for each in chosen]
    except ServiceError as error:
        console.print(str(error))
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    whole = not (arguments.only or arguments.quick or arguments.rounds < ROUNDS)
    target = DOCS if whole or arguments.write else STATE / "bench"
    write(results, seen, target, quick=arguments.quick)
    print_tables(results, console)
    console.print(f"Report: {target.relative_to(ROOT)}/{NAME}")
    return 1 if any(each.failed for each in results) else 0


class Arguments(argparse.Namespace):
    """Of the command line, with types: a name that is not there is found by mypy."""

    only: str
    rounds: int
    quick: bool
    alone: bool
    write: bool


def _arguments() -> Arguments:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--only", default="", help="workloads by their letter: a,c,e-ftp")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it works at all")
    parser.add_argument("--alone", action="store_true", help="this program without its peers")
    parser.add_argument("--write", action="store_true", help="write docs/bench.md in any case")
    return parser.parse_args(namespace=Arguments())


def _is_chosen(workload: Workload, only: str) -> bool:
    wanted = {each.strip() for each in only.split(",") if each.strip()}
    return not wanted or bool({workload.key, workload.key.partition("-")[0]} & wanted)


def _measured(workload: Workload, stage: Stage, arguments: Arguments, console: Console) -> Result:
    """Several rounds, in each of them every contender once, and another one first each time."""
    console.print(f"[bold]{workload.key}[/]  {workload.title}")
    rounds = min(arguments.rounds, workload.rounds or arguments.rounds)
    runs: dict[str, list[Figures]] = defaultdict(list)
    failed: set[str] = set()
    with workload.open(stage, arguments.quick) as contenders:
        for number in range(1, rounds + 1):
            for name, contender in _in_turn(contenders, number):
                if arguments.alone and name != OURS:
                    continue
                began = time.monotonic()
                try:
                    figures = contender.run()
                except FAILURES as error:
                    console.print(f"   {number}  {name:<26}[red]failed[/]: {error}")
                    failed.add(name)
                    continue
                runs[name].append(figures)
                told = "  ".join(f"{key} {value:.2f}" for key, value in figures.items())
                took = time.monotonic() - began
                console.print(f"   {number}  {name:<26}{told}  [dim]({took:.0f} s)[/]")
        does = {name: each.does for name, each in contenders.items()}
    return Result(workload, dict(runs), frozenset(failed), does)


def _in_turn(contenders: Contenders, number: int) -> list[tuple[str, Contender]]:
    """Whoever comes first finds memory and disk as nobody else does."""
    first = (number - 1) % len(contenders)
    order = list(contenders.items())
    return order[first:] + order[:first]


if __name__ == "__main__":
    sys.exit(main())
