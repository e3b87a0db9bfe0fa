"""What a server said, as it may be shown to a person."""

import errno
import os
import re
import ssl

from pydantic import SecretStr

from config.text import MAX_WORDS, shortened
from transports.errors import (
    ConnectionLost,
    FtpAnswers,
    ProtocolFailed,
    Said,
    Speaker,
    SshAnswers,
    Stalled,
    StrangerAnswers,
    TransferError,
)

MAX_BANNER = 80
"""Characters that are shown of what a service says that is no FTP or SFTP server."""
_FTP_GREETING = re.compile(r"(220|120|421)[ -](?!.*\bE?SMTP\b)")
_OTHER_GREETING = re.compile(
    r"HTTP/|<|\+OK|-ERR|\* |[2-5][0-9]{2}[ -]|RFB |@RSYNCD|AMQP|.*[\x00-\x08\x0e-\x1a\xff]",
    re.DOTALL,
)
"""How HTTP, pages of HTML, POP3, IMAP, SMTP, VNC and others begin, or with what no text has, as
databases do: what OpenSSH says before it hangs up is a sentence."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def spoken(text: str | bytes, secret: SecretStr | None = None, most: int = MAX_WORDS) -> Said:
    """The server's words on one line, of bounded length, never with the secret in them.

    Bytes are UTF-8 (RFC 2640, RFC 4251) or, where they are not, Latin-1. The program's own words
    are left as they are: a short password may be a part of them.
    """
    if isinstance(text, Said) and text.by is Speaker.COURIER:
        return text
    hidden = secret.get_secret_value() if secret is not None else ""
    as_latin_1 = hidden.encode("utf-8", "surrogateescape").decode("latin-1")
    line = _masked(_masked(decoded(text), hidden), as_latin_1)
    line = _masked(_on_one_line(line), _on_one_line(hidden))
    return Said(shortened(line, most), Speaker.SERVER)


def _on_one_line(text: str) -> str:
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def _masked(text: str, hidden: str) -> str:
    return text.replace(hidden, "***") if hidden else text


def own(words: str) -> Said:
    """The program's own words, where they stand among a server's: nothing in them is masked."""
    return Said(words, Speaker.COURIER)


def heard(error: Exception, secret: SecretStr | None = None) -> Said:
    """The words of an error of a library: a part of the program, which may quote the server."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Said) else own(spoken(str(error), secret))


def stranger(greeting: str | bytes, secret: SecretStr | None = None) -> ProtocolFailed:
    """The failure where another service answers than the one that was asked for."""
    words = spoken(greeting, secret, MAX_BANNER)
    if words.startswith("SSH-"):
        return SshAnswers(words)
    return (FtpAnswers if _FTP_GREETING.match(words) else StrangerAnswers)(words)


def is_other_service(greeting: bytes) -> bool:
    """Whether it begins as that of HTTP, POP3, IMAP, SMTP or a database does."""
    return _OTHER_GREETING.match(greeting.decode("latin-1")) is not None


def system_words(error: OSError) -> Said:
    """The operating system's words for an error: `Connection refused`."""
    if isinstance(error, TimeoutError):
        return Said(os.strerror(errno.ETIMEDOUT), Speaker.SYSTEM)
    if isinstance(error, ssl.SSLError):
        return own(_tls_words(error))
    if error.strerror:
        return Said(spoken(error.strerror), Speaker.SYSTEM)
    return own(spoken(str(error)) or "The connection failed")  # a library's, in the system's name


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
