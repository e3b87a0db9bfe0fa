"""What becomes of a file that stands at the customer under a recording's name."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.sftp import SFTPServerHandler

from config.accounts import ExistingFile, Protocol
from consumers.amqp import topology
from consumers.delivery.policy import State
from consumers.intake.events import decode
from consumers.ledger import Arrival, Claim, Claimant
from deploy.local.customers import AsyncSshServer
from deploy.local.processes import Child
from tests.integration.ledger.rows import FAILED, claim_one, deliver_one
from tests.integration.platform import Platform, running, until
from tests.integration.settings.suspending import suspend
from tests.servers import Sshd, Vsftpd
from transports.job import Intent, Uploaded, Verified

OVERWRITE: dict[str, Any] = {"existing_file": ExistingFile.OVERWRITE}
ME = Claimant("worker", "session", 1)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, and its content."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def publish_versions(courier: Platform, count: int) -> list[str]:
    """Recordings that all want the same name."""
    return [
        courier.publish(
            "acme", courier.recording(f"{number}.wav", b"%d" % number * 9), file_name="call.wav"
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("server", ["sshd", "vsftpd"])
def test_where_overwriting_is_chosen_the_latest_recording_of_a_name_stands_there(
    courier: Platform, server: str, request: pytest.FixtureRequest
) -> None:
    there: Sshd | Vsftpd = request.getfixturevalue(server)
    protocol = Protocol.SFTP if server == "sshd" else Protocol.FTP
    courier.account("acme", there.customer, protocol, **OVERWRITE)
    with running(courier):
        ids = publish_versions(courier, 4)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
    rows = [courier.row(recording_id) for recording_id in ids]
    assert files_of(there.root) == {"call.wav": b"3" * 9}
    assert [row.get("remote_path") for row in rows] == [None, None, None, "call.wav"]
    replaced = [(row["replaced"]["path"], row["replaced"]["by"]) for row in rows[:-1]]
    assert replaced == [("call.wav", recording_id) for recording_id in ids[1:]]
    assert [row["tries"] for row in rows] == [0, 0, 0, 0]


def test_where_numbers_are_chosen_every_recording_of_a_name_stays(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        for recording_id in publish_versions(courier, 3):
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert sorted(files_of(customer.root)) == ["call (2).wav", "call (3).wav", "call.wav"]


def test_a_file_of_the_customers_own_is_overwritten_too(
    courier: Platform, customer: AsyncSshServer
) -> None:
    (customer.root / "call.wav").write_bytes(b"the customer's own")
    courier.account("acme", customer.customer, Protocol.SFTP, **OVERWRITE)
    with running(courier):
        (recording_id,) = publish_versions(courier, 1)
        courier.wait_status(recording_id, "delivered")
    assert files_of(customer.root) == {"call.wav": b"0" * 9}


def publish_two(courier: Platform, *names: str) -> None:
    """Two recordings of the name `call.wav`, that lie in the queue of the paused account."""
    courier.core.ledger.accounts.pause("acme")
    for name in names:
        source = courier.recording(f"{name}.wav", name.encode() * 9)
        courier.publish("acme", source, file_name="call.wav", recording_id=name)
    courier.wait_routed(names)
    courier.wait_rest("acme")


def hold_the_path(courier: Platform, recording_id: str, delay: float) -> None:
    """A try of it ended at the rename, so that nobody knows whether the file stands there."""
    claim = claimed(courier, recording_id)
    ledger = courier.core.ledger
    assert ledger.remote_paths.intend(claim, intent(claim), ".", 1, overwrite=True)
    ledger.outcomes.waits(claim, replace(FAILED, part_left=True), delay)


def test_a_recording_waits_uncounted_for_another_of_its_name_and_then_takes_its_place(
    courier: Platform, customer: AsyncSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.failed_attempt.IN_USE_DELAY", 0.2)
    courier.account("acme", customer.customer, Protocol.SFTP, **OVERWRITE)
    with running(courier):
        publish_two(courier, "first", "second")
        hold_the_path(courier, "first", delay=1.5)
        courier.core.ledger.accounts.resume("acme")
        until(lambda: courier.row("second")["starts"] > 1, "the second to have been started")
        assert courier.row("second")["last_error"]["words"].startswith("Another recording")
        for recording_id in ("first", "second"):
            courier.wait_status(recording_id, "delivered")
    assert files_of(customer.root) == {"call.wav": b"second" * 9}
    assert courier.row("first")["replaced"]["by"] == "second"
    assert courier.row("second")["tries"] == 0
    assert courier.run_state("acme").failures == 0


def test_a_probe_that_must_wait_for_another_of_its_name_lets_that_be_the_probe(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, **OVERWRITE)
    with running(courier):
        publish_two(courier, "oldest", "holder")
        hold_the_path(courier, "holder", delay=0)
        suspend(courier, seconds=0.1)
        courier.core.ledger.accounts.resume("acme")
        for recording_id in ("holder", "oldest"):
            courier.wait_status(recording_id, "delivered")
        courier.wait_state("acme", State.ACTIVE)
    assert courier.row("holder")["replaced"]["by"] == "oldest"
    assert files_of(customer.root) == {"call.wav": b"oldest" * 9}


@pytest.mark.parametrize("moment", ["removed", "renamed", "renamed over"])
def test_killed_while_it_overwrites_the_new_file_stands_there_and_was_sent_once(
    courier: Platform,
    tmp_path: Path,
    program: Child,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    kills = [program.kill]
    uploads: list[bytes] = []

    def come_to(here: str) -> None:
        if here == moment and kills:
            kills.pop()()

    class Deadly(asyncssh.SFTPServer):
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            uploads.append(path)
            return super().open(path, pflags, attrs)

        def remove(self, path: bytes) -> Any:
            removed = super().remove(path)
            if not path.endswith(b".part"):
                come_to("removed")
            return removed

        def rename(self, oldpath: bytes, newpath: bytes) -> Any:
            renamed = super().rename(oldpath, newpath)
            come_to("renamed")
            return renamed

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
            renamed = super().posix_rename(oldpath, newpath)
            come_to("renamed over")
            return renamed

    if moment != "renamed over":
        known = SFTPServerHandler._extensions
        left = [pair for pair in known if not pair[0].startswith(b"posix-rename")]
        monkeypatch.setattr(SFTPServerHandler, "_extensions", left)
    root = tmp_path / "deadly"
    root.mkdir()
    (root / "call.wav").write_bytes(b"x" * 9)  # of the same size: it must not be taken for ours
    topology.declare_once(
        courier.core.settings.rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
    )
    with AsyncSshServer(root, sftp=Deadly) as server:
        courier.account("acme", server.customer, Protocol.SFTP, **OVERWRITE)
        (recording_id,) = publish_versions(courier, 1)
        program.start()
        until(lambda: program.pid is None, "the program to be killed")
        program.start()
        courier.wait_status(recording_id, "delivered", 60)
    assert not kills
    assert files_of(root) == {"call.wav": b"0" * 9}
    assert len(uploads) == 1
    assert courier.row(recording_id)["tries"] == 0


def opened(courier: Platform, name: str) -> str:
    """A recording whose event was taken."""
    courier.core.ledger.ensure_indexes()
    source = courier.recording(f"{name}.wav", name.encode() * 9)
    body = (
        f'{{"recording_id": "{name}", "account_id": "acme", "file_url": "{source.as_uri()}",'
        ' "file_name": "call.wav"}'
    ).encode()
    arrival = Arrival(decode(body, "application/json"), body, skipped=False)
    courier.core.ledger.arrivals.open([arrival])
    return name


def claimed(courier: Platform, recording_id: str) -> Claim:
    ledger = courier.core.ledger
    turn = courier.row(recording_id)["turn"]
    claim = claim_one(ledger, recording_id, turn, ME, ".")
    assert claim is not None
    return claim


def intent(claim: Claim) -> Intent:
    return Intent(claim.part, "call.wav", 7, "0" * 64)


def deliver(courier: Platform, recording_id: str, *, overwrite: bool = True) -> None:
    claim = claimed(courier, recording_id)
    ledger = courier.core.ledger
    assert ledger.remote_paths.intend(claim, intent(claim), ".", 1, overwrite=overwrite)
    deliver_one(ledger, claim, Uploaded("call.wav", 7, "0" * 64, Verified.SIZE, sent=True))


def test_the_path_of_a_delivered_recording_is_taken_over_only_where_overwriting_is_chosen(
    courier: Platform,
) -> None:
    ledger = courier.core.ledger
    deliver(courier, opened(courier, "old"))
    new = claimed(courier, opened(courier, "new"))
    assert not ledger.remote_paths.intend(new, intent(new), ".", 1)
    assert courier.row("old")["remote_path"] == "call.wav"
    assert ledger.remote_paths.intend(new, intent(new), ".", 1, overwrite=True)
    assert "remote_path" not in courier.row("old")
    assert courier.row("old")["status"] == "delivered"
    assert courier.row("new")["remote_path"] == "call.wav"


def test_of_many_that_overwrite_at_once_one_has_the_path(courier: Platform) -> None:
    ledger = courier.core.ledger
    deliver(courier, opened(courier, "old"))
    claims = [claimed(courier, opened(courier, f"new-{number}")) for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        got = [
            *pool.map(
                lambda claim: ledger.remote_paths.intend(
                    claim, intent(claim), ".", 1, overwrite=True
                ),
                claims,
            )
        ]
    assert sorted(got) == [False] * 15 + [True]
    holders = [row for row in courier.rows("acme") if "remote_path" in row]
    assert len(holders) == 1


def test_a_path_goes_back_to_its_recording_where_it_was_not_overwritten_after_all(
    courier: Platform,
) -> None:
    ledger = courier.core.ledger
    deliver(courier, opened(courier, "old"))
    new = claimed(courier, opened(courier, "new"))
    ledger.remote_paths.intend(new, intent(new), ".", 1, overwrite=True)
    ledger.outcomes.waits(new, FAILED, 0)
    assert courier.row("old")["remote_path"] == "call.wav"
    assert "replaced" not in courier.row("old")
    assert "remote_path" not in courier.row("new")
    deliver(courier, "new")
    assert courier.row("old")["replaced"]["by"] == "new"


def test_a_dead_letter_whose_path_is_taken_over_is_not_taken_for_delivered_when_replayed(
    courier: Platform,
) -> None:
    ledger = courier.core.ledger
    dead = claimed(courier, opened(courier, "dead"))
    ledger.remote_paths.intend(dead, intent(dead), ".", 1, overwrite=True)
    ledger.outcomes.dead_lettered(dead, replace(FAILED, part_left=True), None)
    deliver(courier, opened(courier, "new"))
    routing = ledger.dead_letters.revive("dead")
    assert routing is not None
    assert claimed(courier, "dead").intent is None


def test_an_intent_that_a_start_has_found_outlives_its_failure_before_the_login(
    courier: Platform,
) -> None:
    ledger = courier.core.ledger
    first = claimed(courier, opened(courier, "one"))
    ledger.remote_paths.intend(first, intent(first), ".", 1)
    ledger.outcomes.waits(first, replace(FAILED, part_left=True), 0)
    second = claimed(courier, "one")
    ledger.outcomes.waits(second, FAILED, 0)
    assert claimed(courier, "one").intent == intent(first)


def test_a_withdrawn_intent_is_gone_and_a_lost_claim_withdraws_nothing(courier: Platform) -> None:
    ledger = courier.core.ledger
    lost = claimed(courier, opened(courier, "one"))
    ledger.remote_paths.intend(lost, intent(lost), ".", 1)
    other = Claimant("other", "other", 2, exclusive=True)
    ledger.claims.free("acme", other)
    mine = claim_one(ledger, "one", lost.generation, other, ".")
    assert mine is not None
    assert not ledger.remote_paths.withdraw(lost)
    assert courier.row("one")["intent"]
    assert ledger.remote_paths.withdraw(mine)
    assert "intent" not in courier.row("one")
    assert courier.row("one")["remote_path"] == "call.wav"
