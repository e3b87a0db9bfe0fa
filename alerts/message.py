"""What every e-mail has in common: its headers, its text, words that fit one line. Pure."""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING

from pydantic import ConfigDict, TypeAdapter, ValidationError

from config.accounts import EmailAddress

if TYPE_CHECKING:
    from email.headerregistry import Address

_MAX_LINE = 998  # RFC 5322 section 2.1.1, without CR LF
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+"
)
_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress, config=ConfigDict(defer_build=True))
_SPEAKERS = {
    "system": "(These are the words of the platform's operating system: your server gave none.)\n",
    "courier": "(These are the platform's own words for what it has seen.)\n",
}
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def duration(seconds: float) -> str:
    """A time in words: whole minutes as minutes, anything else as seconds."""
    count, unit = (seconds / 60, "minute") if seconds and seconds % 60 == 0 else (seconds, "second")
    return f"{count:g} {unit}{'' if count == 1 else 's'}"


def span(seconds: float) -> str:
    """A length of time in its two largest units: `2 hours 15 minutes`."""
    left, told = round(seconds), []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            told.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(told[:2]) or "0 seconds"


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, without control characters, no longer than the limit."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def speaker(said_by: str) -> str:
    """The line below the last words that says whose they are; empty where they are the server's."""
    return _SPEAKERS.get(said_by, "")


def usable(addresses: Iterable[str]) -> list[str]:
    """The addresses that an e-mail can be sent to, each once."""
    return [address for address in dict.fromkeys(addresses) if _is_address(address)]


def _is_address(text: str) -> bool:
    try:
        _ADDRESS.validate_python(text)
    except ValidationError:
        return False
    return True


def make(
    *, sender: str, to: Iterable[str], subject: str, at: datetime, key: str, text: str
) -> EmailMessage:
    """An e-mail whose Message-ID follows from the key: a repeat is recognised as the same.

    Recipients that are no addresses are left out. Raises ValueError where the sender is none.
    """
    if not _is_address(sender):
        raise ValueError(f"{sender!r} is not an address to send from")
    message = EmailMessage()
    set_text(message, text)
    message["From"] = _address(sender)
    message["To"] = [_address(address) for address in usable(to)]
    message["Subject"] = subject
    message["Date"] = utc(at)
    message["Message-ID"] = message_id(key, f"{sender}>")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: no holiday replies
    return message


def set_text(message: EmailMessage, text: str) -> None:
    """Give the e-mail this text, in place of any other."""
    from email.policy import SMTP, default  # noqa: PLC0415 - the ledger names mails, and sends none

    plain = text.isascii() and all(len(line) <= _MAX_LINE for line in text.split("\n"))
    message.policy = default
    message.set_content(text, charset="utf-8", cte="7bit" if plain else "quoted-printable")
    # Python encodes an address that does not fit its 78 columns as text (RFC 2047), which no
    # server can answer: lines as long as the standard allows hold any address.
    message.policy = SMTP.clone(max_line_length=_MAX_LINE)


def append(message: EmailMessage, text: str) -> None:
    """Add this text below the e-mail's own."""
    set_text(message, message.get_content() + text)


def message_id(key: str, at: str) -> str:
    """The Message-ID that follows from the key; its domain is that of `at`, `...@domain>`."""
    return f"<{_digest(key)}@{at.rpartition('@')[2]}"


def _address(text: str) -> "Address":
    from email.headerregistry import Address  # noqa: PLC0415 - only who sends needs it

    name, _, domain = text.rpartition("@")
    return Address(username=name, domain=domain)


def told(moment: datetime) -> str:
    """A moment as people read it, in UTC."""
    return f"{utc(moment):%Y-%m-%d %H:%M:%S} UTC"


def utc(moment: datetime) -> datetime:
    """The moment in UTC. A moment without a zone is taken as UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:40]
