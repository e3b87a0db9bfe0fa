"""What an operator would script instead: OpenSSH's sftp, lftp, rclone, and Python's clients.

Each is run with the options of its own manual for speed with many files, where it has some, and
else as it comes: to the final name, or to a temporary one that it renames. rclone does the latter
by itself, and compares sizes. None of them records or acknowledges anything.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.bench.plain import PASSWORD

ROOT = Path(__file__).parents[2]
SECONDS = 900
PART = ".part"
GCM = "aes128-gcm@openssh.com"
"""The cipher that paramiko agrees upon with OpenSSH."""


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
    """One process of a peer; its own word for what it took counts, where it says it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    tells: bool = False


@dataclass(frozen=True)
class Spent:
    """What a run took."""

    seconds: float
    processor_seconds: float
    """Of all its processes, user and system."""


Peer = Callable[[Errand], Process]


def run(*processes: Process, at_once: int | None = None) -> Spent:
    """All of them, so many at once, until the last has ended. Raises PeerFailed."""
    argv = [sys.executable, "-m", "tests.bench.crew", str(at_once or len(processes)), str(SECONDS)]
    asked = json.dumps([{"argv": [*each.argv], "env": {**each.env}} for each in processes])
    crew = subprocess.run(
        argv,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=asked,
        capture_output=True,
        text=True,
        timeout=SECONDS + 30,
        check=False,
    )
    if crew.returncode != 0:
        raise PeerFailed(crew.stderr[-500:])
    told = json.loads(crew.stdout)
    if "failed" in told:
        raise PeerFailed(told["failed"])
    if processes[0].tells:
        return Spent(*json.loads(told["told"][0]))
    return Spent(told["seconds"], told["processor_seconds"])


def openssh(*, cipher: str | None = None, renamed: bool = False) -> Peer:
    """`sftp -b`, the batch mode of OpenSSH; its own default cipher where none is named."""

    def process(errand: Errand) -> Process:
        batch = errand.work / "batch"
        batch.write_text(f"cd {errand.to}\n{_puts(errand.folder, renamed=renamed)}\n")
        host = f"{errand.server.username}@{errand.server.host}"
        chosen = ["-c", cipher] if cipher else []
        argv = ["sftp", "-q", *chosen, *_ssh_options(errand), "-P", str(errand.server.port)]
        return Process([*argv, "-b", str(batch), host], _askpass(errand))

    return process


def _puts(folder: Path, *, renamed: bool) -> str:
    if not renamed:
        return f"put {folder}/*"
    names = sorted(path.name for path in folder.iterdir())
    return "\n".join(
        f"put {folder}/{name} {name}{PART}\nrename {name}{PART} {name}" for name in names
    )


def lftp(at_once: int, *, renamed: bool = False) -> Peer:
    """`mput -P`, so many connections."""
    naming = ["set xfer:use-temp-file yes", f"set xfer:temp-file-name *{PART}"] if renamed else []

    def process(errand: Errand) -> Process:
        server = errand.server
        address = f"{errand.protocol.value}://{server.host}"
        commands = [
            "set cmd:fail-exit yes",
            "set net:max-retries 1",
            "set net:timeout 60",
            "set ftp:ssl-allow no",
            "set ftp:prefer-epsv yes",
            *naming,
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
    return Process(argv, _plainly(server), tells=True)


def logins(server: CustomerServer, count: int, at_once: int) -> Process:
    """Logins for SFTP with nothing sent after them: what the server can take at all."""
    argv = [sys.executable, "-m", "tests.bench.plain", "logins", server.host, str(server.port)]
    return Process([*argv, server.username, str(count), str(at_once)], _plainly(server), tells=True)


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
