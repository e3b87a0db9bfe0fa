"""The database goes away, changes its mind, and fails each write in turn."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from deploy.local.services import Services
from tests.faults.conftest import Tell
from tests.faults.scene import Scene, wait
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

FAILURES: dict[str, dict[str, Any]] = {
    "refused": {"errorCode": 8},
    "done but not durable": {"writeConcernError": {"code": 64, "errmsg": "waiting timed out"}},
    "connection closed": {"closeConnection": True},
}
MOST_WRITES = 15


@pytest.fixture
def admin(services: Services) -> Iterator[Any]:
    with MongoClient[dict[str, Any]](services.mongodb_url) as client:
        yield client.admin
        client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_row_25_the_database_goes_away_and_everything_arrives_once_it_is_back(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, how: str
) -> None:
    mood.seconds_a_write = 0.05
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ground.start()
    ground.publish("acme", 20)
    until(lambda: len(mood.renamed) >= 3, "some to be delivered")
    database = ground.services.mongodb
    database.stop() if how == "stop" else database.kill()
    ground.publish("acme", 3)
    wait(2)
    database.start()
    ground.publish("acme", 3)
    ground.wait_delivered()
    ground.account_for_all()
    assert len(mood.renamed) == len({*mood.renamed}) == 26
    tell("stopped and killed under load: 26 files, each delivered once")


def test_row_25_the_primary_steps_down_and_everything_arrives(
    ground: Scene, customer: AsyncSshServer, mood: Mood, admin: Any, tell: Tell
) -> None:
    mood.seconds_a_write = 0.05
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ground.start()
    ground.publish("acme", 20)
    until(lambda: len(mood.renamed) >= 3, "some to be delivered")
    admin.command("replSetStepDown", 3, force=True)
    ground.wait_delivered()
    ground.account_for_all()
    assert len(mood.renamed) == len({*mood.renamed}) == 20
    tell("stepped down for 3 s: resumed by itself")


@pytest.mark.parametrize("failure", FAILURES)
def test_row_25_each_write_fails_in_turn_and_nothing_is_acknowledged_before_it_is_durable(
    ground: Scene, customer: AsyncSshServer, mood: Mood, admin: Any, tell: Tell, failure: str
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ground.start()
    ground.publish("acme")
    ground.wait_delivered()
    name = ground.platform.core.database.name
    for collection in ("deliveries", "accounts"):
        for skip in range(MOST_WRITES):
            if not fails_one(ground, admin, f"{name}.{collection}", skip, FAILURES[failure]):
                break
        assert skip >= 1
    ground.account_for_all()
    assert len(mood.renamed) == len({*mood.renamed})
    tell("each write of a delivery refused, done without being durable, or cut: all delivered once")


def fails_one(
    ground: Scene, admin: Any, namespace: str, skip: int, failure: dict[str, Any]
) -> bool:
    """Deliver a file whose writes fail for a moment, from the one after `skip` others on.

    False where the file was delivered without coming to that write.
    """
    data = {
        "failCommands": ["update", "findAndModify", "insert", "delete"],
        "appName": "courier",
        "namespace": namespace,
        **failure,
    }
    mode = {"skip": skip} if skip else "alwaysOn"
    before: int = admin.command("configureFailPoint", "failCommand", mode=mode, data=data)["count"]
    (recording,) = ground.publish("acme")

    def struck() -> bool:
        state = admin.command("getParameter", 1, **{"failpoint.failCommand": 1})
        return int(state["failpoint.failCommand"]["timesEntered"]) > before

    def done() -> bool:
        status: str | None = ground.platform.row(recording).get("status")
        return status == "delivered"

    until(lambda: struck() or done(), f"a write of {recording} to fail")
    came_to_it = struck()
    admin.command("configureFailPoint", "failCommand", mode="off")
    ground.wait_delivered(recording)
    return came_to_it
