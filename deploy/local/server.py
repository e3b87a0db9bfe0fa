"""What the broker and the database have in common for those who start and end them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from deploy.local.processes import Process


@dataclass(frozen=True)
class Server(ABC):
    """A server. Its data and its port survive `stop`, `kill` and `restart`."""

    url: str
    process: Process

    def start(self) -> None:
        """Start it and wait until it can be used. Raises `ServiceError` as `wait_ready` does."""
        self.process.start()
        self.wait_ready()

    def stop(self) -> None:
        """Stop it as an operator would."""
        self.process.stop()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it, start it and wait until it can be used."""
        self.stop()
        self.start()

    @abstractmethod
    def wait_ready(self) -> None:
        """Wait until it can be used. Raises `ServiceError` where it takes too long."""
