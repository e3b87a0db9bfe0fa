"""Removes temporary files that cut tries have left at the customer, of files not tried again."""

from config.accounts import FtpSettings
from config.errors import ConfigError
from consumers.delivery.connection_pool import ConnectionPool
from consumers.delivery.deps import Deps
from consumers.delivery.pooled_connection import PooledConnection
from consumers.faults import foreseen
from consumers.observe import ProgramFailed
from transports.errors import Phase, ProgramFault, Progress, TransferError


def remove_leftovers(
    deps: Deps, pool: ConnectionPool, account_id: str, settings: FtpSettings | None = None
) -> None:
    """Remove them over a kept session or, with `settings`, over one that is opened for it.

    Those that cannot be removed now are tried again later; no failure is counted. Raises pymongo's
    errors.
    """
    leftovers = deps.ledger.outcomes.leftovers(account_id)
    try:
        with foreseen(Progress(Phase.LOOKING)):
            if leftovers and settings is not None:
                _log_in(pool, settings)
            for recording_id, paths in leftovers:
                if not pool.remove(paths):
                    return
                deps.ledger.outcomes.cleaned(recording_id)
    except TransferError as failure:
        if isinstance(failure, ProgramFault) and failure.__cause__ is not None:
            deps.observe(ProgramFailed(failure.phase, failure.__cause__, account_id))
    except ConfigError:  # an unreadable password: the next upload tells it
        return


def _log_in(pool: ConnectionPool, settings: FtpSettings) -> None:
    """Where no session is kept, as with a quiet account whose only file was cut."""
    connection = PooledConnection(pool)
    connection.open(settings)
    connection.keep()
