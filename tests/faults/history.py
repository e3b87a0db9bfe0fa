"""What happened to leases and claims, read from the database's own log and from nothing else.

The operation log of the replica set holds every change in its order. Whoever owned a bucket, and
until when, is told by `leases`; who worked is told by the claims in `deliveries`.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from bson import Timestamp
from pymongo import CursorType, MongoClient
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from consumers.ledger import bucket_of

Document = dict[str, Any]
UPLOADING = "uploading"


@dataclass
class _Lease:
    owner: str | None = None
    epoch: int = 0
    expires: datetime | None = None


@dataclass
class Flown:
    """A flight, as its claims tell of it."""

    worker: str
    epoch: int
    files: list[str] = field(default_factory=list)


@dataclass
class History:
    """Follows one database; `broken` says in sentences which promises it saw broken."""

    url: str
    database: str
    broken: list[str] = field(default_factory=list)
    claims: int = 0
    takeovers: int = 0
    """Buckets that passed from one worker to another, or to itself anew."""
    owners: dict[str, set[str]] = field(default_factory=dict)
    """The workers that claimed files, by account."""
    flights: dict[str, Flown] = field(default_factory=dict)
    """By the id that their claims carry, in their order."""
    failures: dict[str, list[int]] = field(default_factory=dict)
    """Each count of consecutive failures that an account has had, in their order."""
    _documents: dict[tuple[str, Any], Document] = field(default_factory=dict)
    _claimed: dict[str, tuple[int, str]] = field(default_factory=dict)
    _last: Timestamp | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _marked: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        with MongoClient[Document](self.url) as client:
            newest = client["local"]["oplog.rs"].find_one(sort=[("$natural", -1)])
        assert newest is not None
        self._last = newest["ts"]
        self._thread = threading.Thread(target=self._follow, name="history", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(30)

    def check(self) -> None:
        """Everything until now is read; fails with the promises that were broken."""
        self._marked.clear()
        with MongoClient[Document](self.url) as client:
            client[self.database]["marks"].insert_one({})
        assert self._marked.wait(60), "the history was not read to its end"
        assert not self.broken, "\n".join(self.broken[:20])

    def _follow(self) -> None:
        while not self._ended.is_set():
            try:
                with MongoClient[Document](self.url, tz_aware=True) as client:
                    self._read(client)
            except PyMongoError:
                self._ended.wait(0.2)

    def _read(self, client: MongoClient[Document]) -> None:
        # What a failover takes back has never been.
        durable = ReadConcern("majority")
        log = client["local"].get_collection("oplog.rs", read_concern=durable)
        while not self._ended.is_set():
            query = {"ts": {"$gt": self._last}, "ns": {"$regex": f"^{self.database}\\."}}
            cursor = log.find(query, cursor_type=CursorType.TAILABLE_AWAIT)
            with cursor.max_await_time_ms(500):
                while cursor.alive and not self._ended.is_set():
                    for entry in cursor:
                        self._take(entry)
                        self._last = entry["ts"]

    def _take(self, entry: Document) -> None:
        collection = entry["ns"].partition(".")[2]
        if collection == "marks":
            self._marked.set()
        if collection not in {"leases", "accounts", "deliveries"} or entry["op"] not in "iu":
            return
        key = (collection, (entry.get("o2") or entry["o"])["_id"])
        before = self._documents.get(key, {})
        after = changed(before, entry["o"])
        self._documents[key] = after
        {"leases": self._lease, "accounts": self._account, "deliveries": self._delivery}[
            collection
        ](before, after, entry["wall"])

    def _lease(self, before: Document, after: Document, wall: datetime) -> None:
        """A bucket passes on only when it is free or over, and each time in a later epoch."""
        old, new = _lease_of(before), _lease_of(after)
        where = f"{wall:%T.%f} bucket {after.get('_id')}"
        if new.epoch < old.epoch:
            self.broken.append(f"{where}: the epoch fell from {old.epoch} to {new.epoch}")
        if new.epoch == old.epoch and new.owner not in {old.owner, None}:
            self.broken.append(f"{where}: {new.owner} took it without a new epoch")
        if new.epoch > old.epoch:
            self.takeovers += old.epoch > 0
            if old.owner is not None and old.expires is not None and old.expires > wall:
                self.broken.append(f"{where}: {new.owner} took it while it was {old.owner}'s")

    def _account(self, before: Document, after: Document, wall: datetime) -> None:
        old, new = (each.get("run", {}).get("epoch", 0) for each in (before, after))
        name = after.get("_id")
        was, failures = (each.get("run", {}).get("failures", 0) for each in (before, after))
        if failures != was:
            self.failures.setdefault(str(name), []).append(failures)
        if new < old:
            self.broken.append(f"{wall:%T.%f} {name}: its epoch fell from {old} to {new}")

    def _delivery(self, before: Document, after: Document, wall: datetime) -> None:
        if after.get("starts", 0) > before.get("starts", 0):
            self._claim(after, wall)
        elif before.get("status") == UPLOADING != after.get("status"):
            self._transition(before, after, wall)

    def _claim(self, row: Document, wall: datetime) -> None:
        """Only the owner claims, within its time, in the newest epoch."""
        self.claims += 1
        account, worker, epoch = row["account_id"], row["claim"]["worker"], row["epoch"]
        where = f"{wall:%T.%f} {account}: {worker} claimed {row['_id']} in epoch {epoch}"
        lease = _lease_of(self._documents.get(("leases", bucket_of(account)), {}))
        if (lease.owner, lease.epoch) != (worker, epoch):
            self.broken.append(f"{where}; epoch {lease.epoch} is {lease.owner}'s")
        elif lease.expires is None or lease.expires <= row["claim"]["at"]:
            self.broken.append(f"{where}, its lease was over at {lease.expires}")
        newest, of = self._claimed.get(account, (0, worker))
        if epoch < newest or (epoch == newest and worker != of):
            self.broken.append(f"{where} after {of} in epoch {newest}")
        self._claimed[account] = max((newest, of), (epoch, worker))
        self.owners.setdefault(account, set()).add(worker)
        flight = row["claim"].get("flight", row["_id"])  # earlier versions had none
        self.flights.setdefault(flight, Flown(worker, epoch)).files.append(row["_id"])

    def _transition(self, before: Document, after: Document, wall: datetime) -> None:
        """What an older epoch began is not settled any more once a newer one has claimed."""
        newest, of = self._claimed.get(after["account_id"], (0, ""))
        if before["epoch"] < newest:
            self.broken.append(
                f"{wall:%T.%f} {after['_id']} of epoch {before['epoch']} became"
                f" {after['status']} after {of} had claimed in epoch {newest}"
            )


def changed(document: Document, entry: Document) -> Document:
    """The document after this entry: its new content, or a difference (`$v: 2`)."""
    if "$v" not in entry:
        return entry
    return _patched(document, entry["diff"])


def _patched(document: Document, difference: Document) -> Document:
    after = {**document, **difference.get("u", {}), **difference.get("i", {})}
    for name in difference.get("d", {}):
        after.pop(name, None)
    for name, part in _parts(difference):
        old = after.get(name)
        after[name] = _patched(old, part) if isinstance(old, dict) and "a" not in part else None
    return after


def _parts(difference: Document) -> Iterator[tuple[str, Document]]:
    return ((name[1:], part) for name, part in difference.items() if len(name) > 1)


def _lease_of(document: Document) -> _Lease:
    return _Lease(document.get("owner"), document.get("epoch", 0), document.get("expires"))
