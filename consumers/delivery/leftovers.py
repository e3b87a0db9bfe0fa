"""Removes temporary files that cut tries have left at the customer, of files not tried again."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from config.accounts import ExistingFile, FtpSettings
from config.errors import ConfigError
from consumers.delivery.connection_pool import PooledConnection
from consumers.delivery.context import Context
from consumers.delivery.deps import Deps
from consumers.delivery.login import remember_refusal
from consumers.faults import foreseen
from consumers.observe import ProgramFailed
from transports.base import Server
from transports.errors import TransferError
from transports.phases import Phase, ProgramFault, Progress
from transports.takeover import clear, removed

Cleaning = tuple[str, Callable[[Server], bool]]
"""A recording, and what removes all that its tries have left; False where something stays."""


def remove_leftovers(context: Context, settings: FtpSettings | None = None) -> None:
    """Remove them over a kept session or, with `settings`, over one that is opened for it.

    Those that cannot be removed now are tried again later; no failure is counted. A login that is
    refused is not asked for again by the account's files either. Raises pymongo's errors.
    """
    deps, account_id = context.deps, context.account_id
    todo = [*_removals(deps, account_id), *_clearings(deps, account_id, settings)]
    if not todo:
        return
    connection = PooledConnection(context.pool)
    try:
        with foreseen(Progress(Phase.LOOKING)):
            server = connection.open(settings) if settings else connection.open_idle()
            if server is None:
                return
            for recording_id, clean in todo:
                if clean(server):
                    deps.ledger.outcomes.cleaned(recording_id)
    except BaseException as failure:
        connection.discard()
        # With an unreadable password the next upload tells it.
        if not isinstance(failure, (TransferError, ConfigError)):
            raise
        remember_refusal(deps, account_id, context.epoch, failure)
        if isinstance(failure, ProgramFault) and failure.__cause__ is not None:
            deps.observe(ProgramFailed(failure.phase, failure.__cause__, account_id))
    else:
        connection.keep()


def _removals(deps: Deps, account_id: str) -> Iterator[Cleaning]:
    for recording_id, paths in deps.ledger.outcomes.leftovers(account_id):
        yield recording_id, partial(_remove_all, paths)


def _remove_all(paths: Sequence[str], server: Server) -> bool:
    stay = [path for path in paths if not removed(server, path)]
    return not stay


def _clearings(deps: Deps, account_id: str, settings: FtpSettings | None) -> Iterator[Cleaning]:
    """Of files whose last rename had no answer. What stands there has to be looked at first."""
    if settings is None:
        return
    overwrites = settings.existing_file is ExistingFile.OVERWRITE
    outcomes = deps.ledger.outcomes
    for recording_id, paths, intent in outcomes.unanswered(account_id):
        withdraw = partial(outcomes.withdraw, recording_id, intent)
        yield (
            recording_id,
            partial(clear, intent=intent, paths=paths, withdraw=withdraw, overwrites=overwrites),
        )
