"""The suspension alert: what it says, to the customer and to the on-call. Pure.

Subject and the beginning of the customer's text are fixed by the product's settings text ("FTP
Settings", Alerts); what follows below is ours.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from pydantic import TypeAdapter, ValidationError

from config.accounts import EmailAddress

SUBJECT = "FTP Suspension Alert"
DIGEST_ROWS = 500
"""Accounts named in one digest; of the others it gives the number."""

_MAX_WORDS = 500
_MAX_DIGEST_WORDS = 160
_MAX_LINE = 998  # RFC 5322 section 2.1.1, without CR LF
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+"
)
_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)

_CUSTOMER_TEXT = """\
There have been {failures} failures sending files via FTP from the {platform} to {host} \
with username {username}

FTP has been suspended for {duration} for your account and it will be retried once this timer \
has expired, please note that your FTP requests are being queued up.

Last error message from your server: {words}

Account: {account}
Files waiting: {waiting}
Next try: {until}, with the oldest file.
What to check: {advice}

Nothing is lost: the files that wait are kept, and they are sent by themselves, the oldest first, \
as soon as your server takes one again.
"""

_DIGEST_TEXT = """\
FTP has been suspended for {accounts} of the {platform}. The files that wait are kept; each \
account is tried again by itself at the time given, and every suspension repeats until its server \
takes a file.

{table}
"""


@dataclass(frozen=True)
class Suspension:
    """The facts of one suspension, written down with it. `number` counts an account's own."""

    account_id: str
    number: int
    failures: int
    host: str
    username: str
    protocol: str
    seconds: float
    words: str
    """The server's own last words, or the operating system's."""
    advice: str
    recipients: tuple[str, ...]
    queued: int
    oldest: datetime | None
    at: datetime
    until: datetime


def to_document(suspension: Suspension) -> dict[str, Any]:
    """The facts as MongoDB stores them."""
    return {**asdict(suspension), "recipients": list(suspension.recipients)}


def from_document(document: dict[str, Any]) -> Suspension:
    """The facts read back from MongoDB."""
    return Suspension(**{**document, "recipients": tuple(document["recipients"])})


def compose(suspension: Suspension, *, sender: str, platform: str) -> EmailMessage:
    """The customer's e-mail about one suspension.

    The Message-ID follows from the facts alone, so that a repeat is recognised as the same. No
    fact can add a line to the text or a header; recipients that are no addresses are left out.
    Raises ValueError where the sender is no address.
    """
    text = _CUSTOMER_TEXT.format(
        failures=suspension.failures,
        platform=one_line(platform),
        host=one_line(suspension.host),
        username=one_line(suspension.username),
        duration=duration(suspension.seconds),
        words=one_line(suspension.words, _MAX_WORDS) or "(none)",
        account=one_line(suspension.account_id),
        waiting=_waiting(suspension),
        until=_time(suspension.until),
        advice=one_line(suspension.advice, _MAX_WORDS),
    )
    return _message(
        sender=sender,
        to=suspension.recipients,
        subject=SUBJECT,
        at=suspension.at,
        key=_key(suspension),
        text=text,
    )


def compose_digest(
    suspensions: Sequence[Suspension],
    *,
    sender: str,
    to: Iterable[str],
    platform: str,
    at: datetime,
) -> EmailMessage:
    """The on-call's e-mail about several suspensions, one row an account, its latest.

    Raises ValueError where the sender is no address.
    """
    ordered = sorted(suspensions, key=lambda suspension: _utc(suspension.at))
    latest = list({suspension.account_id: suspension for suspension in ordered}.values())
    accounts = f"{len(latest)} account{'' if len(latest) == 1 else 's'}"
    return _message(
        sender=sender,
        to=to,
        subject=f"FTP Suspension Digest: {accounts}",
        at=at,
        key="\n".join([at.isoformat("T", "seconds"), *map(_key, ordered)]),
        text=_DIGEST_TEXT.format(
            accounts=accounts, platform=one_line(platform), table=_table(latest)
        ),
    )


def duration(seconds: float) -> str:
    """A time in words: whole minutes as minutes, anything else as seconds."""
    count, unit = (seconds / 60, "minute") if seconds and seconds % 60 == 0 else (seconds, "second")
    return f"{count:g} {unit}{'' if count == 1 else 's'}"


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, without control characters, no longer than the limit."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def usable(addresses: Iterable[str]) -> list[str]:
    """Those of the addresses that an e-mail can be sent to, each once."""
    return [address for address in dict.fromkeys(addresses) if _is_address(address)]


def _is_address(text: str) -> bool:
    try:
        _ADDRESS.validate_python(text)
    except ValidationError:
        return False
    return True


def _message(
    *, sender: str, to: Iterable[str], subject: str, at: datetime, key: str, text: str
) -> EmailMessage:
    if not _is_address(sender):
        raise ValueError(f"{sender!r} is not an address to send from")
    message = EmailMessage()
    _set_text(message, text)
    # Python encodes an address that does not fit its 78 columns as text (RFC 2047), which no
    # server can answer: lines as long as the standard allows hold any address.
    message.policy = SMTP.clone(max_line_length=_MAX_LINE)
    message["From"] = _address(sender)
    message["To"] = [_address(address) for address in usable(to)]
    message["Subject"] = subject
    message["Date"] = _utc(at)
    message["Message-ID"] = f"<{_digest(key)}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: no holiday replies
    return message


def _set_text(message: EmailMessage, text: str) -> None:
    plain = text.isascii() and all(len(line) <= _MAX_LINE for line in text.split("\n"))
    message.set_content(text, charset="utf-8", cte="7bit" if plain else "quoted-printable")


def _address(text: str) -> Address:
    name, _, domain = text.rpartition("@")
    return Address(username=name, domain=domain)


def _key(suspension: Suspension) -> str:
    """Which suspension it is: the time tells apart an account removed and created again."""
    at = _utc(suspension.at).isoformat("T", "seconds")
    return f"{suspension.account_id}\n{suspension.number}\n{at}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:40]


def _waiting(suspension: Suspension) -> str:
    if suspension.oldest is None:
        return str(suspension.queued)
    return f"{suspension.queued}, the oldest since {_time(suspension.oldest)}"


def _table(suspensions: Sequence[Suspension]) -> str:
    shown = suspensions[:DIGEST_ROWS]
    rows = [("ACCOUNT", "FAILURES", "WAITING", "NEXT TRY", "LAST ERROR"), *map(_row, shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_aligned(row, widths) for row in rows]
    if len(suspensions) > len(shown):
        lines.append(f"and {len(suspensions) - len(shown)} more")
    return "\n".join(lines)


def _row(suspension: Suspension) -> tuple[str, ...]:
    return (
        one_line(suspension.account_id),
        str(suspension.failures),
        str(suspension.queued),
        _time(suspension.until),
        one_line(suspension.words, _MAX_DIGEST_WORDS),
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()


def _time(moment: datetime) -> str:
    return f"{_utc(moment):%Y-%m-%d %H:%M:%S} UTC"


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
