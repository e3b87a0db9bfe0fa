"""deploy/courier.service, by systemd itself."""

import http.client
import os
import subprocess
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from deploy.local.processes import free_port
from tests.acceptance.program import LIMIT, Program
from tests.integration.platform import platform, until
from tests.systemd import GROUP, UNIT, Systemd, booted

WORST_EXPOSURE = "15"
"""Of systemd-analyze, in tenths: 1.5 of 10, "OK"."""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/courier/bin/courier", "/bin/true"))
    return unit


@pytest.mark.parametrize(
    "judged", [["verify"], ["security", "--offline=yes", f"--threshold={WORST_EXPOSURE}"]]
)
def test_systemd_takes_the_unit_as_it_is_and_finds_it_hardened(
    installed: Path, judged: list[str]
) -> None:
    done = subprocess.run(
        ["systemd-analyze", "--man=no", *judged, installed],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    with suppress(OSError), closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    return False


def test_systemd_runs_it_without_rights_restarts_it_and_stops_it_in_order(
    courier: Program, customer: AsyncSshServer, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    metrics, console = free_port(), free_port()
    binds = {"METRICS": metrics, "CONSOLE": console}
    etc = {
        "amqp-url": courier.settings["AMQP_URL"],
        "mongodb-url": courier.settings["MONGODB_URL"],
        "smtp-url": courier.settings["SMTP_URL"],
        "secret-keys": courier.key,
        "settings.env": "\n".join(
            f"COURIER_{name}_BIND=127.0.0.1:{port}" for name, port in binds.items()
        ),
    }
    folder = tmp_path / "machine"
    folder.mkdir()
    with platform(courier.core_settings(), recordings) as place:
        place.account("acme", customer.customer, Protocol.SFTP)
        source = place.recording("call.wav")
        # As a telephony platform leaves them: for one group, and for nobody else.
        for each, mode in ((recordings, 0o2750), (source, 0o640)):
            os.chown(each, 0, GROUP)
            each.chmod(mode)
        with booted(folder, etc, recordings) as machine:
            until(machine.is_up, (folder / "boot.log").read_text)
            machine.ok("systemctl", "start", "courier")
            until(lambda: answers(metrics, "/readyz"), machine.log, LIMIT)
            sent = place.publish("acme", "file:///recordings/call.wav")
            place.wait_status(sent, "delivered")
            assert (customer.customer.root / "call.wav").read_bytes() == source.read_bytes()

            told = status(machine, machine.property("MainPID"))
            assert "0" not in told["Uid"].split()
            assert set(told["CapEff"] + told["CapBnd"]) == {"0"}
            assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")

            machine.ok("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "courier")
            until(lambda: machine.property("NRestarts") == "1", machine.log)
            until(lambda: answers(metrics, "/readyz"), machine.log, LIMIT)
            assert answers(console, "/sign-in")

            machine.ok("systemctl", "stop", "courier")
            assert machine.property("Result") == "success"
            assert machine.property("ExecMainStatus") == "0"
            log = machine.log()
    assert '"event": "service_stopped"' in log
    assert "Traceback" not in log
    assert courier.key not in log


def test_a_secret_that_is_missing_is_told_by_its_setting_at_each_start(
    courier: Program, tmp_path: Path
) -> None:
    recordings, folder = tmp_path / "recordings", tmp_path / "machine"
    recordings.mkdir()
    folder.mkdir()
    etc = {"mongodb-url": courier.settings["MONGODB_URL"], "smtp-url": courier.settings["SMTP_URL"]}
    with booted(folder, etc, recordings) as machine:
        until(machine.is_up, (folder / "boot.log").read_text)
        machine.ok("systemctl", "start", "courier")
        until(lambda: int(machine.property("NRestarts")) >= 1, machine.log, LIMIT)
        told = [line for line in machine.log().splitlines() if line.startswith("COURIER_")]
    assert {line.partition(":")[0] for line in told} == {
        "COURIER_AMQP_URL is not valid",
        "COURIER_SECRET_KEYS is not valid",
    }


def status(machine: Systemd, pid: str) -> dict[str, str]:
    """What the kernel says of a process (proc(5))."""
    lines = machine.ok("cat", f"/proc/{pid}/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
