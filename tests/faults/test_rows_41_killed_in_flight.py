"""A worker is killed with -9 while a large flight is on its way, at each of its writes."""

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.faults.aloft import (
    CLAIM,
    DELIVERED,
    INTEND,
    QUEUES,
    amid,
    assert_halved,
    flier,
    flights_of,
    sizes,
    wait_aloft,
)
from tests.faults.conftest import Tell
from tests.faults.launcher import Point
from tests.faults.scene import Scene
from tests.integration.platform import until
from tests.servers import Vsftpd
from tests.servers.misbehaving import Mood

BLOCK = "transports.sources.source:FileSource._next_block"
SETTLED = "consumers.delivery.messages:Messages.acknowledge"
POINTS = {
    "before the claim": (CLAIM, "before"),
    "after the claim": (CLAIM, "after"),
    "in the middle of sending": (BLOCK, "before"),
    "before the intents": (INTEND, "before"),
    "after the intents": (INTEND, "after"),
    "after the renames": (DELIVERED, "before"),
    "after the ledger": (DELIVERED, "after"),
    "after the acknowledgement": (SETTLED, "after"),
}
ALWAYS = (Protocol.SFTP, "after the intents")
"""Tried in each run of the whole suite."""
UNCLAIMED = {"before the claim", "after the ledger", "after the acknowledgement"}
"""When the flight has no claim that could be lost."""
DEATHS = 9
"""16 files, 8, 4, 2, then the one alone five times."""


def cases() -> list[object]:
    return [
        pytest.param(
            protocol,
            moment,
            id=f"{protocol.value} {moment}",
            marks=() if (protocol, moment) == ALWAYS else pytest.mark.slow,
        )
        for protocol in (Protocol.SFTP, Protocol.FTP)
        for moment in POINTS
    ]


@pytest.mark.parametrize(("protocol", "moment"), cases())
def test_row_41_killed_there_each_file_of_the_flight_stands_there_once_and_no_try_is_counted(
    ground: Scene,
    customer: AsyncSshServer,
    vsftpd: Vsftpd,
    tell: Tell,
    protocol: Protocol,
    moment: str,
) -> None:
    if protocol is Protocol.SFTP:
        ground.customer("acme", customer.customer, protocol)
    else:
        ground.customer("acme", vsftpd.customer, protocol, capabilities=QUEUES)
    at, when = POINTS[moment]
    worker = flier(ground, ground.point(at, when, about=amid()))
    ids = wait_aloft(ground, worker)
    worker.wait_end()
    lost = goes_on(ground, ids)
    if moment not in UNCLAIMED:
        (large, *_) = flights_of(ground, amid())
        assert len(large.files) == 16
        assert [16, 8] in lost
    tell("killed at 8 points of a flight of 16, SFTP and FTP: each file once, tries 0, halved")


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 9])
def test_row_41_killed_while_the_server_renames_the_pack(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, number: int
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = flier(ground)
    mood.at("renamed", 1 + number, worker.kill)
    ids = wait_aloft(ground, worker)
    until(lambda: worker.exit_code is not None or worker.child.pid is None, "it to be killed")
    goes_on(ground, ids)
    assert sorted(mood.renamed) == sorted(ids)
    tell("killed between the renames of a pack: none renamed twice")


@pytest.mark.slow
def test_row_41_killed_between_two_renames_of_a_server_that_takes_them_singly(
    ground: Scene, pyftpd_server: PyFtpServer, tell: Tell
) -> None:
    ground.customer("acme", pyftpd_server.customer, Protocol.FTP)
    point = ground.point("transports.ftp.server:FtpServer.rename", "before", about=amid())
    worker = flier(ground, point)
    ids = wait_aloft(ground, worker)
    worker.wait_end()
    lost = goes_on(ground, ids)
    assert any(flights[0] > 1 for flights in lost)
    tell("killed between the renames of a pack: none renamed twice")


@pytest.mark.slow
def test_row_41_a_file_that_kills_is_found_by_halving_and_the_others_of_its_flight_arrive(
    ground: Scene, customer: AsyncSshServer, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = flier(ground, kills(ground))
    ids = wait_aloft(ground, worker)
    worker.wait_end()
    deaths = 1
    while not is_dead(ground):
        worker = flier(ground, kills(ground))
        worker.start()
        until(lambda w=worker: w.exit_code is not None or is_dead(ground), "it to be killed")  # type: ignore[misc]
        deaths += worker.exit_code is not None
    ground.wait_delivered(*[name for name in ids if name != amid()])
    ground.wait_clean()
    ground.account_for_all()
    row = ground.platform.row(amid())
    assert (row["reason"], row["tries"]) == ("crash-loop", 0)
    assert [len(flown.files) for flown in flights_of(ground, amid())] == [16, 8, 4, 2] + [1] * 5
    assert deaths == DEATHS
    assert_halved(ground, ids)
    tell(f"one that kills: alone after flights of 16, 8, 4, 2, dead letter after {deaths} deaths")


def kills(ground: Scene) -> Point:
    return ground.point(BLOCK, "before", about=amid())


def is_dead(ground: Scene) -> bool:
    return bool(ground.platform.row(amid())["status"] == "dead_lettered")


def goes_on(ground: Scene, ids: list[str]) -> list[list[int]]:
    """Another worker does, to the end: all is counted. The flights of each file that was lost."""
    flier(ground).start()
    ground.wait_delivered()
    rows = ground.rows()
    ground.account_for_all()
    assert {rows[name]["tries"] for name in ids} == {0}
    assert ground.platform.run_state("acme").failures == 0
    assert not [row for row in rows.values() if "lost" in row]
    assert max(sizes(ground)) > 1
    return assert_halved(ground, ids)
