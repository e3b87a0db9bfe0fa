"""The intake is killed at each step of its events' way into their account's queue."""

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.faults.conftest import Tell
from tests.faults.scene import Scene
from tests.servers.misbehaving import Mood

ARRIVALS = "consumers.ledger.arrivals:Arrivals"
CHANNEL = "consumers.amqp.confirms:ConfirmChannel"
STEPS = {
    "taken": (f"{ARRIVALS}.open", "before", 1),
    "opened": (f"{ARRIVALS}.open", "after", 1),
    "half of them published": (f"{CHANNEL}._send", "after", 2),
    "published": (f"{CHANNEL}.publish", "after", 1),
    "made due": ("consumers.ledger.accounts:AccountStates.arrived", "after", 1),
    "noted": (f"{ARRIVALS}.routed", "after", 1),
    "acknowledging": ("consumers.intake.intake:Intake._acknowledge", "before", 1),
    "acknowledged": ("consumers.intake.intake:Intake._acknowledge", "after", 1),
}


@pytest.mark.parametrize("step", STEPS)
def test_row_06_killed_at_this_step_of_the_intake_there_is_one_row_and_it_is_routed(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, step: str
) -> None:
    at, when, call = STEPS[step]
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ids = ground.publish("acme", 3)
    worker = ground.start(ground.point(at, when, call=call))
    worker.wait_end()
    ground.start()
    account_for(ground, mood, ids)
    tell(f"killed at {len(STEPS) + 1} steps of a batch: one row each, routed, delivered once")


def test_row_06_killed_again_at_the_second_publish_there_is_one_row_and_it_is_routed(
    ground: Scene, customer: AsyncSshServer, mood: Mood
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ids = ground.publish("acme", 3)
    ground.start(ground.point(f"{ARRIVALS}.open", "after")).wait_end()
    ground.start(ground.point(f"{ARRIVALS}.next_turn", "after", call=2)).wait_end()
    ground.start()
    account_for(ground, mood, ids)


def account_for(ground: Scene, mood: Mood, ids: list[str]) -> None:
    ground.wait_delivered()
    ground.account_for_all()
    rows = ground.rows()
    assert set(rows) == set(ids)
    assert all(row["routed_at"] for row in rows.values())
    assert sorted(mood.renamed) == ids
