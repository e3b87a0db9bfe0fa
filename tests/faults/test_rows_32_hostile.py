"""Hostile input: it is refused or neutralised, stops nobody, and nothing leaves its place."""

import json
import socket
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.accounts import FtpSettings, Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.contract.scripted import ScriptedServer, endless
from tests.faults.accounting import files_below
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import Scene

EVENT: dict[str, object] = {
    "recording_id": "r",
    "account_id": "acme",
    "file_url": "file:///a/b.wav",
}
CHANGES: list[dict[str, object]] = [
    {"recording_id": ""},
    {"recording_id": "x" * 129},
    {"recording_id": "a\r\nb"},
    {"recording_id": {"$ne": None}},
    {"recording_id": 7},
    {"account_id": "../acme"},
    {"account_id": "$where"},
    {"account_id": "nobody"},
    {"account_id": None},
    {"file_url": "http://169.254.169.254/latest"},
    {"file_url": "gcs://bucket/key"},
    {"file_url": "s3://bucket/../key"},
    {"file_url": "file://elsewhere/a.wav"},
    {"file_url": "/etc/passwd"},
    {"file_url": ""},
    {"file_name": ".."},
    {"file_name": "."},
    {"file_name": 5},
    {"size": -1},
    {"size": 1.5},
    {"size": "5"},
    {"sha256": "xyz"},
    {"recorded_at": "yesterday"},
    {"number": ["+44"]},
    {"padding": "x" * 70_000},
]
MALFORMED: list[bytes] = [
    b"",
    b"\0",
    b"\xff\xfe{",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"[" * 50_000,
    b'{"recording_id": NaN}',
    json.dumps(EVENT).encode("utf-16"),
    *(json.dumps({**EVENT, **change}).encode() for change in CHANGES),
]
NAMES = {
    "../../etc/cron.d/evil": ".._.._etc_cron.d_evil",
    "..\\..\\evil.wav": ".._.._evil.wav",
    "a\r\nDELE b.wav": "a__DELE b.wav",
    "nul\0byte.wav": "nul_byte.wav",
    "żółć 電話 🎙.wav": "żółć 電話 🎙.wav",
    "-rf.wav": "-rf.wav",
    "$(reboot).wav": "$(reboot).wav",
    "x" * 400 + ".wav": "x" * 251 + ".wav",
}


def test_row_32_malformed_events_are_set_aside_and_stop_nobody(
    ground: Scene, asyncssh_server: AsyncSshServer, tell: Tell
) -> None:
    ground.customer("acme", asyncssh_server.customer, Protocol.SFTP)
    worker = ground.start()
    for body in MALFORMED:
        ground.platform.publish_raw(body)
    ground.publish("acme")
    ground.wait_delivered()
    ground.platform.wait_length("recordings.invalid", len(MALFORMED))
    assert [body for _, body in ground.platform.messages("recordings.invalid")] == MALFORMED
    ground.account_for_all()
    assert worker.exit_code is None
    tell(f"{len(MALFORMED)} kinds of malformed events in recordings.invalid, each with its reason")


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_row_32_a_name_is_never_a_path_nor_a_command(
    ground: Scene,
    asyncssh_server: AsyncSshServer,
    pyftpd_server: PyFtpServer,
    tell: Tell,
    protocol: Protocol,
) -> None:
    server = asyncssh_server if protocol is Protocol.SFTP else pyftpd_server
    ground.customer("acme", server.customer, protocol, path="in/here")
    ground.start()
    for number, name in enumerate(NAMES):
        source = ground.platform.recording(f"{number}.wav")
        ground.platform.publish("acme", source, recording_id=f"n{number}", file_name=name)
        ground.accounts["acme"].published[f"n{number}"] = source.read_bytes()
    ground.wait_delivered()
    ground.account_for_all()
    found = {path.relative_to(server.customer.root) for path in files_below(server.customer.root)}
    assert found == {Path("in/here") / name for name in NAMES.values()}
    tell(f"{len(NAMES)} hostile names neutralised")


@pytest.mark.parametrize("field", ["host", "username", "path", "email_alerts"])
@pytest.mark.parametrize("evil", ["a\r\nDELE x", "a\nBcc: b@c.example", "a\0b"])
def test_row_32_line_breaks_in_settings_are_refused(field: str, evil: str) -> None:
    values = {"protocol": "ftp", "host": "ftp.example", "port": 21, "username": "u", "path": "."}
    value = (f"x@y.example{evil}",) if field == "email_alerts" else evil
    with pytest.raises(ValidationError):
        FtpSettings.model_validate({**values, field: value})


def test_row_32_a_flood_of_banner_and_an_address_elsewhere_harm_nobody(
    make_scene: MakeScene, asyncssh_server: AsyncSshServer, tmp_path: Path, tell: Tell
) -> None:
    ground = make_scene(suspend_after=3, suspend_seconds=600)
    ground.customer("good", asyncssh_server.customer, Protocol.SFTP)
    visited = threading.Event()
    with (
        socket.create_server(("127.0.0.2", 0)) as elsewhere,
        ScriptedServer(endless(b"220-x\r\n")) as ftp_flood,
        ScriptedServer(endless(b"x\r\n")) as ssh_flood,
        ScriptedServer([b"220 hello\r\n"], *astray(elsewhere)) as liar,
    ):
        threading.Thread(target=visitors, args=(elsewhere, visited), daemon=True).start()
        for name, server, protocol in (
            ("ftp-flood", ftp_flood, Protocol.FTP),
            ("ssh-flood", ssh_flood, Protocol.SFTP),
            ("liar", liar, Protocol.FTP),
        ):
            place = tmp_path / name
            place.mkdir()
            ground.platform.account(name, server.customer, protocol, path=".")
        worker = ground.start(limits={"reply": 2, "connect": 2, "login": 3, "stall": 2})
        before = worker.memory()
        for name in ("ftp-flood", "ssh-flood", "liar"):
            for number in range(3):
                ground.platform.publish(name, ground.platform.recording(f"{name}-{number}.wav"))
        ground.publish("good", 5)
        ground.wait_delivered()
        for name in ("ftp-flood", "ssh-flood", "liar"):
            ground.platform.wait_state(name, "suspended")
        assert any(line.startswith(b"PASV") for line in liar.heard), liar.heard
        assert not visited.is_set(), "a connection went where PASV pointed"
        assert worker.memory() < before + 120_000
    ground.account_for_all()
    tell("banner floods and a PASV elsewhere: those accounts suspended, nobody else noticed")


def astray(elsewhere: socket.socket) -> list[bytes]:
    """The answers of a server that sends data connections to another address."""
    host, port = elsewhere.getsockname()[:2]
    where = f"{host.replace('.', ',')},{port // 256},{port % 256}"
    login = [b"331 go on\r\n", b"230 in\r\n", b"200 binary\r\n", b"211 nothing more\r\n"]
    login += [b"500 no EPSV here\r\n"]
    return [*login, *[f"227 Entering Passive Mode ({where}).\r\n".encode()] * 30]


def visitors(listener: socket.socket, visited: threading.Event) -> None:
    try:
        listener.accept()
        visited.set()
    except OSError:
        return
