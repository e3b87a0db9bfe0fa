"""The command: see the package."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from pymongo import MongoClient
from pymongo.database import Database

from config.settings import load_settings
from consumers.ledger import Document, Ledger
from deploy.local import mongodb, rabbitmq
from deploy.local.mongodb import MongoDB
from deploy.local.processes import ServiceError
from tests.bench import search
from tests.bench.machine import load_average
from tests.bench.search import asking, indexes, page, rows, world
from tests.bench.search.asking import Clock, Timed
from tests.bench.search.console import console, serve
from tests.bench.search.rows import EACH, WITHOUT_LIMIT, Sizes
from tests.bench.usage import peak_megabytes, resident_megabytes
from worker.core import open_core
from worker.mongodb import OURS

FILLING_GIGABYTES, CACHE_GIGABYTES = 4.0, 1.0
"""MongoDB's cache while the rows are made, and while it is asked."""


@contextmanager
def member(folder: Path) -> Iterator[MongoDB]:
    """A MongoDB of its own in the folder."""
    mongod = mongodb.installed()
    if mongod is None:
        raise ServiceError("MongoDB is not on this machine: run `make setup`.")
    with mongodb.private_member(folder, mongod) as found:
        found.wait_ready()
        yield found


def measure(folder: Path, sizes: Sizes, cache: float) -> Iterator[str]:
    """The lines of the section's part."""
    load, began = load_average(), rows.began_now()
    environment = {
        "COURIER_SECRET_KEYS": Fernet.generate_key().decode(),
        # An installed program is compiled; so is this one, by the first command.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    with member(folder) as database, rabbitmq.broker(folder / "rabbitmq") as broker:
        broker.wait_ready()
        environment |= {"COURIER_MONGODB_URL": database.url, "COURIER_AMQP_URL": broker.url}
        took = _make(database.url, sizes, began, environment, cache)
        with MongoClient[Document](database.url, **OURS) as client:
            found = client.get_default_database()
            figures, memory = _ask(folder, found, environment, sizes, began)
            stats = found.command("collStats", "deliveries", scale=1_000_000)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    yield f"### {sizes.rows:,} rows, {sizes.accounts:,} accounts"
    yield ""
    yield (
        f"Written by `python -m tests.bench.search --rows {sizes.rows} --accounts "
        f"{sizes.accounts}` on {day}. {load} Medians of {sizes.each}; MongoDB has a cache "
        f"of {cache:g} GB. The rows take {stats['storageSize']:,} MB of disk, their indexes "
        f"{stats['totalIndexSize']:,} MB, those for searching {_searching(stats):,} MB. {took} "
        f"{memory}"
    )
    yield ""
    yield from page.table(figures)


def _make(
    url: str, sizes: Sizes, began: datetime, environment: Mapping[str, str], cache: float
) -> str:
    with MongoClient[Document](url, **WITHOUT_LIMIT) as client:
        database = client.get_default_database()
        _set_cache(database, FILLING_GIGABYTES)
        world.make(database, sizes, environment["COURIER_SECRET_KEYS"])
        started = time.perf_counter()
        rows.fill(url, sizes, began)
        filled = time.perf_counter()
        tell(f"{sizes.rows:,} rows after {filled - started:.0f} s")
        indexes.build(database)
        built = time.perf_counter()
        tell(f"their indexes after {built - filled:.0f} s more")
        with open_core(load_settings(_ours(environment))) as core:
            world.publish_invalid(core)
        assert Ledger(database).search_indexes.is_filled()
        _set_cache(database, cache)
        tell("accounts, people and events are there")
    return f"They were made in {filled - started:.0f} s, and all indexes in {built - filled:.0f} s."


def _ask(
    folder: Path,
    database: Database[Document],
    environment: dict[str, str],
    sizes: Sizes,
    began: datetime,
) -> tuple[list[Timed], str]:
    clock = Clock(sizes.each, tell)
    with console(folder, environment) as asked:
        for each in (asked.operator, asked.reseller):
            each.get("/overview").raise_for_status()
        before = resident_megabytes(asked.pid)
        figures = clock.timed(asking.pages(asked, sizes, began))
        between = resident_megabytes(asked.pid)
        figures += clock.timed(asking.api(asked, sizes, began))
        after, peak = resident_megabytes(asked.pid), peak_megabytes(asked.pid)
    figures += clock.timed(asking.gauges(database))
    figures += clock.timed(asking.commands(environment, sizes, began))
    memory = (
        f"The console's process had {before:.0f} MB before, {between:.0f} MB after all pages and "
        f"{after:.0f} MB after the API, {peak:.0f} MB at most."
    )
    return figures, memory


def _ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("COURIER_")}


def _set_cache(database: Database[Document], gigabytes: float) -> None:
    size = f"cache_size={round(gigabytes * 1024)}M"
    database.client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=size)


def _searching(stats: Mapping[str, Any]) -> int:
    names = {"recorded", "account_recorded", "number", "name", "fault", "account_fault"}
    return sum(size for name, size in stats["indexSizes"].items() if name in names)


def tell(words: str) -> None:
    """How far it is."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {words}", file=sys.stderr, flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(search.__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--accounts", type=float, default=2e3)
    parser.add_argument("--each", type=int, default=EACH, help="times that each is asked")
    parser.add_argument("--cache", type=float, default=CACHE_GIGABYTES, help="MongoDB's, in GB")
    parser.add_argument("--folder", type=Path, help="where the database's files may be")
    parser.add_argument("--show", action="store_true", help="print it instead of writing the page")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve)
        return
    sizes = Sizes(int(asked.rows), int(asked.accounts), asked.each)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        Path(folder).chmod(0o755)  # the broker's own user comes through it
        text = "\n".join(measure(Path(folder), sizes, asked.cache))
    if asked.show:
        print(text)
    else:
        page.write(text, f"{sizes.rows} rows, {sizes.accounts} accounts")


if __name__ == "__main__":
    main()
