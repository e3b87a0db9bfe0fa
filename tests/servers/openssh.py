"""OpenSSH's SFTP server."""

import base64
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.servers.namespace import LOOPBACK, NamespacedServer

_SETTINGS = """\
{extra}
ListenAddress {host}:{port}
HostKey {key}
PidFile none
UsePAM yes
PasswordAuthentication {password}
KbdInteractiveAuthentication {interactive}
PubkeyAuthentication no
PermitRootLogin no
PrintMotd no
UseDNS no
LogLevel VERBOSE
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


class Sshd(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    `logon`: the only method it offers. `extra`: lines of sshd_config, for example
    `MaxSessions 1`; they come first and so win. Port and host key survive `stop` and `start`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        logon: Literal["password", "keyboard-interactive"] = "password",
        extra: Sequence[str] = (),
    ) -> None:
        super().__init__(folder, "openssh-server", "sshd", home="/home/customer")
        self._interactive = logon == "keyboard-interactive"
        self._extra = tuple(extra)
        self._key = folder / "host_key"
        self.regenerate_host_key()

    def regenerate_host_key(self) -> None:
        """Take a new host key; it counts from the next `start` on."""
        for file in (self._key, self._key.with_suffix(".pub")):
            file.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=30)

    @property
    def host_key(self) -> str:
        """The fingerprint of the host key."""
        public = base64.b64decode(self._key.with_suffix(".pub").read_text().split()[1])
        digest = base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"

    @property
    def _argv(self) -> Sequence[str]:
        settings = self.folder / "sshd_config"
        settings.write_text(
            _SETTINGS.format(
                extra="\n".join(self._extra),
                host=LOOPBACK,
                port=self.port,
                key=self._key,
                password=_yes(not self._interactive),
                interactive=_yes(self._interactive),
            )
        )
        return [str(self.program), "-D", "-e", "-f", str(settings)]


def _yes(value: bool) -> str:  # noqa: FBT001 - sshd's own word for it
    return "yes" if value else "no"
