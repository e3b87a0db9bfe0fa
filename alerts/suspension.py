"""The suspension alert: the e-mail to the customer. Pure.

The subject and the beginning of the customer's text are fixed to the letter, because customers'
mail rules rely on them. The text below them is free.
"""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from alerts import message
from alerts.facts import mail
from config.text import MAX_WORDS

SUBJECT = "FTP Suspension Alert"

_UNKNOWN = "(not known)"
"""As of failures that were stored before causes were."""

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
Cause: {cause}
Who can mend it: {whose}
What to check: {advice}
{reminder}{dormant}
Nothing is lost: the files that wait are kept, and they are sent by themselves, the oldest first, \
as soon as your server takes one again.
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
    cause: str = ""
    """What is wrong, in a sentence; empty where it is not known."""
    code: str = ""
    """The cause's code, by which docs/errors.md tells more of it."""
    whose: str = ""
    """Who can mend it."""
    repeated: int = 0
    """The number of suspensions of this outage so far, with this one; 0 where it is not known."""
    dormant_since: datetime | None = None
    """Since when the account is tried rarely because the outage lasts for days."""
    operators_words: str = ""
    """What was said, for the on-call alone, where `words` are the cause in its place."""


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
        cause=_cause(suspension),
        whose=message.one_line(suspension.whose) or _UNKNOWN,
        advice=message.one_line(suspension.advice, MAX_WORDS),
        reminder=_reminder(suspension),
        dormant=_dormant(suspension),
    )
    return mail(suspension, sender=sender, subject=SUBJECT, key=_key(suspension), text=text)


def _key(suspension: Suspension) -> str:
    """The key of a suspension. With its time: an account may be removed and created again."""
    at = message.utc(suspension.at).isoformat("T", "seconds")
    return f"{suspension.account_id}\n{suspension.number}\n{at}"


def _waiting(suspension: Suspension) -> str:
    if suspension.oldest is None:
        return str(suspension.queued)
    return f"{suspension.queued}, the oldest since {message.told(suspension.oldest)}"


def _cause(suspension: Suspension) -> str:
    code = message.one_line(suspension.code)
    return f"{message.one_line(suspension.cause)} ({code})" if code else _UNKNOWN


def _reminder(suspension: Suspension) -> str:
    if suspension.outage_since is None:
        return ""
    began = message.told(suspension.outage_since)
    return f"Outage since: {began}; this e-mail is repeated once a day while it lasts.\n"


def _dormant(suspension: Suspension) -> str:
    if suspension.dormant_since is None:
        return ""
    began = message.told(suspension.dormant_since)
    return (
        f"Dormant since: {began}; the outage lasts for days, so your server is now tried every "
        f"{message.span(suspension.seconds)}. New FTP settings or 'Try now' end that at once, and "
        "all files are kept.\n"
    )
