"""A worker is frozen for three lease times and woken when another one has its accounts."""

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.faults.accounting import files_below
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import LEASE, wait
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

CLAIM = "consumers.ledger.claims:Claims.claim"
INTEND = "consumers.ledger.remote_paths:RemotePaths.intend_flight"
DELIVERED = "consumers.ledger.outcomes:Outcomes.delivered"
RENAMES = {
    Protocol.SFTP: "transports.sftp.server:SftpServer._ask_to_rename",
    Protocol.FTP: "transports.ftp.server:FtpServer.rename",
}
"""What follows the permission to rename."""
POINTS = {
    "at a claim": (CLAIM, "before", 2),
    "in the upload": ("transports.sources.source:FileSource._next_block", "before", 5),
    "before the intent": (INTEND, "before", 1),
    "before the ledger": (DELIVERED, "before", 1),
}


@pytest.mark.parametrize(
    "moment",
    [
        "at a claim",
        pytest.param("in the upload", marks=pytest.mark.slow),
        pytest.param("before the intent", marks=pytest.mark.slow),
        "before the ledger",
    ],
)
def test_row_07_frozen_there_and_woken_it_changes_nothing_but_its_own_part(
    make_scene: MakeScene, customer: AsyncSshServer, mood: Mood, tell: Tell, moment: str
) -> None:
    ground = make_scene()
    ground.customer("acme", customer.customer, Protocol.SFTP)
    at, when, call = POINTS[moment]
    frozen = ground.start(ground.point(at, when, call=call, frozen=True))
    first = ground.wait_owned("acme")
    ground.publish("acme", 4, size=1_500_000)
    frozen.wait_frozen()
    mood.seconds_a_write = 0.5  # the other one is still at work when the frozen one wakes
    ground.start()
    ground.wait_owned("acme", not_by=first)
    wait(3 * LEASE)
    mood.seconds_a_write = 0.1
    frozen.wake()
    ground.publish("acme")
    ground.wait_delivered()
    ground.wait_clean()
    ground.account_for_all()
    assert len(ground.history.owners["acme"]) == 2
    assert ground.platform.run_state("acme").failures == 0
    assert [row["tries"] for row in ground.rows().values()] == [0] * 5
    assert len(mood.renamed) == len({*mood.renamed}) == 5
    tell(
        "frozen at claim, upload, intent, rename, ledger: every file once, no .part left,"
        " epochs never fell in the log"
    )


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_row_07_frozen_between_permission_and_rename_it_renames_nothing_any_more(
    make_scene: MakeScene,
    customer: AsyncSshServer,
    pyftpd_server: PyFtpServer,
    protocol: Protocol,
) -> None:
    ground = make_scene()
    server = customer.customer if protocol is Protocol.SFTP else pyftpd_server.customer
    ground.customer("acme", server, protocol)
    frozen = ground.start(ground.point(RENAMES[protocol], "before", frozen=True))
    first = ground.wait_owned("acme")
    (recording,) = ground.publish("acme")
    frozen.wait_frozen()
    ground.start()
    ground.wait_owned("acme", not_by=first)
    wait(3 * LEASE)
    ground.wait_delivered()
    before = ground.platform.row(recording)
    frozen.wake()
    wait(2)
    assert ground.platform.row(recording) == before
    assert len(files_below(server.root)) == 1
    until(lambda: ground.platform.run_state("acme").failures == 0, "no failure")
    ground.account_for_all()


def test_row_07_frozen_at_a_claim_it_claims_only_with_a_lease_that_is_not_over(
    make_scene: MakeScene, customer: AsyncSshServer
) -> None:
    ground = make_scene()
    ground.customer("acme", customer.customer, Protocol.SFTP)
    frozen = ground.start(ground.point(CLAIM, "before", frozen=True))
    ground.publish("acme", 3)
    frozen.wait_frozen()
    wait(3 * LEASE)
    frozen.wake()
    ground.wait_delivered()
    ground.account_for_all()
