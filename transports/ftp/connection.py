"""A logged-in connection to an FTP server: what is said over it, and how it is made anew."""

import contextlib
import ssl
import time
from collections.abc import Callable, Sequence

from transports.access import Access
from transports.base import OnStep, Unsupported, closed_on_failure, unheard
from transports.errors import (
    CertificateRefused,
    ConnectionLost,
    HostKeyChanged,
    ProtocolFailed,
    Stalled,
    StrangerAnswers,
    TlsFailed,
    TransferError,
)
from transports.ftp.active import CallBacks, call_backs
from transports.ftp.contact import Contact
from transports.ftp.control import Command
from transports.ftp.data import DataConnections
from transports.ftp.errors import Judge, login_refused, protection_refused
from transports.ftp.replies import is_begun, is_other_service_by
from transports.ftp.trust import Trust
from transports.ftp.wire import Wire, wait_for
from transports.network.sending_turn import SendingTurn
from transports.words import MAX_BANNER, spoken

_NOOP: Command = ("NOOP", "")
_CONVENIENCE_SECONDS = 10.0
"""How long a server may think about what is only a convenience."""
_END_SECONDS = 1.0
"""How long a server is waited for that was told the end of TLS, before FIN."""
_DECISIVE = {"SIZE", "MLST", "RNFR"}
"""They tell whether a file is whole, its name taken, and whether temporary names are used."""


