"""`python -m tests.bench.scaling`: measures what grows, and writes docs/scaling.md.

`--only workers,broker` for a part, `--rounds 1`, `--quick` for small sizes. Only a whole run, or
`--write`, changes docs/scaling.md and the tables of the runbook's sizing; the others leave theirs
in the ignored folder of the checkout.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from deploy.local.folders import STATE
from deploy.local.processes import ServiceError
from deploy.local.services import services
from tests.bench.machine import load_average, machine
from tests.bench.scaling import growth, page
from tests.bench.scaling import services as alone
from tests.bench.scaling.page import Scaling
from tests.bench.stage import Stage

ROUNDS = 3
ROOT = Path(__file__).parents[3]
PARTS = ("workers", "accounts", "sessions", "queues", "broker", "database")


def main() -> int:
    """Measure what is asked for."""
    arguments = _arguments()
    only = {each for each in arguments.only.split(",") if each} or set(PARTS)
    folder = Path(tempfile.mkdtemp(prefix="courier-scaling-"))
    folder.chmod(0o755)  # the servers' own users come through it
    load = load_average()
    try:
        with services() as running:
            stage = Stage(running, folder)
            found = Scaling(machine(running, load), arguments.rounds, arguments.quick)
            _measure(stage, found, only)
    except ServiceError as error:
        _say(str(error))
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    whole = only == set(PARTS) and not arguments.quick and arguments.rounds >= ROUNDS
    _write(found, whole=whole or arguments.write)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling")
    parser.add_argument("--only", default="", help=f"parts: {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it works at all")
    parser.add_argument("--write", action="store_true", help="write docs/scaling.md in any case")
    return parser.parse_args()


def _measure(stage: Stage, found: Scaling, only: set[str]) -> None:
    rounds, quick = found.rounds, found.quick
    if "workers" in only:
        found.workers = growth.workers(stage, rounds, quick=quick)
    if "accounts" in only:
        found.accounts = growth.accounts(stage, rounds, quick=quick)
    if "sessions" in only:
        found.sessions = growth.sessions(stage, rounds, quick=quick)
    if "queues" in only:
        found.queues = growth.queues(stage, quick=quick)
    if "broker" in only:
        found.broker = alone.broker(stage, quick=quick)
    if "database" in only:
        found.database = alone.database(stage, quick=quick)


def _write(found: Scaling, *, whole: bool) -> None:
    target = (ROOT / "docs" if whole else STATE / "bench") / page.NAME
    page.write(target, found.lines())
    if whole:
        runbook = ROOT / "deploy" / "RUNBOOK.md"
        page.write(runbook, found.sizing(), (page.SIZING, page.SIZING_END))
    _say("\n".join([*found.lines(), f"Report: {target.relative_to(ROOT)}"]))


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
