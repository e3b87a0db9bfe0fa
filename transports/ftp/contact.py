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
    EncryptionAsked,
    ImplicitTlsAsked,
    NoTlsAnswers,
    PlainAnswers,
    ProtocolFailed,
    Stalled,
    TlsFailed,
    TransferError,
)
from transports.ftp.control import Control
from transports.ftp.errors import (
    SESSION_IS_OVER,
    Judge,
    Refused,
    greeting_refused,
    tls_refused,
    translate,
)
from transports.ftp.replies import code_of
from transports.ftp.trust import Certificate, Trust, certificate_of, refused, version_of
from transports.ftp.wire import wait_for
from transports.network.egress import Address, dial
from transports.network.round_trip import RoundTrip
from transports.network.watchdog import Watch

_TLS_SECONDS = 5.0


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
        self.ended = False
        """Whether no other connection may be made for what was lost."""
        self._watch: Watch

    def dial(self, step: OnStep) -> None:
        """Connect. Raises ConnectFailed."""
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

    def _greet(self) -> None:
        try:
            with self.talk(self.limits.login, greeting_refused):
                self.control.greet()
        except Stalled as silent:
            is_secure = self.control.wire.tls is not None
            if is_secure or not _waits_for_tls(self.control.peer, self.limits):
                raise
            raise ImplicitTlsAsked("The server waits for a TLS handshake") from silent

    def _check_wanted(self) -> None:
        """Raises ConnectionLost where it was cut or closed while it was made anew."""
        if self.ended:
            raise session_over()

    def _told(self, judge: Judge | None, error: Exception) -> TransferError:
        if not isinstance(error, Refused) or code_of(error.reply) == SESSION_IS_OVER:
            self._drop()
        if self._watch.expired:
            return Stalled(self._watch.words)
        failure = translate(error, self.password, judge)
        if self.trust is not None and isinstance(failure, EncryptionAsked):  # of another kind
            return TlsFailed(failure.words)
        return failure

    def _drop(self) -> None:
        self.closed = True
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
