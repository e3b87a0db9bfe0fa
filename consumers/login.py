"""The one login of an account session, kept from file to file."""

import time

from config.accounts import FtpSettings
from consumers.means import Means
from transports import server as servers
from transports.base import Server
from transports.errors import TransferError

STALE_SECONDS = 1.0
"""A login that was idle for so long is asked whether it still stands before a file is begun: a
server that ends idle sessions has not failed."""


class Login:
    """At most one session at the customer's server at a time."""

    def __init__(self, means: Means, account_id: str) -> None:
        self._means = means
        self._account_id = account_id
        self._server: Server | None = None
        self._settings: FtpSettings | None = None
        self._used_at = 0.0

    @property
    def server(self) -> Server | None:
        """The session that stands, if any."""
        return self._server

    def get(self, settings: FtpSettings) -> Server:
        """The session that stands, for as long as the settings stay the same; else a new one.

        Raises TransferError, and ConfigError where the password cannot be read.
        """
        if self._server is not None and self._settings != settings:
            self.close()
        if self._server is None or not self._answers(self._server):
            self.close()
            password = self._means.directory.password(self._account_id)
            self._server = servers.connect(
                settings, password, self._means.limits, self._means.egress
            )
            self._settings = settings
        self._used_at = time.monotonic()
        return self._server

    def used(self) -> None:
        """A file was delivered over it just now."""
        self._used_at = time.monotonic()

    def interrupt(self) -> None:
        """Cut what runs over it, from another thread."""
        server = self._server
        if server is not None:
            server.close()

    def close(self) -> None:
        """End it; harmless where there is none."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _answers(self, server: Server) -> bool:
        if time.monotonic() - self._used_at < STALE_SECONDS:
            return True
        try:
            server.exists("courier-still-there")
        except TransferError:
            return False
        return True
