"""npm's ssh2, on which applications build SFTP servers of their own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import npm
from tests.servers.host_keys import fingerprint, make_host_key
from tests.servers.process import ProcessServer

_SCRIPT = Path(__file__).with_name("ssh2_server.js")


class Ssh2(ProcessServer):
    """Files of a folder, as the example in its manual serves them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._key = folder / "host_key"
        # It reads no Ed25519 key in OpenSSH's format.
        make_host_key(self._key, "-t", "ecdsa", "-b", "256", "-m", "PEM")
        super().__init__(folder, fingerprint(self._key))

    @property
    def _argv(self) -> Sequence[str]:
        return ["node", str(_SCRIPT)]

    @property
    def _env(self) -> Mapping[str, str]:
        return {
            "NODE_PATH": str(npm.MODULES),
            "SERVER_USER": self.customer.username,
            "SERVER_PASSWORD": self.customer.password,
            "SERVER_PORT": str(self.customer.port),
            "SERVER_ROOT": str(self.customer.root),
            "SERVER_KEY": str(self._key),
        }
