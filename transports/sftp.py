"""SFTP (SSH_FXP version 3) on paramiko: I/O only."""

import contextlib
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Self

from paramiko import SFTPAttributes
from paramiko.sftp import (
    SFTP_FAILURE,
    SFTP_NO_SUCH_FILE,
    SFTP_OP_UNSUPPORTED,
    SFTP_PERMISSION_DENIED,
    SFTPError,
)
from paramiko.ssh_exception import ChannelException, SSHException
from pydantic import SecretStr

from config.accounts import FtpSettings, HashAlgorithm
from transports.base import (
    HandOn,
    Limits,
    Offer,
    OnStep,
    Seen,
    TargetExists,
    Unsupported,
    closed_on_failure,
)
from transports.egress import Connection
from transports.errors import (
    AccountFailure,
    ConnectionLost,
    HostKeyChanged,
    NameRefused,
    PathRefused,
    ProtocolFailed,
    QuotaExceeded,
    ServerBusy,
    TransferError,
)
from transports.names import with_parents
from transports.sftp_channel import SftpChannel
from transports.sftp_client import Refused, SftpClient, Writes
from transports.ssh_connection import SshConnection
from transports.watchdog import Watch
from transports.words import spoken

_RESOURCE_SHORTAGE = 4  # RFC 4254 section 5.1
_NO_SUCH_PATH, _WRITE_PROTECT, _NO_SPACE, _QUOTA = 10, 12, 14, 15  # of later drafts, seen in 3
_MISSING = {SFTP_NO_SUCH_FILE, _NO_SUCH_PATH}
Judge = Callable[[Refused], type[TransferError]]


