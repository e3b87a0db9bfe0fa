"""Delivers one recording to each of the two customers, and shows where it lies.

It does what an operator does, by the same commands: make an account, save its FTP settings, which
tries them on the customer's server, and publish a recording. It can run again: each time one more
recording arrives.
"""

import hashlib
import json
import math
import subprocess
import sys
import time
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDINGS = Path("/recordings")
PASSWORD = Path("/customers/password")
SAMPLE_RATE = 8000
SECONDS = 5
HERTZ = 440
LIMIT = 180.0


@dataclass(frozen=True)
class Customer:
    """A customer's server, and where this container sees what has arrived there."""

    account: str
    name: str
    server: tuple[str, ...]
    """How the account is told of it: options of `courier accounts set`."""
    arrived: Path


CUSTOMERS = (
    Customer(
        "acme",
        "Acme Ltd",
        ("--protocol", "sftp", "--host", "customer-sftp", "--port", "2222", "--path", "recordings"),
        Path("/arrived/sftp/home"),
    ),
    Customer(
        "globex",
        "Globex Corporation",
        ("--protocol", "ftp", "--host", "customer-ftp", "--port", "2121", "--path", "recordings"),
        Path("/arrived/ftp/home"),
    ),
)


def main() -> int:
    """0 where each customer has the recording, whole."""
    recording = _record(RECORDINGS / time.strftime("%Y%m%d-%H%M%S_01632960001.wav", time.gmtime()))
    try:
        for customer in CUSTOMERS:
            _have_account(customer)
            _deliver(customer, recording)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print("The console, the metrics, the dashboards and the mail are in deploy/README.md.")
    return 0


def _record(path: Path) -> Path:
    """A tone, as telephony stores it: 8 kHz, 16 bits, one channel."""
    step = 2 * math.pi * HERTZ / SAMPLE_RATE
    sound = array("h", (round(9000 * math.sin(step * at)) for at in range(SECONDS * SAMPLE_RATE)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.tobytes())
    return path


def _have_account(customer: Customer) -> None:
    known = json.loads(_courier("accounts", "list", "--json"))
    if customer.account not in {account["account_id"] for account in known}:
        _courier("accounts", "create", customer.account, "--name", customer.name, "--ftp-access")
    user = ("--username", "demo", "--password-stdin")
    mail = ("--email-alerts", f"it@{customer.account}.example")
    said = _courier(
        *("accounts", "set", customer.account, *customer.server, *user, *mail),
        stdin=PASSWORD.read_text(),
    )
    print(f"{customer.name}\n{said}")


def _deliver(customer: Customer, recording: Path) -> None:
    said = _courier(*("publish", str(recording), "--account", customer.account, "--wait", "--json"))
    (outcome,) = json.loads(said)
    row = json.loads(_courier("deliveries", "show", outcome["recording_id"], "--json"))
    _show(customer, recording, row)


def _show(customer: Customer, recording: Path, row: dict[str, Any]) -> None:
    """Raises RuntimeError where what stands at the customer is not what was published."""
    arrived = customer.arrived / row["remote_path"].lstrip("/")
    if not arrived.is_file():
        raise RuntimeError(f"{row['remote_path']} is not at {customer.name}'s server.")
    sent, found = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (recording, arrived))
    if sent != found:
        raise RuntimeError(f"{row['remote_path']} is at {customer.name}, but is another file.")
    print(
        f"delivered: {row['remote_path']} at {customer.name}'s server, {arrived.stat().st_size} "
        f"bytes, sha256 {found[:16]}… as recorded\n"
    )


def _courier(*arguments: str, stdin: str = "") -> str:
    """What the program says. Raises RuntimeError with its words where it refuses."""
    done = subprocess.run(
        ["courier", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"courier {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
