"""Whose certificate is taken for the server's, and what it says of itself (RFC 4217, RFC 5280).

Either OpenSSL verifies it, by the system's authorities or those of the account, and its name; or
its fingerprint is one of those that the account has pinned, and that alone counts.
"""

import re
import socket
import ssl
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from config.certificates import own_end
from config.client_certificates import show_certificate
from config.fingerprints import of_certificate
from config.ftp_settings import FtpSettings
from config.tls import LOWEST_VERSION
from transports.diagnosis.reaching import HANDSHAKE_REFUSED
from transports.errors import (
    CertificateChanged,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateOfAnother,
    CertificateRefused,
    CertificateUntrusted,
    ClientCertificateRefused,
    ConnectionLost,
    NoTlsAnswers,
    TlsFailed,
    TlsTooOld,
    TransferError,
)
from transports.words import MAX_BANNER, spoken


class HandshakeRefused(TlsFailed):
    """Said in TLS 1.2 for want of a certificate of ours, too."""

    entry = HANDSHAKE_REFUSED


_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_NAMES = {62, 63, 64}
"""What OpenSSL's X509_verify_cert says: X509_V_ERR_*."""
_MOST_NAMES = 3
_UNREADABLE = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises over a certificate that OpenSSL has read; not all are ValueErrors."""
_REFUSED = "The server refused the TLS handshake: {}"
_MEANINGS: tuple[tuple[re.Pattern[str], type[TransferError], str], ...] = (
    (
        re.compile(r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW"),
        TlsTooOld,
        "The server speaks no version of TLS from 1.2 on",
    ),
    (  # alerts about the certificate that we have shown, or have not
        re.compile(r"ALERT_(CERTIFICATE_|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA)"),
        ClientCertificateRefused,
        _REFUSED,
    ),
    (  # what came is no record of TLS
        re.compile(r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER|PACKET_LENGTH|UNKNOWN_PROTO"),
        NoTlsAnswers,
        "What the server answers is no TLS",
    ),
    (re.compile(r"ALERT_HANDSHAKE_FAILURE"), HandshakeRefused, _REFUSED),
    (re.compile(r"ALERT"), TlsFailed, _REFUSED),
)
"""By OpenSSL's name of the error; the first match counts."""


class Certificate(NamedTuple):
    """What is shown of a certificate; its words are somebody else's."""

    fingerprint: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime | None
    ends: datetime | None


