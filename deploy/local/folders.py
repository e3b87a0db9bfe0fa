"""Where the embedded services keep their files: one ignored folder of the checkout."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

STATE = Path(__file__).resolve().parents[2] / ".courier"
LIBRARIES = STATE / "lib"
UNPACKED = STATE / "unpacked"
"""Debian packages beside each other that cannot be installed beside each other."""
NPM = STATE / "npm"
RELEASES = STATE / "releases"
"""Other releases of Debian, for a server that this one has in another version."""
_RUNS = STATE / "run"


@contextmanager
def run_folder() -> Iterator[Path]:
    """A new folder for one run of the services, removed at the end.

    What runs that were killed left behind is removed first; the folder of a run
    that still lives is locked and stays.
    """
    _RUNS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        # One start at a time, so that none takes another's new folder for an abandoned one.
        with (_RUNS / "starting").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            _sweep()
            folder = Path(tempfile.mkdtemp(dir=_RUNS))
            lock = locks.enter_context((folder / "lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    for lock_file in _RUNS.glob("*/lock"):
        with suppress(OSError), lock_file.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_file.parent, ignore_errors=True)
