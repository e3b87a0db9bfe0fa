"""The rows of the ledger, as MongoDB stores them: prebuilt, so that millions are made in minutes.

A row of each kind is encoded once, with tokens of the length of what takes their place; each row is
a copy whose tokens are replaced.
"""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from multiprocessing import get_context
from struct import pack
from typing import Any

import bson
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, WriteConcern

from consumers.ledger import Document
from consumers.ledger.search_keys import digits_of, whose_fault
from tests.bench import ledger as bench_ledger
from transports.diagnosis import CATALOGUE
from worker.mongodb import OURS

EACH = 7
"""Times that each thing is asked."""
DAYS = 30
WORKERS = 2
BATCH = 5_000
DEAD_EVERY, WAITING_EVERY = 200, 2_000
CAUSES = tuple(entry.code for entry in CATALOGUE[:6])
WITHOUT_LIMIT = {name: value for name, value in OURS.items() if name != "timeoutMS"}
"""The options of a client whose commands may take minutes."""

_ID, _ACCOUNT, _NUMBER, _DIGITS = "@recording", "@account-----", "@number------", "@digits-----"
_STAMP, _ISO = "@stamp---------", "@iso---------------------"
_ARRIVED, _RECORDED = (datetime(1999, 9, day, tzinfo=UTC) for day in (9, 10))
_OBJECT = ObjectId(b"@an-object--")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Sizes:
    """Of the ledger."""

    rows: int
    accounts: int
    each: int = EACH
    """Times that each thing is asked."""

    def owner(self, number: int) -> int:
        """Whose row it is: the first account has a tenth of all, the others as many as each
        other, of every kind."""
        return 0 if number % 10 == 0 else (number + number // self.accounts * 37) % self.accounts


@dataclass(frozen=True)
class Facts:
    """What tells a row from others."""

    recording_id: str
    account_id: str
    number: str
    recorded: datetime
    arrived: datetime

    @property
    def stamp(self) -> str:
        """How its file's name begins."""
        return f"{self.recorded:%Y%m%d-%H%M%S}"

    @property
    def file_name(self) -> str:
        return f"{self.stamp}_{self.number}_{self.recording_id}.wav"


def account_id(number: int) -> str:
    """The id of an account, always as long."""
    return f"account-{number:05d}"


def facts(number: int, sizes: Sizes, began: datetime) -> Facts:
    """Rows arrive evenly, over DAYS, some minutes after the call; an account has five numbers."""
    owner = sizes.owner(number)
    arrived = began + timedelta(milliseconds=DAYS * 86_400_000 * number // sizes.rows)
    recorded = arrived - timedelta(seconds=20 + number * 7919 % 380)
    telephone = f"+441632{5 * owner + number // sizes.accounts % 5:06d}"
    return Facts(
        f"r{number:09d}",
        account_id(owner),
        telephone,
        recorded.replace(microsecond=0),
        arrived.replace(microsecond=arrived.microsecond // 1000 * 1000),
    )


def kind_of(number: int) -> str:
    """`delivered`, `queued`, or the cause of a dead letter."""
    if number % DEAD_EVERY == 3:
        return CAUSES[number // DEAD_EVERY % len(CAUSES)]
    return "queued" if number % WAITING_EVERY == 1 else "delivered"


def raw(number: int, told: Facts) -> bytes:
    """The row as BSON."""
    pattern = _pattern(kind_of(number))
    row = bytearray(pattern.bytes)
    values = {
        _ID: told.recording_id.encode(),
        _ACCOUNT: told.account_id.encode(),
        _NUMBER: told.number.encode(),
        _DIGITS: (digits_of(told.number) or "").encode(),
        _STAMP: told.stamp.encode(),
        _ISO: told.recorded.isoformat(timespec="seconds").encode(),
        _ARRIVED: _moment(told.arrived),
        _RECORDED: _moment(told.recorded),
        _OBJECT: pack(">IQ", int(told.arrived.timestamp()), number),
    }
    for token, places in pattern.places.items():
        value = values[token]
        for place in places:
            row[place : place + len(value)] = value
    return bytes(row)


def fill(url: str, sizes: Sizes, began: datetime) -> None:
    """All rows, by WORKERS processes, without any index but that of the ids."""
    parts = [(url, sizes, began, part) for part in range(WORKERS)]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        list(pool.map(_fill_part, parts))


def _fill_part(part: tuple[str, Sizes, datetime, int]) -> None:
    url, sizes, began, first_batch = part
    with MongoClient[Document](url, **WITHOUT_LIMIT) as client:
        concern = WriteConcern(w=1, j=False)
        rows = client.get_default_database().get_collection("deliveries", write_concern=concern)
        for first in range(first_batch * BATCH, sizes.rows, WORKERS * BATCH):
            numbers = range(first, min(first + BATCH, sizes.rows))
            built = (RawBSONDocument(raw(each, facts(each, sizes, began))) for each in numbers)
            rows.insert_many(list(built), ordered=False)


@dataclass(frozen=True)
class _Pattern:
    bytes: bytes
    places: Mapping[Any, tuple[int, ...]]


@cache
def _pattern(kind: str) -> _Pattern:
    encoded = bson.encode(_document(kind))
    tokens: dict[Any, bytes] = {
        each: each.encode() for each in (_ID, _ACCOUNT, _NUMBER, _DIGITS, _STAMP, _ISO)
    }
    moments: dict[Any, bytes] = {each: _moment(each) for each in (_ARRIVED, _RECORDED)}
    spelled = {**tokens, **moments, _OBJECT: _OBJECT.binary}
    return _Pattern(encoded, {each: tuple(_places(encoded, at)) for each, at in spelled.items()})


def _document(kind: str) -> Document:
    """As it is days after its file was delivered, has failed for the last time, or arrived."""
    name = f"{_STAMP}_{_NUMBER}_{_ID}.wav"
    path = f"/in/{_ACCOUNT}/{name}"
    event = {"recording_id": _ID, "account_id": _ACCOUNT, "file_url": f"file:///r/{_ID}.wav"}
    told = {"number": _NUMBER, "recorded_at": _ISO}
    found: Document = {
        **bench_ledger.delivered_row(_ID, _ACCOUNT, _ARRIVED),
        **told,
        "event": json.dumps({**event, **told}),
        "arrival": _OBJECT,
        "file_name": name,
        "remote_path": path,
        "wanted": path,
        "digits": _DIGITS,
        "recorded": _RECORDED,
    }
    if kind == "delivered":
        return found
    if kind == "queued":
        return {**found, "status": "queued", "delivered_at": None, "verified": None}
    error = {
        "kind": "account",
        "words": "The server said no.",
        "advice": "Look at it.",
        "said_by": "server",
        "cause": kind,
        "whose": whose_fault(kind),
    }
    failed = {"status": "dead_lettered", "tries": 5, "reason": "account", "dead_at": _ARRIVED}
    return {**found, **failed, "last_error": error, "delivered_at": None, "verified": None}


def _places(encoded: bytes, token: bytes) -> Iterator[int]:
    place = encoded.find(token)
    while place >= 0:
        yield place
        place = encoded.find(token, place + 1)


def _moment(at: datetime) -> bytes:
    return pack("<q", (at - _EPOCH) // timedelta(milliseconds=1))


def began_now() -> datetime:
    """When the first row arrived, where the last one arrives about now."""
    return datetime.fromtimestamp(int(time.time()), UTC) - timedelta(days=DAYS)
