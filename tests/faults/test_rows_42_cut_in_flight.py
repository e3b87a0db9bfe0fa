"""The connection breaks under a large flight: in its openings, data, looks, renames."""

import socket

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.contract.proxy import Proxy
from tests.faults.aloft import QUEUES, flier, sizes, wait_aloft
from tests.faults.conftest import Tell
from tests.faults.scene import Scene
from tests.integration.platform import until
from tests.servers import Vsftpd
from tests.servers.misbehaving import Moment, Mood

AMID = 6
"""Beyond what the first file's flight comes to: in the middle of the large one, or of the next."""
REPLIES = {
    "in the openings": b"150 ",
    "in the data": b"229 ",
    "at the ends of files": b"226 ",
    "in the looks": b"213 ",
    "in the renames": b"250 Rename",
}


class CutAt(Proxy):
    """Has all connections break instead of passing this reply on for the so manieth time."""

    def __init__(self, customer: CustomerServer, reply: bytes, number: int) -> None:
        super().__init__(customer)
        self._reply = reply
        self.left = number

    def _say(self, client: socket.socket, data: bytes) -> None:
        before, self.left = self.left, self.left - data.count(self._reply)
        if before > 0 >= self.left:
            self.reset()
        super()._say(client, data)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["opened", "written", "uploaded", "looked", "renamed"])
def test_row_42_cut_there_over_sftp_it_is_one_failure_and_a_try_of_each_file_begun(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, moment: Moment
) -> None:
    with Proxy(customer.customer) as proxy:
        ground.customer("acme", customer.customer, Protocol.SFTP, port=proxy.port)
        mood.at(moment, 2 * AMID, proxy.reset)
        all_arrives(ground)
        assert moment not in mood.when, "it was cut"
    assert sorted(mood.renamed) == sorted(ground.published)
    tell("SFTP: cut at 5 points of a flight of 16: one failure, at most one try, each file once")


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(moment, marks=() if moment == "in the renames" else pytest.mark.slow)
        for moment in REPLIES
    ],
)
def test_row_42_cut_there_over_ftp_it_is_one_failure_and_a_try_of_each_file_begun(
    ground: Scene, vsftpd: Vsftpd, tell: Tell, moment: str
) -> None:
    with CutAt(vsftpd.customer, REPLIES[moment], AMID) as proxy:
        ground.customer("acme", vsftpd.customer, Protocol.FTP, port=proxy.port, capabilities=QUEUES)
        all_arrives(ground)
        assert proxy.left <= 0, "it was cut"
    tell("FTP: cut at 5 points of a flight of 16: one failure, at most one try, each file once")


def all_arrives(ground: Scene) -> None:
    worker = flier(ground)
    ids = wait_aloft(ground, worker)
    ground.wait_delivered()
    until(lambda: ground.platform.run_state("acme").failures == 0, "the account to be well")
    rows = ground.rows()
    ground.account_for_all()
    tries = {rows[name]["tries"] for name in ids}
    assert tries <= {0, 1}, "a try at most of each"
    assert max(ground.history.failures.get("acme", [0])) <= 1, "one failure, however many it cut"
    assert max(sizes(ground)) == 16
