"""SFTP (SSH_FXP version 3) on paramiko: I/O only.

A raw Transport, so that the host key is compared before any credential is sent.
"""

import contextlib
import socket
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

from paramiko import SFTPAttributes
from paramiko.sftp import (
    SFTP_FAILURE,
    SFTP_NO_SUCH_FILE,
    SFTP_OP_UNSUPPORTED,
    SFTP_PERMISSION_DENIED,
    SFTPError,
)
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    ChannelException,
    IncompatiblePeer,
    SSHException,
)
from pydantic import SecretStr

from config.accounts import FtpSettings, HashAlgorithm, LogonType
from transports.base import Limits, Offer, OnStep, TargetExists, Unsupported, closed_on_failure
from transports.egress import Connection
from transports.errors import (
    AccountFailure,
    ConnectionLost,
    HostKeyChanged,
    LoginRefused,
    NameRefused,
    PathRefused,
    ProtocolFailed,
    QuotaExceeded,
    ServerBusy,
    Stalled,
    TransferError,
)
from transports.names import with_parents
from transports.sftp_client import Refused, SftpClient, Writes
from transports.ssh import Answers, SshTransport, Wire
from transports.watchdog import Watch
from transports.words import lost, spoken

_TOO_MANY_CONNECTIONS = 12  # RFC 4253 section 11.1
_RESOURCE_SHORTAGE = 4  # RFC 4254 section 5.1
_NO_SUCH_PATH, _WRITE_PROTECT, _NO_SPACE, _QUOTA = 10, 12, 14, 15  # of later drafts, seen in 3
_MISSING = {SFTP_NO_SUCH_FILE, _NO_SUCH_PATH}
Judge = Callable[[Refused], type[TransferError]]


def translate(error: Exception, password: SecretStr | None = None) -> TransferError:
    """What an error of paramiko or of the operating system means, in their own words."""
    if isinstance(error, OSError | EOFError):
        return lost(error)
    if isinstance(error, BadAuthenticationType):
        return LoginRefused(f"The server only takes: {spoken(', '.join(error.allowed_types))}")
    words = spoken(str(error), password) if isinstance(error, SSHException | SFTPError) else ""
    if isinstance(error, AuthenticationException):
        return LoginRefused(words or "Authentication failed")
    return ProtocolFailed(words or "The server broke the protocol")