class FtpConnection(Contact):
    """Control and data connections of one session; for one thread at a time.

    `avoids`: the commands that are not sent, and `turn`, and `trust`, by which TLS is spoken: all
    shared by the sessions of one login.
    """

    def __init__(
        self, access: Access, avoids: set[str], turn: SendingTurn, trust: Trust | None
    ) -> None:
        super().__init__(access, turn.line, trust)
        self.avoids = avoids
        self.turn = turn
        capabilities = self.settings.capabilities
        self.pipelines = capabilities.pipelines
        """Whether commands are sent together."""
        self.logins = 0
        self._is_opening = False
        self.data = DataConnections(self)
        self.active = call_backs(self)
        """What has the server connect to us; None where we connect to it."""
        self.is_tested = capabilities.at_once is not None
        """Whether these settings were tested, and the server's ways are known."""
        self._lost_over = set[str]()
        """Decisive commands over which the connection was lost once."""

    def open(self, step: OnStep) -> None:
        """Connect and log in."""
        was_opening, self._is_opening = self._is_opening, True
        try:
            self.dial(step)
            with closed_on_failure(self):
                self._begin(step)
        finally:
            self._is_opening = was_opening
        self.logins += 1

    def reopen(self) -> None:
        """Make it anew: in the login folder, with nothing under way."""
        if not self.closed:
            self._drop()
        # What is lost over a command of the logon is a part of that logon's turn.
        with contextlib.nullcontext() if self._is_opening else self.access.again():
            self.open(unheard)

    def reply_to(self, verb: str, path: str = "") -> str:
        """The reply, be it a refusal. Raises ConnectionLost, Stalled, ProtocolFailed."""
        with self.talk(self.limits.reply):
            return self.control.reply_to(verb, path)

    def convenience(self, verb: str, path: str = "") -> str:
        """The reply to what can be done without.

        It is empty where the connection was lost over what the server may not bear: then it is made
        anew, and the command is not sent again. A decisive one may be sent once more.
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

    def decisive(self, verb: str, path: str) -> str:
        """The reply, asked for twice where it may be; empty where the server does not bear it."""
        return self.convenience(verb, path) or self.convenience(verb, path)

    def forgo(self, verb: str, error: TransferError) -> None:
        """Make anew what a command has cost, which is not sent again.

        In the test on save a hang-up over a decisive one tells nothing before the second in a row.
        Raises the error where the server must bear the command, or the session ends.
        """
        if self.ended or self._must_bear(verb):
            raise error
        is_first = verb in _DECISIVE and verb not in self._lost_over
        if is_first and isinstance(error, ConnectionLost):
            self._lost_over.add(verb)
            self.reopen()
        else:
            self.do_without(verb, error)

    def do_without(self, verb: str, error: TransferError) -> None:
        """Make anew what a command has cost that is not sent any more in this login.

        Raises the error where the session ends.
        """
        self.avoids.add(verb)
        if self.ended:
            raise error
        self.reopen()

    def _must_bear(self, verb: str) -> bool:
        """Whether a connection that is lost over the command is no proof against the command.

        So it is once the settings were tested. Of a decisive one it is so in every upload: else by
        a cut of chance half a file would pass for a whole one, or stand under its final name while
        it grows. EPSV may be cut at any time, by a firewall.
        """
        if verb == "EPSV":
            return False
        return self.is_tested or (verb in _DECISIVE and not self.access.is_settings_test)

    def accept_data(
        self,
        verb: str,
        named: Callable[[], str],
        judge: Judge | None,
        behind: Callable[[], Sequence[Command]] = tuple,
        start: int = 0,
        before: Callable[[Wire], None] | None = None,
    ) -> Wire:
        """A data connection, and a transfer asked for over it, with the commands of `behind`.

        `named`: how the file is named where the session stands. It is asked before, as it may have
        to enter a folder, and again after, as the session may have been made anew for EPSV.
        `start`: where in the file it begins. Raises Unsupported where the server allows only 0.
        `before`: is given the data connection before the transfer is asked for, in passive mode.
        """
        named()
        self.control.may_have_begun = False
        if self.active is not None:
            return self._called_back(self.active, verb, named, judge, start)
        data = Wire(self.data.open())
        try:
            self._make_ready(data)
            name = named()
            self._start_at(start)
            if before is not None:
                before(data)
            with self.talk(self.limits.reply, judge):
                self.control.ask_transfer(verb, name, *behind())
            if self.trust is not None:
                self._secure_data(data, self.trust, judge, may_be_over=verb != "STOR")
        except BaseException:
            self.close_data(data)
            raise
        return data

    def _called_back(
        self,
        active: CallBacks,
        verb: str,
        named: Callable[[], str],
        judge: Judge | None,
        start: int,
    ) -> Wire:
        """The same in active mode: the connection comes once the transfer was asked for."""
        may_be_over = verb != "STOR"
        data = listener = active.listen()
        try:
            self._watch.guard(listener.socket)
            name = named()
            self._start_at(start)
            with self.talk(self.limits.reply, judge):
                self.control.ask_transfer(verb, name)
            data = active.accept(listener, judge, may_be_over=may_be_over)
            if not data.is_over:
                self._make_ready(data)
                if self.trust is not None:
                    self._secure_data(data, self.trust, judge, may_be_over=may_be_over)
        except BaseException:
            self.abandon(data)
            raise
        finally:
            if data is not listener:
                self.close_data(listener)
        return data

    def _make_ready(self, data: Wire) -> None:
        """Speak TLS over it where that is wanted, and have a stall end it."""
        if self.trust is not None:
            with self.talk(self.limits.reply):
                data.secure(self.trust, like=self.control.wire)
        self._watch.guard(data.socket)

    def _secure_data(
        self, data: Wire, trust: Trust, judge: Judge | None, *, may_be_over: bool
    ) -> None:
        """The TLS handshake of a data connection, which resumes the session of the control's."""
        try:
            with self.talk(self.limits.reply, judge):
                try:
                    is_done = self.control.shake_hands(data, may_be_over=may_be_over)
                except ssl.SSLCertVerificationError:
                    raise
                except OSError:
                    self.hear_why(data)
                    raise
                if is_done and data.tls is not None:
                    trust.check(data.tls)
                if not (is_done or may_be_over):
                    raise EOFError
        except (CertificateRefused, HostKeyChanged) as failure:
            raise TlsFailed(f"On a data connection: {failure.words}") from failure

    def _start_at(self, start: int) -> None:
        """Have the next transfer begin behind so many bytes (RFC 3659 section 5)."""
        if not start:
            return
        with self.talk(self.limits.reply):
            reply = self.control.reply_to("REST", str(start))
        if not is_begun(reply):
            raise Unsupported(reply)

    def send(self, data: Wire, block: bytes) -> None:
        """Send the block, unless the server refuses the transfer first. Within `talk`."""
        left = memoryview(block)
        while left:
            self.control.hear_if_begun(may_be_over=False)
            if sent := data.try_send(left):
                left = left[sent:]
                self._watch.moved()
            else:
                self.control.wait_for_data(data)

    def keep_alive(self) -> Command | None:
        """NOOP, where it was time to ask for it; its reply comes behind those asked for before.

        Only where commands wait for the end of a file. Whatever fails in here is seen at that end.
        """
        if time.monotonic() - self.control.spoke_at < self.limits.keep_alive:
            return None
        with contextlib.suppress(OSError), self._watch.within(self.limits.reply):
            self.control.ask(_NOOP)
        return _NOOP

    def end_data(self, data: Wire) -> None:
        """Tell the server that this was all.

        Over TLS the connection stays open until the server has confirmed the file: closed before
        its session tickets were read, it would be reset, and the server lose what it has not read
        yet. What fails in here is no failure: the confirmation tells whether it has the file.
        """
        if data.tls is None:
            self.close_data(data)
            return
        with contextlib.suppress(TransferError), self.talk(self.limits.stall):
            try:
                while not data.try_end():
                    wait_for(data)
            except OSError:
                if self._watch.expired:
                    raise

    def hear_end(self, data: Wire) -> None:
        """Wait for the reply that ends a transfer whose data has ended. Within `talk`.

        Over TLS our FIN goes behind the server's own end, or its reply: a proxy that takes one for
        the end of both directions would reset what the server has sent meanwhile. It may itself
        wait for our FIN, so it is not waited for for long.
        """
        control, deadline = self.control, time.monotonic() + _END_SECONDS
        if data.tls is not None:
            while not (data.has_ended() or (control.awaits_reply and control.speaks_within(0))):
                also = [control.wire] if control.awaits_reply else []
                if not wait_for(data, *also, until=deadline) or time.monotonic() >= deadline:
                    break
            data.shut()
        control.end_transfer()

    def hear_why(self, data: Wire) -> None:
        """A server that ends the transfer says why on the control connection (552, 426)."""
        if not self._watch.expired:
            self.close_data(data)
            self.control.end_transfer()

    def receive(self, data: Wire, size: int) -> bytes:
        """What comes next, up to so many bytes; nothing at the end. Within `talk`."""
        while (piece := data.try_receive(size)) is None:
            self.control.hear_if_begun(may_be_over=True)
            self.control.wait_for_data(data)
        if self._watch.expired:  # a cut looks like the end
            raise EOFError
        self._watch.moved()
        return piece

    def abandon(self, data: Wire) -> None:
        """End a transfer without ABOR, which hangs on many servers; its reply is not ours."""
        self.close_data(data)
        with contextlib.suppress(TransferError), self.talk(self.limits.reply):
            if self.control.awaits_reply or self.control.awaits_begin:
                self.control.end_transfer()

    def close_data(self, data: Wire) -> None:
        """Close a data connection; may be repeated."""
        self._watch.release(data.socket)
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

    def _begin(self, step: OnStep) -> None:
        """Greet and log in. Raises StrangerAnswers where another service greets so, and takes no
        login: what it answers to an FTP command a customer should not read in full.
        """
        try:
            self.begin(step)
            self._log_in(step)
        except TransferError as failure:
            greeting = self.control.greeting
            if is_other_service_by(greeting, failure.words):
                raise StrangerAnswers(spoken(greeting, self.password, MAX_BANNER)) from failure
            raise

    def _log_in(self, step: OnStep) -> None:
        username, password = self.settings.username, self.password.get_secret_value()
        passive = ""
        with self.talk(self.limits.login, login_refused):
            if self.pipelines:
                verb = None if self.active else self.data.verb
                passive = self.control.log_in_at_once(username, password, verb)
            else:
                self.control.log_in(username, password)
        step("logged in", username)
        if self.trust is not None:
            with self.talk(self.limits.reply, protection_refused):
                self.control.protect()
            step("protected", "Files go over TLS too (PROT P)")
        if self.pipelines:
            self.data.dial_ahead(passive)
        else:
            self._prepare()

    def _prepare(self) -> None:
        """Binary transfers, and UTF-8 names where the server knows them (RFC 2640). It may refuse
        all of it: whether files arrive as they are is seen by their size."""
        self.convenience("TYPE I")
        if features := self.convenience("FEAT"):
            self.control.learn(features)
        if self.control.knows("UTF8"):
            self.convenience("OPTS UTF8 ON")

    def _drop(self) -> None:
        self.data.drop()
        super()._drop()
