"""Has the indexes stand before a worker begins, however long MongoDB builds a new one.

Of millions of rows that takes minutes, longer than a call to the database may take otherwise. A
build that is cut by such a limit is lost, and the next start would begin it anew, for ever.
"""

import threading
import time
from collections.abc import Callable

import pymongo
import structlog
from pymongo.database import Database
from pymongo.errors import PyMongoError

from consumers.ledger import Document
from consumers.ledger.index_builds import index_builds
from worker import mongodb

BUILD_SECONDS = 6 * 3600.0
"""Longest single build; after that it is asked for again."""
AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.1
TOLD_AFTER = 5.0
"""So long a start takes at most where nothing is built."""
TOLD_EVERY = 60.0
ASK_SECONDS = 1.5


class Preparation:
    """Runs `ensure` beside the caller, who hears of it: in the log, and at `/readyz`."""

    def __init__(self, database: Database[Document], ensure: Callable[[], None]) -> None:
        self._database = database
        self._ensure = ensure
        self._building = threading.Event()
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self.is_done = False

    def run(self, stop: threading.Event) -> bool:
        """Wait until all stands; False where `stop` was set before.

        Where MongoDB goes away it is tried again. Raises what else comes of it.
        """
        thread = threading.Thread(target=self._build, name="preparation", daemon=True)
        began = time.monotonic()
        tell_at = began + TOLD_AFTER
        self._building.set()
        thread.start()
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            if stop.is_set():
                self._stopped.set()
                return False
            if thread.is_alive() and time.monotonic() > tell_at:
                tell_at = time.monotonic() + TOLD_EVERY
                _log().warning("indexes_awaited", words=self.unready())
        self._building.clear()
        if self._error is not None:
            raise self._error
        if time.monotonic() > began + TOLD_AFTER:
            _log().info("indexes_stand", seconds=round(time.monotonic() - began))
        self.is_done = True
        return True

    def unready(self) -> str | None:
        """What is waited for, in a sentence; None where nothing is."""
        if not self._building.is_set():
            return None
        return builds_in_words(self._database) or "The indexes in MongoDB are looked through."

    def _build(self) -> None:
        while not self._stopped.is_set():
            try:
                with pymongo.timeout(BUILD_SECONDS):
                    self._ensure()
            except Exception as error:  # noqa: BLE001 - it is raised by the thread that waits
                if not (isinstance(error, PyMongoError) and mongodb.is_away(error)):
                    self._error = error
                    return
                self._stopped.wait(AGAIN_SECONDS)
            else:
                return


def builds_in_words(database: Database[Document]) -> str | None:
    """The indexes that MongoDB is building, in a sentence; None where there are none, or where it
    does not tell."""
    try:
        with pymongo.timeout(ASK_SECONDS):
            builds = index_builds(database)
    except PyMongoError:
        return None
    if not builds:
        return None
    told = "; ".join(
        f"{', '.join(build.names)} of {build.collection}, for {build.seconds} s" for build in builds
    )
    return (
        f"MongoDB builds an index that is new in this version ({told}): this worker begins by "
        "itself once it stands, and nothing needs to be done."
    )


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("courier")
    return log
