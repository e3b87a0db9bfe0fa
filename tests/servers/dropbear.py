"""Dropbear, the SSH server of routers and other small devices."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.host_keys import fingerprint
from tests.servers.namespace import LOOPBACK, NamespacedServer

PACKAGE = "dropbear-bin"


class Dropbear(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    SFTP is OpenSSH's program, as on the devices.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PACKAGE, "dropbear", home="/home/customer")
        self._key = folder / "host_key"
        command = ["dropbearkey", "-t", "ed25519", "-f", str(self._key)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        public = next(line for line in told.stdout.splitlines() if line.startswith("ssh-ed25519"))
        self._key.with_suffix(".pub").write_text(public)

    @property
    def host_key(self) -> str:
        """The fingerprint of the host key."""
        return fingerprint(self._key)

    @property
    def _argv(self) -> Sequence[str]:
        address = f"{LOOPBACK}:{self.port}"
        pid = str(self.folder / "dropbear.pid")
        return [str(self.program), "-F", "-E", "-r", str(self._key), "-p", address, "-P", pid]
