"""Grants and revokes the FTP permission, and wakes the accounts that it concerns."""

from worker.database import Core


def set_ftp_access(core: Core, account_id: str, *, granted: bool) -> None:
    """Grant or revoke "FTP Access". The caller has checked that it may.

    Raises UnknownAccount, and AccountError where the account above has none to pass on.
    """
    core.directory.set_ftp_access(account_id, granted=granted)
    wake_beneath(core, account_id)


def wake_beneath(core: Core, account_id: str) -> None:
    """Make the account and all beneath it due: their permission may have come back."""
    core.ledger.accounts.wake(account_id)
    for each in core.directory.descendants(account_id):
        core.ledger.accounts.wake(each.account_id)
