"""Group commit: what the flights of a process write at the same time goes to MongoDB in one bulk.

MongoDB makes a bulk of forty updates durable in little more time than one of them takes. So whoever
asks while no bulk is under way sends its own updates at once, from its own thread. Whoever asks
meanwhile waits, and all who wait go together in the next bulk, which the first of them sends.
There is no thread to start or to end, a lone flight waits for nobody, and no timer gathers
anything: under load the bulks grow by themselves.

Every update is a condition on a claim and may be repeated: applied again it finds nothing to do.
That is what makes an answer that was lost harmless. The bulk is sent again, its counts tell nothing
then, and each asker judges its own rows by what it reads (`find`).
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pymongo
from bson import Timestamp
from pymongo import UpdateMany, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection as Rows
from pymongo.errors import AutoReconnect, BulkWriteError, NetworkTimeout, PyMongoError
from pymongo.read_concern import ReadConcern

from consumers.ledger.records import Document

Update = UpdateOne | UpdateMany
BULKS = 2
"""Bulks under way at once: one is made durable while the other one is worked through."""
MOST_UPDATES = 128
"""Of one bulk: who waits for it does not wait for all that others have asked for."""
BULK_SECONDS = 20.0
"""Longest time for a bulk, however often it is sent."""
PAUSES = (0.0, 0.1, 0.5)
"""Seconds before a bulk is sent again of which nobody knows what it has written."""
UNKNOWN = (AutoReconnect, BulkWriteError)
DUPLICATE_KEY = 11000
_PRIMARY_ENDS = frozenset({91, 189, 10107, 11600, 11602, 13435, 13436})
"""Codes with which a member ends what it does because it is shut down, or primary no more."""


@dataclass(frozen=True)
class Written:
    """What became of one asker's updates."""

    holds: bool
    """Each of its rows was as its update demands. False: some may not have been, look at them."""
    refused: Sequence[Document]
    """MongoDB's errors with these updates."""
    clock: Mapping[str, Any] | None
    moment: Timestamp | None
    """MongoDB's time after the bulk: what is read as of then has all of it."""

    def check(self, tolerated: Collection[int] = ()) -> None:
        """Raises BulkWriteError where an update was refused with a code that is not tolerated."""
        others = [each for each in self.refused if each["code"] not in tolerated]
        if others:
            raise BulkWriteError({"writeErrors": others, "writeConcernErrors": []})


@dataclass(eq=False)
class _Asked:
    """One asker, which waits in `GroupCommit.write`."""

    updates: Sequence[Update]
    rows: int
    wakeup: threading.Event = field(default_factory=threading.Event)
    """It has an outcome, or is to send `bulk`."""
    bulk: Sequence["_Asked"] = ()
    outcome: Written | Exception | None = None

    def tell(self, outcome: Written | Exception) -> None:
        self.outcome = outcome
        self.wakeup.set()


