"""What cut tries have left of a file that is not tried again goes, though its account is quiet."""

from pathlib import Path

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until


def left_behind(courier: Platform, root: Path) -> Path:
    """The half file of a recording that was given up: its account has no other one."""
    courier.core.ledger.accounts.pause("acme")
    (given_up,) = courier.publish_many("acme", ["given-up.wav"])
    courier.wait_routed([given_up])
    left = {"status": "discarded", "parts": [{"start": 1, "folder": "in"}]}
    courier.core.database["deliveries"].update_one({"_id": given_up}, {"$set": left})
    ((_, (path,)),) = courier.core.ledger.outcomes.leftovers("acme")
    part = root / path
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"half")
    return part


def is_due(courier: Platform) -> bool:
    account = courier.core.database["accounts"].find_one({"_id": "acme"})
    assert account is not None
    return account["run"]["next_due"] is not None


def test_they_are_removed_over_a_login_of_their_own(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP, path="in")
    with running(courier):
        part = left_behind(courier, customer.root)
        courier.core.ledger.accounts.resume("acme")
        until(lambda: not part.exists(), "the half file to be removed")
        until(lambda: not courier.core.ledger.outcomes.leftovers("acme"), "that to be written down")


def test_a_server_that_is_away_meanwhile_is_no_failure_of_the_account(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP, path="in")
    with running(courier):
        part = left_behind(courier, customer.root)
        customer.stop()
        courier.core.ledger.accounts.resume("acme")
        until(lambda: not is_due(courier), "the session to end")
        run = courier.run_state("acme")
    assert part.exists()
    assert (run.failures, run.last_error) == (0, None)