class SftpServer:
    """A session at an SFTP server: on a channel of a connection. See `transports.base.Server`."""

    hands_on = True

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
        self.hand_on: HandOn | None = None

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
        """Seconds: the quickest answer over the connection."""
        return self._connection.round_trip

    @classmethod
    def open(
        cls,
        settings: FtpSettings,
        password: SecretStr,
        dial: Callable[[], Connection],
        limits: Limits,
        step: OnStep,
    ) -> Self:
        """A session with the server that holds the pinned key, logged in."""
        session = cls._trusted(settings, password, dial, limits, step)
        session.log_in()
        with closed_on_failure(session):
            step("logged in", settings.username)
        return session

    @classmethod
    def _trusted(
        cls,
        settings: FtpSettings,
        password: SecretStr,
        dial: Callable[[], Connection],
        limits: Limits,
        step: OnStep,
    ) -> Self:
        """A connection that showed the pinned key, before any credential was sent.

        A server has a key of each type and shows the one that both sides prefer. A type added on
        one side changes that choice, not the key that was pinned: so all of them are looked at.
        """
        seen: list[str] = []
        without: list[str] = []
        while True:
            try:
                connection = dial()
                if not seen:
                    with closed_on_failure(connection.socket):
                        step("connected", connection.address.host)
                session = cls(SshConnection(connection, settings, password, limits, without))
                key = session.shake_hands()
            except TransferError:
                if not seen:
                    raise
                raise HostKeyChanged(pinned=str(settings.host_key), shown=seen[0]) from None
            if settings.host_key in {None, key}:
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

    def log_in(self) -> None:
        """Log in and start SFTP. Raises LoginRefused, ProtocolFailed, ServerBusy."""
        with closed_on_failure(self):
            with self._talk(self._limits.login):
                self._connection.authenticate()
            self._open_channel(_no_sftp)

    def another(self) -> Self:
        """A session on a channel of its own. Raises ServerBusy, Stalled, ConnectionLost."""
        return self._beside(self._connection, self._sftp)

    @classmethod
    def _beside(cls, connection: SshConnection, client: SftpClient) -> Self:
        session = cls(connection)
        with closed_on_failure(session):
            session._open_channel(_no_more, client)
        return session

    @classmethod
    def _behind(cls, connection: SshConnection, client: SftpClient) -> Self:
        """One more session on the same channel."""
        session = cls(connection)
        size = connection.settings.capabilities.request_size
        session._client = SftpClient(
            client.channel, session._watch, connection.answered_in, size, client
        )
        return session

    @property
    def offer(self) -> Offer:
        """What the server says of itself; which digests it knows, it does not."""
        return Offer(
            hashes=tuple(HashAlgorithm) if self._sftp.knows(b"check-file") else (),
            request_size=self._sftp.told_request_size,
            algorithms=self._connection.transport.agreed(),
        )

    def put(self, blocks: Iterable[bytes], path: str, look_at: str | None = None) -> Seen:
        """Write the blocks to a file. Raises PathRefused, QuotaExceeded, AccountFailure.

        Most servers answer the requests of a channel in their order: what they tell behind the
        close is how things are then. What does not fit has to be asked again. The next file's
        requests follow right behind.
        """
        with self._talk(self._limits.reply, _path_refused):
            handle = self._sftp.create(path)
        writes = Writes(self._sftp, handle, self._watch)
        is_closing = False
        try:
            for block in blocks:
                with self._talk(self._limits.stall, self._write_refused(path)):
                    writes.send(block)
            with self._talk(self._limits.stall, self._write_refused(path)):
                file = writes.look(path) if self._settings.capabilities.size else None
                name = writes.look(look_at) if look_at is not None else None
                is_closing = True
                writes.begin_finish()
                self._hand_on()
                writes.finish()
        except BaseException:
            if not is_closing:  # else it may be another file's handle by now
                self._abandon(handle)
            raise
        return Seen(file.size if file else None, look_at, name.is_there if name else None)

    def size(self, path: str) -> int | None:
        """The file's size in bytes. Raises Unsupported where the server does not tell."""
        if not self._settings.capabilities.size:
            raise Unsupported("The server does not tell sizes")
        attributes = self._look(path)
        if attributes is None:
            return None
        if attributes.st_size is None:
            raise Unsupported("The server does not tell sizes")
        return attributes.st_size

    def exists(self, path: str) -> bool:
        """Whether the name is taken; a server that does not tell refuses the rename instead."""
        try:
            return self._look(path) is not None
        except Unsupported:
            return False

    def rename(self, path: str, to: str) -> None:
        """Rename without overwriting: the plain rename of version 3 (its draft, section 6.5)."""
        with self._talk(self._limits.reply):
            try:
                self._sftp.rename(path, to)
            except Refused as refusal:
                refused = refusal
            else:
                return
        if refused.code == SFTP_OP_UNSUPPORTED:
            raise Unsupported(refused.words)
        if self.exists(to):
            raise TargetExists(refused.words)
        raise NameRefused(self._words(refused.words))

    def replace(self, path: str, to: str) -> None:
        """Rename over a file of that name; where the server cannot, as `rename` does."""
        if not (self._settings.capabilities.replace and self._renamed_over(path, to)):
            self.rename(path, to)

    def digest(self, path: str, algorithm: HashAlgorithm, size: int) -> str:
        """The server's digest of the file, in hexadecimal digits. Raises Unsupported."""
        with self._talk(self._limits.digest(size)):
            try:
                try:
                    return self._sftp.digest_by_name(path, algorithm)
                except Refused:
                    return self._sftp.digest_by_handle(path, algorithm)
            except Refused as refusal:
                raise Unsupported(refusal.words) from refusal

    def remove(self, path: str) -> None:
        """Remove the file. Raises PathRefused where it is there and must stay."""
        with self._talk(self._limits.reply, _path_refused):
            try:
                self._sftp.remove(path)
            except Refused as refusal:
                if refusal.code != SFTP_NO_SUCH_FILE:
                    raise

    def make_directory(self, path: str) -> None:
        """Make sure of the folder. Raises PathRefused."""
        if path in self._folders:
            return
        if not self._is_folder(path):
            refused = self._make_all(path)
            if self._is_folder(path) is False:
                raise PathRefused(self._words(refused))
        self._folders.add(path)

    def remove_directory(self, path: str) -> None:
        """Remove the empty folder. Raises PathRefused."""
        with self._talk(self._limits.reply, _path_refused):
            self._sftp.rmdir(path)
        self._folders.discard(path)

    def cut(self) -> None:
        """Break the connection, for all that share it."""
        self._watch.cut()

    def close(self) -> None:
        """End the session, and with the last of its connection that one and its thread."""
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
            raise ConnectionLost("The session is over")
        return self._client

    def _renamed_over(self, path: str, to: str) -> bool:
        """False where that is refused, be it for this name: the plain rename tells why."""
        if not self._sftp.knows(b"posix-rename@openssh.com"):
            return False
        with self._talk(self._limits.reply):
            try:
                self._sftp.posix_rename(path, to)
            except Refused:
                return False
        return True

    def _open_channel(
        self, refused: Callable[[Exception], TransferError], like: SftpClient | None = None
    ) -> None:
        """`refused`: what it means that the server gives no channel for SFTP."""
        with self._talk(self._limits.login):
            try:
                self._client = self._new_client(like)
            except (SSHException, SFTPError, EOFError, OSError) as error:
                if self._watch.expired or not self._connection.stands:
                    raise
                raise refused(error) from error

    def _new_client(self, like: SftpClient | None) -> SftpClient:
        channel = self._connection.open_channel()
        with closed_on_failure(channel):
            channel.invoke_subsystem("sftp")
            size = self._settings.capabilities.request_size
            answered_in = self._connection.answered_in
            requests = SftpChannel(channel, self._watch.moved, answered_in)
            return SftpClient(requests, self._watch, answered_in, size, like)

    def _look(self, path: str) -> SFTPAttributes | None:
        with self._talk(self._limits.reply):
            try:
                return self._sftp.lstat(path)
            except Refused as refusal:
                if refusal.code == SFTP_NO_SUCH_FILE:
                    return None
                raise Unsupported(refusal.words) from refusal

    def _is_folder(self, path: str) -> bool | None:
        """None where the server refuses to look: then the upload finds out."""
        with self._talk(self._limits.reply):
            try:
                mode = self._sftp.stat(path).st_mode
            except Refused as refusal:
                return False if refusal.code in _MISSING else None
        return mode is None or stat.S_ISDIR(mode)

    def _make_all(self, path: str) -> str:
        refused = "The path is not a folder"
        for folder in with_parents(path):
            with self._talk(self._limits.reply):
                try:
                    self._sftp.mkdir(folder)
                except Refused as refusal:
                    refused = refusal.words
        return refused

    def _hand_on(self) -> None:
        hand_on, self.hand_on = self.hand_on, None
        if hand_on is not None:
            hand_on(self._behind(self._connection, self._sftp))

    def _abandon(self, handle: bytes) -> None:
        with contextlib.suppress(TransferError), self._talk(self._limits.reply):
            self._sftp.close_handle(handle)

    def _write_refused(self, path: str) -> Judge:
        def judge(refusal: Refused) -> type[TransferError]:
            if refusal.code == SFTP_FAILURE and self._sftp.is_full(path):
                return QuotaExceeded
            return _path_refused(refusal)

        return judge

    def _words(self, text: str | bytes) -> str:
        return spoken(text, self._connection.password)

    @contextlib.contextmanager
    def _talk(
        self,
        seconds: float,
        judge: Judge | None = None,
    ) -> Iterator[None]:
        """The edge: no error of paramiko or of the operating system leaves it untranslated."""
        if self._closed:
            raise ConnectionLost("The session is over")
        try:
            with self._watch.within(seconds):
                try:
                    yield
                except Refused as refusal:
                    failure = AccountFailure if judge is None else judge(refusal)
                    raise failure(self._words(refusal.words)) from refusal
        except (TransferError, TargetExists, Unsupported):
            raise
        except Exception as error:  # whatever paramiko's thread died of is raised again here
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> TransferError:
        if self._closed:  # by another thread, between two requests
            return ConnectionLost("The session is over")
        if self._is_only_this_channel(error):
            failure: TransferError = ConnectionLost("The server ended the SFTP session")
            failure.common = self._sftp.channel
        else:
            failure = self._connection.failed(error, self._watch)
        self.close()
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


def _no_sftp(error: Exception) -> TransferError:
    if isinstance(error, ChannelException) and error.code == _RESOURCE_SHORTAGE:
        return ServerBusy(spoken(error.text))
    return ProtocolFailed("The login worked, but the server offers no SFTP")


def _no_more(error: Exception) -> TransferError:
    words = spoken(error.text) if isinstance(error, ChannelException) else ""
    return ServerBusy(words or "The server takes no more sessions on this connection")


def _path_refused(refusal: Refused) -> type[TransferError]:
    if refusal.code in {SFTP_PERMISSION_DENIED, _WRITE_PROTECT, *_MISSING}:
        return PathRefused
    return QuotaExceeded if refusal.code in {_NO_SPACE, _QUOTA} else AccountFailure
