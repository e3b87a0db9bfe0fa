"""The living workers: each writes into `workers` that it lives, and its state.

Workers on the same machine know at once that a worker was killed, because its process is gone. The
others know it once they have not heard of it for the length of a lease.
"""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pymongo import ASCENDING
from pymongo.database import Database

from consumers.ledger import Document

SEEN_WITHIN = timedelta(minutes=1)
"""A worker that was not heard of for this time does not count as living."""
FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True)
class Worker:
    """One worker process as the others see it."""

    worker: str
    host: str
    pid: int
    state: str
    buckets: int
    """How many buckets of accounts it owns, of 1,024."""
    serves: bool = True
    """Whether it takes events and works accounts."""
    words: str | None = None
    """What is not well with the worker, in a sentence."""
    slots: int = 0
    """How many uploads it may have at once; 0: it is of a version that does not tell."""


class Presence:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], worker: str) -> None:
        self._workers = database["workers"]
        self._worker = worker
        self._space = _process_space()
        self._birth = _birth(os.getpid())

    def ensure_indexes(self) -> None:
        """Create the index that removes dead workers' documents. Correctness does not need it."""
        self._workers.create_index("seen_at", expireAfterSeconds=round(FORGOTTEN.total_seconds()))

    def tell(
        self,
        state: str,
        buckets: int,
        *,
        serves: bool = True,
        words: str | None = None,
        slots: int = 0,
    ) -> None:
        """Write that this worker lives, its state with the reason, and how many buckets it owns."""
        facts = {
            "host": {"$literal": socket.gethostname()},
            "pid": os.getpid(),
            "space": self._space,
            "birth": self._birth,
            "state": state,
            "buckets": buckets,
            "serves": serves,
            "words": {"$literal": words},
            "slots": slots,
            "started_at": {"$ifNull": ["$started_at", "$$NOW"]},
            "seen_at": "$$NOW",
        }
        self._workers.update_one({"_id": self._worker}, [{"$set": facts}], upsert=True)

    def living(self, within: timedelta) -> list[str]:
        """The workers heard of within this time, this one among them."""
        rows = self._workers.find({"$expr": _seen(within)}, {"_id": 1})
        return sorted({self._worker, *(row["_id"] for row in rows)})

    def found_dead(self) -> list[str]:
        """Workers of this machine whose process is gone: they own nothing any more."""
        rows = self._workers.find({"space": self._space, "_id": {"$ne": self._worker}})
        return [row["_id"] for row in rows if _birth(row["pid"]) != row["birth"]]

    def forget(self, worker: str) -> None:
        """The worker has ended, and its leases were given back."""
        self._workers.delete_one({"_id": worker})


def workers(database: Database[Document]) -> list[Worker]:
    """The workers heard of lately, by the database's clock."""
    rows = database["workers"].find({"$expr": _seen(SEEN_WITHIN)}).sort("started_at", ASCENDING)
    return [
        Worker(
            row["_id"],
            row["host"],
            row["pid"],
            row["state"],
            row["buckets"],
            row.get("serves", row["state"] == "ready"),
            row.get("words"),
            row.get("slots", 0),
        )
        for row in rows
    ]


def _seen(within: timedelta) -> Document:
    since = {"$subtract": ["$$NOW", round(within.total_seconds() * 1000)]}
    return {"$gte": ["$seen_at", since]}


def _process_space() -> str:
    """The scope of a process number: the kernel's boot and the PID namespace (Linux)."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}:{Path('/proc/self/ns/pid').readlink()}"


def _birth(pid: int) -> str | None:
    """When the process began, in the kernel's ticks; None where it is gone (proc(5), stat)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else rest[18]
