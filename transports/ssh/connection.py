"""One SSH connection: trusted, logged in, and shared by the sessions that are its channels.

A raw Transport, so that the host key is compared before any credential is sent.
"""

import math
import threading
from collections.abc import Sequence

from paramiko import Channel
from paramiko.sftp import SFTPError
from paramiko.ssh_exception import (
    AuthenticationException,
    ChannelException,
    IncompatiblePeer,
    SSHException,
)
from pydantic import SecretStr

from transports.access import Access, session_over
from transports.diagnosis.refused_logins import ACCOUNT_EXPIRED, ACCOUNT_LOCKED, PASSWORD_EXPIRED
from transports.errors import (
    ConnectionLost,
    FtpAnswers,
    HungUp,
    LoginRefused,
    NoCommonAlgorithm,
    NoGreeting,
    ProtocolFailed,
    ServerBusy,
    SilentBeforeLogin,
    Stalled,
    StrangerAnswers,
    TransferError,
)
from transports.network.dialing import Connection
from transports.network.round_trip import RoundTrip
from transports.network.sending_turn import SendingTurn
from transports.network.watchdog import Watch
from transports.ssh.authentication import log_in
from transports.ssh.open_files import OpenFiles
from transports.ssh.transport import SshTransport, Wire
from transports.words import heard, is_other_service, lost, spoken, stranger

_TOO_MANY_CONNECTIONS = 12  # RFC 4253 section 11.1
_ENDS_LOGON = (ACCOUNT_EXPIRED, PASSWORD_EXPIRED, ACCOUNT_LOCKED)


def translate(error: Exception, password: SecretStr | None = None) -> TransferError:
    """What an error of paramiko or of the operating system means, in their own words."""
    if isinstance(error, OSError | EOFError):
        return lost(error)
    words = heard(error, password) if isinstance(error, SSHException | SFTPError) else ""
    if isinstance(error, AuthenticationException):
        return LoginRefused(words or "Authentication failed")
    return ProtocolFailed(words or "The server broke the protocol")


