"""A customer's server that is a child process of the test, with a user of its own making."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.customers import CustomerServer
from deploy.local.customers.facts import LOOPBACK, new_password
from deploy.local.processes import Child, ServiceError, free_port, listens, wait_until

_START_SECONDS = 60.0


class ProcessServer(ABC):
    """Starts and stops on one port; `stop` cuts the sessions that are open."""

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
        self._child: Child | None = None

    @property
    @abstractmethod
    def _argv(self) -> Sequence[str]:
        """The server in the foreground."""

    @property
    @abstractmethod
    def _env(self) -> Mapping[str, str]:
        """Its environment, besides the test's."""

    def start(self) -> None:
        """Start it and wait until it listens. Raises `ServiceError` after 60 s."""
        name = type(self).__name__
        child = self._child = Child(name, self._argv, self.folder / "server.log", self._env)
        child.start()

        def ready() -> bool:
            child.check()
            return listens(self.customer.port)

        try:
            wait_until(ready, _START_SECONDS, f"{name} did not listen within 60 s.")
        except ServiceError:
            self.stop()
            raise

    def stop(self) -> None:
        """End it with all its sessions."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
