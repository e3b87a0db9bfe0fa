"""Hands one e-mail to the SMTP server (RFC 5321).

smtplib's errors, which are OSErrors too, do not leave this module.
"""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from threading import Timer
from urllib.parse import SplitResult, unquote, urlsplit

from alerts.message import one_line
from config import tls
from config.text import MAX_WORDS
from config.tls import Endpoint

_PERMANENT = 500
"""Reply codes from here on are permanent refusals (RFC 5321 section 4.2.1)."""
REPLY_SECONDS = 20.0
"""Longest wait for the connection, and for each reply."""
SESSION_SECONDS = 60.0
"""Longest session as a whole, however long each reply takes."""

_DEFAULT_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_REFUSED = 400  # RFC 5321 section 4.2.1
_CLOSING = 421  # RFC 5321 section 3.8: may be said at any time, and is about the server


class DeliveryFailed(Exception):
    """No recipient got the e-mail.

    `words` are the server's own, or the operating system's; `permanent` is true where the server
    said that trying again will not help (5xx).
    """

    def __init__(self, words: str, *, permanent: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.permanent = permanent


class ServerAway(DeliveryFailed):
    """The server takes no e-mail at all at the moment: no connection, no TLS, no login."""


@dataclass(frozen=True)
class Refusal:
    """One recipient was refused while others got the e-mail."""

    address: str
    words: str
    permanent: bool


def send(
    message: EmailMessage, server: Endpoint, recipients: Sequence[str] | None = None
) -> tuple[Refusal, ...]:
    """Send the message, by default to the recipients that it names. Returns those refused.

    Its URL is `smtp://`, `smtps://` (TLS from the start) or `smtp+starttls://` (TLS or nothing),
    with a percent-encoded `user:password@` where the server wants a login. Raises DeliveryFailed
    where nobody got it, ServerAway where the server itself is the reason.
    """
    with _session(server) as session:
        try:
            refused = session.send_message(message, to_addrs=recipients)
        except smtplib.SMTPRecipientsRefused as error:
            raise _all_refused(_refusals(error.recipients)) from None
        except smtplib.SMTPResponseException as error:
            words = _reply(error.smtp_code, error.smtp_error)
            if error.smtp_code == _CLOSING:
                raise ServerAway(words) from None
            raise DeliveryFailed(words, permanent=_is_permanent(error.smtp_code)) from None
        except OSError as error:
            raise DeliveryFailed(_reason(error)) from None
        return _refusals(refused)


def check(server: Endpoint) -> None:
    """Connect, log in where the URL names a user, and say NOOP. Raises ServerAway."""
    with _session(server) as session:
        try:
            code, words = session.noop()
        except OSError as error:
            raise ServerAway(_reason(error)) from None
        if code >= _REFUSED:
            raise ServerAway(_reply(code, words))


class _Session(smtplib.SMTP):
    """An SMTP session that ends at a fixed time, even with a server that drips its replies."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._alarm = Timer(SESSION_SECONDS, self._cut)
        self._alarm.daemon = True
        self._alarm.start()
        try:
            super().__init__(host, port, local_hostname=_own_name(), timeout=REPLY_SECONDS)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._alarm.cancel()
        self._alarm.join(1)
        super().close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = socket.create_connection((host, port), timeout)
        if self._tls is None:
            return connection
        return self._tls.wrap_socket(connection, server_hostname=host)

    def _cut(self) -> None:
        connection = self.sock
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _session(server: Endpoint) -> Iterator[_Session]:
    parts = urlsplit(server.url.get_secret_value())
    host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
    try:
        context = None if parts.scheme == "smtp" else server.trust.context()
        session = _Session(host, port, context if parts.scheme == "smtps" else None)
    except (OSError, UnicodeError) as error:
        raise ServerAway(f"{host}:{port}: {_reason(error)}") from None
    with contextlib.closing(session):
        try:
            _introduce(session, parts, context)
        except OSError as error:
            raise ServerAway(f"{host}:{port}: {_reason(error)}") from None
        yield session
        with contextlib.suppress(OSError):
            session.quit()


def _introduce(session: _Session, parts: SplitResult, context: ssl.SSLContext | None) -> None:
    session.ehlo_or_helo_if_needed()
    if parts.scheme == "smtp+starttls":
        session.starttls(context=context)
    if parts.username:
        _login(session, unquote(parts.username), unquote(parts.password or ""))


def _login(session: _Session, username: str, password: str) -> None:
    try:
        session.login(username, password)
    except UnicodeEncodeError:
        raise ServerAway(
            "The user or the password of COURIER_SMTP_URL has characters outside ASCII, "
            "which this server's logins cannot carry."
        ) from None
    except smtplib.SMTPResponseException as error:
        words = _reply(error.smtp_code, error.smtp_error)
        raise ServerAway(words.replace(password, "***") if password else words) from None


def _own_name() -> str:
    """The name for EHLO (RFC 5321 section 4.1.3), without asking a name server."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _refusals(refused: dict[str, tuple[int, bytes]]) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(address, _reply(code, words), _is_permanent(code))
        for address, (code, words) in refused.items()
    )


def _all_refused(refusals: Sequence[Refusal]) -> DeliveryFailed:
    words = one_line("; ".join(f"{one.address}: {one.words}" for one in refusals), MAX_WORDS)
    return DeliveryFailed(words, permanent=all(one.permanent for one in refusals))


def _is_permanent(code: int) -> bool:
    return code >= _PERMANENT


def _reply(code: int, words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return one_line(f"{code} {text}", MAX_WORDS)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    if isinstance(error, ssl.SSLError):
        return one_line(tls.in_words(error), MAX_WORDS)
    words = error.strerror if isinstance(error, OSError) else None
    return one_line(words or str(error) or type(error).__name__, MAX_WORDS)
