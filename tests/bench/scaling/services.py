"""What RabbitMQ and MongoDB allow when nothing but them is asked: their own limits, their cost."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from pymongo import MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from consumers.amqp import topology
from consumers.ledger import Document
from tests.bench.peers import ROOT
from tests.bench.program import of_services, used_by
from tests.bench.stage import NOWHERE, Place, Stage
from tests.integration.platform import settings_for

_WINDOW = 256
_CLIENTS = 2
_FLIGHT = 16
_BULK = 128
"""The most updates that the ledger's writer sends in one bulk."""
_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Limit:
    """How often a service did one thing, and what it took of a processor each time."""

    what: str
    rate: float
    service_ms: float
    client_ms: float

    @property
    def of_a_core(self) -> float:
        """How often one core of the service does it."""
        return 1000 / self.service_ms if self.service_ms else 0.0


def broker(stage: Stage, *, quick: bool) -> list[Limit]:
    """Quorum queues as accounts have them; two clients with a queue each."""
    messages = 2_000 if quick else 30_000
    with stage.place() as place:
        settings = settings_for(place.amqp_url, place.mongodb_url, NOWHERE)
        accounts = [f"limit-{number}" for number in range(_CLIENTS)]
        topology.declare_once(
            settings.rabbitmq, topology.DELIVERIES, *map(topology.account_queue, accounts)
        )
        asked = partial(_asked, stage, place, [*map(topology.account_queue_name, accounts)])
        # What is consumed was published just before.
        return [
            asked("publish, confirmed", "publish", messages, _WINDOW),
            asked(f"consume, acknowledge {_FLIGHT} at once", "consume", messages, _FLIGHT),
            asked("publish, each confirmed before the next", "publish", messages // 10, 1),
            asked("consume, acknowledge singly", "consume", messages // 10, 1),
        ]


def _asked(
    stage: Stage,
    place: Place,
    queues: Sequence[str],
    what: str,
    kind: str,
    messages: int,
    at_once: int,
) -> Limit:
    argv = [sys.executable, "-m", "tests.bench.scaling.amqp_client", kind, place.amqp_url]
    before = used_by(of_services(stage.services))["broker"]
    clients = [
        subprocess.Popen(
            [*argv, queue, str(messages), str(at_once)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        for queue in queues
    ]
    told = [json.loads(each.communicate(timeout=_LIMIT_SECONDS)[0]) for each in clients]
    used = used_by(of_services(stage.services))["broker"] - before
    every = messages * len(queues)
    seconds = max(each[0] for each in told)
    processor = sum(each[1] for each in told)
    return Limit(what, every / seconds, 1000 * used / every, 1000 * processor / every)


def database(stage: Stage, *, quick: bool) -> list[Limit]:
    """Conditional majority writes to rows with the ledger's indexes, as claims are."""
    rows = 640 if quick else 6_400
    with stage.courier() as (accounts, _):
        settings = accounts.core.settings
        with MongoClient[Document](settings.mongodb_url.get_secret_value()) as client:
            ledger = client.get_default_database().get_collection(
                "deliveries", write_concern=WriteConcern("majority")
            )
            written = partial(_written, stage, ledger)
            return [
                written("insert", rows // 4, 1, 1, _insert),
                written("conditional update", rows // 4, 1, 1, _bulk),
                written("conditional update, 16 threads", rows, 1, 16, _bulk),
                written(f"bulk of {_FLIGHT}", rows, _FLIGHT, 1, _bulk),
                written(f"bulk of {_FLIGHT}, 2 threads", rows, _FLIGHT, 2, _bulk),
                written(f"bulk of {_BULK}", rows, _BULK, 1, _bulk),
                written(f"one update of {_FLIGHT} rows", rows, _FLIGHT, 1, _one_update),
            ]


Write = Callable[[Collection[Document], Sequence[Document]], object]


def _written(
    stage: Stage,
    ledger: Collection[Document],
    what: str,
    rows: int,
    at_once: int,
    threads: int,
    write: Write,
) -> Limit:
    documents = [_row(number) for number in range(rows)]
    if write is not _insert:
        ledger.insert_many(documents)
    parts = [documents[start : start + at_once] for start in range(0, rows, at_once)]
    before, own = used_by(of_services(stage.services))["database"], time.process_time()
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(partial(write, ledger), parts))
    seconds = time.monotonic() - began
    used = used_by(of_services(stage.services))["database"] - before
    own = time.process_time() - own
    return Limit(what, rows / seconds, 1000 * used / rows, 1000 * own / rows)


def _row(number: int) -> Document:
    """What a row has before its claim, as far as indexes and conditions ask for it."""
    account = f"customer-{number % 100:04}"
    return {
        "_id": str(uuid.uuid4()),
        "account_id": account,
        "file_name": f"20261123-{number:06}.wav",
        "file_url": f"file:///recordings/{account}/20261123-{number:06}.wav",
        "status": "queued",
        "turn": 1,
        "starts": 0,
        "tries": 0,
        "created_at": datetime.now(UTC),
        "routed_at": datetime.now(UTC),
        "not_before": None,
    }


def _insert(ledger: Collection[Document], rows: Sequence[Document]) -> None:
    for row in rows:
        ledger.insert_one(row)


def _bulk(ledger: Collection[Document], rows: Sequence[Document]) -> None:
    if len(rows) == 1:
        changed = ledger.update_one(_asked_of(rows[0]), _CLAIM).modified_count
    else:
        updates = [UpdateOne(_asked_of(row), _CLAIM) for row in rows]
        changed = ledger.bulk_write(updates, ordered=False).modified_count
    assert changed == len(rows), f"{changed} of {len(rows)} rows were written"


def _one_update(ledger: Collection[Document], rows: Sequence[Document]) -> None:
    asked = {"_id": {"$in": [row["_id"] for row in rows]}, "status": "queued", "turn": 1}
    changed = ledger.update_many(asked, _CLAIM).modified_count
    assert changed == len(rows), f"{changed} of {len(rows)} rows were written"


def _asked_of(row: Document) -> Document:
    return {"_id": row["_id"], "status": "queued", "turn": 1}


_CLAIM: Document = {
    "$set": {"status": "uploading", "claim": {"worker": "limit", "epoch": 1, "flight": "limit"}},
    "$inc": {"starts": 1},
}
