"""A logged-in connection to an FTP server: its time limits, its errors, and how it is made anew."""

import contextlib
import select
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from transports.access import Access, session_over, translated
from transports.base import (
    Limits,
    OnStep,
    closed_on_failure,
    unheard,
)
from transports.errors import (
    ConnectionLost,
    EncryptionAsked,
    ProtocolFailed,
    Stalled,
    StrangerAnswers,
    TransferError,
)
from transports.ftp.control import Command, Control
from transports.ftp.data import DataConnections
from transports.ftp.errors import (
    SESSION_IS_OVER,
    Judge,
    Refused,
    greeting_refused,
    login_refused,
    translate,
)
from transports.ftp.replies import code_of, is_other_service_by
from transports.network.egress import Address, dial
from transports.network.sending_turn import SendingTurn
from transports.network.watchdog import Watch
from transports.words import MAX_BANNER, spoken

_CONVENIENCE_SECONDS = 10.0
"""How long a server may think about what is only a convenience."""
_TLS_SECONDS = 5.0
_ABOUT_FILES = {"SIZE", "MLST"}
"""Questions by whose answers a file counts as whole, or its name as taken."""


class FtpConnection:
    """Control and data connections of one session; for one thread at a time.

    `avoids`: the commands that are not sent, and `turn`: both shared by the sessions of one login.
    """

    control: Control

    def __init__(
        self,
        access: Access,
        avoids: set[str],
        turn: SendingTurn,
    ) -> None:
        self.access = access
        self.settings, self.password, self.limits = access.settings, access.password, access.limits
        self.avoids = avoids
        self.turn, self.line = turn, turn.line
        capabilities = self.settings.capabilities
        self.pipelines = capabilities.pipelines
        """Whether commands are sent together."""
        self.logins = 0
        self.closed = True
        self.ended = False
        """Whether no other connection may be made for what was lost."""
        self.data = DataConnections(self)
        self.is_tested = capabilities.at_once is not None
        """Whether these settings were tested, and the server's ways are known."""
        self._lost_over = set[str]()
        """Questions about files over which the connection was lost once."""
        self._watch: Watch

    def open(self, step: OnStep) -> None:
        """Connect and log in."""
        connection = self.access.dial()
        with closed_on_failure(connection.socket):
            step("connected", connection.address.host)
        # The next one goes to the same server, whatever else has its name.
        again = partial(dial, [connection.address], self.limits)
        self.access = self.access._replace(dial=again)
        self._watch = Watch()
        self._watch.guard(connection.socket)
        self.control = Control(connection, self.line)
        self.closed = False
        with closed_on_failure(self):
            self._check_wanted()
            self._begin(connection.address)
            step("logged in", self.settings.username)
        self.logins += 1

    def reopen(self) -> None:
        """Make it anew: in the login folder, with nothing under way."""
        if not self.closed:
            self._drop()
        self.open(unheard)

    @contextlib.contextmanager
    def talk(self, seconds: float, judge: Judge | None = None) -> Iterator[None]:
        """The edge: no error of its own or of the operating system leaves it untranslated."""
        if self.closed:
            raise session_over()
        with translated(partial(self._told, judge)), self._watch.within(seconds):
            yield

    def reply_to(self, verb: str, path: str = "") -> str:
        """The reply, be it a refusal. Raises ConnectionLost, Stalled, ProtocolFailed."""
        with self.talk(self.limits.reply):
            return self.control.reply_to(verb, path)

    def convenience(self, verb: str, path: str = "") -> str:
        """The reply to what can be done without.

        It is empty where the connection was lost over what the server may not bear: then it is made
        anew, and the command is not sent again. A question about a file may be asked once more.
        """
        name = verb.partition(" ")[0]
        if name in self.avoids:
            return ""
        seconds = self.limits.reply
        if not self._must_bear(name):
            seconds = min(seconds, _CONVENIENCE_SECONDS)
        try:
            with self.talk(seconds):
                reply = self.control.reply_to(verb, path)
        except (ConnectionLost, Stalled, ProtocolFailed) as error:
            self.forgo(name, error)
            return ""
        self._lost_over.discard(name)
        return reply

    def forgo(self, verb: str, error: TransferError) -> None:
        """Make anew what a command has cost, which is not sent again.

        In the test on save a hang-up over a question about a file tells nothing before the second
        one in a row. Raises the error where the server must bear the command, or the session ends.
        """
        if self.ended or self._must_bear(verb):
            raise error
        is_first = verb in _ABOUT_FILES and verb not in self._lost_over
        if is_first and isinstance(error, ConnectionLost):
            self._lost_over.add(verb)
        else:
            self.avoids.add(verb)
        self.reopen()

    def _must_bear(self, verb: str) -> bool:
        """Whether a connection that is lost over the command is no proof against the command.

        So it is once the settings were tested. Of a question about a file it is so in every upload:
        else half a file would pass for a whole one where the connection was cut by chance. EPSV may
        be cut at any time, by a firewall.
        """
        if verb == "EPSV":
            return False
        return self.is_tested or (verb in _ABOUT_FILES and not self.access.is_settings_test)

    def accept_data(
        self,
        verb: str,
        named: Callable[[], str],
        judge: Judge | None,
        behind: Callable[[], Sequence[Command]] = tuple,
    ) -> socket.socket:
        """A data connection, and a transfer asked for over it, with the commands of `behind`.

        `named`: how the file is named where the session stands. It is asked before, as it may have
        to enter a folder, and again after, as the session may have been made anew for EPSV.
        """
        named()
        data = self.data.open()
        self._watch.guard(data)
        try:
            # Only with a time limit does a write return with what it took; the watchdog's is first.
            data.settimeout(2 * self.limits.stall)
            name = named()
            with self.talk(self.limits.reply, judge):
                self.control.ask_transfer(verb, name, *behind())
        except BaseException:
            self.close_data(data)
            raise
        return data

    def send(self, data: socket.socket, block: bytes) -> None:
        """Send the block, unless the server refuses the transfer first. Within `talk`."""
        left = memoryview(block)
        while left:
            self.control.wait_for_data(data, select.POLLOUT)
            left = left[data.send(left) :]
            self._watch.moved()

    def hear_why(self, data: socket.socket) -> None:
        """A server that ends the transfer says why on the control connection (552, 426)."""
        if not self._watch.expired:
            self.close_data(data)
            self.control.end_transfer()

    def receive(self, data: socket.socket, size: int) -> bytes:
        """What comes next, up to so many bytes; nothing at the end. Within `talk`."""
        self.control.wait_for_data(data, select.POLLIN)
        piece = data.recv(size)
        if self._watch.expired:  # a cut looks like the end
            raise EOFError
        self._watch.moved()
        return piece

    def abandon(self, data: socket.socket) -> None:
        """End a transfer without ABOR, which hangs on many servers; its reply is not ours."""
        self.close_data(data)
        with contextlib.suppress(TransferError), self.talk(self.limits.reply):
            if self.control.awaits_reply or self.control.awaits_begin:
                self.control.end_transfer()

    def close_data(self, data: socket.socket) -> None:
        """Close a data connection; may be repeated."""
        self._watch.release(data)
        data.close()

    def cut(self) -> None:
        """Break it; no other one is made for what was lost. From any thread."""
        self.ended = True
        self._watch.cut()

    def close(self) -> None:
        """End the session: with QUIT, where the server answers that within a second."""
        self.ended = True  # also of one that is made anew at this moment
        if self.closed:
            return
        if self._watch.busy:  # in another thread, which finds its sockets cut and drops them
            self._watch.cut()
            return
        self.closed = True
        with contextlib.suppress(Exception), self._watch.within(1):
            self.control.command("QUIT")
        self._drop()

    def _check_wanted(self) -> None:
        """Raises ConnectionLost where it was cut or closed while it was made anew."""
        if self.ended:
            raise session_over()

    def _begin(self, address: Address) -> None:
        """Greet and log in. Raises StrangerAnswers where another service greets so, and takes no
        login: what it answers to an FTP command a customer should not read in full.
        """
        try:
            self._greet(address)
            self._log_in()
        except TransferError as failure:
            greeting = self.control.greeting
            if is_other_service_by(greeting, failure.words):
                raise StrangerAnswers(spoken(greeting, self.password, MAX_BANNER)) from failure
            raise

    def _greet(self, address: Address) -> None:
        try:
            with self.talk(self.limits.login, greeting_refused):
                self.control.greet()
        except Stalled as silent:
            if not _waits_for_tls(address, self.limits):
                raise
            raise EncryptionAsked("The server waits for a TLS handshake") from silent

    def _log_in(self) -> None:
        username, password = self.settings.username, self.password.get_secret_value()
        if self.pipelines:
            with self.talk(self.limits.login, login_refused):
                reply = self.control.log_in_at_once(username, password, self.data.verb)
            self.data.dial_ahead(reply)
            return
        with self.talk(self.limits.login, login_refused):
            self.control.log_in(username, password)
        self._prepare()

    def _prepare(self) -> None:
        """Binary transfers, and UTF-8 names where the server knows them (RFC 2640).

        A server may refuse all of it: whether files arrive as they are is seen by their size.
        """
        self.convenience("TYPE I")
        if features := self.convenience("FEAT"):
            self.control.learn(features)
        if self.control.knows("UTF8"):
            self.convenience("OPTS UTF8 ON")

    def _told(self, judge: Judge | None, error: Exception) -> TransferError:
        if not isinstance(error, Refused) or code_of(error.reply) == SESSION_IS_OVER:
            self._drop()
        if self._watch.expired:
            return Stalled(self._watch.words)
        return translate(error, self.password, judge)

    def _drop(self) -> None:
        self.closed = True
        self.data.drop()
        self._watch.close()
        with contextlib.suppress(OSError):
            self.control.close()


def _waits_for_tls(address: Address, limits: Limits) -> bool:
    """Whether the server that did not greet answers a TLS handshake."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent; whose certificate it is does not matter
    seconds = min(limits.login, _TLS_SECONDS)
    try:
        with dial([address], limits).socket as plain:
            plain.settimeout(seconds)
            with context.wrap_socket(plain):
                return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except (OSError, TransferError):
        return False
