"""Leases of accounts: 1,024 buckets of accounts, each a lease in MongoDB (rules 21 to 24).

Rendezvous hashing over the living workers tells the buckets that a worker wants. It takes those
that are free or expired, and hands back those that another worker wants, once their sessions have
ended. A worker measures its own leases on its local monotonic clock, read *before* the renewal is
sent: so it gives a lease up before the database does.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from config.moments import later
from consumers.ledger import BUCKETS, Document, bucket_of
from consumers.sharding.presence import Presence
from transports.errors import NotPermitted

RENEWALS = 6
"""Renewals in the time of one lease. Four may fail before no file is begun, five before it is
lost."""
LOOK_SECONDS = 1.0
"""Longest time between two looks at the group of workers."""


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


class Ownership(Protocol):
    """Tells for each account whether this worker has it, and since which epoch."""

    def owned(self) -> Sequence[int]:
        """The buckets in which sessions may begin."""

    def epoch(self, account_id: str) -> int | None:
        """The epoch of this worker's ownership; None where no file may be begun."""

    def until(self, account_id: str, epoch: int) -> datetime | None:
        """Until when files may be begun in that epoch by the database's clock, as far as is known.

        None where no file may be begun in it.
        """

    def permit(self, account_id: str, epoch: int) -> None:
        """Raises transports.errors.NotPermitted once the ownership of that epoch is over."""


@dataclass(frozen=True)
class Lease:
    """One bucket of ours: since which epoch, and until when by the local monotonic clock."""

    epoch: int
    deadline: float
    expires: datetime
    """The same moment by the database's clock."""


class Leases:
    """The leases of one worker, each `ttl` seconds long.

    `round` is called by one thread, `RENEWALS` times in that length. `busy` tells the buckets in
    which a session is open: they are not handed back before it has ended. Raises pymongo's errors.
    """

    def __init__(
        self,
        database: Database[Document],
        presence: Presence,
        worker: str,
        busy: Callable[[], set[int]],
        ttl: float,
    ) -> None:
        self._leases = database["leases"]
        self._presence = presence
        self._worker = worker
        self._busy = busy
        self._ttl = ttl
        self._margin = ttl / RENEWALS
        self._held: dict[int, Lease] = {}
        self._leaving: frozenset[int] = frozenset()
        self._living: list[str] = []
        self._wanted: set[int] = set()
        self._renew_at = 0.0
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
        self._leases.create_index([("owner", ASCENDING)])

    def round(self) -> None:
        """Renew what is held, hand back what others want, take what is wanted and free.

        It only looks while the group is unchanged and no renewal is due.
        """
        self._bury_dead()
        living = self._presence.living(timedelta(seconds=self._ttl))
        if living != self._living:
            self._living, self._wanted = living, wanted_by(self._worker, living)
        elif self._is_settled():
            return
        self._renew_at = time.monotonic() + self._ttl / RENEWALS
        self._renew()
        self._hand_back(self._wanted)
        self._take(self._wanted)
        self._learn()

    def release_all(self) -> None:
        """Give every lease back, and leave the group. The worker's sessions have ended."""
        with self._lock:
            self._held = {}
        self._release_of(self._worker)

    # --- what the scheduler and the sessions ask ------------------------------------------------

    def epoch(self, account_id: str) -> int | None:
        """The epoch since which this worker has the account; None where it may not begin there."""
        lease = self._to_begin(account_id)
        return None if lease is None else lease.epoch

    def until(self, account_id: str, epoch: int) -> datetime | None:
        """Until when by the database's clock files may be begun; None where that is over, or the
        account is to be handed back.

        Somewhat before the lease ends: what is claimed is written within that time. To MongoDB all
        of a bulk is of the moment at which it began, and some of it may be written after the end.
        """
        lease = self._to_begin(account_id)
        if lease is None or lease.epoch != epoch:
            return None
        return lease.expires - timedelta(seconds=self._margin)

    def permit(self, account_id: str, epoch: int) -> None:
        """Raises NotPermitted once the lease of that epoch is over."""
        with self._lock:
            lease = self._held.get(bucket_of(account_id))
        if lease is None or lease.epoch != epoch or time.monotonic() >= lease.deadline:
            raise NotPermitted("Another worker has taken the account over")

    def owned(self) -> list[int]:
        """The buckets in which sessions may begin."""
        with self._lock:
            return [bucket for bucket in self._held if self._may_begin(bucket) is not None]

    @property
    def workers(self) -> int:
        """How many workers share the accounts, as of the last round."""
        return max(1, len(self._living))

    def _to_begin(self, account_id: str) -> Lease | None:
        """The account's lease, where files may be begun by it."""
        with self._lock:
            return self._may_begin(bucket_of(account_id))

    def _may_begin(self, bucket: int) -> Lease | None:
        """With the lock held."""
        lease = None if bucket in self._leaving else self._held.get(bucket)
        over = lease is None or time.monotonic() >= lease.deadline - self._margin
        return None if over else lease

    # --- one round, step by step ------------------------------------------------------------------

    def _is_settled(self) -> bool:
        with self._lock:
            return time.monotonic() < self._renew_at and self._held.keys() == self._wanted

    def _bury_dead(self) -> None:
        for worker in self._presence.found_dead():
            self._release_of(worker)

    def _release_of(self, worker: str) -> None:
        self._leases.update_many({"owner": worker}, {"$set": {"owner": None}})
        self._presence.forget(worker)

    def _renew(self) -> None:
        """Renew the leases that still run by our own clock. The others are given up at once."""
        now = time.monotonic()
        with self._lock:
            self._held = {
                bucket: lease for bucket, lease in self._held.items() if lease.deadline > now
            }
            held = list(self._held)
        if held:
            self._leases.update_many(
                {"_id": {"$in": held}, "owner": self._worker},
                [{"$set": {"expires": later(self._ttl)}}],
            )

    def _hand_back(self, wanted: set[int]) -> None:
        """Begin nothing more in buckets that others want; release those without a session."""
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
                        "expires": later(self._ttl),
                    }
                }
            ],
        )

    def _learn(self) -> None:
        """Take over the leases as the database has them; their time counts from before asking."""
        asked = time.monotonic()
        left = {"$subtract": ["$expires", "$$NOW"]}
        wanted = {"epoch": 1, "expires": 1, "left": left}
        held = {
            row["_id"]: Lease(row["epoch"], asked + row["left"] / 1000, row["expires"])
            for row in self._leases.find({"owner": self._worker}, wanted)
        }
        with self._lock:
            self._held = held
