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
        self._says_begin = True
        """Whether the server says that it begins a file; few never do."""
        self._tells_size: bool | None = None if capabilities.size else False
        """Whether SIZE tells sizes; None until it is known."""
        self.look: Look | None = None
        self._begun = dict[str, bool]()
        """Whether each file of the test on save may ever have been begun. Of uploads, which are
        very many in a login, nothing is noted."""

    @classmethod
    def open(cls, access: Access, step: OnStep) -> Self:
        """A session with the server, logged in."""
        capabilities = access.settings.capabilities
        settings = access.settings
        trust = Trust(settings, access.client_key) if settings.protocol.uses_tls else None
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

    def reconnect(self) -> bool:
        """Whether a connection stands, be it a new one. Raises TransferError."""
        if not (self.connected or self._connection.ended):
            self._connection.reopen()
        return self.connected

    def answers(self) -> bool:
        """Whether the server still answers, be it with a refusal."""
        with contextlib.suppress(TransferError):
            self._connection.reply_to("NOOP")
        return self.connected

    @property
    def pipelines(self) -> bool:
        """Whether commands are sent together, which the server has given no reason against.

        Not where folders are entered: in a pack all names would be taken in the last of them.
        """
        return self._connection.pipelines and not self._folders.enters

    @property
    def _queues(self) -> bool:
        """Whether commands are sent while a file is on its way."""
        return self.pipelines and self._capabilities.queues

    @property
    def _sends_early(self) -> bool:
        """Whether a file's bytes are sent before the server has said that it begins it.

        They may overtake STOR where a packet with it is lost. pyftpdlib then ends their connection
        and waits for another one, so only who was tried with it is sent to like that.
        """
        return self._queues or (self.pipelines and self._capabilities.early)
