"""Removes temporary files that cut tries have left at the customer, of files not tried again."""

from consumers.faults import foreseen
from consumers.login import Login
from consumers.means import Means
from consumers.observe import ProgramFailed
from transports.errors import Phase, ProgramFault, Progress, TransferError


def remove_leftovers(means: Means, login: Login, account_id: str) -> None:
    """Remove them over a kept session. Those that cannot be removed now are tried again later.

    Raises pymongo's errors.
    """
    leftovers = means.ledger.files.leftovers(account_id)
    try:
        with foreseen(Progress(Phase.LOOKING)):
            for recording_id, paths in leftovers:
                if not login.remove(paths):
                    return
                means.ledger.files.cleaned(recording_id)
    except TransferError as failure:
        if isinstance(failure, ProgramFault) and failure.__cause__ is not None:
            means.observe(ProgramFailed(failure.phase, failure.__cause__, account_id))
