"""A limit of kilobytes a second holds for all uploads of an account together, at real servers."""

import time
from pathlib import Path

import pytest

from config.accounts import Protocol
from tests.integration.platform import MakeCourier, Platform, running
from tests.servers import Sshd, Vsftpd
from transports.base import Limits

KILOBYTES = 200
SIZE = 300_000


def deliver(courier: Platform, sizes: list[int]) -> float:
    """Seconds until all of them stand at the customer, from when they may go."""
    courier.core.ledger.accounts.pause("acme")
    ids = [
        courier.publish("acme", courier.recording(f"{number}.wav", bytes([number]) * size))
        for number, size in enumerate(sizes)
    ]
    courier.wait_routed(ids)
    began = time.monotonic()
    courier.core.ledger.accounts.resume("acme")
    for recording_id in ids:
        row = courier.wait_status(recording_id, "delivered")
        assert row["tries"] == 0
    return time.monotonic() - began


@pytest.mark.parametrize("count", [1, 4])
def test_over_sftp_no_more_goes_out_than_the_limit(
    make_courier: MakeCourier, sshd: Sshd, count: int
) -> None:
    """Of one file, and of several at once: together they are as slow."""
    courier = make_courier()
    courier.account("acme", sshd.customer, Protocol.SFTP, bandwidth=KILOBYTES)
    with running(courier):
        seconds = deliver(courier, [2 * SIZE // count] * count)
        courier.account_for("acme", sshd.root)
    assert seconds >= 0.9 * 2 * SIZE / (KILOBYTES * 1000) - 0.5


def test_over_ftp_no_more_goes_out_than_the_limit(
    make_courier: MakeCourier, vsftpd: Vsftpd
) -> None:
    courier = make_courier()
    courier.account("acme", vsftpd.customer, Protocol.FTP, path="", bandwidth=KILOBYTES)
    with running(courier):
        seconds = deliver(courier, [SIZE] * 2)
        courier.account_for("acme", vsftpd.root)
    assert seconds >= 0.9 * 2 * SIZE / (KILOBYTES * 1000) - 0.5


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_a_line_that_is_slow_by_its_limit_is_not_taken_for_a_stuck_one(
    make_courier: MakeCourier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    """The file takes several times as long as a session may be silent."""
    monkeypatch.setattr("worker.service.Limits", lambda: Limits(stall=2.0))
    server = Sshd(tmp_path / "s") if protocol is Protocol.SFTP else Vsftpd(tmp_path / "s")
    courier = make_courier()
    with server, running(courier):
        courier.account("acme", server.customer, protocol, path="", bandwidth=10)
        deliver(courier, [80_000])
        courier.account_for("acme", server.root)
