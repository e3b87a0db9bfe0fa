"""Decides what a server that does not let an account in means for all accounts there. Pure: no I/O,
no clock.

Rules 26 and 27 of docs/rules.md, as far as they decide.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from consumers.ledger.records import LastError
from consumers.ledger.servers import SHARED_SILENCES, Away, ServerState, Sign
from transports.errors import (
    ConnectFailed,
    EgressDenied,
    HungUp,
    NoGreeting,
    OurFailure,
    ResolveFailed,
    Stalled,
    TransferError,
)

SPREAD_SECONDS = 5.0
WELL_SECONDS = 60.0
BLOCK_SECONDS = 600.0
MOST_SPREADS = 12
RESTED = 2
"""Spreads for which an account rests at the most while another one tries the server."""
FIRST_SHARE = 0.2
"""Of the spread: the server may have meant this one connection, as OpenSSH does beyond MaxStartups.
"""
_OURS = frozenset(
    {
        errno.EACCES,
        errno.EADDRNOTAVAIL,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EPERM,
    }
)
"""What a connection meets before it leaves this machine."""
_BEFORE = (ResolveFailed, EgressDenied, OurFailure)
"""How a login ends before any."""


NotLetIn = HungUp | ConnectFailed | NoGreeting
"""How a login ends before the server knows anything of the account, not even its settings."""


class Met(StrEnum):
    """How a server did not let an account in."""

    HUNG_UP = "hung up"
    """It takes connections, and ends them before its greeting or with a word of being busy."""
    REFUSED = "refused"
    """Nobody takes connections, or a firewall refuses them."""
    UNREACHED = "unreached"
    """No answer of any kind, or none behind the connection. What bans addresses so as well cannot
    be told from an outage."""
    SILENT = "silent"
    """It fell silent later: at what depends on the account, or on its settings."""


@dataclass(frozen=True)
class Times:
    """In seconds, each a share of a suspension, up to a limit."""

    spread: float
    """Between two tries of a server that does not let us in."""
    silence: float
    """So many seconds count what is shared of silence. Longer than until the next probe: the same
    accounts would tell others of it anew each time."""
    well: float
    """For so long after a login that went well a refused connection is no outage: a firewall may
    ban us. Not for longer, since people want to hear of an outage."""
    block: float
    """The longest that OpenSSH (PerSourcePenalties) and fail2ban ban an address by default: for so
    long failed logins, and with a hang-up logins that went well, tell that we are shut out."""

    @classmethod
    def of(cls, suspend_seconds: float) -> "Times":
        """5 and 60 seconds and 10 minutes with suspensions of 15 minutes."""
        return cls(
            spread=min(SPREAD_SECONDS, suspend_seconds / 180),
            silence=2 * suspend_seconds,
            well=min(WELL_SECONDS, suspend_seconds / 15),
            block=min(BLOCK_SECONDS, suspend_seconds * 2 / 3),
        )

    def until_next(self, times: int) -> float:
        """How long nobody tries a server that shuts us out, found so many times in a row."""
        doubled: int = 1 << min(times - 1, 10)
        return self.spread * min(FIRST_SHARE * doubled, MOST_SPREADS)


@dataclass(frozen=True)
class Go:
    """It may be tried."""

    is_trial: bool
    """As the only one: the server did not let us in of late."""


@dataclass(frozen=True)
class Shared:
    """Another account has just found the server away: it would be the same now."""

    error: LastError
    at: datetime


@dataclass(frozen=True)
class Wait:
    """Somebody tries it, or has just done so."""

    seconds: float


def outlook(
    server: ServerState,
    account_id: str,
    times: Times,
    shared_at: datetime | None = None,
    asks_since: datetime | None = None,
) -> Go | Shared | Wait:
    """Whether the account may log in at the server now.

    `shared_at`: when what it has last met there, or shared, was found. `asks_since`: since when it
    asks by a probe.
    """
    away, trial, now = server.away, server.trial, server.now
    if away is None:
        return Go(is_trial=False)
    met = _last(server.silent, account_id)
    if away.met == Met.SILENT and _is_after(_last(server.well, account_id), met):
        return Go(is_trial=False)
    is_mine = away.found_by == account_id
    is_new = all(_seconds(at, away.at) >= times.spread for at in (shared_at, met) if at)
    answers = is_new and not is_mine and _answers(away, now, times, asks_since)
    if answers and _is_shared(away, server, account_id, times):
        return Shared(away.error, away.at)
    if trial is not None and trial.until > now:
        return Wait(times.spread / 2)
    until = away.until
    if is_mine and away.met == Met.SILENT:  # what another one meets tells more
        until += timedelta(seconds=times.spread)
    if now < until and (away.is_block or not is_mine or away.met == Met.SILENT):
        return Wait(_seconds(now, until))
    return Go(is_trial=True)


def _answers(away: Away, now: datetime, times: Times, asks_since: datetime | None) -> bool:
    """Whether it is so lately that the account would meet the same.

    To a probe, which may have been asked for by somebody who has just mended the server, only a
    login answers that began after it was due; then also where its session has rested since.
    """
    age = _seconds(away.at, now)
    if asks_since is None:
        return age <= times.spread
    is_later = away.asked_at is not None and away.asked_at >= asks_since
    return is_later and age <= RESTED * times.spread


def _is_shared(away: Away, server: ServerState, account_id: str, times: Times) -> bool:
    """Whether the account would meet what another one has: an outage, and nothing that the server,
    or the way to it, had against that one connection."""
    if away.is_block or away.repeats or is_block(away.met, server, account_id, times):
        return False
    return not _has_answered(server, times.well)


def is_silent_to_all(server: ServerState, account_id: str, took: float, times: Times) -> bool:
    """Whether a server that fell silent at the account's login does so at everybody's.

    It may be this one account's doing, whose home or directory service hangs, or its settings':
    TLS hangs for who asks for it, or over one client certificate. So another one must
    have met it shortly before the login began, which took so many seconds, or since; and the
    server must have answered nobody meanwhile.
    """
    seconds = took + times.well
    return _has_other(server.silent, account_id, server.now, seconds) and not _has_answered(
        server, seconds
    )


def is_told_enough(server: ServerState, times: Times) -> bool:
    """Whether a further silence is not shared any more, whoever finds it: some accounts that hang,
    however many, suspend none that does not."""
    told = [at for at in server.silences if _seconds(at, server.now) <= times.silence]
    return len(told) >= SHARED_SILENCES


def _has_answered(server: ServerState, seconds: float) -> bool:
    """Whether it has let somebody in, or refused a login, in the last so many seconds."""
    signs = [*server.well, *server.refused]
    return any(_seconds(each.at, server.now) <= seconds for each in signs)


def is_block(met: str, server: ServerState, account_id: str, times: Times) -> bool:
    """Whether the server shuts our address out, and not this account: others were let in there just
    now, or have just failed to log in."""
    if met not in {Met.HUNG_UP, Met.REFUSED}:
        return False
    well = times.block if met == Met.HUNG_UP else times.well
    now = server.now
    return _has_other(server.well, account_id, now, well) or _has_other(
        server.refused, account_id, now, times.block
    )


def is_block_of_a_test(met: str, server: ServerState, account_id: str, times: Times) -> bool:
    """The same for somebody's own test of settings, by which nothing is counted: refused logins
    tell a block, be they the account's own as well, and so does one that was found."""
    away = server.away
    if away is not None and away.is_block and _seconds(away.at, server.now) <= times.block:
        return True
    refused = replace(server, well=())
    return is_block(met, server, account_id, times) or is_block(met, refused, "", times)


