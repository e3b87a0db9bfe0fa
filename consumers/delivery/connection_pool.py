"""The login of an account session: kept from file to file, and shared by its uploads at once."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary, WeakSet

from config.accounts import FtpSettings
from config.credentials import Credentials
from config.errors import PasswordAsked
from consumers.delivery.deps import Deps
from consumers.faults import foreseen
from consumers.observe import LoggedIn, ProgramFailed
from transports import server as servers
from transports.base import MOST_AT_ONCE, Server
from transports.errors import Interrupted, LoginRefused, Phase, Progress, TransferError

STALE_SECONDS = 1.0
"""A login that was idle for so long is asked whether it still stands before a file is begun: a
server that ends idle sessions has not failed."""
AT_ONCE_NEARBY = 3
"""Flights at once that pay where a round trip costs next to nothing: one of them is sent while the
others are claimed and written down."""
MOST_FLIGHTS = max(MOST_AT_ONCE.values())
WAIT_STEP = 0.5
ROUND_TRIP_FOR_ONE_MORE = 0.005
"""Seconds of round trip for which one more flight at once pays."""
FLIGHT_SECONDS = 2.0
"""No file of a flight is in its place before all of them were sent: as many go together as are
sent in this time, by the pace of the flight before, so that a slow server gets them one by one."""
FIRST_PACE = 0.5
"""Seconds a file is taken to need before one has told."""


@dataclass
class _Idle:
    """A session that no upload uses at this moment."""

    server: Server
    since: float


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
        self._idle: list[_Idle] = []
        self._in_use: list[Server] = []
        self._losses_before: WeakKeyDictionary[Server, int] = WeakKeyDictionary()
        self._doubted: WeakSet[Server] = WeakSet()
        self._counted: WeakSet[object] = WeakSet()
        self.loss_count = 0
        """How often something that uploads share was lost: a connection, or the login after it."""
        self._observed_limit: int | None = None
        """So many sessions at once the server has last taken; None: it has refused none."""
        self._pace = FIRST_PACE
        """Seconds a file took in the last flight."""
        self._interrupted = False
        """The process cannot wait: what is open is cut, and nothing is opened any more."""
        self._dismissed = 0
        """How often `dismiss` was called: who began to wait before the last time gives up."""
        self._opening = 0
        """Sessions that flights are opening at this moment."""
        self._logging_in = threading.Lock()
        self.login_count = 0
        """How often somebody has logged in, or was refused."""
        self._refusal: TransferError | None = None

    def at_once(self, settings: FtpSettings) -> int:
        """How many flights there may be: one until the login stands, then as many as pay."""
        with self._lock:
            return self._at_once(settings)

    def files_per_flight(self, settings: FtpSettings) -> int:
        """How many files may share a flight: one until the login stands, it is tried with that.

        Where somebody has set how many are uploaded at once, so many are it in all flights.
        """
        with self._lock:
            if not self._standing(settings):
                return 1
            most = int(FLIGHT_SECONDS / self._pace)
            if settings.uploads is not None:
                most = min(most, settings.uploads // self._at_once(settings))
        return max(1, most)

    def note_pace(self, files: int, seconds: float) -> None:
        """A flight of so many files took the server so long."""
        self._pace = max(seconds, 0.001) / files

    def _at_once(self, settings: FtpSettings) -> int:
        """How many sessions there may be: one until the login stands, then as many as pay.

        No more than the settings say, than the server took in the test on save, and than it has
        taken in this session.
        """
        standing = self._standing(settings)
        if not standing:
            return 1
        useful = _useful_concurrency(min(server.round_trip for server in standing))
        return min(most_at_once(settings), useful, self._observed_limit or useful)

    def open_now(self) -> int:
        """Sessions at the server, in use or kept."""
        with self._lock:
            return len(self._in_use) + len(self._idle)

    def observe_limit(self, taken: int) -> None:
        """The server takes no more than so many sessions at once."""
        with self._lock:
            self._observed_limit = max(1, taken)

    def clean(self, act: Callable[[Server], bool]) -> bool:
        """What `act` does over a session that was kept. False without one. Raises TransferError."""
        with self._lock:
            idle = self._idle.pop() if self._idle else None
            if idle is None:
                return False
            self._in_use.append(idle.server)
        try:
            is_done = act(idle.server)
        except BaseException:
            self.discard(idle.server)
            raise
        self.keep(idle.server)
        return is_done

    def interrupt(self) -> None:
        """Cut what runs over it, and whatever would still begin, from another thread."""
        with self._lock:
            self._interrupted = True
            sessions = self._sessions()
        self.dismiss()
        for server in sessions:
            self._cut(server)

    def dismiss(self) -> None:
        """Nothing is to begin any more: uploads that wait for a session give up."""
        with self._lock:
            self._dismissed += 1
            self._lock.notify_all()

    def close(self) -> None:
        """End the sessions that are kept; harmless where there is none."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            self._close(each.server)

    # --- what a pooled connection asks ------------------------------------------------------------

    def wait_for_session(self, settings: FtpSettings) -> Server | None:
        """A session that was kept and still stands; None where one more may be opened instead.

        After None the caller opens that session, and calls `opened` once it is in use or has
        failed. Raises Interrupted where nothing may begin any more.
        """
        while (idle := self._wait_for_session(settings)) is not None:
            if idle.server.connected and self._answers(idle):
                return idle.server
            self.discard(idle.server)
        return None

    def _wait_for_session(self, settings: FtpSettings) -> _Idle | None:
        with self._lock:
            dismissed = self._dismissed
            while True:
                if self._idle and settings == self._settings:
                    idle = self._idle.pop()
                    self._takes(idle.server)
                    return idle
                if len(self._in_use) + self._opening < self._at_once(settings):
                    self._opening += 1
                    return None
                self._lock.wait(WAIT_STEP)
                if self._dismissed != dismissed:
                    raise Interrupted("The account is not worked any more at this moment")

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
        credentials = self._credentials(settings)
        self._refusal = None
        try:
            with foreseen(Progress(Phase.CONNECTING)):
                server = servers.connect(
                    settings,
                    credentials.password,
                    self._deps.limits,
                    self._deps.egress,
                    key=credentials.key,
                )
        except TransferError as error:
            self._refusal = error
            error.common = error.common or error
            is_refused = isinstance(error, LoginRefused)
            self._deps.observe(LoggedIn(self._account_id, "refused" if is_refused else "failed"))
            raise
        finally:
            self.login_count += 1
        self._deps.observe(LoggedIn(self._account_id, "accepted"))
        with self._lock:
            self._settings = settings
        self._wakeup.set()
        return self.use(server)

    def _credentials(self, settings: FtpSettings) -> Credentials:
        """Those that belong to these settings: others may have been saved since they were read."""
        try:
            return self._deps.directory.credentials_for(self._account_id, settings)
        except PasswordAsked:
            raise Interrupted("The FTP settings were changed meanwhile") from None

    def use(self, server: Server) -> Server:
        """One more session is in use. Raises Interrupted where the worker cannot wait for it."""
        with self._lock:
            if not self._interrupted:
                self._takes(server)
                return server
        self._close(server)
        raise Interrupted("The worker is stopping")

    def losses_before(self, server: Server) -> int:
        """How many losses there were when this session was taken into use."""
        with self._lock:
            return self._losses_before[server]

    def doubt_others(self) -> None:
        """One session has failed, and may have broken the others: each is asked whether it still
        stands before the next upload uses it."""
        with self._lock:
            self._doubted.update(self._in_use)
            for idle in self._idle:
                idle.since = -math.inf

    def keep(self, server: Server) -> None:
        """An upload has delivered its file over this session: keep it for the next upload."""
        with self._lock:
            self._in_use.remove(server)
            since = -math.inf if server in self._doubted else time.monotonic()
            self._doubted.discard(server)
            self._idle.append(_Idle(server, since))
            self._lock.notify()

    def discard(self, server: Server) -> None:
        """An upload has failed over this session: close it, and never use it again."""
        self._close(server)
        self.doubt_others()
        with self._lock:
            self._in_use.remove(server)
            self._lock.notify_all()

    def is_counted(self, failure: TransferError, loss_count: int) -> bool:
        """Whether another upload has reported the cause of this failure already.

        Then both count as one failure. `loss_count`: how many there were when this upload got its
        session, or began to wait for one. When a connection is cut under several uploads, one may
        meet the cut and another one the login that is refused right after it: that is one failure.
        """
        with self._lock:
            if failure.common is None:
                return False
            is_counted = failure.common in self._counted or loss_count < self.loss_count
            self._counted.add(failure.common)
            self.loss_count += not is_counted
            return is_counted

    def _answers(self, idle: _Idle) -> bool:
        if time.monotonic() - idle.since < STALE_SECONDS:
            return True
        try:
            return idle.server.answers()
        except Exception as error:  # noqa: BLE001 - it is of no use then, and another one is opened
            self._report(error)
            return False

    def _close(self, server: Server) -> None:
        """End a session, whatever that meets: nothing else depends on how it ends."""
        try:
            server.close()
        except Exception as error:  # noqa: BLE001 - what is left to do must be done all the same
            self._report(error)

    def _cut(self, server: Server) -> None:
        try:
            server.cut()
        except Exception as error:  # noqa: BLE001 - the others are to be cut as well
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._deps.observe(ProgramFailed("login", error, self._account_id))

    def _standing(self, settings: FtpSettings) -> list[Server]:
        if settings != self._settings:
            return []
        return [server for server in self._sessions() if server.connected]

    def _takes(self, server: Server) -> None:
        """One more upload has it. With the lock held: a loss is told before or after this."""
        self._in_use.append(server)
        self._losses_before[server] = self.loss_count

    def _sessions(self) -> list[Server]:
        return [*self._in_use, *(idle.server for idle in self._idle)]


def most_at_once(settings: FtpSettings) -> int:
    """The upper limit: of the protocol, of the settings, and of the test on save."""
    most = MOST_AT_ONCE[settings.protocol]
    return min(most, settings.uploads or most, settings.capabilities.at_once or most)


def _useful_concurrency(round_trip: float) -> int:
    """How many uploads at once make it faster, by the seconds of a round trip."""
    return AT_ONCE_NEARBY + int(round_trip / ROUND_TRIP_FOR_ONE_MORE)
