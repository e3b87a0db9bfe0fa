"""The login of an account session: kept from file to file, and shared by its uploads at once.

A flight has a `PooledConnection`: its session at the server, which the pool keeps between flights.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakSet

from config.accounts import FtpSettings
from consumers.delivery.deps import Deps
from consumers.delivery.login import Known, log_in, log_in_beside
from consumers.delivery.login_errors import BesideDeferred
from consumers.delivery.losses import Losses
from consumers.delivery.observed_limit import ObservedLimit
from consumers.faults import foreseen
from consumers.observe import ProgramFailed
from transports.base import Server, most_at_once
from transports.errors import Interrupted, ServerBusy, TransferError
from transports.phases import Phase, Progress

STALE_SECONDS = 1.0
"""A login that was idle for so long is asked whether it still stands before a file is begun: a
server that ends idle sessions has not failed."""
AT_ONCE_NEARBY = 3
"""Flights at once that pay where a round trip costs next to nothing: one of them is sent while the
others are claimed and written down."""
WAIT_STEP = 0.5
ROUND_TRIP_FOR_ONE_MORE = 0.005
"""Seconds of round trip for which one more flight at once pays."""
FLIGHT_SECONDS = 2.0
"""No file of a flight is in its place before all of them were sent: as many go together as are
sent in this time, by the pace of the flight before, so that a slow server gets them one by one."""
FIRST_PACE = 0.5
"""Seconds a file is taken to need before one has told."""


class Capacity(NamedTuple):
    """How much may be uploaded at once."""

    flights: int
    files: int
    """Of one flight."""


ONE = Capacity(1, 1)


@dataclass
class Use:
    """Of a session by one flight."""

    losses: int
    """How many there were when it was taken into use."""
    others: int = 0
    """The most sessions that stood beside it at any moment since, be they over by now."""


class ConnectionPool:
    """One login of an account, and over it a session at the server for each upload that runs.

    SFTP opens a channel on the same connection for each session, FTP a connection of its own.
    """

    def __init__(self, deps: Deps, account_id: str, wakeup: threading.Event) -> None:
        """`wakeup` is set when a login stands: others may begin then."""
        self._deps = deps
        self._wakeup = wakeup
        self._account_id = account_id
        self._lock = threading.Condition()
        self._settings: FtpSettings | None = None
        self._most = 1
        self._idle: dict[Server, float] = {}
        """Sessions that no upload uses, each with the local monotonic time since when."""
        self._in_use: dict[Server, Use] = {}
        self._doubted: WeakSet[Server] = WeakSet()
        self.losses = Losses()
        self.limit = ObservedLimit()
        """How many sessions at once the server takes; that of the login, once one was tried."""
        self.pace = FIRST_PACE
        """Seconds a file took in the last flight."""
        self._interrupted = False
        """The process cannot wait: what is open is cut, and nothing is opened any more."""
        self._dismissed = 0
        """How often: who began to wait before the last time gives up."""
        self._opening = 0
        """Sessions that flights are opening at this moment."""
        self._logging_in = threading.Lock()
        self.login_count = 0
        """How often somebody has logged in, or was refused."""
        self._refusal: TransferError | None = None
        self.known = Known()
        """What the account's state tells of the next login."""

    def capacity(self, settings: FtpSettings) -> Capacity:
        """How many flights at once pay, and how many files may share one.

        One each until the login stands: it is tried with that. So many as somebody has set to be
        uploaded at once are it in all flights.
        """
        with self._lock:
            if not self._standing(settings):
                return ONE
            flights, files = self._at_once(settings), int(FLIGHT_SECONDS / self.pace)
        if settings.uploads is not None:
            files = min(files, settings.uploads // flights)
        return Capacity(flights, max(1, files))

    def note_pace(self, files: int, seconds: float) -> None:
        """A flight of so many files took the server so long."""
        self.pace = max(seconds, 0.001) / files

    def _at_once(self, settings: FtpSettings) -> int:
        """How many sessions there may be: one until the login stands, then as many as pay; no more
        than the settings and the test on save say, and than the server has taken in this session.
        """
        standing = self._standing(settings)
        if not standing:
            return 1
        round_trip = min(server.round_trip for server in standing)
        useful = AT_ONCE_NEARBY + int(round_trip / ROUND_TRIP_FOR_ONE_MORE)
        return int(min(self._most, useful, self.limit.sessions))

    def open_now(self) -> int:
        """Sessions at the server, in use or kept."""
        with self._lock:
            return len(self._in_use) + len(self._idle)

    def interrupt(self) -> None:
        """Cut what runs over it, and whatever would still begin, from another thread."""
        with self._lock:
            self._interrupted = True
            sessions = self._sessions()
        self.dismiss()
        for server in sessions:
            self._end(server.cut)

    def dismiss(self) -> None:
        """Nothing is to begin any more: uploads that wait for a session give up."""
        with self._lock:
            self._dismissed += 1
            self._lock.notify_all()

    def close(self) -> None:
        """End the sessions that are kept; harmless where there is none."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for server in idle:
            self._end(server.close)
        if idle:
            self.limit.has_ended()

    # --- what a pooled connection asks ------------------------------------------------------------

    def wait_for_session(self, settings: FtpSettings) -> Server | None:
        """A session that was kept and still stands; None where one more may be opened instead.

        After None the caller opens that session, and calls `opened` once it is in use or has
        failed. Raises Interrupted where nothing may begin any more.
        """
        while (idle := self._wait_for_idle(settings)) is not None:
            server, since = idle
            if server.connected and self._answers(server, since):
                return server
            self.discard(server)
        return None

    def _wait_for_idle(self, settings: FtpSettings) -> tuple[Server, float] | None:
        with self._lock:
            dismissed = self._dismissed
            while True:
                if self._idle and settings == self._settings:
                    return self._take_idle()
                if len(self._in_use) + self._opening < self._at_once(settings):
                    self._opening += 1
                    return None
                self._lock.wait(WAIT_STEP)
                if self._dismissed != dismissed:
                    raise Interrupted("The account is not worked any more at this moment")

    def take_idle(self) -> Server | None:
        """A session that was kept, be it still standing or not."""
        with self._lock:
            return self._take_idle()[0] if self._idle else None

    def opened(self) -> None:
        """The session that was to be opened is in use, or there is none."""
        with self._lock:
            self._opening -= 1
            self._lock.notify_all()

    def standing(self, settings: FtpSettings) -> Server | None:
        """A session of an upload that runs, over which one more may be opened."""
        with self._lock:
            return next(iter(self._standing(settings)), None)

    def connect(self, settings: FtpSettings, login_count: int) -> Server | None:
        """Log in; None where another upload has done so meanwhile: one logs in at a time.

        `login_count`: how many there were when this upload began to wait. If another upload's login
        was refused since then, that refusal is raised and the server is not asked again. Raises
        TransferError, and ConfigError for an unreadable password.
        """
        with self._logging_in:
            if self.login_count == login_count:
                return self._log_in(settings)
            if self._refusal is not None:
                raise self._refusal
            return None

    def _log_in(self, settings: FtpSettings) -> Server:
        self.close()
        self._refusal = None
        self.limit = self._deps.observed_limits.of(self._account_id, settings)
        try:
            server = log_in(self._deps, self._account_id, settings, self.known)
        except TransferError as error:
            self._refusal = error
            error.common = error.common or error
            raise
        finally:
            self.login_count += 1
        with self._lock:
            self._settings, self._most = settings, most_at_once(settings)
        self._wakeup.set()
        return self.use(server)

    def another(self, origin: Server) -> Server:
        """One more session beside this one. Raises TransferError."""
        return log_in_beside(self._deps, self._settings, origin)

    def use(self, server: Server) -> Server:
        """One more is in use. Raises Interrupted where the worker cannot wait for it."""
        with self._lock:
            if not self._interrupted:
                self._takes(server)
                self.limit.stand(len(self._in_use) + len(self._idle))
                return server
        self._end(server.close)
        raise Interrupted("The worker is stopping")

    def use_of(self, server: Server) -> Use:
        """How a session that is in use is used."""
        with self._lock:
            return self._in_use[server]

    def doubt_others(self) -> None:
        """One session has failed, and may have broken the others: each is asked whether it still
        stands before the next upload uses it."""
        with self._lock:
            self._doubted.update(self._in_use)
            self._idle = dict.fromkeys(self._idle, -math.inf)

    def keep(self, server: Server) -> None:
        """An upload has delivered its file over this session: keep it for the next upload."""
        with self._lock:
            del self._in_use[server]
            since = -math.inf if server in self._doubted else time.monotonic()
            self._doubted.discard(server)
            self._idle[server] = since
            self._lock.notify()
        if self._settings is not None:
            self._deps.logins.delivers(self._settings, self._account_id)

    def discard(self, server: Server) -> None:
        """An upload has failed over this session: close it, and never use it again."""
        self._end(server.close)
        self.doubt_others()
        self.limit.has_ended()
        with self._lock:
            del self._in_use[server]
            self._lock.notify_all()

    def _answers(self, server: Server, since: float) -> bool:
        if time.monotonic() - since < STALE_SECONDS:
            return True
        try:
            return server.answers()
        except Exception as error:  # noqa: BLE001 - it is of no use then, and another one is opened
            self._report(error)
            return False

    def _end(self, act: Callable[[], None]) -> None:
        """Close a session or cut it, whatever that meets: the others are to be ended as well."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - nothing else depends on how it ends
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._deps.observe(ProgramFailed("login", error, self._account_id))

    def _standing(self, settings: FtpSettings) -> list[Server]:
        if settings != self._settings:
            return []
        return [server for server in self._sessions() if server.connected]

    def _take_idle(self) -> tuple[Server, float]:
        server, since = self._idle.popitem()
        self._takes(server)
        return server, since

    def _takes(self, server: Server) -> None:
        """One more upload has it: with the lock held."""
        self._in_use[server] = Use(self.losses.count)
        others = len(self._in_use) + len(self._idle) - 1
        for use in self._in_use.values():
            use.others = max(use.others, others)

    def _sessions(self) -> list[Server]:
        return [*self._in_use, *self._idle]


class PooledConnection:
    """One flight's session at the server: kept afterwards, discarded after an error."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._login_count = pool.login_count
        self.loss_count = pool.losses.count
        """By `Losses.count`: which of them was there before this upload."""
        self._server: Server | None = None
        self.others = 0
        """The most sessions of other uploads that stood while it was wanted or in use, once it has
        failed."""

    def open(self, settings: FtpSettings) -> Server:
        """The session. Raises TransferError, and ConfigError for an unreadable password."""
        while self._server is None:
            self._server = self._pool.wait_for_session(settings) or self._opened_more(settings)
        self.loss_count = self._pool.use_of(self._server).losses
        return self._server

    def open_idle(self) -> Server | None:
        """One that is kept; None without one."""
        self._server = self._pool.take_idle()
        return self._server

    @property
    def has_logged_in(self) -> bool:
        """Whether it had a session at the server, also if that has failed since."""
        return self._server is not None

    def keep(self) -> None:
        """All went well; harmless where no session was opened."""
        if self._server is not None:
            self._pool.keep(self._server)

    def discard(self) -> None:
        """Something has failed; harmless where no session was opened."""
        server, pool = self._server, self._pool
        self.others = max(self.others, pool.use_of(server).others if server else pool.open_now())
        if server is not None:
            pool.discard(server)

    def _opened_more(self, settings: FtpSettings) -> Server | None:
        """One more; None where others' logins come first, so that it waits for one of its own."""
        try:
            with foreseen(Progress(Phase.CONNECTING)):
                return self._open_more(settings)
        except BesideDeferred:
            self._pool.limit.hold(self._pool.open_now())
            return None
        finally:
            self._pool.opened()

    def _open_more(self, settings: FtpSettings) -> Server:
        """Open one. It ends: each round without a session means that somebody else has logged in,
        or that the connection beside which it was tried is gone, and then this flight logs in."""
        while True:
            origin = self._pool.standing(settings)
            if origin is None:
                server = self._pool.connect(settings, self._login_count)
                self._login_count = self._pool.login_count
            else:
                server = self._beside(origin)
            if server is not None:
                return server

    def _beside(self, origin: Server) -> Server | None:
        """A session beside `origin`; None where its connection has ended with its last upload.

        Raises TransferError where the connection was lost.
        """
        standing = self._pool.open_now()
        try:
            return self._pool.use(self._pool.another(origin))
        except ServerBusy:
            self.others = max(1, standing)  # it was asked for beside one, which may be over by now
            raise
        except TransferError as error:
            is_lost = not (origin.connected or isinstance(error, Interrupted))
            if error.common is not None or not is_lost:
                raise
            return None