class SftpServer:
    """A session at an SFTP server. See `transports.base.Server`."""

    def __init__(
        self,
        connection: Connection,
        settings: FtpSettings,
        password: SecretStr,
        limits: Limits,
        without: Sequence[str] = (),
    ) -> None:
        self.host_key: str | None = None
        self._wire = Wire(fileno=connection.socket.detach())
        self._settings = settings
        self._limits = limits
        self._password = password
        self._watch = Watch()
        self._watch.guard(self._wire)
        self._transport = SshTransport(self._wire, limits.login, without)
        self._client: SftpClient | None = None
        self._folders: set[str] = {"", "."}
        self._closed = False

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
                session = cls(connection, settings, password, limits, without)
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
            without += session._transport.same_key_algorithms()

    def shake_hands(self) -> str:
        """Agree on keys; the fingerprint of the server's. No credential was sent yet."""
        with closed_on_failure(self), self._talk(self._limits.login):
            self._transport.start_client()
            self.host_key = self._transport.get_remote_server_key().fingerprint
        return self.host_key

    def log_in(self) -> None:
        """Log in and start SFTP. Raises LoginRefused, ProtocolFailed, ServerBusy."""
        with closed_on_failure(self):
            self._authenticate()
            self._start_sftp()

    @property
    def offer(self) -> Offer:
        """What the server says of itself; which digests it knows, it does not."""
        return Offer(
            hashes=tuple(HashAlgorithm) if self._sftp.knows(b"check-file") else (),
            request_size=self._sftp.told_request_size,
            algorithms=self._transport.agreed(),
        )

    def put(self, blocks: Iterable[bytes], path: str) -> None:
        """Write the blocks to a file. Raises PathRefused, QuotaExceeded, AccountFailure."""
        with self._talk(self._limits.reply, _path_refused):
            handle = self._sftp.create(path)
        writes = Writes(self._sftp, handle, self._watch)
        try:
            for block in blocks:
                with self._talk(self._limits.stall, self._write_refused(path)):
                    writes.send(block)
            with self._talk(self._limits.stall, self._write_refused(path)):
                writes.finish()
        except BaseException:
            self._abandon(handle)
            raise

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

    def count_at_once(self, most: int) -> int:
        """How many channels for SFTP the connection takes, tried up to `most`."""
        more: list[SftpClient] = []
        try:
            with contextlib.suppress(TransferError):
                while 1 + len(more) < most:
                    more.append(self._open_client())
        finally:
            for client in more:
                with contextlib.suppress(Exception), self._watch.within(1):
                    client.close()
        return 1 + len(more)

    def close(self) -> None:
        """End the session and its thread."""
        if self._closed:
            return
        if self._watch.busy:  # in another thread, which finds its socket cut and closes
            self._watch.cut()
            return
        self._closed = True
        with contextlib.suppress(Exception), self._watch.within(1):
            if self._client is not None and self._transport.is_active():
                self._client.close()
        self._watch.close()
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        self._transport.packetizer.complete_handshake()  # ends the handshake's timer thread
        self._transport.close()
        self._wire.close()
        if self._transport.is_alive():
            self._transport.join(5)

    @property
    def _sftp(self) -> SftpClient:
        if self._client is None:
            raise ConnectionLost("The session is over")
        return self._client

    def _authenticate(self) -> None:
        username = self._settings.username
        answers = Answers(username, self._password)
        with self._talk(self._limits.login):
            if self._settings.logon_type is LogonType.INTERACTIVE:
                more = self._transport.auth_interactive(username, answers)
            else:
                more = self._give_password(username, answers)
        if more:
            raise LoginRefused(
                f"The server wants more than the password: {self._words(', '.join(more))}"
            )

    def _give_password(self, username: str, answers: Answers) -> list[str]:
        secret = self._password.get_secret_value()
        try:
            return self._transport.auth_password(username, secret, fallback=False)
        except BadAuthenticationType as refusal:
            if "keyboard-interactive" not in refusal.allowed_types:
                raise
            return self._transport.auth_interactive(username, answers)
        except SSHException as error:
            if type(error) is not SSHException:
                raise
            # RFC 4252 section 8: the server may ask for a new password instead; paramiko ends.
            raise LoginRefused(
                "The server did not accept the password as it is: it may have expired"
            ) from error

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

    def _start_sftp(self) -> None:
        self._client = self._open_client()

    def _open_client(self) -> SftpClient:
        with self._talk(self._limits.login):
            try:
                channel = self._transport.open_session()
                channel.invoke_subsystem("sftp")
                return SftpClient(channel, self._watch, self._settings.capabilities.request_size)
            except (SSHException, SFTPError) as error:
                if isinstance(error, ChannelException) and error.code == _RESOURCE_SHORTAGE:
                    raise ServerBusy(self._words(error.text)) from error
                if not self._transport.is_active():
                    raise
                raise ProtocolFailed("The login worked, but the server offers no SFTP") from error

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
        return spoken(text, self._password)

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
        failure = self._told(error)
        self.close()
        return failure

    def _told(self, error: Exception) -> TransferError:
        if self._watch.expired:
            return Stalled(self._watch.words)
        if not self._transport.remote_version:
            return self._told_without_ssh(error)
        if isinstance(error, IncompatiblePeer):
            return ProtocolFailed(self._transport.no_common_algorithm() or str(error))
        if self._transport.goodbye is not None:
            return self._told_goodbye(error)
        return translate(self._cause(error), self._password)

    def _told_without_ssh(self, error: Exception) -> TransferError:
        greeting = self._words(self._wire.greeting)
        if self._wire.ended:  # what OpenSSH does beyond MaxStartups, with or without a word
            return ServerBusy(greeting or "The server closed the connection before greeting")
        if isinstance(error, OSError):
            return lost(error)
        return ProtocolFailed(greeting or "The server does not speak SSH")

    def _told_goodbye(self, error: Exception) -> TransferError:
        code, words = self._transport.goodbye or (0, "")
        words = self._words(words) or "The server ended the connection"
        if code == _TOO_MANY_CONNECTIONS:
            return ServerBusy(words)
        if isinstance(error, AuthenticationException):
            return LoginRefused(words)
        return ConnectionLost(words)

    def _cause(self, error: Exception) -> Exception:
        """What the connection died of, where the error is only its echo."""
        if not isinstance(error, SSHException) or self._transport.is_active():
            return error
        login = self._transport.auth_handler
        echo = isinstance(error, AuthenticationException) or (
            login is not None and login.is_authenticated()
        )
        return self._transport.get_exception() or (EOFError() if echo else error)


def _path_refused(refusal: Refused) -> type[TransferError]:
    if refusal.code in {SFTP_PERMISSION_DENIED, _WRITE_PROTECT, *_MISSING}:
        return PathRefused
    return QuotaExceeded if refusal.code in {_NO_SPACE, _QUOTA} else AccountFailure
