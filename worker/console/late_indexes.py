"""Builds the indexes of collections that grow without end beside what the console answers.

Of many millions of entries that takes minutes, longer than a request waits for the database, and
a console of the version before has run without them. Pages are slower until they stand.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

import pymongo
from pymongo.errors import InvalidOperation, PyMongoError

BUILD_SECONDS = 6 * 3600.0
"""Longest building of one collection's indexes."""
START_SECONDS = 3.0
"""So long the start waits: of a collection that is not large they stand before the first page."""
AGAIN_SECONDS = 60.0
_LOG = logging.getLogger("courier.console")


class Indexed(Protocol):
    """What has indexes; it raises pymongo's errors."""

    def ensure_indexes(self) -> None: ...


def ensure_beside(parts: Sequence[Indexed]) -> threading.Thread:
    """Create the indexes in a thread of their own, which ends when they stand. Waits for it for a
    few seconds, and tries again by itself where MongoDB is away."""
    thread = threading.Thread(target=_ensure, args=(parts,), name="indexes", daemon=True)
    thread.start()
    thread.join(START_SECONDS)
    return thread


def _ensure(parts: Sequence[Indexed]) -> None:
    for part in parts:
        while not _is_ensured(part):
            threading.Event().wait(AGAIN_SECONDS)


def _is_ensured(part: Indexed) -> bool:
    try:
        with pymongo.timeout(BUILD_SECONDS):
            part.ensure_indexes()
    except InvalidOperation:  # the process ends, and has closed its connections
        return True
    except PyMongoError as error:
        _LOG.warning("Indexes were not built; it is tried again in a minute: %s", error)
        return False
    return True
