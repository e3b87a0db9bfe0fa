"""What an operator would script instead: OpenSSH's sftp, lftp, rclone, and Python's clients.

Each is run with the options of its own manual for speed with many files, where it has some, and
else as it comes. None of them verifies a digest, records or acknowledges anything.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.bench.plain import PASSWORD

ROOT = Path(__file__).parents[2]
SECONDS = 900.0


class PeerFailed(Exception):
    """A peer did not do its work; the message has its last words."""


@dataclass(frozen=True)
class Errand:
    """What one run of a peer is to bring where."""

    server: CustomerServer
    protocol: Protocol
    folder: Path
    """Every file in it, into the folder that the login leads to."""
    work: Path
    """An empty folder for the peer's own settings."""
    to: str = "."
    """Beneath the folder that the login leads to; it is there."""


@dataclass(frozen=True)
class Process:
    """One process of a peer; its own word for the seconds counts, where it says it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    tells_seconds: bool = False


Peer = Callable[[Errand], Process]


def run(*processes: Process) -> float:
    """All of them at once; the seconds until the last has ended. Raises PeerFailed."""
    began = time.monotonic()
    running = [
        subprocess.Popen(
            each.argv,
            env={**os.environ, **each.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # no terminal: a password is asked for by SSH_ASKPASS alone
        )
        for each in processes
    ]
    told = [_ended(each) for each in running]
    seconds = time.monotonic() - began
    return float(told[0]) if processes[0].tells_seconds else seconds


def _ended(process: subprocess.Popen[str]) -> str:
    try:
        output, complaint = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    if process.returncode != 0:
        raise PeerFailed(f"{process.args!r} ended with {process.returncode}: {complaint[-500:]}")
    return output


def openssh(errand: Errand) -> Process:
    """`sftp -b`, the batch mode of OpenSSH."""
    batch = errand.work / "batch"
    batch.write_text(f"cd {errand.to}\nput {errand.folder}/*\n")
    host = f"{errand.server.username}@{errand.server.host}"
    argv = ["sftp", "-q", *_ssh_options(errand), "-P", str(errand.server.port)]
    return Process([*argv, "-b", str(batch), host], _askpass(errand))


def lftp(at_once: int) -> Peer:
    """`mput -P`, so many connections."""

    def process(errand: Errand) -> Process:
        server = errand.server
        address = f"{errand.protocol.value}://{server.host}"
        commands = [
            "set cmd:fail-exit yes",
            "set net:max-retries 1",
            "set net:timeout 60",
            "set ftp:ssl-allow no",
            "set ftp:prefer-epsv yes",
            *_lftp_ssh(errand),
            f"open -u {server.username},{server.password} -p {server.port} {address}",
            f"cd {errand.to}",
            f"mput -P {at_once} {errand.folder}/*",
        ]
        return Process(["lftp", "-c", "; ".join(commands)], {"HOME": str(errand.work)})

    return process


def rclone(transfers: int) -> Peer:
    """`rclone copy --transfers`."""

    def process(errand: Errand) -> Process:
        server = errand.server
        settings = {
            "type": errand.protocol.value,
            "host": server.host,
            "port": str(server.port),
            "user": server.username,
            "pass": _obscured(server.password),
            # A server without a shell has no md5sum to ask.
            **({"shell_type": "none"} if errand.protocol is Protocol.SFTP else {}),
        }
        config = errand.work / "rclone.conf"
        config.write_text("[to]\n" + "".join(f"{key} = {it}\n" for key, it in settings.items()))
        argv = [*_rclone(), "copy", str(errand.folder), f"to:{errand.to}", "--config", str(config)]
        return Process([*argv, "--transfers", str(transfers)], {})

    return process


def plain(errand: Errand) -> Process:
    """ftplib, or paramiko, as in their manuals."""
    server = errand.server
    argv = [sys.executable, "-m", "tests.bench.plain", errand.protocol.value]
    argv += [server.host, str(server.port), server.username, str(errand.folder)]
    return Process(argv, _plainly(server), tells_seconds=True)


def logins(server: CustomerServer, count: int, at_once: int) -> Process:
    """Logins for SFTP with nothing sent after them: what the server can take at all."""
    argv = [sys.executable, "-m", "tests.bench.plain", "logins", server.host, str(server.port)]
    return Process(
        [*argv, server.username, str(count), str(at_once)], _plainly(server), tells_seconds=True
    )


def _plainly(server: CustomerServer) -> dict[str, str]:
    return {PASSWORD: server.password, "PYTHONPATH": str(ROOT)}


def _lftp_ssh(errand: Errand) -> list[str]:
    if errand.protocol is not Protocol.SFTP:
        return []
    ssh = shlex.join(["ssh", "-a", "-x", *_ssh_options(errand)])
    return [f"set sftp:connect-program {shlex.quote(ssh)}"]


def _ssh_options(errand: Errand) -> list[str]:
    known = errand.work / "known_hosts"
    server = errand.server
    known.write_text(f"[{server.host}]:{server.port} {_public_key(server)}\n")
    options = {
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": os.devnull,
        "PreferredAuthentications": "password",
        "BatchMode": "no",
    }
    return ["-F", os.devnull, *(f"-o{name}={value}" for name, value in options.items())]


def _public_key(server: CustomerServer) -> str:
    key, kind, _ = (server.root.parent / "host_key.pub").read_text().split(" ", 2)
    return f"{key} {kind}"


def _askpass(errand: Errand) -> dict[str, str]:
    """OpenSSH takes a password from a program only."""
    script = errand.work / "askpass"
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$BENCH_PASSWORD"\n')
    script.chmod(0o700)
    return {
        "SSH_ASKPASS": str(script),
        "SSH_ASKPASS_REQUIRE": "force",
        "BENCH_PASSWORD": errand.server.password,
    }


def _obscured(password: str) -> str:
    argv = [*_rclone(), "obscure", "-"]
    told = subprocess.run(argv, input=password, capture_output=True, text=True, check=True)
    return told.stdout.strip()


def _rclone() -> list[str]:
    return [str(Path(sys.executable).with_name("rclone"))]


def versions() -> dict[str, str]:
    """What each peer says of its version."""
    commands = {
        "OpenSSH": ["ssh", "-V"],
        "lftp": ["lftp", "--version"],
        "rclone": [*_rclone(), "version"],
    }
    found = {}
    for name, argv in commands.items():
        told = subprocess.run(argv, capture_output=True, text=True, check=True)
        match = re.search(r"\d+\.\d+[\w.]*", told.stdout or told.stderr)
        found[name] = match[0] if match else "unknown"
    return found
