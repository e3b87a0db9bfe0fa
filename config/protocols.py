"""How an account's server is spoken to and logged in at: the choices of customers' instructions."""

from enum import StrEnum


class Protocol(StrEnum):
    """How files travel to the customer's server."""

    FTP = "ftp"
    SFTP = "sftp"
    FTPS = "ftps"
    """FTP that TLS is begun in by a command (RFC 4217)."""
    FTPS_IMPLICIT = "ftps-implicit"
    """FTP over TLS from the first byte, as on port 990."""

    @property
    def uses_tls(self) -> bool:
        """Whether it is FTP over TLS."""
        return self in {Protocol.FTPS, Protocol.FTPS_IMPLICIT}


class LogonType(StrEnum):
    """With what one logs in to an SFTP server (RFC 4252 sections 7 and 8, RFC 4256)."""

    NORMAL = "normal"
    INTERACTIVE = "interactive"
    KEY = "key"
    KEY_AND_PASSWORD = "key-and-password"  # noqa: S105 - the name of a choice

    @property
    def needs_key(self) -> bool:
        """Whether the server is shown the account's key."""
        return self in {LogonType.KEY, LogonType.KEY_AND_PASSWORD}

    @property
    def needs_password(self) -> bool:
        """Whether the server is told the password."""
        return self is not LogonType.KEY


DEFAULT_PORTS = {
    Protocol.FTP: 21,
    Protocol.SFTP: 22,
    Protocol.FTPS: 21,
    Protocol.FTPS_IMPLICIT: 990,
}
