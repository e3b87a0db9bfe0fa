"""A large recording over a line that is cut again and again is one try, and no failure."""

import os
from pathlib import Path

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.contract.cut_line import Serving, Truncating, in_process, when_stored
from tests.contract.proxy import Proxy
from tests.integration.platform import MakeCourier, running
from tests.servers import FtpSrv, Sshd, Vsftpd

SIZE = 40_000_000
CUT_EACH = 13_000_000


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_a_large_recording_arrives_in_one_try_over_a_line_that_is_cut(
    make_courier: MakeCourier, sshd: Sshd, vsftpd: Vsftpd, protocol: Protocol
) -> None:
    server = sshd if protocol is Protocol.SFTP else vsftpd
    courier, cuts = make_courier(), list[int]()

    def again() -> int:
        cuts.append(when_stored(server.root, (cuts[-1] if cuts else 0) + CUT_EACH // 2))
        return CUT_EACH

    with Proxy(server.customer, cut_after=CUT_EACH, again=again) as proxy, running(courier):
        found = {"resumes": True}
        courier.account("acme", server.customer, protocol, port=proxy.port, capabilities=found)
        recording = courier.recording("call.wav", os.urandom(SIZE))
        row = courier.wait_status(courier.publish("acme", recording), "delivered")
        courier.account_for("acme", server.root)
    assert len(cuts) > 2
    assert (row["tries"], row["starts"], row["last_error"]) == (0, 1, None)
    assert (row["size"], row["verified"]) == (SIZE, "size")
    assert courier.run_state("acme").failures == 0


@pytest.mark.parametrize(
    ("serving", "protocol"),
    [(in_process(AsyncSshServer, sftp=Truncating), Protocol.SFTP), (FtpSrv, Protocol.FTP)],
)
def test_where_no_test_has_found_that_the_server_goes_on_a_further_try_sends_the_whole(
    make_courier: MakeCourier, tmp_path: Path, serving: Serving, protocol: Protocol
) -> None:
    """These begin anew at every write, and would have zeros at the front: of the right size."""
    courier, content = make_courier(retry_delays=(0.0, 0.2)), os.urandom(SIZE)
    with serving(tmp_path / "server") as server:
        customer = server.customer
        with Proxy(customer, cut_after=CUT_EACH, again=lambda: SIZE * 4) as proxy, running(courier):
            courier.account("acme", customer, protocol, port=proxy.port)
            id_ = courier.publish("acme", courier.recording("call.wav", content))
            row = courier.wait_status(id_, "delivered")
        assert (customer.root / "call.wav").read_bytes() == content
    assert (row["tries"], row["size"]) == (1, SIZE)
