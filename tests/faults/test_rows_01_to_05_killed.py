"""A worker is killed with -9 at a named point of a file's way; another one goes on."""

import time
from pathlib import Path

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.faults.accounting import files_below
from tests.faults.conftest import Tell
from tests.faults.scene import LEASE, Scene
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

BLOCK = "transports.sources.source:FileSource._next_block"
PUT = "transports.sftp.server:SftpServer.put_all"
RENAMED = {
    Protocol.SFTP: "transports.sftp.server:SftpServer.rename_all",
    Protocol.FTP: "transports.ftp.server:FtpServer.rename_all",
}
DELIVERED = "consumers.ledger.outcomes:Outcomes.delivered"
BURIED = "consumers.delivery.dead_letters:DeadLetters.bury"
MEGABYTES = 2_000_000


@pytest.mark.parametrize("apart", [False, True], ids=["same machine", "another machine"])
def test_row_01_killed_before_the_upload_another_takes_over_within_the_lease(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, *, apart: bool
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    point = ground.point(PUT, "before")
    pair = [ground.start(point, apart=apart) for _ in range(2)]
    first = ground.wait_owned("acme")
    (recording,) = ground.publish("acme")
    until(lambda: any(each.exit_code for each in pair), "one of the two to be killed")
    died = time.monotonic()
    ground.wait_delivered(recording)
    took = time.monotonic() - died
    usual = seconds_for(ground)
    row = ground.platform.row(recording)
    ground.account_for_all()
    assert first
    assert row["tries"] == 0
    assert row["starts"] == 2
    assert len(mood.uploads) == 2
    assert took < LEASE + 3 + 3 * usual
    tell(f"taken over after {took:.1f} s with a lease of {LEASE:g} s")


def seconds_for(ground: Scene) -> float:
    """How long a recording takes when nothing is amiss, on this machine at this time."""
    began = time.monotonic()
    ground.wait_delivered(*ground.publish("acme"))
    return time.monotonic() - began


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_row_02_killed_during_the_upload_its_leftover_is_removed_and_no_try_is_counted(
    ground: Scene,
    customer: AsyncSshServer,
    pyftpd_server: PyFtpServer,
    tell: Tell,
    protocol: Protocol,
) -> None:
    server = customer.customer if protocol is Protocol.SFTP else pyftpd_server.customer
    ground.customer("acme", server, protocol)
    worker = ground.start(ground.point(BLOCK, "before", call=5))
    (recording,) = ground.publish("acme", size=MEGABYTES)
    worker.wait_end()
    assert [path.suffix for path in files_below(server.root)] == [".part"]
    ground.start()
    ground.wait_delivered(recording)
    row = ground.platform.row(recording)
    ground.account_for_all()
    assert (row["tries"], row["starts"]) == (0, 2)
    tell("the .part of the killed start was removed, tries 0")


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_row_03_killed_after_the_rename_is_not_sent_again(
    ground: Scene,
    customer: AsyncSshServer,
    mood: Mood,
    pyftpd_server: PyFtpServer,
    tell: Tell,
    protocol: Protocol,
) -> None:
    server: CustomerServer = (
        customer.customer if protocol is Protocol.SFTP else pyftpd_server.customer
    )
    ground.customer("acme", server, protocol)
    worker = ground.start(ground.point(RENAMED[protocol], "after"))
    (recording,) = ground.publish("acme")
    worker.wait_end()
    (place,) = files_below(server.root)
    before = written(place)
    ground.start()
    ground.wait_delivered(recording)
    ground.account_for_all()
    assert written(place) == before, "it was written again"
    assert ground.platform.row(recording)["tries"] == 0
    assert len(mood.uploads) == (protocol is Protocol.SFTP)
    tell("recognised by its intent, nothing sent again")


def written(path: Path) -> tuple[int, int]:
    """Tells one writing of a file from another."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def test_row_04_killed_after_the_ledger_is_acknowledged_only(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = ground.start(ground.point(DELIVERED, "after"))
    (recording,) = ground.publish("acme")
    worker.wait_end()
    before = ground.platform.row(recording)
    assert before["status"] == "delivered"
    until(lambda: ground.platform.queue_length("deliveries.acme") == 1, "the message to return")
    ground.start()
    ground.platform.wait_length("deliveries.acme", 0)
    ground.account_for_all()
    assert ground.platform.row(recording) == before
    assert mood.renamed == [recording]
    tell("the message came again and was acknowledged; the row did not change")


def test_row_05_killed_after_the_dead_letters_confirm_there_is_one_in_the_ledger(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = ground.start(ground.point(BURIED, "after"))
    (recording,) = ground.publish("acme")
    mood.refused_names.add(recording)
    worker.wait_end()
    assert ground.platform.queue_length("dead-letters.acme") == 1
    assert ground.platform.row(recording)["status"] == "uploading"
    ground.start()
    row = ground.platform.wait_status(recording, "dead_lettered")
    ground.account_for_all()
    assert row["tries"] == 5
    dead = [each for each in ground.rows().values() if each["status"] == "dead_lettered"]
    assert len(dead) == 1
    (again,) = ground.publish("acme")
    ground.wait_delivered(again)
    tell("one dead letter in the ledger, five tries; the copies in its queue carry its turn")
