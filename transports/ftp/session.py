"""A session at an FTP server, logged in."""

import contextlib
from typing import Self

from config.accounts import Look
from transports.access import Access
from transports.base import OnStep, unheard
from transports.errors import AccountFailure, ServerBusy, TransferError
from transports.ftp.connection import FtpConnection
from transports.ftp.folders import Folders
from transports.ftp.trust import Trust
from transports.network.round_trip import RoundTrip
from transports.network.sending_turn import SendingTurn


class FtpSession:
    """What every session over FTP can do before it touches a file."""

    host_key: str | None = None
    """There is none: a certificate is not pinned unless a person has approved it."""

    def __init__(self, connection: FtpConnection, known_folders: set[str], *, enters: bool) -> None:
        """`known_folders`: shared by the sessions of one login. `enters`: as in Capabilities."""
        capabilities = connection.settings.capabilities
        self._connection = connection
        self._known_folders = known_folders
        self._folders = Folders(connection, known_folders, enters=enters)
        self._capabilities = capabilities
        self._queues = capabilities.queues
        self._says_begin = True
        self._tells_size: bool | None = None if capabilities.size else False
        """Whether SIZE tells sizes; None until it is known."""
        self.look: Look | None = None

    @classmethod
    def open(cls, access: Access, step: OnStep) -> Self:
        """A session with the server, logged in."""
        capabilities = access.settings.capabilities
        settings = access.settings
        trust = Trust(settings) if settings.protocol.uses_tls else None
        turn = SendingTurn(RoundTrip())
        connection = FtpConnection(access, set(capabilities.avoids), turn, trust)
        connection.open(step)
        return cls(connection, {"", "."}, enters=capabilities.enters)

    @property
    def connected(self) -> bool:
        """Whether the control connection stands."""
        return not self._connection.closed

    @property
    def round_trip(self) -> float:
        """Seconds: the quickest recent reply; 0 until known."""
        return self._connection.line.seconds

    def another(self) -> Self:
        """A session with a login of its own. Raises ServerBusy for whatever refuses it: what was
        taken from this session cannot be wrong for the next."""
        mine = self._connection
        connection = FtpConnection(mine.access, mine.avoids, mine.turn, mine.trust)
        try:
            connection.open(unheard)
        except AccountFailure as refused:
            raise ServerBusy(refused.words) from refused
        session = type(self)(connection, self._known_folders, enters=self._folders.enters)
        session.look = self.look
        return session

    def answers(self) -> bool:
        """Whether the server still answers, be it with a refusal."""
        with contextlib.suppress(TransferError):
            self._connection.reply_to("NOOP")
        return self.connected

    @property
    def pipelines(self) -> bool:
        """Whether commands are sent together, which the server has given no reason against."""
        return self._connection.pipelines
