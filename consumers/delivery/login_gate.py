"""Every login of this process passes here, so that accounts of one server are good neighbours.

Many accounts may live on one host. What one of them does wrong there, or all of them at once, may
have the server shut the platform's address out (OpenSSH's PerSourcePenalties and MaxStartups,
fail2ban). So:

- Logins to one server are paced, by each process for its part of what all may have (`pace`).
- What all processes have to know stands in MongoDB (`ledger.servers`), and is read once a second:
  that a server does not let us in. From then on one login at a time tries it, whoever's it is,
  until one is let in. All others wait, and give their slots back.
- A server that shuts us out while other accounts are well there has nothing against the account:
  its file waits, and nothing is counted. An outage is found by the account that tries; those that
  ask right after it share what it has met, without a connection and each finding once.

At a server that is well a login costs no call of MongoDB's. That it went well is noted here and
written down with others' by `refresh`, for one server hardly more often than each 20 seconds.
"""

import contextlib
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from pymongo.errors import PyMongoError

from config.accounts import FtpSettings
from consumers.delivery.login_errors import (
    AddressBlocked,
    BesideDeferred,
    FoundAway,
    LoginDeferred,
    TurnedAway,
)
from consumers.delivery.seen_well import SeenWell
from consumers.delivery.server_ids import ServerIds
from consumers.delivery.server_policy import (
    Go,
    Met,
    NotLetIn,
    Shared,
    Times,
    Wait,
    is_block,
    is_of_server,
    is_silent_to_all,
    is_told_enough,
    met_by,
    outlook,
)
from consumers.delivery.turns import Turns
from consumers.ledger.records import LastError
from consumers.ledger.servers import Away, Finding, Servers, ServerState
from transports.base import Egress, Limits, Server
from transports.errors import (
    LoginRefused,
    ServerBusy,
    Stalled,
    TransferError,
)

FORGOTTEN_SECONDS = 300.0
"""What is older, and than any ban, is forgotten."""


@dataclass(frozen=True)
class Closed:
    """The account cannot log in at its server for so many seconds."""

    seconds: float
    shown: LastError | None
    """What people are told meanwhile."""


@dataclass
class _Seen:
    """A server that does not let us in, as it was read."""

    state: ServerState
    at: float = field(default_factory=time.monotonic)

    def now(self) -> ServerState:
        """The same, some time later."""
        later = self.state.now + timedelta(seconds=time.monotonic() - self.at)
        return replace(self.state, now=later)


@dataclass(frozen=True)
class _Login:
    """One that may be made now."""

    server: str
    account_id: str
    is_trial: bool
    begun_at: float = field(default_factory=time.monotonic)

    def is_older_than(self, found: datetime, now: datetime) -> bool:
        """Whether it was under way already then; both times by the database's clock."""
        return found > now - timedelta(seconds=time.monotonic() - self.begun_at)


