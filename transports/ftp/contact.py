"""The first contact with an FTP server: greeted, and over TLS where that is wanted; not logged in.

Here are the time limits and the edge of all that is said over the connection.
"""

import contextlib
import ssl
from collections.abc import Iterator
from functools import partial

from config.accounts import Protocol
from transports.access import Access, session_over, translated
from transports.base import Limits, OnStep, closed_on_failure, unheard
from transports.errors import (
    CertificateRefused,
    ClientCertificateRefused,
    ConnectionLost,
    EncryptionAsked,
    HungUp,
    ImplicitTlsAsked,
    NoAnswerToTls,
    NoGreeting,
    NoTlsAnswers,
    PlainAnswers,
    ProtocolFailed,
    SilentBeforeLogin,
    Stalled,
    StrangerAnswers,
    TlsFailed,
    TransferError,
)
from transports.ftp.control import Control
from transports.ftp.errors import (
    SESSION_IS_OVER,
    ClientCertificateEnded,
    ClientCertificateNotAccepted,
    Judge,
    Refused,
    greeting_refused,
    tls_refused,
    translate,
)
from transports.ftp.replies import code_of
from transports.ftp.trust import Certificate, Trust, certificate_of, refused, version_of
from transports.ftp.wire import wait_for
from transports.network.dialing import Address, dial
from transports.network.keep_alive import keep_alive
from transports.network.round_trip import RoundTrip
from transports.network.watchdog import Watch
from transports.words import MAX_BANNER, is_other_service, stranger

MAY_WANT_CERTIFICATE = (
    " Where this happens each time, the server may want a client certificate (Client Certificate, "
    "Client Key): it hung up right after TLS had begun."
)
_TLS_SECONDS = 5.0
_TLS_RECORDS = (b"\x16\x03", b"\x15\x03")
"""How an answer in TLS begins: with a handshake, or with an alert (RFC 8446 section 5.1)."""


