"""A suspension by the ledger's own transition."""

from consumers.ledger import Document, LastError, SuspensionAlert
from tests.integration.platform import Platform

ERROR = LastError("account", "421 Bye", "Check the server.")


def run_of(courier: Platform) -> Document:
    found = courier.core.database["accounts"].find_one({"_id": "acme"})
    assert found is not None
    run: Document = found["run"]
    return run


def suspend(courier: Platform, seconds: float = 900) -> None:
    accounts = courier.core.ledger.accounts
    account = courier.core.directory.get("acme")
    epoch = run_of(courier)["epoch"]
    seen = accounts.read("acme")
    blame = SuspensionAlert(account, ERROR, queued=2, oldest=None)
    assert accounts.suspend("acme", epoch, seen, failures=2, seconds=seconds, alert=blame)
