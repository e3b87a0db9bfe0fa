"""TLS to the platform's own services: RabbitMQ, MongoDB and the mail server trust the same way."""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

_NO_CERTIFICATE = (
    "COURIER_TLS_KEY_FILE is not valid: it needs COURIER_TLS_CERT_FILE, the certificate that "
    "belongs to the key."
)
_NO_AUTHORITIES = "is no PEM with certificates of authorities."
_NO_PAIR = (
    "cannot be used with its key: both must be PEM and belong together, and the key must "
    "have no passphrase (COURIER_TLS_KEY_FILE names it where it is in a file of its own)."
)
_ALERTS = {
    "alert certificate required": "the server demands a certificate: set COURIER_TLS_CERT_FILE",
    "alert unknown ca": "the server does not trust the certificate in COURIER_TLS_CERT_FILE",
    "alert certificate expired": "the certificate in COURIER_TLS_CERT_FILE has expired",
    "EOF occurred in violation of protocol": (
        "the server hung up, as one does that demands a certificate that it trusts "
        "(COURIER_TLS_CERT_FILE)"
    ),
}
"""TLS alerts that a server sends before it hangs up (RFC 8446, section 6.2), in words."""
LOWEST_VERSION = ssl.TLSVersion.TLSv1_2
_PARTICULARS = re.compile(r"\[[A-Z][A-Z0-9_ :]*\] | \(_ssl\.c:\d+\)")
"""What OpenSSL and CPython put around the words: `[SSL: NAME] ... (_ssl.c:1006)`."""


@dataclass(frozen=True)
class Trust:
    """The authorities that services are checked by, and the certificate that they are shown.

    Files in PEM; without `ca_file` those authorities are trusted that the operating system trusts.
    `cert_file` may hold the key as well.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """The SSL context of a connection: it checks the server's chain and name.

        The files are read anew, so that a renewed certificate is used by the next connection.
        Raises OSError (ssl.SSLError among them) where one of them cannot be used.
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = LOWEST_VERSION
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
        return context


@dataclass(frozen=True)
class Endpoint:
    """The URL of a platform's service, with its credentials, and the TLS trust."""

    url: SecretStr
    trust: Trust = Trust()


def problems(trust: Trust) -> list[str]:
    """Why the files cannot be used, a sentence for each setting; empty where they can."""
    if trust.key_file is not None and trust.cert_file is None:
        return [_NO_CERTIFICATE]
    parts = {
        "COURIER_TLS_CA_FILE": (trust.ca_file, "certificates of authorities"),
        "COURIER_TLS_CERT_FILE": (trust.cert_file, "a certificate"),
        "COURIER_TLS_KEY_FILE": (trust.key_file, "a private key"),
    }
    found = [
        _unusable(name, path, f"PEM with {what}", what.split()[-1])
        for name, (path, what) in parts.items()
        if path is not None
    ]
    return [each for each in found if each] or _unfit(trust)


def in_words(error: ssl.SSLError) -> str:
    """What went wrong with TLS, for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    return failure(error.strerror or str(error))


def failure(words: str) -> str:
    """A library's words about TLS that failed, with what to do where the server told why."""
    words = without_particulars(words)
    meaning = next((told for alert, told in _ALERTS.items() if alert in words), None)
    return f"TLS failed: {meaning} ({words})" if meaning else f"TLS failed: {words}"


def without_particulars(words: str) -> str:
    """A library's words about TLS without what only its makers need."""
    return _PARTICULARS.sub("", words)


def _unusable(name: str, path: Path, wanted: str, kind: str) -> str | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        return f"{name} is not valid: {str(path)!r} cannot be read: {error.strerror or error}."
    except ValueError:  # half a surrogate pair
        return f"{name} is not valid: {str(path)!r} is not the name of a file."
    label = "PRIVATE KEY-----" if kind == "key" else "-----BEGIN CERTIFICATE-----"
    return None if label in text else f"{name} is not valid: {str(path)!r} is no {wanted}."


def _unfit(trust: Trust) -> list[str]:
    """A sentence where OpenSSL does not take the files, or key and certificate do not match.

    The system's authorities are not read for that: it takes longer than all other settings.
    """
    try:
        if trust.ca_file is not None:
            Trust(trust.ca_file).context()
    except OSError:
        return [f"COURIER_TLS_CA_FILE is not valid: {str(trust.ca_file)!r} {_NO_AUTHORITIES}"]
    try:
        if trust.cert_file is not None:
            trust.context()
    except (OSError, ValueError):
        return [f"COURIER_TLS_CERT_FILE is not valid: {str(trust.cert_file)!r} {_NO_PAIR}"]
    return []


def _no_password() -> str:
    """Raises instead of letting OpenSSL ask for a passphrase at the terminal, for ever."""
    raise ValueError("the key has a passphrase")