class GroupCommit:
    """For all threads of a process. Raises pymongo's errors, where MongoDB is away for one."""

    def __init__(self, rows: Rows[Document], seconds: float = BULK_SECONDS) -> None:
        """`seconds`: the longest time for one bulk."""
        self._seconds = seconds
        self._rows = rows
        self._durable = rows.with_options(read_concern=ReadConcern("majority"))
        self._client = rows.database.client
        self._lock = threading.Lock()
        self._waiting: deque[_Asked] = deque()
        self._under_way = 0

    @property
    def waiting(self) -> int:
        """How many askers wait for the next bulk."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """How many bulks are being written."""
        return self._under_way

    def write(self, updates: Sequence[Update], rows: int) -> Written:
        """Apply the updates, which are to match so many rows together, durably.

        An error is raised to each asker of the bulk that failed: then nobody knows what was
        written, and the claims tell. An asker waits for the bulk that is under way and for the one
        that it goes with, not longer.
        """
        asked = _Asked(updates, rows)
        self._enter(asked)
        try:
            if not asked.wakeup.wait(2 * self._seconds + 5):
                raise NetworkTimeout(
                    f"MongoDB takes longer than {2 * self._seconds:.0f} s to write"
                )
            if asked.bulk:
                self._send(asked.bulk)
        finally:
            self._leave(asked)
        if isinstance(asked.outcome, Written):
            return asked.outcome
        raise asked.outcome or NetworkTimeout("the bulk was not sent")

    def find(
        self, written: Written, query: Document, projection: Document | None = None
    ) -> list[Document]:
        """The rows as they durably are after the bulk.

        A primary that has just been elected may answer from before what its predecessor has
        confirmed, unless it is told since when: hence the session.
        """
        with self._client.start_session() as session:
            if written.moment is not None and written.clock is not None:
                session.advance_cluster_time(written.clock)
                session.advance_operation_time(written.moment)
            return list(self._durable.find(query, projection, session=session))

    # --- who sends ----------------------------------------------------------------------------

    def _enter(self, asked: _Asked) -> None:
        with self._lock:
            self._waiting.append(asked)
            if self._under_way < BULKS:
                self._under_way += 1
                self._appoint()

    def _leave(self, asked: _Asked) -> None:
        """Whoever was to send hands that on, also where it was interrupted before or meanwhile.

        Those of its bulk that were told nothing are sent again by the next one.
        """
        with self._lock:
            if asked in self._waiting:
                self._waiting.remove(asked)
            if asked.bulk:
                untold = [each for each in asked.bulk if each.outcome is None and each is not asked]
                self._waiting.extendleft(reversed(untold))
                asked.bulk = ()
                self._appoint()

    def _appoint(self) -> None:
        """The first who waits sends for all who wait. With the lock held."""
        if self._waiting:
            bulk = [*self._next()]
            bulk[0].bulk = bulk
            bulk[0].wakeup.set()
        else:
            self._under_way -= 1

    def _next(self) -> Iterator[_Asked]:
        room = MOST_UPDATES
        while self._waiting and (room == MOST_UPDATES or len(self._waiting[0].updates) <= room):
            room -= len(self._waiting[0].updates)
            yield self._waiting.popleft()

    # --- sending ------------------------------------------------------------------------------

    def _send(self, bulk: Sequence[_Asked]) -> None:
        try:
            outcomes: Sequence[Written | Exception] = self._written(bulk)
        except PyMongoError as error:
            outcomes = [error] * len(bulk)
        except Exception as error:  # noqa: BLE001 - a value that BSON does not know, by many names
            if len(bulk) > 1:  # it is one asker's: the others' updates are as good as ever
                for each in bulk:
                    self._send([each])
                return
            outcomes = [error]
        for each, outcome in zip(bulk, outcomes, strict=True):
            each.tell(outcome)

    def _written(self, bulk: Sequence[_Asked]) -> list[Written]:
        """Send it; again where its answer was lost, or what it has written may be lost yet."""
        updates = [update for asked in bulk for update in asked.updates]
        with pymongo.timeout(self._seconds), self._client.start_session() as session:
            try:
                matched, errors = self._bulk_write(updates, session)
            except UNKNOWN:
                matched, errors = -1, self._send_again(updates, session)
            clock, moment = session.cluster_time, session.operation_time
        holds = matched == sum(asked.rows for asked in bulk)
        return [Written(holds, refused, clock, moment) for refused in _by_asker(bulk, errors)]

    def _send_again(self, updates: Sequence[Update], session: ClientSession) -> Sequence[Document]:
        """The driver repeats no command that may change several rows: that is left to us.

        Some of it may be done already, by a primary that is none any more for one: the counts
        prove nothing then.
        """
        for pause in PAUSES[:-1]:
            time.sleep(pause)
            with contextlib.suppress(*UNKNOWN):
                return self._bulk_write(updates, session)[1]
        time.sleep(PAUSES[-1])
        return self._bulk_write(updates, session)[1]

    def _bulk_write(
        self, updates: Sequence[Update], session: ClientSession
    ) -> tuple[int, Sequence[Document]]:
        """How many rows matched, and the errors with single updates, which stop no others.

        Raises BulkWriteError where it is not sure what was written, or that a majority keeps it.
        """
        try:
            result = self._rows.bulk_write(updates, ordered=False, session=session)
        except BulkWriteError as error:
            matched, errors = error.details["nMatched"], error.details["writeErrors"]
            ended = any(each["code"] in _PRIMARY_ENDS for each in errors)
            if ended or error.details["writeConcernErrors"]:
                raise
            return matched, errors
        return result.matched_count, ()


def _by_asker(bulk: Sequence[_Asked], errors: Sequence[Document]) -> Iterator[list[Document]]:
    first = 0
    for asked in bulk:
        behind = first + len(asked.updates)
        yield [each for each in errors if first <= each["index"] < behind]
        first = behind
