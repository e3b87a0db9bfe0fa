"""The intake is killed at each step of an event's way into its account's queue."""

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.faults.conftest import Tell
from tests.faults.scene import Scene
from tests.integration.misbehaving import Mood

FILES = "consumers.ledger.deliveries:Deliveries"
STEPS = {
    "taken": (f"{FILES}.open", "before"),
    "opened": (f"{FILES}.open", "after"),
    "turned": (f"{FILES}.next_turn", "after"),
    "published": ("consumers.broker:Publisher.publish", "after"),
    "made due": ("consumers.ledger.accounts:AccountStates.arrived", "after"),
    "noted": (f"{FILES}.routed", "after"),
}


@pytest.mark.parametrize("step", STEPS)
def test_row_06_killed_at_this_step_of_the_intake_there_is_one_row_and_it_is_routed(
    ground: Scene, moody: AsyncSshServer, mood: Mood, tell: Tell, step: str
) -> None:
    ground.customer("acme", moody.customer, Protocol.SFTP)
    ids = ground.publish("acme", 3)
    worker = ground.start(ground.point(*STEPS[step], call=2))
    worker.wait_end()
    ground.start()
    ground.wait_delivered()
    ground.account_for_all()
    rows = ground.rows()
    assert set(rows) == set(ids)
    assert all(row["routed_at"] for row in rows.values())
    assert sorted(mood.renamed) == ids
    tell(f"killed at 6 steps ({', '.join(STEPS)}): one row each, routed, delivered once")