class SshConnection:
    """Ends with the last of its sessions. Its methods raise what paramiko raises.

    May be used from several threads at once, the handshake and the logon from one.
    """

    def __init__(
        self,
        dialed: Connection,
        access: Access,
        without: Sequence[str] = (),
    ) -> None:
        """`access` opens another one; `without`: host key algorithms that are not wanted."""
        self.access = access
        self.settings, self.password, self.limits = access.settings, access.password, access.limits
        self.host_key: str | None = None
        self.wire = Wire(fileno=dialed.socket.detach())
        weak = self.settings.weak_algorithms
        self.transport = SshTransport(self.wire, self.limits.login, without, weak=weak)
        self.line = RoundTrip(lambda: self.wire.heard_at)
        self.turn = SendingTurn(self.line)
        self.open_files = OpenFiles()
        self.folders: set[str] = {"", ".", "~"}
        """Folders that are known to be there."""
        self.forgone = set[str]()
        """Requests that the server was found not to bear: they are not sent any more."""
        self._lock = threading.Lock()
        self._sessions: dict[object, Watch] = {}
        self._failure: TransferError | None = None
        self._closed = False
        self.renewal = threading.Lock()
        """Held by the one of its sessions that logs in again."""
        self.renewed: SshConnection | None = None
        """The connection that its sessions have made in its place."""
        self.refusal: TransferError | None = None
        """Why there is none."""
        self.refused_at = -math.inf
        """When that was, by the monotonic clock."""

    @property
    def stands(self) -> bool:
        """Whether it can be used, as far as was seen; that it takes no more channels is no harm."""
        return (
            self.transport.is_active()
            and self.transport.goodbye is None
            and isinstance(self.transport.saved_exception, ChannelException | None)
            and self._failure is None
            and not (self.wire.ended or self._closed)
        )

    @property
    def is_shared(self) -> bool:
        """Whether it has more than one session."""
        return len(self._sessions) > 1

    def join(self, session: object, watch: Watch) -> None:
        """Count the session in. Raises ConnectionLost where the connection is closed."""
        with self._lock:
            if self._closed:
                raise session_over()
            self._sessions[session] = watch

    def leave(self, session: object) -> None:
        """Count the session out; with the last one the connection is closed. May be repeated."""
        with self._lock:
            self._sessions.pop(session, None)
            if self._sessions or self._closed:
                return
            self._closed = True
        self._close()

    def shake_hands(self) -> str:
        """Agree on keys; the fingerprint of the server's. No credential was sent yet.

        Raises WeakAlgorithm as well.
        """
        self.transport.start_client()
        self.transport.check_key()
        self.host_key = self.transport.get_remote_server_key().fingerprint
        return self.host_key

    def authenticate(self) -> str:
        """Log in. Returns as whom and with what. Raises LoginRefused as well."""
        return log_in(self.transport, self.access)

    def open_channel(self) -> Channel:
        """One more channel."""
        asked = self.line.ask()
        try:
            return self.transport.open_session()
        finally:
            self.line.answer(asked)

    def allow_answer(self, size: int) -> None:
        """The answer to one request may have so many bytes, far more than the request."""
        with self._lock:
            self.wire.allowance += size

    def failed(self, error: Exception, watch: Watch) -> TransferError:
        """What the error of one session means. It is the end of all the others too.

        Whoever reads for all is the first to see that another one's limit is over.
        """
        with self._lock:
            if self._failure is None:
                watches = [watch, *self._sessions.values()]
                expired = next((each for each in watches if each.expired), watch)
                self._failure = self._told(error, expired)
            failure = self._failure
        self.wire.cut()
        mine = type(failure)(failure.words)
        mine.common = self
        return mine

    def _close(self) -> None:
        self.wire.cut()
        self.transport.packetizer.complete_handshake()  # ends the handshake's timer thread
        self.transport.close()
        if self.transport.is_alive():
            self.transport.join(5)
        self.wire.free()

    def _told(self, error: Exception, watch: Watch) -> TransferError:
        if not self.transport.remote_version:
            return self._told_without_ssh(error, watch)
        if watch.expired:
            return (Stalled if self.host_key else SilentBeforeLogin)(watch.words)
        if isinstance(error, IncompatiblePeer):
            return self.transport.no_common_algorithm() or NoCommonAlgorithm(heard(error))
        if self.transport.goodbye is not None:
            return self._told_goodbye(error)
        failure = translate(self._cause(error), self.password)
        is_cut_early = type(failure) is ConnectionLost and self._is_logging_in
        return (self.told_by_banner() if is_cut_early else None) or failure

    @property
    def _is_logging_in(self) -> bool:
        return not self.transport.logon.is_authenticated()

    def told_by_banner(self) -> LoginRefused | None:
        """Why the server does no more for this user than to take the password.

        OpenSSH sends what PAM says of an account or a password that has expired as a banner. Then
        it hangs up, or starts nothing.
        """
        said: str | bytes | None = self.transport.logon.banner
        if not said:
            return None
        refused = LoginRefused(spoken(said, self.password))
        return refused if refused.diagnosis in _ENDS_LOGON else None

    def _told_without_ssh(self, error: Exception, watch: Watch) -> TransferError:
        other = stranger(self.wire.greeting, self.password)
        if isinstance(other, FtpAnswers) or is_other_service(self.wire.greeting):
            return other
        if (
            self.wire.ended and not watch.expired
        ):  # what OpenSSH does beyond MaxStartups, with or without a word
            return HungUp(other.words or "The server closed the connection before greeting")
        if isinstance(other, StrangerAnswers) and other.words:
            return other
        if watch.expired:
            return NoGreeting(watch.words)
        if isinstance(error, OSError):
            return lost(error)
        return ProtocolFailed(other.words or "The server does not speak SSH")

    def _told_goodbye(self, error: Exception) -> TransferError:
        code, words = self.transport.goodbye or (0, "")
        words = spoken(words, self.password) or "The server ended the connection"
        if code == _TOO_MANY_CONNECTIONS:
            return ServerBusy(words)
        if isinstance(error, AuthenticationException):
            return LoginRefused(words)
        return ConnectionLost(words)

    def _cause(self, error: Exception) -> Exception:
        """What the connection died of, where the error is only its echo."""
        if not isinstance(error, SSHException) or self.transport.is_active():
            return error
        login = self.transport.auth_handler
        echo = isinstance(error, AuthenticationException) or (
            login is not None and login.is_authenticated()
        )
        return self.transport.get_exception() or (EOFError() if echo else error)
