"""The suspension alert: the e-mail to the customer, and the digest for the on-call. Pure.

The subject and the beginning of the customer's text are fixed to the letter, because customers'
mail rules rely on them. The text below them is free.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from alerts import message
from alerts.facts import mail
from config.text import MAX_WORDS

SUBJECT = "FTP Suspension Alert"
DIGEST_ROWS = 500
"""Most accounts that one digest names; it gives the number of the others."""

_MAX_DIGEST_WORDS = 160

_CUSTOMER_TEXT = """\
There have been {failures} failures sending files via FTP from the {platform} to {host} \
with username {username}

FTP has been suspended for {duration} for your account and it will be retried once this timer \
has expired, please note that your FTP requests are being queued up.

Last error message from your server: {words}
{speaker}
Account: {account}
Files waiting: {waiting}
Next try: {until}, with the oldest file.
What to check: {advice}
{reminder}
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
    said_by: str = ""
    """Who said the words: `server`, `system` or `courier`; empty where it is not known."""
    outage_since: datetime | None = None
    """The beginning of the outage, where the account gets one alert at once and then one a day."""


def compose(suspension: Suspension, *, sender: str, platform: str) -> EmailMessage:
    """The customer's e-mail about one suspension.

    The Message-ID follows from the facts alone, so that a repeat is recognised as the same. No
    fact can add a line to the text or a header; recipients that are no addresses are left out.
    Raises ValueError where the sender is no address.
    """
    text = _CUSTOMER_TEXT.format(
        failures=suspension.failures,
        platform=message.one_line(platform),
        host=message.one_line(suspension.host),
        username=message.one_line(suspension.username),
        duration=message.duration(suspension.seconds),
        words=message.one_line(suspension.words, MAX_WORDS) or "(none)",
        speaker=message.speaker(suspension.said_by),
        account=message.one_line(suspension.account_id),
        waiting=_waiting(suspension),
        until=message.told(suspension.until),
        advice=message.one_line(suspension.advice, MAX_WORDS),
        reminder=_reminder(suspension),
    )
    return mail(suspension, sender=sender, subject=SUBJECT, key=_key(suspension), text=text)


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
    ordered = sorted(suspensions, key=lambda suspension: message.utc(suspension.at))
    latest = list({suspension.account_id: suspension for suspension in ordered}.values())
    accounts = f"{len(latest)} account{'' if len(latest) == 1 else 's'}"
    return message.make(
        sender=sender,
        to=to,
        subject=f"FTP Suspension Digest: {accounts}",
        at=at,
        key="\n".join([at.isoformat("T", "seconds"), *map(_key, ordered)]),
        text=_DIGEST_TEXT.format(
            accounts=accounts, platform=message.one_line(platform), table=_table(latest)
        ),
    )


def _key(suspension: Suspension) -> str:
    """The key of a suspension. With its time: an account may be removed and created again."""
    at = message.utc(suspension.at).isoformat("T", "seconds")
    return f"{suspension.account_id}\n{suspension.number}\n{at}"


def _waiting(suspension: Suspension) -> str:
    if suspension.oldest is None:
        return str(suspension.queued)
    return f"{suspension.queued}, the oldest since {message.told(suspension.oldest)}"


def _reminder(suspension: Suspension) -> str:
    if suspension.outage_since is None:
        return ""
    began = message.told(suspension.outage_since)
    return f"Outage since: {began}; this e-mail is repeated once a day while it lasts.\n"


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
        message.one_line(suspension.account_id),
        str(suspension.failures),
        str(suspension.queued),
        message.told(suspension.until),
        message.one_line(suspension.words, _MAX_DIGEST_WORDS),
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()
