"""The recordings of a benchmark, and whether they stand at the customer as they are here."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Recordings:
    """Files in one local folder, with their digests by name."""

    folder: Path
    digests: dict[str, str]
    size: int
    """Bytes of each."""

    @property
    def names(self) -> list[str]:
        """The names, sorted."""
        return sorted(self.digests)

    @property
    def megabytes(self) -> float:
        """All together, in millions of bytes."""
        return self.size * len(self.digests) / 1e6


def make_recordings(folder: Path, count: int, size: int) -> Recordings:
    """So many files of so many random bytes: no line could compress them."""
    folder.mkdir(parents=True)
    digests = {}
    for number in range(count):
        path = folder / f"20261123-{number:06}.wav"
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for start in range(0, size, _BLOCK):
                block = os.urandom(min(_BLOCK, size - start))
                digest.update(block)
                file.write(block)
        digests[path.name] = digest.hexdigest()
    return Recordings(folder, digests, size)


class NotDelivered(Exception):
    """A file is missing at the customer or is not what was sent; the message says which."""


def check_delivered(recordings: Recordings, folder: Path) -> None:
    """Every file stands there whole, and nothing else. Raises NotDelivered."""
    found = {path.name: path for path in folder.rglob("*") if path.is_file()}
    missing, strange = set(recordings.digests) - set(found), set(found) - set(recordings.digests)
    if missing or strange:
        raise NotDelivered(f"missing: {sorted(missing)[:3]}, not expected: {sorted(strange)[:3]}")
    for name, path in found.items():
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != recordings.digests[name]:
                raise NotDelivered(f"{name} differs from what was sent")


def make_ready(recordings: Recordings, folder: Path) -> None:
    """The same beginning for everybody: an empty folder there, right before it is filled, the
    recordings in memory here, and nothing of others that is still to be written to the disk."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.sync()
    for name in recordings.names:
        with (recordings.folder / name).open("rb") as file:
            while file.read(_BLOCK):
                pass
