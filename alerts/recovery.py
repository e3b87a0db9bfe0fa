"""The e-mail that an account delivers again, for accounts that asked for it. Pure."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from alerts import message
from alerts.facts import mail
from config.text import MAX_WORDS

SUBJECT = "FTP Suspension Ended"

_TEXT = """\
Sending files via FTP from the {platform} to {host} with username {username} works again

FTP had been suspended for your account for {span}, from {since} to {at}. A file has been \
delivered, please note that the FTP requests that were queued up are being sent now.

Last error message from your server before that: {words}
{speaker}
Account: {account}
Suspensions: {suspensions}
Files that waited: {waited}, of which 1 is delivered and {queued} {are} being sent now, the \
oldest first.
Files that return: {returning}, given up during the outage only because of it.

Nothing is lost, and there is nothing that you have to do.
"""


@dataclass(frozen=True)
class Recovery:
    """The facts of the end of one outage; `number` is the number of its last suspension."""

    account_id: str
    number: int
    suspensions: int
    """The number of suspensions in this outage."""
    host: str
    username: str
    protocol: str
    words: str
    """The server's last words before it took a file again, or the operating system's."""
    recipients: tuple[str, ...]
    queued: int
    """The number of files that waited when the first one was delivered."""
    returning: int
    """The number of the outage's dead letters, which go back to the queue."""
    since: datetime
    """The time of the outage's first suspension."""
    at: datetime
    said_by: str = ""
    """Who said the words: `server`, `system` or `courier`; empty where it is not known."""
    operators_words: str = ""
    """What was said, for the on-call alone, where `words` are the cause in its place."""


def compose(recovery: Recovery, *, sender: str, platform: str) -> EmailMessage:
    """The customer's e-mail about the end of one outage.

    The Message-ID follows from the facts alone. No fact can add a line to the text or a header.
    Raises ValueError where the sender is no address.
    """
    text = _TEXT.format(
        platform=message.one_line(platform),
        host=message.one_line(recovery.host),
        username=message.one_line(recovery.username),
        span=message.span((recovery.at - recovery.since).total_seconds()),
        since=message.told(recovery.since),
        at=message.told(recovery.at),
        words=message.one_line(recovery.words, MAX_WORDS) or "(none)",
        speaker=message.speaker(recovery.said_by),
        account=message.one_line(recovery.account_id),
        suspensions=recovery.suspensions,
        waited=recovery.queued + 1,
        queued=recovery.queued,
        are="is" if recovery.queued == 1 else "are",
        returning=recovery.returning,
    )
    return mail(recovery, sender=sender, subject=SUBJECT, key=_key(recovery), text=text)


def _key(recovery: Recovery) -> str:
    """The key of a recovery. It has one line more than a suspension's, so that the two differ."""
    at = message.utc(recovery.at).isoformat("T", "seconds")
    return f"{recovery.account_id}\n{recovery.number}\n{at}\nrecovery"
