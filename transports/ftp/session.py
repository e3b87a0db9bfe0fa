"""A session at an FTP server: logged in, and what it tells of its files."""

import contextlib
from collections.abc import Callable
from typing import Self

from pydantic import SecretStr

from config.accounts import FtpSettings, Look
from transports.base import CannotTell, Limits, Offer, OnStep, unheard
from transports.errors import AccountFailure, ServerBusy, TransferError
from transports.ftp.connection import FtpConnection
from transports.ftp.control import Command
from transports.ftp.files import Files
from transports.ftp.folders import Folders
from transports.network.egress import Connection
from transports.network.round_trip import RoundTrip

_PACKS = ({"pipelines": True, "queues": True}, {"pipelines": True})


class FtpSession:
    """What every session over FTP can do before it writes a file."""

    host_key: str | None = None
    """A connection has one file at a time; the next one waits for a data connection as long as the
    last one's rename takes."""

    def __init__(self, connection: FtpConnection, known_folders: set[str], *, enters: bool) -> None:
        """`known_folders`: shared by the sessions of one login. `enters`: as in Capabilities."""
        capabilities = connection.settings.capabilities
        self._connection = connection
        self._known_folders = known_folders
        self._folders = Folders(connection, known_folders, enters=enters)
        self._files = Files(connection, self._folders)
        self._capabilities = capabilities
        self._queues = capabilities.queues
        self._says_begin = True
        self.look: Look | None = None

    @classmethod
    def open(
        cls,
        settings: FtpSettings,
        password: SecretStr,
        dial_server: Callable[[], Connection],
        limits: Limits,
        step: OnStep,
    ) -> Self:
        """A session with the server, logged in."""
        avoids = set(settings.capabilities.avoids)
        connection = FtpConnection(settings, password, dial_server, limits, avoids, RoundTrip())
        connection.open(step)
        return cls(connection, {"", "."}, enters=settings.capabilities.enters)

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
        connection = FtpConnection(
            mine.settings, mine.password, mine.dial_server, mine.limits, mine.avoids, mine.line
        )
        try:
            connection.open(unheard)
        except AccountFailure as refused:
            raise ServerBusy(refused.words) from refused
        session = type(self)(connection, self._known_folders, enters=self._folders.enters)
        session.look = self.look
        return session

    @property
    def offer(self) -> Offer:
        """What the server's answer to FEAT names, and what was found out since."""
        return Offer(
            hashes=self._files.hashes(),
            avoids=tuple(sorted(self._connection.avoids)),
            enters=self._folders.enters,
            packs=_PACKS,
        )

    @property
    def looks(self) -> tuple[Look, ...]:
        """By what it may tell whether a name is taken: what was stored, then what FEAT names."""
        return self._files.looks

    def answers(self) -> bool:
        """Whether the server still answers, be it with a refusal."""
        with contextlib.suppress(TransferError):
            self._connection.reply_to("NOOP")
        return self.connected

    def size(self, path: str) -> int | None:
        """The file's size in bytes (RFC 3659 section 4). Raises Unsupported."""
        return self._files.size(path)

    def exists(self, path: str, by: Look | None = None) -> bool:
        """Whether the name is taken, as MLST, SIZE or a listing tells it. Raises CannotTell."""
        is_there = self._files.exists(path, by or self.look or self._likely_look)
        if not is_there:
            self._note_free(path)
        return is_there

    @property
    def pipelines(self) -> bool:
        """Whether commands are sent together, which the server has given no reason against."""
        return self._connection.pipelines

    def _note_free(self, path: str) -> None:
        """The name was seen to be free: that holds until the server is asked anything else."""
        self._connection.control.note(_is_free(path))

    def _is_known_free(self, path: str) -> bool:
        return self._connection.control.holds(_is_free(path))

    def _look_at(self, path: str) -> Command | None:
        """The command that tells in a pack whether the name is taken; None without one."""
        verb = self._look_verb()
        return None if verb is None else (verb, self._folders.at(path))

    def _look_verb(self) -> str | None:
        """The command that tells whether a name is taken, where it was found to be true."""
        return {Look.MLST: "MLST", Look.SIZE: "SIZE"}.get(self.look) if self.look else None

    @property
    def _likely_look(self) -> Look:
        """SIZE alone, which many refuse, has to have worked once."""
        works = self._files.tells_size
        likely = (look for look in self.looks if look is not Look.SIZE or works)
        return next(likely, Look.NOTHING)

    def _may_be_there(self, path: str) -> bool:
        try:
            return self.exists(path)
        except CannotTell:
            return True


def _is_free(path: str) -> str:
    return f"{path} is free"
