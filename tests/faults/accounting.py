"""The count that every fault ends with.

Every recording published is delivered whole exactly once at the customer, or dead-lettered, or
still queued. What stands at the customers is read from their disks, not from what is said of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumers.ledger import Status


@dataclass
class Account:
    """What one customer is to have and has."""

    account_id: str
    folder: Path
    """Where the files stand on this machine's disk."""
    published: dict[str, bytes | None] = field(default_factory=dict)
    """Content by recording id; None where the pipeline never wrote it."""
    unsure: dict[str, bytes] = field(default_factory=dict)
    """The same of what the broker has not confirmed."""


@dataclass(frozen=True)
class Tally:
    """The count, and a sentence for everything that is not as it must be."""

    published: int
    delivered: int
    dead_lettered: int
    queued: int
    lost: int
    doubled: int
    truncated: int
    faults: tuple[str, ...]

    def assert_whole(self) -> None:
        assert not self.faults, f"{self}\n" + "\n".join(self.faults[:30])

    def __str__(self) -> str:
        names = ("published", "delivered", "dead_lettered", "queued")
        parts = [f"{getattr(self, name)} {name.replace('_', '-')}" for name in names]
        return ", ".join(part for part in parts if not part.startswith("0 "))


def count(accounts: Iterable[Account], rows: Mapping[str, Mapping[str, Any]]) -> Tally:
    """Count what was published against the ledger's rows and against the customers' disks."""
    tallied: Counter[str] = Counter()
    faults: list[str] = []
    for account in accounts:
        _count_one(account, rows, tallied, faults)
    return Tally(
        published=tallied["published"],
        delivered=tallied["delivered"],
        dead_lettered=tallied["dead_lettered"],
        queued=tallied["queued"],
        lost=tallied["lost"],
        doubled=tallied["doubled"],
        truncated=tallied["truncated"],
        faults=tuple(faults),
    )


def _count_one(
    account: Account,
    rows: Mapping[str, Mapping[str, Any]],
    tallied: Counter[str],
    faults: list[str],
) -> None:
    whole = {content: name for name, content in account.published.items() if content is not None}
    found: Counter[str] = Counter()
    for path in files_below(account.folder):
        recording = whole.get(path.read_bytes())
        if recording is not None and path.suffix != ".part":
            found[recording] += 1
        elif path.suffix == ".part":
            faults.append(f"left: {path}")
        else:
            tallied["truncated"] += 1
            faults.append(f"truncated or unknown: {path}, {path.stat().st_size} bytes")
    for name in account.published:
        status = rows[name]["status"] if name in rows else None
        tallied["published"] += 1
        tallied[_KINDS.get(status, "lost")] += 1
        wanted = status == Status.DELIVERED
        if status not in _KINDS or (wanted and not found[name]):
            tallied["lost"] += status in _KINDS
            faults.append(f"lost: {name} of {account.account_id} is {status or 'in no row'}")
        elif found[name] > wanted:
            tallied["doubled"] += 1
            faults.append(f"doubled: {name} is {status} and stands there {found[name]} times")


def files_below(folder: Path) -> list[Path]:
    """Every file, also those that lie deeper."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


_KINDS: dict[Any, str] = {
    Status.DELIVERED.value: "delivered",
    Status.DEAD_LETTERED.value: "dead_lettered",
    Status.QUEUED.value: "queued",
    Status.UPLOADING.value: "queued",
}
