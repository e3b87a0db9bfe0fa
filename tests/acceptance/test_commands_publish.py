"""`courier publish`, up to the recording at the customer."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pika

from config.accounts import DeliveryMethod
from config.numbers import Number
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.acceptance.program import LIMIT, Program, ended
from tests.acceptance.stage import NOWHERE, Stage, options_of, queue_lengths
from tests.acceptance.terminal import on_terminal, shown
from tests.integration.platform import until
from transports.diagnosis.ours import WAY_OUT_CLOSED


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
    assert "gs://" in courier.refuses("publish", "gcs://bucket/key", "--account", "acme")
    two = courier.inside("publish", there, there, "--account", "acme", "--recording-id", "r1")
    assert two.code == 2
    stored = ["publish", "s3://calls/a.wav", "--account", "acme", "--dry-run"]
    assert "COURIER_S3_BUCKETS does not name its bucket" in courier.inside(*stored).out
    named = courier.inside(*stored, S3_BUCKETS="calls")
    assert named.out.endswith("would be delivered\n")
    for url, setting, words in (
        ("gs://calls/a.wav", "GS_BUCKETS", "COURIER_GS_BUCKETS does not name its bucket"),
        ("az://calls/a.wav", "AZ_CONTAINERS", "COURIER_AZ_CONTAINERS does not name its container"),
    ):
        cloud = ["publish", url, "--account", "acme", "--dry-run"]
        assert words in courier.inside(*cloud).out
        named = courier.inside(*cloud, **{setting: "calls", "AZ_ACCOUNT": "platform"})
        assert named.out.endswith("would be delivered\n")
    short = courier.refuses("publish", "s3://b/x", "--account", "acme", "--dry-run")
    assert "a bucket has 3 to 222 characters, and this one has 1" in short
    local = ["publish", there, "--account", "acme", "--dry-run"]
    outside = courier.inside(*local, SOURCE_DIRS="/recordings")
    assert outside.out.endswith("would be a dead letter: it lies outside of COURIER_SOURCE_DIRS\n")
    # To the worker # is a letter like others.
    beside = f"file://{there}#/../../../../../../../../etc/hosts"
    aside = ["publish", beside, "--account", "acme", "--dry-run"]
    assert "outside of" in courier.inside(*aside, SOURCE_DIRS=str(courier.folder)).out
    circle = courier.folder / "circle"
    circle.symlink_to(circle)
    round_about = ["publish", f"file://{circle}/a.wav", "--account", "acme", "--dry-run"]
    told = courier.inside(*round_about, SOURCE_DIRS=str(courier.folder)).out
    assert told.endswith("would be a dead letter: Too many levels of symbolic links\n")
    within = courier.inside(*local, SOURCE_DIRS=f"/recordings,{courier.folder}")
    assert within.out.endswith("would be delivered\n")
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
        assert dead.out.startswith("g1 dead-letter ")
        assert dead.sentence.startswith("1 of 1 not delivered; g1 is a dead letter (")

        stage.core.directory.set_number(Number("+44", "acme", DeliveryMethod.EMAIL))
        mailed = ["publish", "call.wav", "--account", "acme", "--number", "+44", "--wait"]
        assert courier.ok(*mailed, "--recording-id", "e1").out == "e1 left-to-e-mail\n"
        assert [each["status"] for each in courier.ok(*mailed, "--json").json] == ["skipped"]

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
            assert " It is paused as well: 'courier accounts resume acme'" in _next_note(waiting)
            courier.ok("accounts", "set", "acme", *options_of(server), stdin=f"{server.password}\n")
            assert _next_note(waiting).startswith("acme is paused: 'courier accounts resume acme'")
            courier.ok("accounts", "resume", "acme")
            out, err = waiting.communicate(timeout=LIMIT)
    assert (waiting.returncode, err) == (0, "")
    assert out.rstrip().endswith("call.wav")


def test_everybody_who_asks_is_told_that_the_platform_itself_cannot_connect(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    why = "The platform's proxy cannot be reached: Connection refused"
    given = ["--account", "acme", "--wait"]
    with courier.running(OUTGOING_PROXY=f"socks5://{NOWHERE}"):
        until(lambda: courier.inside("status", "--json").json["workers"] == 1, "the worker")
        waiting = courier.start("publish", "call.wav", *given, "--recording-id", "r1")
        with ended(waiting):
            assert _next_note(waiting) == f"acme is held: {why}. {WAY_OUT_CLOSED.next_step}"
            courier("publish", "call.wav", *given, "--recording-id", "r2", "--timeout", "2")
            account = facts_of(courier, "accounts", "acme")
            page = " ".join(courier.inside("accounts", "show", "acme").out.split())
            queue = " ".join(courier.inside("queue").err.split())
            listed = "\n".join(shown(courier, "accounts", "list"))
            waiting.send_signal(signal.SIGINT)
            _, err = waiting.communicate(timeout=LIMIT)
        told = courier.ok("deliveries", "show", "r2").out
        [row] = courier.inside("queue", "--json").json
    assert err.startswith(
        f"Waiting was stopped; 1 of 1 still on their way (r1 queued: acme is held: {why}):"
    )
    assert (account["state"], account["consecutive_failures"]) == ("active", 0)
    assert (account["last_error"], account["last_error_cause"]) == (why, "way-out-closed")
    assert why in " ".join(told.split())
    for words in (page, queue):
        assert why in words
        assert "'courier check'" in words
        assert "COURIER_OUTGOING_PROXY" in words
    assert re.search(r"acme .* active .* way-out-closed", listed)
    assert (row["state"], row["why"]) == ("held", why)


def test_waiting_says_that_the_platforms_own_store_keeps_a_recording(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    given = ["--account", "acme", "--recording-id", "r1", "--wait", "--timeout", "60"]
    kept = "kept by the platform's store of recordings, no try is counted: Connection refused"
    with courier.running():
        until(lambda: courier.inside("status", "--json").json["workers"] == 1, "the worker")
        waiting = courier.start("publish", f"https://{NOWHERE}/x.wav", *given)
        with ended(waiting):
            assert _next_note(waiting) == f"r1 is {kept}."
            until(lambda: stage.status("r1") == "queued", "the next try to be waited for")
            time.sleep(0.5)  # until it was looked at
            waiting.send_signal(signal.SIGINT)
            _, err = waiting.communicate(timeout=LIMIT)
        assert f"still on their way (r1 queued: {kept}): " in err
        assert facts_of(courier, "deliveries", "r1")["tries"] == 0


def test_whoever_stops_waiting_is_told_what_is_still_on_its_way(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.suspended()
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    given = ["--account", "acme", "--recording-id", "r1", "--wait", "--json"]
    with courier.running():
        until(lambda: courier.inside("status", "--json").json["workers"] == 1, "the worker")
        asked = courier.inside("publish", courier.folder / "call.wav", *given[:2], "--dry-run")
        assert asked.out.endswith("would be delivered\n")
        waiting = courier.start("publish", "call.wav", *given)
        with ended(waiting):
            for told in (asked.err.strip(), _next_note(waiting)):
                assert told.startswith("acme is suspended, next try in 1")
                assert "(530 Login incorrect.)" in told
                assert told.endswith("'courier accounts try-now acme' tries it at once.")
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate(timeout=LIMIT)
    [left] = json.loads(out)
    assert (waiting.returncode, left["recording_id"], left["status"]) == (1, "r1", "queued")
    assert left["detail"].startswith("acme is suspended, next try in 1")
    assert err.startswith(
        "Waiting was stopped; 1 of 1 still on their way (r1 queued: acme is suspended, next try in"
    )
    assert err.endswith("): 'courier deliveries show ID' tells what becomes of it.\n")


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


def test_on_a_terminal_it_is_seen_where_each_file_stands_and_why_it_waits(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    stage.account(server)
    stage.suspended()
    for name in ("one.wav", "two.wav"):
        (courier.folder / name).write_bytes(b"x" * 1000)
    given = ("publish", "one.wav", "two.wav", "--account", "acme", "--wait")
    with courier.running(), on_terminal(courier, *given) as terminal:
        terminal.until("acme is suspended, next try in")
        terminal.until("0 of 2 ended, 2 wait")
        courier.ok("accounts", "try-now", "acme")
        assert terminal.end() == 0, terminal.text
        assert max(map(len, terminal.lines)) <= 80
        ends = [line.split() for line in terminal.lines if " delivered " in line]
    assert {line[0] for line in ends} >= {"one.wav", "two.wav"}


def test_whoever_presses_ctrl_c_on_a_terminal_is_told_what_is_still_on_its_way(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.core.ledger.accounts.pause("acme")
    (courier.folder / "call.wav").write_bytes(b"x")
    given = ("publish", "call.wav", "--account", "acme", "--recording-id", "r1", "--wait")
    with courier.running(), on_terminal(courier, *given) as terminal:
        terminal.until("acme is paused")
        terminal.interrupt()
        assert terminal.end() == 1
    told = " ".join(terminal.text.split())
    assert "Waiting was stopped; 1 of 1 still on their way (r1 queued: acme is paused:" in told
    assert "Traceback" not in told
    stopped = [line.startswith("Waiting was stopped") for line in terminal.lines].index(True)
    sentence = terminal.lines[stopped:]
    assert max(map(len, sentence)) <= 80, "it is broken at blanks, not by the terminal"
    assert len([line for line in sentence if line]) > 1


def test_waiting_ends_at_its_timeout_and_says_where_the_files_stand(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    (courier.folder / "call.wav").write_bytes(b"x")
    given = ["--account", "acme", "--recording-id", "r1"]
    answer = courier("publish", "call.wav", *given, "--wait", "--timeout", "0.5")
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith(
        "Waited 0 s; 1 of 1 still on their way (r1 published: no worker runs):"
    )
    alone = courier.inside("publish", "call.wav", *given, "--timeout", "1")
    assert alone.code == 2
    assert courier.inside("publish", "call.wav", *given, "--wait", "--timeout", "-1").code == 2


def test_a_dry_run_says_what_would_become_of_each_file_and_publishes_nothing(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    stage.core.directory.create("other")
    courier.inside("numbers", "set", "+441632960001", "--account", "acme", "--method", "email")
    courier.inside("numbers", "set", "+441632960002", "--account", "other", "--method", "ftp")
    (courier.folder / "call.wav").write_bytes(b"x")
    stage.queued("known")
    call = (courier.folder / "call.wav").as_uri()

    def would(*options: str) -> str:
        given = ["publish", call, "--account", "acme", "--dry-run", *options]
        return courier.inside(*given).out.partition(" ")[2].strip()

    assert would() == "would be delivered"
    assert would("--number", "+44 1632 960001") == "would be left to e-mail"
    assert would("--recording-id", "known").startswith("would be invalid:")
    same = courier.inside(
        *("publish", "file:///recordings/known.wav", "--account", "acme"),
        *("--recording-id", "known", "--dry-run"),
    )
    assert same.out == "known is known already (queued): nothing would come of it\n"
    theirs = ["publish", call, "--account", "acme", "--dry-run", "--number", "+441632960002"]
    assert "belongs to another account" in courier.refuses(*theirs)
    assert "'nobody'" in courier.refuses("publish", call, "--account", "nobody", "--dry-run")
    asked = ["publish", call, "--account", "acme", "--dry-run"]
    (told,) = json.loads(courier.inside(*asked, "--json").out)
    assert told["outcome"] == "would be delivered"
    assert queue_lengths(courier, "recordings.ready") == [None]
