"""`courier trace`: the conversation with a customer's server, without its secrets."""

import json
import signal
from typing import Any

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.acceptance.program import LIMIT, Program, ended
from tests.acceptance.stage import Stage
from tests.acceptance.terminal import on_terminal
from tests.integration.platform import until

CONTENT = b"the content of a recording, which is for nobody's eyes " * 40


@pytest.mark.parametrize("protocol", [Protocol.FTP, Protocol.SFTP])
def test_what_is_said_is_shown_live_without_password_and_content(
    courier: Program,
    stage: Stage,
    pyftpd_server: PyFtpServer,
    asyncssh_server: AsyncSshServer,
    protocol: Protocol,
) -> None:
    server = (pyftpd_server if protocol is Protocol.FTP else asyncssh_server).customer
    stage.account(server)
    (courier.folder / "call.wav").write_bytes(CONTENT)
    with courier.running(), on_terminal(courier, "trace", "acme") as terminal:
        terminal.until("No file of it is on its way: the next one is heard.")
        courier.ok("publish", "call.wav", "--account", "acme", "--wait")
        if protocol is Protocol.FTP:
            terminal.until("> PASS ***")
            terminal.until("> RNTO")
        else:
            terminal.until("> OPEN")
            terminal.until("> WRITE content follows, which is not shown")
            terminal.until("> RENAME")
        terminal.until("* logged in")
        terminal.interrupt()
        assert terminal.end() == 0
    assert "call.wav" in terminal.text
    told = courier.ok("audit", "--account", "acme", "--what", "runs").out
    assert "at the command line listened to what is said to the server of acme" in told
    assert server.password not in terminal.text
    assert "for nobody's eyes" not in terminal.text
    stored = str(list(stage.core.database["traces"].find()))
    assert server.password not in stored
    assert "for nobody's eyes" not in stored


def test_nothing_is_written_down_while_nobody_listens(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    (courier.folder / "call.wav").write_bytes(CONTENT)
    with courier.running():
        courier.ok("publish", "call.wav", "--account", "acme", "--wait")
        assert stage.core.database["traces"].find_one() is None
    [index] = [
        each
        for each in stage.core.database["traces"].list_indexes()
        if "expireAfterSeconds" in each
    ]
    assert index["expireAfterSeconds"] == 300


def test_a_conversation_is_told_in_lines_of_json(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    (courier.folder / "call.wav").write_bytes(CONTENT)
    listening = courier.start("trace", "acme", "--json")
    with ended(listening):
        until(
            lambda: stage.core.ledger.accounts.read("acme").traced_until is not None,
            "somebody to listen",
        )
        assert listening.stdout is not None
        lines: list[dict[str, Any]] = []
        with courier.running():
            courier.ok("publish", "call.wav", "--account", "acme")
            while not any(line["text"].startswith("226") for line in lines):
                lines.append(json.loads(listening.stdout.readline()))
        listening.send_signal(signal.SIGINT)
        _, err = listening.communicate(timeout=LIMIT)
    assert listening.returncode == 0
    assert {line["by"] for line in lines} == {">", "<", "*"}
    assert any(line["text"].startswith("220") for line in lines)
    assert all(line["worker"] for line in lines)
    assert "Listening to acme at ftp://" in err


def test_whoever_listens_to_an_account_that_waits_is_told_why_it_is_silent(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.queued("r1")
    stage.suspended()
    told = courier.ok("trace", "acme", "--seconds", "0").err
    assert "1 file waits; it is suspended, next try in 1" in told
    assert "'courier accounts try-now acme' begins it at once." in told
    assert "'nobody'" in courier.refuses("trace", "nobody")


def test_whoever_listens_to_an_account_that_is_not_tried_is_told_why_nothing_will_be_heard(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    def told() -> str:
        return courier.ok("trace", "acme", "--seconds", "0").err

    nothing = "No file of it is on its way, and the next one is not heard yet: it is"
    resume = "'courier accounts resume acme' ends"
    stage.account(pyftpd_server.customer)
    stage.suspended()
    assert f"{nothing} suspended, next try in 1" in told()
    stage.core.ledger.accounts.try_now("acme")
    assert "on its way: the next one is heard." in told()
    stage.core.ledger.accounts.pause("acme")
    assert f"{nothing} paused, {resume} it." in told()
    stage.core.directory.set_enabled("acme", enabled=False)
    off = (
        "disabled: The FTP settings are switched off. Files stay queued until they are switched on."
    )
    assert f"{nothing} {off} It is paused as well: {resume} that." in told()
    stage.queued("r1")
    assert f"1 file waits; it is {off} It is paused" in told()
