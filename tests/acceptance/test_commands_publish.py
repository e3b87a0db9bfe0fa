"""`courier publish`, up to the recording at the customer."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pika

from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.acceptance.program import LIMIT, Program, ended
from tests.acceptance.stage import Stage, options_of, queue_lengths
from tests.integration.platform import until


def facts_of(courier: Program, group: str, name: str) -> dict[str, Any]:
    """What is shown of an account or a recording."""
    found: dict[str, Any] = courier.inside(group, "show", name, "--json").json
    return found


def test_nothing_is_published_that_could_not_be_delivered(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    there = courier.folder / "call.wav"
    there.write_bytes(b"x")
    missing = courier.refuses("publish", there, "missing.wav", "--account", "acme")
    assert missing == "The file missing.wav does not exist: nothing was published."
    device = courier.refuses("publish", "/dev/zero", "--account", "acme")
    assert device.startswith("The file /dev/zero is a device, a pipe or a socket:")
    assert "'nobody'" in courier.refuses("publish", there, "--account", "nobody")
    assert "s3://" in courier.refuses("publish", "s3://bucket/key", "--account", "acme")
    two = courier.inside("publish", there, there, "--account", "acme", "--recording-id", "r1")
    assert two.code == 2
    assert queue_lengths(courier, "recordings.ready") == [None]


def test_a_path_is_published_as_a_url_with_its_size(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    (courier.folder / "a b#é.wav").write_bytes(b"x" * 10)
    given = ["--account", "acme", "--number", "+44", "--recording-id", "r1"]
    courier.ok("publish", "a b#é.wav", *given)
    connection = pika.BlockingConnection(pika.URLParameters(courier.settings["AMQP_URL"]))
    _, properties, body = connection.channel().basic_get("recordings.ready", auto_ack=True)
    connection.close()
    assert json.loads(body) == {
        "recording_id": "r1",
        "account_id": "acme",
        "number": "+44",
        "size": 10,
        "file_url": (courier.folder / "a%20b%23%C3%A9.wav").as_uri().replace("%25", "%"),
    }
    assert (properties.delivery_mode, properties.content_type) == (2, "application/json")


def test_recordings_are_published_and_waited_for_until_each_is_final(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    stage.account(server)
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    with courier.running(RETRY_DELAYS="0", MAX_TRIES="1"):
        answer = courier.ok("publish", "call.wav", "--account", "acme", "--wait", "--json")
        assert [each["status"] for each in answer.json] == ["delivered"]
        assert (server.root / "call.wav").read_bytes() == b"x" * 1000

        gone = (courier.folder / "gone.wav").as_uri()
        given = ["--account", "acme", "--recording-id", "g1", "--wait"]
        dead = courier("publish", gone, *given)
        assert dead.out.startswith("g1 dead-lettered")
        assert dead.sentence.startswith("1 of 1 not delivered; g1 is dead-lettered (")

        conflict = courier("publish", "call.wav", *given)
        assert conflict.out == "g1 invalid conflict\n"
        assert "'courier invalid replay'" in conflict.sentence
        assert courier.ok("status", "--json").json["workers"] == 1


def _next_note(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().rstrip("\n")


def test_waiting_says_once_what_each_step_to_the_delivery_waits_for(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    stage.core.directory.create("acme")
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    waiting = courier.start("publish", "call.wav", "--account", "acme", "--wait")
    with ended(waiting):
        assert _next_note(waiting) == "No worker runs now: it goes on once 'courier run' does."
        with courier.running():
            assert _next_note(waiting).startswith("acme is disabled: The account has no FTP access")
            courier.ok("accounts", "grant", "acme")
            assert _next_note(waiting).startswith("acme is disabled: No FTP settings are stored")
            courier.ok("accounts", "suspend", "acme")
            courier.ok("accounts", "set", "acme", *options_of(server), stdin=f"{server.password}\n")
            assert _next_note(waiting).startswith("acme is paused: 'courier accounts resume acme'")
            courier.ok("accounts", "resume", "acme")
            out, err = waiting.communicate(timeout=LIMIT)
    assert (waiting.returncode, err) == (0, "")
    assert out.rstrip().endswith("call.wav")


def test_whoever_stops_waiting_is_told_what_is_still_on_its_way(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.suspended()
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    given = ["--account", "acme", "--recording-id", "r1", "--wait", "--json"]
    with courier.running():
        until(lambda: courier.inside("status", "--json").json["workers"] == 1, "the worker")
        waiting = courier.start("publish", "call.wav", *given)
        with ended(waiting):
            told = _next_note(waiting)
            assert told.startswith("acme is suspended until 20")
            assert "530 Login incorrect." in told
            assert told.endswith("'courier accounts try-now acme' tries it at once.")
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate(timeout=LIMIT)
    assert (waiting.returncode, json.loads(out)) == (1, [])
    assert err == (
        "Waiting was stopped; 1 of 1 still on their way (r1): "
        "'courier deliveries show ID' tells what becomes of it.\n"
    )


def test_a_customer_is_set_up_is_refused_corrected_and_gets_the_recording_that_waited(
    courier: Program, tmp_path: Path
) -> None:
    folder = tmp_path / "customer"
    folder.mkdir()
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    with AsyncSshServer(folder, logon=("keyboard-interactive",)) as server, courier.running():
        courier.ok("accounts", "create", "acme", "--ftp-access")
        courier.ok("publish", "call.wav", "--account", "acme", "--recording-id", "r1")
        until(lambda: facts_of(courier, "accounts", "acme")["queued"] == 1, "the recording to wait")
        settings = [*options_of(server.customer), "--logon-type", "interactive"]

        wrong = courier("accounts", "set", "acme", *settings, stdin="wrong\n")
        assert wrong.sentence.startswith("Nothing was saved: Authentication failed")
        assert "✗ logged in" in wrong.out
        assert facts_of(courier, "accounts", "acme")["settings"] is None

        right = courier.ok("accounts", "set", "acme", *settings, stdin=f"{server.password}\n")
        assert f"The host key {server.customer.host_key} is pinned" in right.out
        saved = facts_of(courier, "accounts", "acme")["settings"]
        assert (saved["protocol"], saved["logon_type"]) == ("sftp", "interactive")
        until(
            lambda: facts_of(courier, "deliveries", "r1")["status"] == "delivered", "it to arrive"
        )
        assert facts_of(courier, "deliveries", "r1")["tries"] == 0
        assert (folder / "call.wav").read_bytes() == b"x" * 1000