def met_by(failure: TransferError) -> Met:
    """How the server did not let the account in."""
    if isinstance(failure, HungUp):
        return Met.HUNG_UP
    if isinstance(failure, Stalled) and not isinstance(failure, NoGreeting):
        return Met.SILENT
    is_refused = isinstance(failure.__cause__, ConnectionRefusedError)
    return Met.REFUSED if is_refused else Met.UNREACHED


def is_of_server(failure: BaseException) -> bool:
    """Whether a login that failed so tells anything of the server.

    What it met before it left this machine does not, and what nobody foresaw may not.
    """
    if not isinstance(failure, TransferError) or isinstance(failure, _BEFORE):
        return False
    cause = failure.__cause__
    is_ours = isinstance(cause, OSError) and cause.errno in _OURS
    return not (is_ours and isinstance(failure, ConnectFailed))


def _has_other(signs: Sequence[Sign], account_id: str, now: datetime, seconds: float) -> bool:
    return any(
        each.account_id != account_id and _seconds(each.at, now) <= seconds for each in signs
    )


def _last(signs: Sequence[Sign], account_id: str) -> datetime | None:
    return max((each.at for each in signs if each.account_id == account_id), default=None)


def _is_after(at: datetime | None, other: datetime | None) -> bool:
    return at is not None and (other is None or at > other)


def _seconds(since: datetime, until: datetime) -> float:
    return (until - since) / timedelta(seconds=1)
