"""What a backend can do at a customer's server, and the limits all of them keep to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

BLOCK = 255 * 1024
"""Bytes a source hands out at once: the largest write request that OpenSSH takes."""

OnStep = Callable[[str, str], None]
"""Hears of a step on the way to a session: its name, and a detail such as the address."""


@dataclass(frozen=True)
class Limits:
    """Time limits by phase, in seconds. The only place for them."""

    resolve: float = 10
    connect: float = 15
    login: float = 30
    reply: float = 30
    """From a request to its answer."""
    stall: float = 60
    """Without one byte moving, in whatever the library waits for."""


@dataclass(frozen=True)
class Egress:
    """Where no connection may go, checked on the resolved address."""

    deny: tuple[IPv4Network | IPv6Network, ...] = ()


class TargetExists(Exception):
    """The rename was refused because the name is taken. Never leaves this package."""


class Unsupported(Exception):
    """The server does not do this at all. Never leaves this package."""


class Server(Protocol):
    """A session at a customer's server, connected and logged in.

    Paths are as the customer wrote them: relative to the login folder, or absolute. Every method
    raises a TransferError whose kind tells who has to mend it; after any error the session is
    closed, never used again.
    """

    host_key: str | None
    """The fingerprint of the server's key (`SHA256:...`), None where the protocol has none."""

    def put(self, blocks: Iterable[bytes], path: str) -> None:
        """Write the blocks to a new file at `path`; returns once the server has them all."""

    def size(self, path: str) -> int | None:
        """The file's size in bytes, None where it does not exist. Raises Unsupported."""

    def exists(self, path: str) -> bool:
        """Whether the name is taken, by the best means the server offers."""

    def rename(self, path: str, to: str) -> None:
        """Rename without overwriting. Raises TargetExists, Unsupported."""

    def remove(self, path: str) -> None:
        """Remove the file; one that is not there is fine."""

    def make_directory(self, path: str) -> None:
        """Make sure of the folder, with those above it; one that is there is fine."""

    def close(self) -> None:
        """End the session, politely where that is quick. Never raises; may be repeated.

        From another thread it cuts what runs, which then raises ConnectionLost.
        """
