"""rclone as a server: a folder, or whatever it knows as a remote, behind FTP or SFTP."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.host_keys import fingerprint, make_host_key
from tests.servers.process import ProcessServer

PROGRAM = Path(sys.executable).with_name("rclone")
"""Of the package of PyPI that brings it."""
_PASSIVE_PORTS = 100


def version() -> str:
    """What it says of its version."""
    command = [str(PROGRAM), "version"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    match = re.search(r"v(\d[\w.]*)", told)
    return match[1] if match else "unknown"


class _Rclone(ProcessServer):
    """`extra`: options, for example `--vfs-cache-mode=writes`."""

    def __init__(
        self, folder: Path, host_key: str | None = None, *, extra: Sequence[str] = ()
    ) -> None:
        super().__init__(folder, host_key)
        self._extra = extra

    def _serve(self, protocol: str) -> list[str]:
        address = f"{self.customer.host}:{self.customer.port}"
        return [str(PROGRAM), "serve", protocol, str(self.customer.root), "--addr", address]

    @property
    def _env(self) -> Mapping[str, str]:
        return {
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_USER": self.customer.username,
            "RCLONE_PASS": self.customer.password,
        }


class RcloneFtp(_Rclone):
    """`rclone serve ftp`."""

    passive_ports = _PASSIVE_PORTS

    @property
    def _argv(self) -> Sequence[str]:
        passive = f"{self._passive[0]}-{self._passive[-1]}"
        return [*self._serve("ftp"), "--passive-port", passive, *self._extra]


class RcloneSftp(_Rclone):
    """`rclone serve sftp`."""

    def __init__(self, folder: Path, *, extra: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True)
        self._key = folder / "host_key"
        make_host_key(self._key)
        super().__init__(folder, fingerprint(self._key), extra=extra)

    @property
    def _argv(self) -> Sequence[str]:
        return [*self._serve("sftp"), "--key", str(self._key), *self._extra]
