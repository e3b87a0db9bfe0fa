"""Renames one after the other, at a server that takes them so; whether a session is over."""

from collections.abc import Sequence
from typing import Protocol

from transports.base import Move
from transports.errors import Kind, TransferError


def rename_each(server: "Renaming", moves: Sequence[Move]) -> None:
    """Rename the files. Raises TransferError where the session is over."""
    for move in moves:
        try:
            move.permit()
            server.rename(move.path, move.to)
        except BaseException as error:
            if is_lost(server, error):
                raise
            move.error = error
        else:
            move.done = True


class Connected(Protocol):
    """A session."""

    @property
    def connected(self) -> bool:
        """Whether its connection stands."""


class Renaming(Connected, Protocol):
    """A session that renames files."""

    def rename(self, path: str, to: str) -> None:
        """As of Server."""


def is_lost(server: Connected, error: BaseException) -> bool:
    """Whether the session is over with this error."""
    if not isinstance(error, TransferError):
        return False
    of_connection = error.kind in {Kind.ACCOUNT, Kind.BUSY} and not server.connected
    return error.common is not None or of_connection
