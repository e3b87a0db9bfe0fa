"""What every server of a customer's has in common."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Listener(ABC):
    """Listens inside a `with` block, and as often as it is started."""

    @abstractmethod
    def start(self) -> None:
        """Listen. Raises `ServiceError` where the port cannot be had."""

    @abstractmethod
    def stop(self) -> None:
        """Stop listening and cut what is open; the port is free on return."""

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
