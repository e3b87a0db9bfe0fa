"""What a customer tells of a server, the same for every one of them."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class CustomerServer:
    """Where a customer wants recordings, and where they land on this machine's disk."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    root: Path
    """The folder on disk that uploads land in."""
    host_key: str | None = None
    """The SHA-256 fingerprint as OpenSSH writes it, `SHA256:...`; None without SSH."""
    home: str = "/"
    """The name that the server itself gives to `root`; a logon begins there."""
    tls: str | None = None
    """`ftps` or `ftps-implicit`; None without TLS."""
    authority: str | None = None
    """Who issued its certificate, in PEM; None without TLS."""


def new_password() -> str:
    """A password for one run."""
    return secrets.token_urlsafe(12)
