"""Who works which account: 1,024 buckets of accounts, each a lease in MongoDB (DESIGN 5).

A worker wants the buckets that rendezvous hashing gives it among the workers that live, takes
those that are free or expired, and hands back those that another one wants, once their sessions
have ended. What it may believe of its own leases it takes from its local monotonic clock, read
*before* the renewal is sent: so it gives up before the database does.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pymongo import UpdateOne
from pymongo.database import Database

from consumers.ledger import Document
from transports.errors import NotPermitted

BUCKETS = 1024
LEASE_SECONDS = 60.0
RENEW_SECONDS = 10.0


def bucket_of(account_id: str) -> int:
    """The bucket of an account: the same in every process and for ever."""
    return int.from_bytes(hashlib.blake2b(account_id.encode(), digest_size=8).digest()) % BUCKETS


def wanted_by(worker: str, workers: Iterable[str]) -> set[int]:
    """The buckets whose highest score among all these workers is this one's (rendezvous)."""
    others = [each for each in workers if each != worker]
    return {
        bucket
        for bucket in range(BUCKETS)
        if all(_score(worker, bucket) > _score(each, bucket) for each in others)
    }


def _score(worker: str, bucket: int) -> tuple[bytes, str]:
    return hashlib.blake2b(f"{bucket}:{worker}".encode(), digest_size=8).digest(), worker


@dataclass(frozen=True)
class Lease:
    """One bucket of ours: since which epoch, and until when by the local monotonic clock."""

    epoch: int
    deadline: float


class Leases:
    """The leases of one worker. `round` is called every `renew` seconds, by one thread.

    `busy` tells the buckets in which a session is open: they are not handed back before it has
    ended. Raises pymongo's errors.
    """

    def __init__(
        self,
        database: Database[Document],
        worker: str,
        busy: Callable[[], set[int]],
        *,
        ttl: float = LEASE_SECONDS,
    ) -> None:
        self._leases = database["leases"]
        self._workers = database["workers"]
        self._worker = worker
        self._busy = busy
        self._ttl = ttl
        self._held: dict[int, Lease] = {}
        self._leaving: frozenset[int] = frozenset()
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Create the buckets; those that stand are left as they are."""
        fresh = {"owner": None, "epoch": 0, "expires": None}
        self._leases.bulk_write(
            [
                UpdateOne({"_id": bucket}, {"$setOnInsert": fresh}, upsert=True)
                for bucket in range(BUCKETS)
            ],
            ordered=False,
        )
        self._leases.create_index("owner")

    def round(self) -> None:
        """Be seen, renew what is held, hand back what others want, take what is wanted and free."""
        self._be_seen()
        wanted = wanted_by(self._worker, self._living())
        self._renew()
        self._hand_back(wanted)
        self._take(wanted)
        self._learn()

    def release_all(self) -> None:
        """Give every lease back, and be forgotten: the worker's sessions have ended."""
        with self._lock:
            self._held = {}
        self._leases.update_many({"owner": self._worker}, {"$set": {"owner": None}})
        self._workers.delete_one({"_id": self._worker})

    # --- what the scheduler and the sessions ask ------------------------------------------------

    def epoch(self, account_id: str) -> int | None:
        """The epoch since which this worker has the account; None where it may not begin there."""
        bucket = bucket_of(account_id)
        with self._lock:
            lease = self._held.get(bucket)
            leaving = bucket in self._leaving
        if lease is None or leaving or time.monotonic() >= lease.deadline:
            return None
        return lease.epoch

    def permit(self, account_id: str, epoch: int) -> None:
        """Raises NotPermitted once the lease of that epoch is over."""
        with self._lock:
            lease = self._held.get(bucket_of(account_id))
        if lease is None or lease.epoch != epoch or time.monotonic() >= lease.deadline:
            raise NotPermitted("Another worker has taken the account over")

    def is_wanted_elsewhere(self, account_id: str) -> bool:
        """Whether a session should end soon, so that the account can change hands."""
        with self._lock:
            return bucket_of(account_id) in self._leaving

    def owned(self) -> list[int] | None:
        """The buckets in which sessions may begin; None where they are all."""
        with self._lock:
            buckets = [bucket for bucket in self._held if bucket not in self._leaving]
        return None if len(buckets) == BUCKETS else buckets

    # --- one round, step by step ------------------------------------------------------------------

    def _be_seen(self) -> None:
        self._workers.update_one(
            {"_id": self._worker}, [{"$set": {"seen_at": "$$NOW"}}], upsert=True
        )

    def _living(self) -> list[str]:
        recent = {"$gt": ["$seen_at", _from_now(-self._ttl)]}
        return [row["_id"] for row in self._workers.find({"$expr": recent}, {"_id": 1})]

    def _renew(self) -> None:
        """Renew what is still ours by our own clock; what is not is given up at once."""
        now = time.monotonic()
        with self._lock:
            self._held = {
                bucket: lease for bucket, lease in self._held.items() if lease.deadline > now
            }
            held = list(self._held)
        if held:
            self._leases.update_many(
                {"_id": {"$in": held}, "owner": self._worker},
                [{"$set": {"expires": _from_now(self._ttl)}}],
            )

    def _hand_back(self, wanted: set[int]) -> None:
        """Begin nothing more where another is wanted; release where nothing runs any more."""
        with self._lock:
            self._leaving = frozenset(self._held) - wanted
            leaving = self._leaving
        idle = sorted(leaving - self._busy())
        if not idle:
            return
        with self._lock:
            for bucket in idle:
                self._held.pop(bucket, None)
        self._leases.update_many(
            {"_id": {"$in": idle}, "owner": self._worker}, {"$set": {"owner": None}}
        )

    def _take(self, wanted: set[int]) -> None:
        with self._lock:
            missing = sorted(wanted - set(self._held))
        if not missing:
            return
        free = {"$or": [{"$eq": ["$owner", None]}, {"$lte": ["$expires", "$$NOW"]}]}
        self._leases.update_many(
            {"_id": {"$in": missing}, "$expr": free},
            [
                {
                    "$set": {
                        "owner": {"$literal": self._worker},
                        "epoch": {"$add": ["$epoch", 1]},
                        "expires": _from_now(self._ttl),
                    }
                }
            ],
        )

    def _learn(self) -> None:
        """What the database says is ours, and for how long still, counted from before asking."""
        asked = time.monotonic()
        left = {"$subtract": ["$expires", "$$NOW"]}
        rows = self._leases.find({"owner": self._worker}, {"epoch": 1, "left": left})
        held = {row["_id"]: Lease(row["epoch"], asked + row["left"] / 1000) for row in rows}
        with self._lock:
            self._held = held


def _from_now(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(seconds * 1000)]}
