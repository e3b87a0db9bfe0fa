"""Many recordings that go to a server in one flight."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.accounts import Capabilities
from tests.contract.accounts import Ledger, job, opened
from transports.errors import (
    TransferError,
)
from transports.job import Transfer

PLAIN = Capabilities()
PIPELINES = Capabilities(pipelines=True)
QUEUES = Capabilities(pipelines=True, queues=True)


COUNT = 16
SIZE = 48_044
BAD = 5


def transfers_of(
    recordings: Sequence[Path], folder: str = "to", start: int = 0, **changes: Any
) -> list[Transfer]:
    def transfer(number: int, path: Path) -> Transfer:
        names = (f"{folder}/{number}.wav", f"{folder}/{number} (2).wav")
        what = job(start + number, folder=folder, **changes)
        return Transfer(lambda: opened(path), what, Ledger(names))

    return [transfer(number, path) for number, path in enumerate(recordings)]


def failure(transfer: Transfer) -> TransferError:
    """What it ended with."""
    assert isinstance(transfer.outcome, TransferError)
    return transfer.outcome


def assert_arrived(root: Path, recordings: Sequence[Path], names: Sequence[str]) -> None:
    """These and nothing else stand in the folder, whole."""
    expected = dict(zip(names, [path.read_bytes() for path in recordings], strict=True))
    assert {path.name: path.read_bytes() for path in (root / "to").iterdir()} == expected


def make_recordings(folder: Path) -> list[Path]:
    """Sixteen of them, each another one."""
    paths = [folder / f"recording-{number}.wav" for number in range(COUNT)]
    for path in paths:
        path.write_bytes(os.urandom(SIZE))
    return paths
