"""A session at an SFTP server: trusted, logged in, on a channel of its own; and its edge.

No error of paramiko or of the operating system leaves `_talk` untranslated.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Self

from paramiko.sftp import SFTPError
from paramiko.ssh_exception import ChannelException, SSHException
from pydantic import SecretStr

from config.accounts import Look
from transports.access import Access, session_over, translated
from transports.base import OnStep, closed_on_failure, unheard
from transports.errors import (
    AccountFailure,
    ConnectionLost,
    HostKeyChanged,
    NoSftp,
    ServerBusy,
    StartupText,
    TransferError,
)
from transports.network.watchdog import Watch
from transports.sftp.answers import Refused
from transports.sftp.channel import Printed, SftpChannel
from transports.sftp.client import SftpClient
from transports.ssh.connection import SshConnection
from transports.words import own, spoken

_RESOURCE_SHORTAGE = 4  # RFC 4254 section 5.1
_SHARED_SECONDS = 1.0
"""How long a refused login is the answer to all sessions that have lost a connection together."""
Judge = Callable[[Refused], type[TransferError]]


class SftpSession:
    """What every session over SFTP can do before it touches a file."""

    def __init__(self, connection: SshConnection) -> None:
        self._watch = Watch(connection.wire)
        with closed_on_failure(self._watch):
            connection.join(self, self._watch)
        self._connection = connection
        self._settings = connection.settings
        self._limits = connection.limits
        self._folders = connection.folders
        self._watch.guard(connection.wire)
        self._client: SftpClient | None = None
        self._closed = False
        self._failure: TransferError | None = None
        """What the session ended with."""
        self._ended = False
        """Whoever uses it has ended it: no other connection is made for what was lost."""
        self.look: Look | None = None
        self._begun = dict[str, bool]()
        """Whether each file of the test on save may ever have been begun. Of uploads, which are
        very many in a login, nothing is noted."""

    @property
    def host_key(self) -> str | None:
        """The fingerprint of the server's key."""
        return self._connection.host_key

    @property
    def connected(self) -> bool:
        """Whether the SSH connection stands."""
        return self._connection.stands

    @property
    def round_trip(self) -> float:
        """Seconds: the quickest recent answer over the connection; 0 until known."""
        return self._connection.line.seconds

    @classmethod
    def open(cls, access: Access, step: OnStep) -> Self:
        """A session with the server that holds a pinned key, logged in."""
        session = cls._trusted(access, step)
        who = session.log_in()
        with closed_on_failure(session):
            step("logged in", who)
        return session

    @classmethod
    def _trusted(cls, access: Access, step: OnStep) -> Self:
        """A connection that showed a pinned key, before any credential was sent.

        A server has a key of each type and shows the one that both sides prefer. A type added on
        one side changes that choice, not the key that was pinned: so all of them are looked at.
        """
        pinned = access.settings.host_keys
        seen: list[str] = []
        without: list[str] = []
        while True:
            try:
                connection = access.dial()
                if not seen:
                    with closed_on_failure(connection.socket):
                        step("connected", connection.address.host)
                session = cls(SshConnection(connection, access, without))
                key = session.shake_hands()
            except TransferError:
                if not seen:
                    raise
                raise HostKeyChanged(pinned=pinned, shown=seen[0]) from None
            if not pinned or key in pinned:
                with closed_on_failure(session):
                    step("host key", key)
                return session
            session.close()
            seen.append(key)
            without += session._connection.transport.same_key_algorithms()

    def shake_hands(self) -> str:
        """Agree on keys; the fingerprint of the server's. No credential was sent yet."""
        with closed_on_failure(self), self._talk(self._limits.login):
            return self._connection.shake_hands()

    def log_in(self) -> str:
        """Log in and start SFTP. Returns as whom and with what.

        Raises LoginRefused, ProtocolFailed, ServerBusy.
        """
        with closed_on_failure(self):
            with self._talk(self._limits.login):
                who = self._connection.authenticate()
            self._open_channel(_no_sftp)
        return who

    def another(self) -> Self:
        """A session on a channel of its own. Raises ServerBusy, Stalled, ConnectionLost."""
        session = self._beside(self._connection, self._sftp)
        session.look = self.look
        return session

    @classmethod
    def _beside(cls, connection: SshConnection, client: SftpClient) -> Self:
        session = cls(connection)
        with closed_on_failure(session):
            session._open_channel(_no_more, client)
        return session

    def cut(self) -> None:
        """Break the connection, for all that share it; no other is made for what was lost."""
        self._ended = True
        self._watch.cut()

    def close(self) -> None:
        """End the session, and with the last of its connection that one and its thread."""
        self._ended = True
        self._release()

    def _release(self) -> None:
        if self._closed:
            return
        if self._watch.busy:  # in another thread, which finds its socket cut and closes
            self._watch.cut()
            return
        self._closed = True
        # What the others send goes first; a watch that is over would cut them off.
        seconds = self._limits.stall if self._connection.is_shared else 1
        with contextlib.suppress(Exception), self._watch.within(seconds):
            if self._client is not None and self._connection.stands:
                self._client.close()
        self._watch.close()
        self._connection.leave(self)

    @property
    def _sftp(self) -> SftpClient:
        if self._client is None:
            raise session_over()
        return self._client

    @property
    def _reply(self) -> float:
        """Seconds until an answer has to come: servers that are slow at the end of a file are slow
        in between."""
        seen = self._settings.capabilities.finish_seconds or 0
        return max(self._limits.reply, 3 * seen)

    def reconnect(self) -> bool:
        """Whether a connection stands, be it a new one. Raises TransferError."""
        return self._connect_again() or not (self._closed or self._ended)

    def _connect_again(self) -> bool:
        """A connection in place of what was lost; False where none is wanted any more.

        It is this session's until `close`, whatever it shows. Raises TransferError.
        """
        if not (self._is_wanted() and self._closed):
            return False
        fresh = self._renewed()
        self._connection, self._watch, self._client = fresh.hand_over(self)
        self._folders = self._connection.folders
        self._closed, self._failure = False, None
        if not self._is_wanted():  # another thread has ended it meanwhile
            self._release()
            return False
        return True

    def _renewed(self) -> Self:
        """A session like this one. Raises TransferError.

        Of the sessions that have lost a connection together the first one logs in: the others wait
        for it, and have a channel beside it or fail with it.
        """
        old = self._connection
        with old.renewal:
            if old.renewed is None or not old.renewed.stands:
                return self._logged_in_again(old)
            session = type(self)(old.renewed)  # it does not end from here on
        try:
            with closed_on_failure(session):
                session._open_channel(_no_more, self._client)  # noqa: SLF001 - its own kind
        except ServerBusy:  # a server may give each connection another number of channels
            with old.renewal:
                return self._logged_in_again(old)
        return session

    def _logged_in_again(self, old: SshConnection) -> Self:
        if old.refusal is not None and time.monotonic() - old.refused_at < _SHARED_SECONDS:
            raise old.refusal
        keys = self._settings.host_keys or ((self.host_key,) if self.host_key else ())
        settings = self._settings.model_copy(update={"host_keys": keys})
        try:
            with old.access.again():
                fresh = self.open(old.access._replace(settings=settings), unheard)
        except TransferError as error:
            old.refusal, old.refused_at = error, time.monotonic()
            raise
        old.renewed = fresh._connection  # noqa: SLF001 - one of its own kind
        old.renewed.forgone |= old.forgone
        return fresh

    def hand_over(self, to: object) -> tuple[SshConnection, Watch, SftpClient | None]:
        """All that this session has, for another one that takes its place."""
        self._connection.join(to, self._watch)
        self._connection.leave(self)
        return self._connection, self._watch, self._client

    def _is_wanted(self) -> bool:
        return not self._ended

    def _open_channel(
        self,
        refused: Callable[[Exception, SecretStr], TransferError],
        like: SftpClient | None = None,
    ) -> None:
        """`refused`: what it means that the server gives no channel for SFTP."""
        with self._talk(self._limits.login):
            try:
                self._client = self._new_client(like)
            except Printed as printed:
                words = self._words(printed.text)
                raise StartupText(f"Before SFTP began, the server printed: {words}") from None
            except (SSHException, SFTPError, EOFError, OSError) as error:
                if self._watch.expired or not self._connection.stands:
                    raise
                connection = self._connection
                meant = connection.told_by_banner() or refused(error, connection.password)
                raise meant from error

    def _new_client(self, like: SftpClient | None) -> SftpClient:
        channel = self._connection.open_channel()
        with closed_on_failure(channel):
            channel.invoke_subsystem("sftp")
            size = self._settings.capabilities.request_size
            connection = self._connection
            said = connection.access.tap.conversation(connection.password)
            requests = SftpChannel(channel, self._watch.moved, connection.line, said)
            return SftpClient(requests, size, like, self._settings.name_encoding)

    def _words(self, text: str | bytes) -> str:
        return spoken(text, self._connection.password)

    @contextlib.contextmanager
    def _talk(self, seconds: float, judge: Judge | None = None) -> Iterator[None]:
        """The edge: no error of paramiko or of the operating system leaves it untranslated."""
        if self._closed:
            raise self._failure.again() if self._failure else session_over()
        # Whatever paramiko's thread died of is raised again in here. A judge may ask the server for
        # more, so it has to come to its end within the time.
        with translated(self._broken), self._watch.within(seconds):
            try:
                yield
            except Refused as refusal:
                failure = AccountFailure if judge is None else judge(refusal)
                raise failure(self._words(refusal.words)) from refusal

    def _broken(self, error: Exception) -> TransferError:
        if self._closed:  # by another thread, between two requests
            return session_over()
        if self._is_only_this_channel(error):
            failure: TransferError = ConnectionLost("The server ended the SFTP session")
            failure.common = self._sftp.channel
        else:
            failure = self._connection.failed(error, self._watch)
        self._failure = failure
        self._release()
        return failure

    def _is_only_this_channel(self, error: Exception) -> bool:
        """Whether the server has closed the channel, and the connection stands."""
        return (
            self._client is not None
            and self._client.channel.is_closed
            and not isinstance(error, SFTPError)
            and not self._watch.expired
            and self._connection.stands
        )


def _no_sftp(error: Exception, password: SecretStr) -> TransferError:
    if isinstance(error, ChannelException) and error.code == _RESOURCE_SHORTAGE:
        return ServerBusy(_named(error, password))
    return NoSftp("The login worked, but the server offers no SFTP")


def _no_more(error: Exception, password: SecretStr) -> TransferError:
    words = _named(error, password) if isinstance(error, ChannelException) else ""
    return ServerBusy(words or "The server takes no more sessions on this connection")


def _named(error: ChannelException, password: SecretStr) -> str:
    """paramiko's name for the server's reason: its words are not handed on."""
    return own(spoken(error.text, password))
