"""What one flight of an account session has of its login: a session at the server."""

from config.accounts import FtpSettings
from consumers.delivery.login import Login
from transports.base import Server
from transports.errors import Interrupted, ServerBusy, TransferError


class Line:
    """One flight's session at the server: kept afterwards, discarded after an error."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._logons = login.logons
        self.losses = login.losses
        """By `Login.losses`: which of them was there before this upload."""
        self._server: Server | None = None
        self.others = 0
        """Sessions of other uploads, when this one failed."""

    def open(self, settings: FtpSettings) -> Server:
        """The session. Raises TransferError, and ConfigError for an unreadable password."""
        self._server = self._login.wait_for_session(settings)
        if self._server is None:
            try:
                self._server = self._open_more(settings)
            finally:
                self._login.opened()
        self.losses = self._login.losses_before(self._server)
        return self._server

    @property
    def has_logged_in(self) -> bool:
        """Whether it had a session at the server, also if that has failed since."""
        return self._server is not None

    def keep(self) -> None:
        """All went well; harmless where no session was opened."""
        if self._server is not None:
            self._login.keep(self._server)

    def discard(self) -> None:
        """Something has failed; harmless where no session was opened."""
        self.others = max(self.others, self._login.open_now() - self.has_logged_in)
        if self._server is not None:
            self._login.discard(self._server)

    def _open_more(self, settings: FtpSettings) -> Server:
        while True:
            origin = self._login.standing(settings)
            if origin is None:
                server = self._login.connect(settings, self._logons)
                self._logons = self._login.logons
            else:
                server = self._beside(origin)
            if server is not None:
                return server

    def _beside(self, origin: Server) -> Server | None:
        """A session beside `origin`; None where its connection has ended with its last upload.

        Raises TransferError where the connection was lost.
        """
        try:
            return self._login.use(origin.another())
        except ServerBusy:
            self.others = 1  # at the least: the one beside which it was asked for
            raise
        except Interrupted:
            raise
        except TransferError as error:
            if origin.connected or error.common is not None:
                raise
            return None