class LoginGate:
    """For all threads of the process; `refresh` is called about once a second."""

    def __init__(
        self,
        servers: Servers,
        suspend_seconds: float,
        limits: Limits,
        egress: Egress,
        workers: Callable[[], int],
    ) -> None:
        """`workers`: how many processes there are now, which all log in at the same servers."""
        self._servers = servers
        self._times = Times.of(suspend_seconds)
        self._limits = limits
        self._ids = ServerIds(limits, egress)
        self._lock = threading.Lock()
        self._turns = Turns(workers)
        self._away: dict[str, _Seen] = {}
        self._well = SeenWell(self._times.well / 3)
        self._turned_away: dict[tuple[str, str], float] = {}
        """By server and account, since when it was too busy for it."""
        self._shared: dict[tuple[str, str], datetime] = {}
        """By the same, when what the account has last met there, or shared, was found."""

    def log_in(
        self,
        settings: FtpSettings,
        account_id: str,
        connect: Callable[[], Server],
        asks_since: datetime | None = None,
    ) -> Server:
        """What `connect` opens, once it may be called. `asks_since`: since when a probe asks for
        it, which shares nothing that was asked of the server before.

        Raises LoginDeferred and FoundAway without calling it, AddressBlocked and TurnedAway for
        some of what it raises.
        """
        server = self._ids.of(settings)
        # What another one has met needs no turn: an outage is told as fast as accounts ask.
        self._look(server, account_id, asks_since)
        with self._turns.turn(server):
            login = _Login(server, account_id, self._is_trial(server, account_id, asks_since))
            try:
                session = connect()
            except BaseException as failure:
                told = self._told(login, failure)
                if told is failure:
                    raise
                raise told from failure
            self._let_in(server, account_id)
            return session

    def log_in_beside(self, settings: FtpSettings, connect: Callable[[], Server]) -> Server:
        """The same for one more login of an account that stands at the server.

        Raises BesideDeferred without calling it.
        """
        with self._turns.turn(self._ids.of(settings), defer=BesideDeferred):
            return connect()

    @contextlib.contextmanager
    def again(self, settings: FtpSettings, account_id: str) -> Iterator[None]:
        """Within the turn of a login in place of one that was lost in the midst of a session: files
        of it are half way, so it comes before those that have no slot, and waits for longer.

        Raises BesideDeferred where its turn does not come, or as long as the server shuts us out:
        once that is over it may go before the trial, which its files cannot wait for.
        """
        server = self._ids.of(settings)
        seen = self._away.get(server)
        if seen is not None and _is_shut_out(seen.now()):
            raise BesideDeferred
        with self._turns.turn(server, defer=BesideDeferred, patience=self._limits.login):
            yield
        self._let_in(server, account_id)

    def closed_for(
        self, settings: FtpSettings, account_id: str, asks_since: datetime | None = None
    ) -> Closed | None:
        """Whether it is known that the account cannot log in now. Nobody is asked for that."""
        known = self._ids.known(settings)
        crowded = None if known is None else self._turns.closed_for(known)
        if crowded is not None:
            return Closed(crowded, shown=None)
        if not self._away:
            return None
        server = self._ids.of(settings)
        seen = self._away.get(server)
        if seen is None:
            return None
        state = seen.now()
        match self._outlook(server, account_id, state, asks_since):
            case Wait(seconds):
                return Closed(self._spread(seconds), _shown(state))
            case _:
                return None

    def delivers(self, settings: FtpSettings, account_id: str) -> None:
        """The account has delivered: its server is well."""
        server = self._ids.known(settings)
        if server is not None:
            self._well.note(server, account_id)

    def refresh(self) -> None:
        """Read which servers do not let us in, and write down which did. Raises pymongo's errors
        where MongoDB is away."""
        stored = {server: _Seen(state) for server, state in self._servers.away().items()}
        begun = [server for server in stored if server not in self._away]
        with self._lock:
            self._away = stored
        for server in begun:
            self._turns.start_over(server)
        self._servers.were_well(self._well.to_write())
        self._forget()

    # --- a server that does not let us in -------------------------------------------------------

    def _is_trial(self, server: str, account_id: str, asks_since: datetime | None) -> bool:
        """Whether this login is the one that tries the server. Raises as `_look` does."""
        seen = self._look(server, account_id, asks_since)
        if seen is None:
            return False
        seconds = self._limits.resolve + self._limits.connect + self._limits.login
        if not self._servers.begin_trial(server, seen, uuid.uuid4().hex, seconds):
            raise self._deferred(self._times.spread, _shown(seen))
        return True

    def _look(
        self, server: str, account_id: str, asks_since: datetime | None
    ) -> ServerState | None:
        """The server where this login is to try it as the only one, else None. Raises LoginDeferred
        where another one does, FoundAway where another one has just done so."""
        if server not in self._away:
            return None
        state = self._servers.read(server)
        match self._outlook(server, account_id, state, asks_since):
            case Shared(error, at):
                self._note_shared(server, account_id, at)
                raise FoundAway(error)
            case Wait(seconds):
                raise self._deferred(seconds, _shown(state))
            case Go(is_trial=is_trial):
                return state if is_trial else None

    def _outlook(
        self, server: str, account_id: str, state: ServerState, asks_since: datetime | None
    ) -> Go | Shared | Wait:
        shared_at = self._shared.get((server, account_id))
        known = self._well.beside(server, state)
        return outlook(known, account_id, self._times, shared_at, asks_since)

    def _note_shared(self, server: str, account_id: str, at: datetime) -> None:
        with self._lock:
            self._shared[server, account_id] = at

    def _told(self, login: _Login, failure: BaseException) -> BaseException:
        """The failure as it is told, once it is written down what it says of the server."""
        server, account_id = login.server, login.account_id
        if not is_of_server(failure):
            if login.is_trial:
                self._write(partial(self._servers.not_tried, server))
            return failure
        if isinstance(failure, NotLetIn) or (
            isinstance(failure, Stalled) and self._is_silent_to_all(login)
        ):
            return self._told_away(login, failure)
        if login.is_trial:
            self._answered(server)
        if isinstance(failure, LoginRefused):
            self._write(partial(self._servers.refused, server, account_id))
        if isinstance(failure, ServerBusy):
            return self._told_busy(server, account_id, failure)
        return failure

    def _told_busy(self, server: str, account_id: str, busy: ServerBusy) -> TransferError:
        """Its words may be about the user alone: then it is the account's failure after a while."""
        state = self._known(server)
        if state is None or not is_block(Met.HUNG_UP, state, account_id, self._times):
            return busy
        with self._lock:
            since = self._turned_away.setdefault((server, account_id), time.monotonic())
        if time.monotonic() - since > self._times.block:
            return busy
        return TurnedAway(busy, self._spread(2 * self._times.spread))

    def _is_silent_to_all(self, login: _Login) -> bool:
        server, account_id = login.server, login.account_id
        took = time.monotonic() - login.begun_at
        try:
            told = self._servers.fell_silent(server, account_id)
        except PyMongoError:
            return False
        return is_silent_to_all(self._well.beside(server, told), account_id, took, self._times)

    def _told_away(self, login: _Login, failure: TransferError) -> TransferError:
        server, account_id = login.server, login.account_id
        met, state = met_by(failure), self._known(server)
        if state is None:
            return failure
        is_ban, away = is_block(met, state, account_id, self._times), state.away
        if away is not None and _was_found_meanwhile(login, away, state.now, is_ban=is_ban):
            self._note_shared(server, account_id, away.at)
            seconds = max(0.0, (away.until - state.now).total_seconds())
            return self._shut_or_away(failure, seconds, is_ban=is_ban)
        before = away.times if away and away.is_block == is_ban else 0
        seconds = self._times.until_next(before + 1) if is_ban else self._times.spread
        told = self._shut_or_away(failure, seconds, is_ban=is_ban)
        repeats = met == Met.SILENT and is_told_enough(state, self._times)
        found = Finding(is_ban, account_id, before + 1, LastError.of(told), met, repeats)
        self._write(partial(self._shut_out, login, found, seconds))
        if not is_ban:
            self._turns.start_over(server)
        return told

    def _shut_or_away(
        self, failure: TransferError, seconds: float, *, is_ban: bool
    ) -> TransferError:
        return AddressBlocked(failure, self._spread(seconds)) if is_ban else failure

    def _shut_out(self, login: _Login, found: Finding, seconds: float) -> None:
        server, took = login.server, time.monotonic() - login.begun_at
        tells_silence = found.met == Met.SILENT and not found.repeats
        state = self._servers.shut_out(server, found, seconds, took, tells_silence=tells_silence)
        with self._lock:
            self._away = {**self._away, server: _Seen(state)}
            self._shared[server, found.found_by] = state.now

    def _known(self, server: str) -> ServerState | None:
        """What is written down of it, and what is noted here; None where MongoDB is away."""
        try:
            return self._well.beside(server, self._servers.read(server))
        except PyMongoError:
            return None

    # --- a server that does ---------------------------------------------------------------------

    def _let_in(self, server: str, account_id: str) -> None:
        self._well.note(server, account_id)
        with self._lock:
            self._turned_away.pop((server, account_id), None)
        if server in self._away:
            self._answered(server)

    def _answered(self, server: str) -> None:
        """A server that did not let us in talks to us again."""
        self._write(partial(self._servers.answered, server))
        self._lets_in(server)

    def _lets_in(self, server: str) -> None:
        with self._lock:
            self._away = {name: seen for name, seen in self._away.items() if name != server}

    def _forget(self) -> None:
        """What is so old that it tells nothing any more."""
        long_ago = time.monotonic() - max(self._times.block, FORGOTTEN_SECONDS)
        self._ids.forget()
        self._well.forget(long_ago)
        self._turns.forget(long_ago)
        with self._lock:
            self._shared = {k: v for k, v in self._shared.items() if k[0] in self._away}
            self._turned_away = {
                k: v for k, v in self._turned_away.items() if v > long_ago - self._times.block
            }

    def _write(self, write: Callable[[], None]) -> None:
        """MongoDB may be away: the login has ended all the same, and the next one tells it."""
        with contextlib.suppress(PyMongoError):
            write()

    def _deferred(self, seconds: float, shown: LastError | None) -> LoginDeferred:
        return LoginDeferred(self._spread(seconds), shown)

    def _spread(self, seconds: float) -> float:
        """A little longer by chance, so that those that wait do not come together."""
        return seconds + self._times.spread * _chance()


def _was_found_meanwhile(login: _Login, away: Away, now: datetime, *, is_ban: bool) -> bool:
    """Whether another login that was under way with this one has told it: both are one finding."""
    is_told = away.is_block or not is_ban
    return is_told and not login.is_trial and login.is_older_than(away.at, now)


def _is_shut_out(state: ServerState) -> bool:
    return state.away is not None and state.away.is_block and state.now < state.away.until


def _chance() -> float:
    return random.random()  # noqa: S311 - it spreads, it guards nothing


def _shown(state: ServerState) -> LastError | None:
    return state.away.error if state.away is not None and state.away.is_block else None
