"""The e-mail that shows whether an account's alerts arrive. Pure."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from alerts import message
from alerts.facts import mail

SUBJECT = "FTP Alert Test"

_TEXT = """\
This is a test: the alerts of the account {account} of the {platform} reach this address.

It was asked for by {actor} at {at}. Nothing is wrong with the account's files because of it, and \
there is nothing that you have to do.
"""


@dataclass(frozen=True)
class TrialMail:
    """One test e-mail that somebody asked for; `key` is unique among an account's."""

    account_id: str
    key: str
    actor: str
    """A principal's login."""
    recipients: tuple[str, ...]
    at: datetime


def compose(trial: TrialMail, *, sender: str, platform: str) -> EmailMessage:
    """The test e-mail. No fact can add a line to the text or a header.

    Raises ValueError where the sender is no address.
    """
    text = _TEXT.format(
        account=message.one_line(trial.account_id),
        platform=message.one_line(platform),
        actor=message.one_line(trial.actor),
        at=message.told(trial.at),
    )
    key = f"{trial.account_id}\n{trial.key}\ntest"
    return mail(trial, sender=sender, subject=SUBJECT, key=key, text=text)
