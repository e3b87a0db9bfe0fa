"""What one flight of an account session has of its login: a session at the server."""

from config.accounts import FtpSettings
from consumers.delivery.connection_pool import ConnectionPool
from transports.base import Server
from transports.errors import Interrupted, ServerBusy, TransferError


class PooledConnection:
    """One flight's session at the server: kept afterwards, discarded after an error."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._login_count = pool.login_count
        self.loss_count = pool.loss_count
        """By `ConnectionPool.loss_count`: which of them was there before this upload."""
        self._server: Server | None = None
        self.others = 0
        """Sessions of other uploads, when this one failed."""

    def open(self, settings: FtpSettings) -> Server:
        """The session. Raises TransferError, and ConfigError for an unreadable password."""
        self._server = self._pool.wait_for_session(settings)
        if self._server is None:
            try:
                self._server = self._open_more(settings)
            finally:
                self._pool.opened()
        self.loss_count = self._pool.losses_before(self._server)
        return self._server

    @property
    def has_logged_in(self) -> bool:
        """Whether it had a session at the server, also if that has failed since."""
        return self._server is not None

    def keep(self) -> None:
        """All went well; harmless where no session was opened."""
        if self._server is not None:
            self._pool.keep(self._server)

    def discard(self) -> None:
        """Something has failed; harmless where no session was opened."""
        self.others = max(self.others, self._pool.open_now() - self.has_logged_in)
        if self._server is not None:
            self._pool.discard(self._server)

    def _open_more(self, settings: FtpSettings) -> Server:
        """Open one. It ends: each round without a session means that somebody else has logged in,
        or that the connection beside which it was tried is gone, and then this flight logs in."""
        while True:
            origin = self._pool.standing(settings)
            if origin is None:
                server = self._pool.connect(settings, self._login_count)
                self._login_count = self._pool.login_count
            else:
                server = self._beside(origin)
            if server is not None:
                return server

    def _beside(self, origin: Server) -> Server | None:
        """A session beside `origin`; None where its connection has ended with its last upload.

        Raises TransferError where the connection was lost.
        """
        try:
            return self._pool.use(origin.another())
        except ServerBusy:
            self.others = 1  # at the least: the one beside which it was asked for
            raise
        except Interrupted:
            raise
        except TransferError as error:
            if origin.connected or error.common is not None:
                raise
            return None
