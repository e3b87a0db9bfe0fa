"""A suspension by the ledger's own transition."""

from config.accounts import Account
from consumers.ledger import Document, LastError, SuspensionAlert
from tests.integration.platform import Platform, until

ERROR = LastError("account", "421 Bye", "Check the server.")


def run_of(courier: Platform) -> Document:
    found = courier.core.database["accounts"].find_one({"_id": "acme"})
    assert found is not None
    run: Document = found["run"]
    return run


def suspend(courier: Platform, seconds: float = 900, account: Account | None = None) -> None:
    """`account`: as a session has read it some time ago.

    Where workers run, one may take the account up between the look and the transition.
    """
    accounts = courier.core.ledger.accounts
    blame = SuspensionAlert(
        account or courier.core.directory.get("acme"), ERROR, queued=2, oldest=None
    )

    def is_suspended() -> bool:
        epoch, seen = run_of(courier)["epoch"], accounts.read("acme")
        return accounts.suspend("acme", epoch, seen, failures=2, seconds=seconds, alert=blame)

    until(is_suspended, "the account to be suspended")