class Contact:
    """A control connection before the logon; for one thread at a time."""

    control: Control

    def __init__(self, access: Access, line: RoundTrip, trust: Trust | None) -> None:
        """`trust`: by which TLS is spoken; None for FTP in clear."""
        self.access = access
        self.settings, self.password, self.limits = access.settings, access.password, access.limits
        self.line = line
        self.trust = trust
        self.closed = True
        self.is_greeted = False
        self.takes_logins = False
        """Whether all is said that comes before a logon."""
        self.ended = False
        """Whether no other connection may be made for what was lost."""
        self._is_first_in_tls = False
        """Whether nothing was answered yet since the TLS handshake."""
        self._watch: Watch

    def dial(self, step: OnStep) -> None:
        """Connect. Raises ConnectFailed."""
        connection = self.access.dial()
        with closed_on_failure(connection.socket):
            # It is silent while a file goes over another one: firewalls forget it meanwhile.
            keep_alive(connection.socket, self.limits.keep_alive)
            step("connected", connection.address.host)
        self._watch = Watch()
        self._watch.guard(connection.socket)
        said = self.access.tap.conversation(self.password)
        self.control = Control(connection, self.line, self.settings.name_encoding, said)
        self.closed = self.is_greeted = self.takes_logins = False

    def begin(self, step: OnStep) -> None:
        """Hear the greeting, and speak TLS before anything else where that is wanted."""
        self._check_wanted()
        trust = self.trust
        if trust is None:
            self._greet()
        elif self.settings.protocol is Protocol.FTPS_IMPLICIT:
            self._secure(trust, step)
            self._greet()
        else:
            self._greet()
            with self.talk(self.limits.login, tls_refused):
                self.control.ask_for_tls()
            self._secure(trust, step)
        self.takes_logins = True

    def _secure(self, trust: Trust, step: OnStep) -> None:
        """The TLS handshake of the control connection. Raises TlsFailed, CertificateChanged."""
        try:
            self._shake_hands(trust)
        except CertificateRefused as failure:
            raise self._explained(failure, trust, step) from failure
        except NoTlsAnswers as failure:
            raise self._greeted(failure) from failure
        step("encrypted", version_of(self._tls))
        trust.check(self._tls)
        step("certificate", trust.told(certificate_of(self._tls)))
        self._is_first_in_tls = True

    def _shake_hands(self, trust: Trust) -> None:
        wire = self.control.wire
        with self.talk(self.limits.login):
            before = wire.socket
            wire.secure(trust)
            self._watch.guard(wire.socket)
            self._watch.release(before)
            self._check_wanted()
            if self._watch.expired:  # it was cut while it changed its socket
                raise EOFError
            while not wire.try_handshake():
                wait_for(wire)

    def _explained(
        self, failure: CertificateRefused, trust: Trust, step: OnStep
    ) -> CertificateRefused:
        """The failure with what the certificate says, which one more connection shows."""
        other = Contact(self.access, self.line, trust.of_any())
        try:
            tls, shown = other.look_at_certificate()
        except TransferError:
            return failure
        step("encrypted", tls)
        return refused(failure, shown, trust.name)

    def look_at_certificate(self) -> tuple[str, Certificate]:
        """The TLS and the certificate that the server has. Raises TransferError."""
        self.dial(unheard)
        try:
            self.begin(unheard)
            tls = self._tls
            return version_of(tls), certificate_of(tls)
        finally:
            self._drop()

    def _greeted(self, failure: NoTlsAnswers) -> TransferError:
        """The failure, by what greets in clear where no TLS is spoken from the first byte."""
        if self.settings.protocol is not Protocol.FTPS_IMPLICIT:
            return failure
        other = Contact(self.access, self.line, None)
        try:
            other.look_at_greeting()
        except ProtocolFailed as stranger:
            return stranger
        except TransferError:
            return failure
        return PlainAnswers("The server greets in clear")

    def look_at_greeting(self) -> None:
        """Hear what the server says at first. Raises TransferError where it does not greet."""
        self.dial(unheard)
        try:
            self._greet()
        finally:
            self._drop()

    @property
    def encryption(self) -> str | None:
        """The version and the cipher of TLS; None where it is in clear, or is over."""
        tls = self.control.wire.tls
        return version_of(tls) if tls is not None and not self.closed else None

    @property
    def _tls(self) -> ssl.SSLSocket:
        tls = self.control.wire.tls
        if tls is None:
            raise AssertionError("The connection is in clear")
        return tls

    @contextlib.contextmanager
    def talk(self, seconds: float, judge: Judge | None = None) -> Iterator[None]:
        """The edge: no error of its own or of the operating system leaves it untranslated."""
        if self.closed:
            raise session_over()
        with translated(partial(self._told, judge)), self._watch.within(seconds):
            yield
        self._is_first_in_tls = False

    def _greet(self) -> None:
        try:
            with self.talk(self.limits.login, greeting_refused):
                self.control.greet()
            self.is_greeted = True
        except ConnectionLost as lost:
            if self.ended:
                raise
            raise HungUp(lost.words) from lost
        except Stalled as silent:
            if self.control.wire.tls is not None:
                raise
            answer = _answer_to_tls(self.control.peer, self.limits)
            if answer.startswith(_TLS_RECORDS):
                raise ImplicitTlsAsked("The server waits for a TLS handshake") from silent
            other = stranger(answer, self.password)
            if isinstance(other, StrangerAnswers) and is_other_service(answer):
                raise other from silent
            raise

    def _check_wanted(self) -> None:
        """Raises ConnectionLost where it was cut or closed while it was made anew."""
        if self.ended:
            raise session_over()

    def _told(self, judge: Judge | None, error: Exception) -> TransferError:
        if not isinstance(error, Refused) or code_of(error.reply) == SESSION_IS_OVER:
            self._drop()
        if self._watch.expired:
            return self._silence(self._watch.words)
        failure = translate(error, self.password, judge)
        if self._is_cut_for_the_end(failure):
            return ClientCertificateEnded(failure.words)
        if isinstance(failure, ClientCertificateRefused) and self.trust and self.trust.shows:
            has_ended = self.trust.shows_ended
            meant = ClientCertificateEnded if has_ended else ClientCertificateNotAccepted
            return meant(failure.words)
        if self._may_want_certificate(failure) and not isinstance(error, Refused):
            failure.advice += MAY_WANT_CERTIFICATE
        if self.trust is not None and isinstance(failure, EncryptionAsked):  # of another kind
            return TlsFailed(failure.words)
        return failure

    def _silence(self, words: str) -> Stalled:
        if not self.is_greeted:
            speaks_tls = self.trust is not None
            is_implicit = speaks_tls and self.settings.protocol is Protocol.FTPS_IMPLICIT
            return (NoAnswerToTls if is_implicit else NoGreeting)(words)
        return (Stalled if self.takes_logins else SilentBeforeLogin)(words)

    def _is_cut_for_the_end(self, failure: TransferError) -> bool:
        """Whether a server that looks at client certificates hung up over one that has ended.

        TLS 1.3 refuses them behind the handshake (RFC 8446 section 4.4.2.4), and some servers are
        gone before that alert is out.
        """
        is_cut = isinstance(failure, ConnectionLost) and self._is_first_in_tls
        return is_cut and self.trust is not None and self.trust.shows_ended

    def _may_want_certificate(self, failure: TransferError) -> bool:
        """Whether a server hung up where those do that want a certificate, and none is shown.

        Whether it has asked for one, Python's ssl does not tell, and many ask and want none: so it
        stays a cut, of which more is told.
        """
        is_cut = isinstance(failure, ConnectionLost) and self._is_first_in_tls
        return is_cut and self.trust is not None and not self.trust.shows

    def _drop(self) -> None:
        self.closed = True
        self._watch.close()
        with contextlib.suppress(OSError):
            self.control.close()


def _answer_to_tls(address: Address, limits: Limits) -> bytes:
    """What a server that did not greet answers to the beginning of TLS; nothing where it is silent.

    Web servers answer it with a sentence in clear.
    """
    try:
        with dial([address], limits).socket as plain:
            plain.settimeout(min(limits.login, _TLS_SECONDS))
            plain.sendall(_beginning_of_tls() + b"\r\n\r\n")  # the end of a request of HTTP
            return plain.recv(MAX_BANNER)
    except (OSError, TransferError):
        return b""


def _beginning_of_tls() -> bytes:
    """The first message of a handshake; nothing else is ever sent over the connection."""
    sent = ssl.MemoryBIO()
    begun = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="server")
    with contextlib.suppress(ssl.SSLWantReadError):
        begun.do_handshake()
    return sent.read()
