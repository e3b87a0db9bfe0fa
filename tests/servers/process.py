"""A customer's server in the test's own namespace, with a user of its own making."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.customers import CustomerServer
from deploy.local.customers.facts import LOOPBACK, new_password
from deploy.local.processes import Child, free_port
from tests.servers.child import ChildServer


class ProcessServer(ChildServer):
    """Its user is the one of the test."""

    def __init__(self, folder: Path, host_key: str | None = None) -> None:
        """`folder`: an empty folder for its files; uploads land in `folder/customer`.

        `host_key`: the fingerprint, of an SFTP server.
        """
        self.folder = folder
        self.customer = CustomerServer(
            host=LOOPBACK,
            port=free_port(),
            username="customer",
            password=new_password(),
            root=folder / "customer",
            host_key=host_key,
        )
        """What the customer tells of it."""
        self.customer.root.mkdir(parents=True, exist_ok=True)

    @property
    @abstractmethod
    def _argv(self) -> Sequence[str]:
        """The server in the foreground."""

    @property
    @abstractmethod
    def _env(self) -> Mapping[str, str]:
        """Its environment, besides the test's."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.customer.port

    def _new_child(self) -> Child:
        name = type(self).__name__
        return Child(name, self._argv, self.folder / "server.log", self._env)
