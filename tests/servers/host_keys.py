"""Host keys of the SFTP servers that the tests start."""

import base64
import hashlib
import subprocess
from pathlib import Path


def make_host_key(key: Path, *options: str) -> None:
    """Take a new host key; Ed25519 unless `ssh-keygen`'s options say otherwise."""
    for file in (key, key.with_suffix(".pub")):
        file.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", *(options or ("-t", "ed25519")), "-N", "", "-f", str(key)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=30)


def fingerprint(key: Path) -> str:
    """As OpenSSH writes it: `SHA256:...`."""
    public = base64.b64decode(key.with_suffix(".pub").read_text().split()[1])
    digest = base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"
