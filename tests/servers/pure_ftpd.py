"""pure-ftpd, the FTP server of hosting panels."""

from collections.abc import Sequence
from pathlib import Path

from tests.servers.namespace import LOOPBACK, NamespacedServer

_PASSIVE_PORTS = 100


class PureFtpd(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    `extra`: options, for example `--autorename`. Its port survives `stop` and `start`. `tls`:
    `ftps`, the only kind that it knows.
    """

    passive_ports = _PASSIVE_PORTS

    def __init__(self, folder: Path, *, extra: Sequence[str] = (), tls: str | None = None) -> None:
        super().__init__(folder, "pure-ftpd", "pure-ftpd", home="/", tls=tls)
        self._extra = (*self._tls_options(), *extra)

    @property
    def _argv(self) -> Sequence[str]:
        return [
            str(self.program),
            f"--bind={LOOPBACK},{self.port}",
            f"--passiveportrange={self._passive[0]}:{self._passive[-1]}",
            f"--pidfile={self.folder / 'pure-ftpd.pid'}",
            "--login=unix",
            "--chrooteveryone",
            "--noanonymous",
            "--dontresolve",
            *self._extra,
        ]

    def _tls_options(self) -> list[str]:
        if self.authority is None:
            return []
        both = self.folder / "pure-ftpd.pem"
        both.write_bytes(self.pair.key.read_bytes() + self.pair.cert.read_bytes())
        both.chmod(0o600)
        return ["--tls=2", f"--certfile={both}"]