class Trust:
    """The trust in one server, shared by all connections of a login: so TLS resumes sessions."""

    def __init__(self, settings: FtpSettings, client_key: SecretStr | None = None) -> None:
        """`client_key`: of the settings' client certificate. Raises TlsFailed."""
        self.pins = settings.host_keys
        self.name = settings.host.partition("%")[0].rstrip(".")
        """Without the interface of an IPv6 address."""
        self.shows = settings.client_certificate is not None and client_key is not None
        """Whether the server is shown a certificate where it asks for one."""
        self._settings = settings
        self._context = _context(settings)
        if settings.client_certificate is not None and client_key is not None:
            _show(self._context, settings.client_certificate, client_key)

    @property
    def shows_ended(self) -> bool:
        """Whether the certificate that the server is shown has ended by now."""
        shown = self._settings.client_certificate
        ends = own_end(shown) if shown is not None else None
        return ends is not None and ends <= datetime.now(UTC)

    def of_any(self) -> "Trust":
        """The trust in whoever answers: only to see what certificate it shows."""
        trust = Trust(self._settings)
        trust.pins = ()
        trust._context = _accepting(_bare_context())
        return trust

    def wrap(self, plain: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        """TLS over the connection, which has not begun."""
        return self._context.wrap_socket(
            plain,
            server_hostname=self.name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            session=session,
        )

    def check(self, tls: ssl.SSLSocket) -> None:
        """Raises CertificateChanged where none of the pinned certificates was shown."""
        shown = of_certificate(tls.getpeercert(binary_form=True) or b"")
        if self.pins and shown not in self.pins:
            raise CertificateChanged(pinned=self.pins, shown=shown)

    def told(self, certificate: Certificate) -> str:
        """Why the certificate is trusted, for a person."""
        if self.pins:
            return f"{certificate.fingerprint}, which is pinned"
        until = f", valid until {certificate.ends:%Y-%m-%d}" if certificate.ends else ""
        return f"for {self.name}, issued by {certificate.issuer}{until}"


def certificate_of(tls: ssl.SSLSocket) -> Certificate:
    """The certificate that the server has shown."""
    der = tls.getpeercert(binary_form=True) or b""
    try:
        return _read(x509.load_der_x509_certificate(der), der)
    except _UNREADABLE:
        return Certificate(of_certificate(der), "an unknown authority", (), None, None)


def version_of(tls: ssl.SSLSocket) -> str:
    """The version and the cipher of TLS, as they are usually written."""
    cipher = tls.cipher()
    version = (tls.version() or "TLS").replace("TLSv", "TLS ")
    return f"{version}, {cipher[0]}" if cipher else version


def failure_of(error: ssl.SSLError) -> TransferError:
    """What an error of TLS means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unverified(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ConnectionLost("The server closed the connection")
    reason = str(getattr(error, "reason", None) or "")
    told = _words(reason) or "the connection was cut"
    for pattern, failure, words in _MEANINGS:
        if pattern.search(reason):
            return failure(words.format(told))
    return TlsFailed(f"TLS failed: {told}")


def refused(failure: CertificateRefused, shown: Certificate, name: str) -> CertificateRefused:
    """The same failure, in words that tell what the certificate says."""
    match failure:
        case CertificateExpired() if shown.ends:
            words = f"The certificate expired on {shown.ends:%Y-%m-%d}"
        case CertificateNotYetValid() if shown.begins:
            words = f"The certificate is valid from {shown.begins:%Y-%m-%d} on"
        case CertificateOfAnother() if shown.names:
            words = f"The certificate is for {', '.join(shown.names)}, not for {name}"
        case _:
            words = f"{failure.words}; it was issued by {shown.issuer}"
    return type(failure)(words, shown.fingerprint)


def _context(settings: FtpSettings) -> ssl.SSLContext:
    context = _bare_context()
    if settings.host_keys:
        return _accepting(context)
    if settings.ca_certificates is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cadata=settings.ca_certificates)
    except ssl.SSLError as error:
        raise TlsFailed(f"The CA certificates cannot be used: {error.reason}") from error
    # The server's own certificate, given as the authority, need not be one.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def _show(context: ssl.SSLContext, certificate: str, key: SecretStr) -> None:
    try:
        show_certificate(context, certificate, key)
    except ssl.SSLError as error:
        raise TlsFailed(f"The client certificate cannot be used: {error.reason}") from error


def _bare_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = LOWEST_VERSION
    return context


def _accepting(context: ssl.SSLContext) -> ssl.SSLContext:
    """Takes any certificate: whoever uses it compares fingerprints, or sends nothing."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _unverified(error: ssl.SSLCertVerificationError) -> CertificateRefused:
    code = getattr(error, "verify_code", 0)
    if code == _EXPIRED:
        return CertificateExpired("The certificate has expired")
    if code == _NOT_YET_VALID:
        return CertificateNotYetValid("The certificate is not valid yet")
    if code in _OTHER_NAMES:
        return CertificateOfAnother("The certificate is for another name")
    why = getattr(error, "verify_message", None) or "unknown"
    return CertificateUntrusted(f"The certificate is not trusted: {why}")


def _read(certificate: x509.Certificate, der: bytes) -> Certificate:
    return Certificate(
        of_certificate(der),
        _name(certificate.issuer) or "a nameless authority",
        _names(certificate),
        certificate.not_valid_before_utc.astimezone(UTC),
        certificate.not_valid_after_utc.astimezone(UTC),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return (_name(certificate.subject),) if _name(certificate.subject) else ()
    names = [
        *extension.value.get_values_for_type(x509.DNSName),
        *map(str, extension.value.get_values_for_type(x509.IPAddress)),
    ]
    return tuple(spoken(each, most=MAX_BANNER) for each in names[:_MOST_NAMES])


def _name(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return spoken(str(attribute.value), most=MAX_BANNER)
    return spoken(name.rfc4514_string(), most=MAX_BANNER)


def _words(reason: str) -> str:
    """`SSLV3_ALERT_HANDSHAKE_FAILURE`: `handshake failure`."""
    return reason.partition("ALERT_")[2].replace("_", " ").lower() or (
        reason.replace("_", " ").lower()
    )
