"""What a server said, as it may be shown to a person."""

import errno
import os
import re
import ssl

from pydantic import SecretStr

from transports.errors import ConnectionLost, Stalled, TransferError

MAX_WORDS = 500
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def spoken(text: str | bytes, secret: SecretStr | None = None) -> str:
    """The server's words on one line, of bounded length, never with the secret in them.

    Bytes are UTF-8 (RFC 2640, RFC 4251) or, where they are not, Latin-1.
    """
    line = _UNPRINTABLE.sub(" ", decoded(text))
    line = " ".join(line.split())
    if secret is not None and secret.get_secret_value():
        line = line.replace(secret.get_secret_value(), "***")
    return line if len(line) <= MAX_WORDS else line[: MAX_WORDS - 1] + "…"


def system_words(error: OSError) -> str:
    """The operating system's words for an error: `Connection refused`."""
    if isinstance(error, TimeoutError):
        return os.strerror(errno.ETIMEDOUT)
    if isinstance(error, ssl.SSLError):
        return _tls_words(error)
    return spoken(error.strerror or str(error)) or "The connection failed"


def _tls_words(error: ssl.SSLError) -> str:
    # Python's own text names its source file; an error that Python made up has no attributes.
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not trusted: {getattr(error, 'verify_message', 'unknown')}"
    return f"TLS failed: {getattr(error, 'reason', None) or 'the connection was cut'}"


def lost(error: OSError | EOFError) -> TransferError:
    """What an error of an open connection means, in the operating system's words."""
    if isinstance(error, EOFError):
        return ConnectionLost("The server closed the connection")
    failure = Stalled if isinstance(error, TimeoutError) else ConnectionLost
    return failure(system_words(error))


def decoded(text: str | bytes) -> str:
    """Text from bytes, or from a string that holds undecodable bytes as surrogates."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
