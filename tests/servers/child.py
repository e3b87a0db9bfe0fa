"""A customer's server that is a child process of the test."""

from abc import abstractmethod

from deploy.local.customers.facts import LOOPBACK
from deploy.local.customers.listener import Listener
from deploy.local.processes import (
    Child,
    ServiceError,
    give_back,
    kept_ports,
    listens,
    wait_until,
)

_SECONDS = 60.0


class ChildServer(Listener):
    """Starts and stops on one port; `stop` cuts the sessions that are open."""

    host = LOOPBACK
    """The address at which it listens."""
    passive_ports = 0
    """How many an FTP server has for transfers that are under way together."""
    _child: Child | None = None
    _passive = range(0)
    """Those of this start, until it is stopped."""

    @property
    @abstractmethod
    def port(self) -> int:
        """Where it listens."""

    @abstractmethod
    def _new_child(self) -> Child:
        """The server in the foreground, with its settings written."""

    def start(self) -> None:
        """Start it and wait until it listens. Raises `ServiceError` after 60 s."""
        if self.passive_ports:
            self._passive = kept_ports(self.passive_ports)
        child = self._child = self._new_child()
        child.start()

        def ready() -> bool:
            child.check()
            return listens(self.port, self.host)

        try:
            wait_until(ready, _SECONDS, f"{child.name} did not listen within {_SECONDS:.0f} s.")
        except ServiceError:
            self.stop()
            raise

    def stop(self) -> None:
        """End it with all its sessions; the port is free on return."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            words = f"{child.name} still listens after it was stopped."
            wait_until(lambda: not listens(self.port, self.host), _SECONDS, words)
        give_back(self._passive)
