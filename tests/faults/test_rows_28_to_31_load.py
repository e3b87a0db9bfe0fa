"""Under load: a black hole among many, workers come and go, logins fail, SIGTERM comes."""

import time
from pathlib import Path

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.contract.proxy import Proxy
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import CALM, Scene, wait
from tests.integration.platform import until
from tests.servers.misbehaving import Mood
from worker.service import GRACE_SECONDS


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_row_28_a_black_hole_among_100_accounts_slows_the_others_by_less_than_a_tenth(
    make_scene: MakeScene, tmp_path: Path, tell: Tell
) -> None:
    ground = make_scene(suspend_seconds=600, upload_slots=16)
    (tmp_path / "ftp").mkdir()
    with PyFtpServer(tmp_path / "ftp") as server, Proxy(server.customer) as hole:
        accounts = [f"acme-{number:02}" for number in range(99)]
        for account in accounts:
            ground.customer(account, server.customer, Protocol.FTP)
        ground.customer("hole", server.customer, Protocol.FTP)
        ground.platform.save("hole", server.customer, Protocol.FTP, path="hole", port=hole.port)
        hole.silent.set()
        ground.start()
        through(ground, accounts, 1)  # queues and folders are made
        without, beside = [], []
        for _ in range(4):
            without.append(through(ground, accounts, 4))
            ground.publish("hole", 4)
            beside.append(through(ground, accounts, 4))
            ground.platform.core.ledger.accounts.pause("hole")
            wait(1)
            ground.platform.core.ledger.accounts.resume("hole")
        hole.silent.clear()
        ground.platform.core.ledger.accounts.try_now("hole")
        ground.wait_delivered(limit=120)
        ground.account_for_all()
    ratio = max(beside) / max(without)
    assert ratio > 0.9
    tell(f"{max(without):.0f} files/s without and {max(beside):.0f} beside it ({ratio:.2f})")


def through(ground: Scene, accounts: list[str], files: int) -> float:
    """Files a second, from a backlog in all queues to the last delivery."""
    ledger = ground.platform.core.ledger
    for account in accounts:
        ledger.accounts.pause(account)
    ids = [name for account in accounts for name in ground.publish(account, files, size=5000)]
    routed = {"_id": {"$in": ids}, "routed_at": {"$ne": None}}
    rows = ground.platform.core.database["deliveries"]
    until(lambda: rows.count_documents(routed) == len(ids), "all to be routed")
    began = time.monotonic()
    for account in accounts:
        ledger.accounts.resume(account)
    ground.wait_delivered(*ids, limit=120)
    return len(ids) / (time.monotonic() - began)


@pytest.mark.slow
def test_row_29_workers_come_and_go_under_load_and_no_account_has_two_owners(
    ground: Scene, customer: AsyncSshServer, pyftpd_server: PyFtpServer, mood: Mood, tell: Tell
) -> None:
    mood.seconds_a_write = 0.01
    accounts = [f"acme-{number:02}" for number in range(40)]
    for number, account in enumerate(accounts):
        server, protocol = (
            (customer.customer, Protocol.SFTP)
            if number % 2
            else (pyftpd_server.customer, Protocol.FTP)
        )
        ground.customer(account, server, protocol)
    ground.start()
    load(ground, accounts)
    more = [ground.start() for _ in range(3)]
    load(ground, accounts)
    leases = ground.platform.core.database["leases"]
    until(lambda: len(leases.distinct("owner")) == 4, "all four to own accounts")
    load(ground, accounts)  # which all four take up
    more[0].terminate()
    more[1].kill()
    load(ground, accounts)
    assert more[0].wait_end() == 0
    ground.wait_delivered(limit=120)
    ground.account_for_all()
    workers = {worker for each in ground.history.owners.values() for worker in each}
    assert len(workers) == 4
    tell(
        f"{len(ground.published)} files by 4 workers, {ground.history.claims} claims and"
        f" {ground.history.takeovers} passings of buckets in the log: one owner at a time"
    )


def load(ground: Scene, accounts: list[str]) -> None:
    """Recordings for some seconds."""
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        for account in accounts:
            ground.publish(account)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_row_30_a_thousand_failed_logins_leave_threads_descriptors_and_memory_flat(
    make_scene: MakeScene,
    asyncssh_server: AsyncSshServer,
    prompt_ftp: PyFtpServer,
    tell: Tell,
    protocol: Protocol,
) -> None:
    ground = make_scene(
        suspend_after=100_000,
        max_tries=100_000,
        retry_delays=(0.0,),
        suspend_seconds=0.001,  # for so long a login that was refused is not asked for again
    )
    server = asyncssh_server if protocol is Protocol.SFTP else prompt_ftp
    ground.customer("acme", server.customer, protocol, password="wrong")
    worker = ground.start()
    (recording,) = ground.publish("acme")
    until(lambda: ground.platform.run_state("acme").failures >= 200, "200 failures", 120)
    threads, files, memory = *worker.held(), worker.memory()
    until(lambda: ground.platform.run_state("acme").failures >= 1200, "1,200 failures", 240)
    now = *worker.held(), worker.memory()
    ground.platform.save("acme", server.customer, protocol, path="acme")
    ground.wait_delivered(recording)
    ground.account_for_all()
    assert now[0] <= threads + 3
    assert now[1] <= files + 5
    assert now[2] <= memory + 10_000
    tell(
        f"{protocol.value}: threads {threads} -> {now[0]}, descriptors {files} -> {now[1]},"
        f" memory {memory // 1000} -> {now[2] // 1000} MB over 1,000 logins"
    )


def test_row_31_sigterm_under_load_lets_uploads_end_gives_the_rest_back_and_exits_0(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    mood.seconds_a_write = 0.05
    accounts = [f"acme-{number}" for number in range(6)]
    for account in accounts:
        ground.customer(account, customer.customer, Protocol.SFTP)
    worker = ground.start(lease_seconds=CALM)
    for account in accounts:
        ground.publish(account, 10, size=1_000_000)
    until(lambda: len(mood.renamed) >= 6, "some to be delivered")
    began = time.monotonic()
    worker.terminate()
    assert worker.wait_end() == 0
    took = time.monotonic() - began
    assert took < GRACE_SECONDS
    done = len(mood.renamed)
    tally = ground.account_for_all()
    assert tally.delivered == done == len(mood.uploads), "an upload was cut"
    assert not [row for row in ground.rows().values() if row["status"] == "uploading"]
    for account in accounts:
        left = sum(row["status"] == "queued" for row in ground.platform.rows(account))
        ground.platform.wait_length(f"deliveries.{account}", left)
    ground.start()
    ground.wait_delivered()
    ground.account_for_all()
    tell(f"exit 0 after {took:.1f} s, no upload cut, {60 - done} of 60 given back")


def test_row_31_an_upload_that_outlasts_the_grace_time_is_given_back(
    ground: Scene, customer: AsyncSshServer, mood: Mood
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = ground.start(constants={"worker.service:GRACE_SECONDS": 1})
    mood.held = True
    ground.publish("acme", 3)
    until(lambda: mood.uploads, "an upload")
    worker.terminate()
    assert worker.wait_end(25) == 0
    assert {row["status"] for row in ground.rows().values()} == {"queued"}
    assert [row["tries"] for row in ground.rows().values()] == [0] * 3
    mood.held = False
    ground.start()
    ground.wait_delivered()
    ground.account_for_all()
    assert len(mood.renamed) == 3
