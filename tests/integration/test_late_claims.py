"""A claim that reaches the database once the account has passed on, or the ownership is over, keeps
no file waiting."""

import time
from datetime import datetime, timedelta

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from consumers.sharding.leases import Leases
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until


def claimed_late(courier: Platform) -> str:
    """A file that a session of the past has claimed, after the one behind it had looked for such
    claims, and had ended in order."""
    states = courier.core.ledger.accounts
    states.pause("acme")
    (late,) = courier.publish_many("acme", ["late.wav"])
    courier.wait_routed([late])
    account = courier.core.database["accounts"].find_one({"_id": "acme"})
    assert account is not None
    run = account["run"]
    claim = {
        "worker": "of-another-host-1",
        "session": "gone",
        "flight": "gone",
        "was": "queued",
        "files": 1,
        "alone": False,
    }
    claimed = {"status": "uploading", "claim": claim, "starts": 1, "epoch": run["epoch"]}
    courier.core.database["deliveries"].update_one({"_id": late}, {"$set": claimed})
    courier.core.database["accounts"].update_one(
        {"_id": "acme"}, {"$set": {"run.settled_in": run["epoch"]}}
    )
    states.resume("acme")
    return late


def test_it_is_freed_by_the_session_that_meets_its_message(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        (first,) = courier.publish_many("acme", ["first.wav"])
        courier.wait_status(first, "delivered")
        courier.wait_rest("acme")
        late = claimed_late(courier)
        row = courier.wait_status(late, "delivered")
    assert row["tries"] == 0
    assert [event["what"] for event in row["events"]].count("lost") == 1


class Late:
    """While `is_on`, claims reach the database when the ownership is over by its clock, as those of
    a process that is slow."""

    def __init__(self) -> None:
        self.is_on = False
        self.asked = 0

    def until(self, leases: Leases, account_id: str, epoch: int) -> datetime | None:
        until = _UNTIL(leases, account_id, epoch)
        if until is None or not self.is_on:
            return until
        self.asked += 1
        return until - timedelta(days=1)


_UNTIL = Leases.until


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Late:
    made = Late()

    def until_then(leases: Leases, account_id: str, epoch: int) -> datetime | None:
        return made.until(leases, account_id, epoch)

    monkeypatch.setattr(Leases, "until", until_then)
    return made


def _some_come_too_late(courier: Platform, late: Late) -> None:
    """The account's claims come too late for some time, in which its session could end."""
    late.is_on = True
    began, asked = time.monotonic(), late.asked
    until(
        lambda: (
            late.asked > asked + 3
            and (time.monotonic() > began + 3 or courier.run_state("acme").state is State.SUSPENDED)
        ),
        "claims to come too late",
    )
    time.sleep(2)
    late.is_on = False


def test_a_probe_that_was_claimed_too_late_is_claimed_anew_without_an_arrival(
    make_courier: MakeCourier, customer: AsyncSshServer, late: Late
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_seconds=3)
    courier.account("acme", customer.customer, Protocol.SFTP)
    customer.stop()
    with running(courier):
        ids = courier.publish_many("acme", [f"{number}.wav" for number in range(3)])
        courier.wait_state("acme", State.SUSPENDED)
        late.is_on = True
        courier.wait_state("acme", State.PROBING)
        customer.start()
        _some_come_too_late(courier, late)
        for name in ids:
            courier.wait_status(name, "delivered")


def test_an_outage_dead_letter_that_was_claimed_too_late_is_claimed_anew_without_an_arrival(
    make_courier: MakeCourier, customer: AsyncSshServer, late: Late
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_seconds=1)
    courier.account("acme", customer.customer, Protocol.SFTP)
    customer.stop()
    with running(courier):
        (only,) = courier.publish_many("acme", ["only.wav"])
        courier.wait_status(only, "dead_lettered")
        assert courier.run_state("acme").state is State.ACTIVE
        customer.start()
        _some_come_too_late(courier, late)
        courier.wait_status(only, "delivered")
