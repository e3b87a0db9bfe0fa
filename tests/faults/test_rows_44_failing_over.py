"""The primary of three MongoDB members fails while the bulk of a large flight is under way.

The bulk has reached the primary and nobody else when that steps down or dies: its answer never
comes, and what it has written is kept in one case, and lost in the other.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, SmtpSink
from deploy.local.mongodb import MongoDB
from deploy.local.services import Services
from tests.faults.aloft import CLAIM, DELIVERED, INTEND, amid, flier, flights_of, wait_aloft
from tests.faults.conftest import Tell
from tests.faults.scene import Scene, scene
from tests.integration.platform import platform, settings_for, until
from tests.integration.replica_set import directly, host_of, primary_of, three_members
from tests.servers.misbehaving import Mood

Document = dict[str, Any]
BULKS: dict[str, tuple[str, Callable[[Document], bool]]] = {
    "the claims": (CLAIM, lambda row: row["status"] == "uploading"),
    "the intents": (INTEND, lambda row: "intent" in row),
    "the deliveries": (DELIVERED, lambda row: row["status"] == "delivered"),
}
"""What writes it, and how the row of a file tells that it was written."""
LEASE_SECONDS = 60.0
"""It outlasts the election of another primary: the worker that has sent the bulk goes on."""
ELECTED = 120.0


@pytest.fixture
def members(tmp_path: Path) -> Iterator[list[MongoDB]]:
    """Of which each may be the primary."""
    with three_members(tmp_path / "members", electable=True) as members:
        yield members


@pytest.fixture
def ground(
    members: list[MongoDB],
    amqp_url: str,
    services: Services,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> Iterator[Scene]:
    hosts = ",".join(host_of(member) for member in members)
    settings = settings_for(
        amqp_url,
        f"mongodb://{hosts}/courier?replicaSet=courier",
        smtp_sink.url,
        retry_delays=(0.0, 0.2, 0.4, 0.8),
        suspend_seconds=2.0,
        lease_seconds=LEASE_SECONDS,
    )
    with ExitStack() as stack:
        place = stack.enter_context(platform(settings, tmp_path / "recordings"))
        yield stack.enter_context(scene(place, services, tmp_path))


def cases() -> list[object]:
    return [
        pytest.param(
            how,
            bulk,
            id=f"{how} in {bulk}",
            marks=() if (how, bulk) == ("killed", "the deliveries") else pytest.mark.slow,
        )
        for how in ("stepped down", "killed")
        for bulk in BULKS
    ]


@pytest.mark.parametrize(("how", "bulk"), cases())
def test_row_44_failing_over_in_that_bulk_nothing_is_lost_or_doubled(
    ground: Scene,
    members: list[MongoDB],
    customer: AsyncSshServer,
    mood: Mood,
    tell: Tell,
    how: str,
    bulk: str,
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    writes, tells = BULKS[bulk]
    worker = flier(ground, ground.point(writes, "before", frozen=True, about=amid()))
    ids = wait_aloft(ground, worker)
    worker.wait_frozen()
    primary = primary_of(members)
    assert primary is not None
    others = [member for member in members if member is not primary]
    with standing_still(others):
        worker.wake()
        until(lambda: tells(row_at(ground, primary)), "the bulk to be written by the primary")
        if how == "killed":
            primary.kill()
        else:
            step_down(primary)
    until(lambda: primary_of(members), "another primary", ELECTED)
    if how == "killed":
        primary.start()
    ground.wait_delivered(limit=ELECTED)
    until(lambda: ground.platform.run_state("acme").failures == 0, "the account to be well")
    rows = ground.rows()
    ground.account_for_all()
    assert {rows[name]["tries"] for name in ids} == {0}
    assert not [row for row in rows.values() if "lost" in row]
    assert sorted(mood.renamed) == sorted(ids)
    assert len(flights_of(ground, amid())[0].files) > 1
    tell(f"{how} in each bulk of a flight: none lost, none doubled, none sent again, tries 0")


@contextmanager
def standing_still(members: list[MongoDB]) -> Iterator[None]:
    """They follow nobody: what the primary is told reaches no majority."""
    for mode in ("alwaysOn", "off"):
        for member in members:
            with directly(host_of(member)) as client:
                client.admin.command("configureFailPoint", "stopReplProducer", mode=mode)
        if mode == "alwaysOn":
            yield


def row_at(ground: Scene, primary: MongoDB) -> Document:
    """Of the file amid the flight, be it durable or not."""
    with directly(host_of(primary)) as client:
        rows = client[ground.platform.core.database.name]["deliveries"]
        row = rows.find_one({"_id": amid()})
    assert row is not None
    return row


def step_down(primary: MongoDB) -> None:
    with directly(host_of(primary)) as client:
        client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=0, force=True)
