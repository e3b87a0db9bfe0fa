"""Logs an account in at its server, through the process's login gate."""

from datetime import datetime
from typing import NamedTuple

from config.accounts import FtpSettings, Protocol
from config.credentials import Credentials
from config.errors import PasswordAsked
from consumers.delivery.deps import Deps
from consumers.delivery.login_errors import KnownRefusal, NotAsked
from consumers.faults import foreseen
from consumers.ledger import LastError
from consumers.observe import LoggedIn, LoginResult
from transports import backends
from transports.base import Server
from transports.errors import Interrupted, LoginRefused, TransferError
from transports.phases import Phase, Progress


class Known(NamedTuple):
    """What the account's state tells of a login."""

    refusal: LastError | None = None
    """What it would meet, as one has of late: it is not asked for."""
    asks_since: datetime | None = None
    """Since when a probe asks for it."""


def log_in(
    deps: Deps,
    account_id: str,
    settings: FtpSettings,
    known: Known,
) -> Server:
    """A session at the server; where it is known to refuse it, it is not asked.

    Raises TransferError, and ConfigError for an unreadable password.
    """
    if known.refusal is not None:
        raise KnownRefusal(known.refusal)
    credentials = _credentials(deps, account_id, settings)
    try:
        with foreseen(Progress(Phase.CONNECTING)):
            server = deps.logins.log_in(
                settings,
                account_id,
                lambda: _connected(deps, account_id, settings, credentials),
                known.asks_since,
            )
    except TransferError as error:
        deps.taps.of(account_id).step("failed", error.words)
        if not isinstance(error, NotAsked):
            result: LoginResult = "refused" if isinstance(error, LoginRefused) else "failed"
            deps.observe(LoggedIn(account_id, result))
        raise
    deps.observe(LoggedIn(account_id, "accepted"))
    return server


def remember_refusal(deps: Deps, account_id: str, epoch: int, failure: BaseException) -> None:
    """Where a login was refused that no file is to fail by: the server is not asked for another
    one until the next probe. Raises pymongo's errors."""
    if isinstance(failure, LoginRefused) and not isinstance(failure, NotAsked):
        error, seconds = LastError.of(failure), deps.rules.suspend_seconds
        deps.ledger.accounts.login_refused(account_id, epoch, error, seconds)


def log_in_beside(deps: Deps, settings: FtpSettings | None, origin: Server) -> Server:
    """One more session beside this one: with FTP that is a login. Raises TransferError."""
    if settings is None or settings.protocol is Protocol.SFTP:
        return origin.another()
    return deps.logins.log_in_beside(settings, origin.another)


def _connected(
    deps: Deps, account_id: str, settings: FtpSettings, credentials: Credentials
) -> Server:
    password, key, client_key = credentials
    tap = deps.taps.of(account_id)
    return backends.connect(
        settings,
        password,
        deps.limits,
        deps.egress,
        key=key,
        client_key=client_key,
        again=lambda: deps.logins.again(settings, account_id),
        on_step=tap.step,
        tap=tap,
    )


def _credentials(deps: Deps, account_id: str, settings: FtpSettings) -> Credentials:
    """Those that belong to these settings: others may have been saved since they were read."""
    try:
        return deps.directory.credentials_for(account_id, settings)
    except PasswordAsked:
        raise Interrupted("The FTP settings were changed meanwhile") from None
