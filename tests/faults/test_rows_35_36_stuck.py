"""Nothing is stuck for ever: not by an error that nobody foresaw, not by a file that only fails."""

import json
import re
from pathlib import Path

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import Scene, Worker
from tests.integration.platform import until
from tests.servers.poison import SFTP_WAYS, FtpWay, SftpWay, poisoned
from transports.names import part_name

POISON = "acme-00001.wav"
TEMPORARY = part_name(POISON, 1).rpartition("-")[0]
PHASES = {
    "opening": ("transports.sources.source:FileSource.__init__", POISON),
    "reading": ("transports.sources.source:FileSource._next_block", POISON),
    "writing": ("transports.sftp.server:SftpServer.put_all", TEMPORARY),
    "renaming": ("transports.sftp.server:SftpServer.rename_all", POISON),
}
"""Where the worker meets the error, and in what it is about the poison alone."""


def faults_in(worker: Worker) -> list[dict[str, str]]:
    lines = map(json.loads, re.findall(r"^{.*}$", worker.child.log.read_text(), re.MULTILINE))
    return [line for line in lines if line["event"] == "program_failed"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("error", ["OverflowError", "MemoryError", "SystemExit"])
def test_row_35_an_unforeseen_error_is_a_try_and_its_file_dies_alone(
    ground: Scene, customer: AsyncSshServer, tell: Tell, phase: str, error: str
) -> None:
    at, about = PHASES[phase]
    ground.customer("acme", customer.customer, Protocol.SFTP, uploads=1)  # in flights of one
    worker = ground.start(ground.error(at, error, about=about))
    poison, *others = ground.publish("acme", 6)
    assert poison == POISON
    row = ground.platform.wait_status(poison, "dead_lettered")
    ground.wait_delivered(*others)
    ground.account_for_all()
    assert row["tries"] == 5
    assert f"A fault of the program at {phase}" in row["last_error"]["words"]
    told = [(line["where"], line["recording_id"]) for line in faults_in(worker)]
    assert told == [(phase, poison)] * 5
    assert ground.platform.run_state("acme").state == "active"
    tell("in opening, reading, writing, renaming: five tries, a dead letter, the others delivered")


@pytest.mark.parametrize("error", ["OverflowError", "MemoryError", "SystemExit"])
def test_row_35_an_unforeseen_error_at_the_login_counts_and_spins_not(
    make_scene: MakeScene, customer: AsyncSshServer, tell: Tell, error: str
) -> None:
    ground = make_scene(suspend_after=3)
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = ground.start(
        ground.error("consumers.delivery.connection_pool:ConnectionPool.connect", error, calls=4)
    )
    ground.publish("acme", 4)
    run = ground.platform.wait_state("acme", "suspended")
    assert run.last_error is not None
    assert "A fault of the program at connecting" in run.last_error.words
    ground.wait_delivered()
    ground.account_for_all()
    assert len(faults_in(worker)) == 4
    tell("at the login: 4 logins, 4 failures, suspended and shown, then delivered")


@pytest.mark.parametrize("way", [*SFTP_WAYS, "550 No", "552 Quota exceeded"])
def test_row_36_the_poison_dies_alone_and_its_account_comes_back(
    make_scene: MakeScene, tmp_path: Path, tell: Tell, way: SftpWay | FtpWay
) -> None:
    ground = make_scene(suspend_after=1, suspend_seconds=0.5, retry_delays=(0.0,))
    protocol = Protocol.SFTP if way in SFTP_WAYS else Protocol.FTP
    with poisoned(tmp_path / "customer", POISON, way) as server:
        ground.customer("acme", server, protocol, uploads=1)
        poison, *others = ground.publish("acme", 6)
        ground.start(limits={"stall": 2.0})
        ground.wait_delivered(*others)
        row = ground.platform.wait_status(poison, "dead_lettered")
        until(lambda: not [*server.root.rglob("*.part")], "what was cut to be removed")
        (more,) = ground.publish("acme")
        ground.wait_delivered(more)
        ground.account_for_all()
    assert (row["tries"], row["reason"]) == (5, "file")
    tell(f"{way}: the file dead-lettered after 5 tries, 6 others delivered, the account active")
