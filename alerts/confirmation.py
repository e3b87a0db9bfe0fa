"""The e-mail that asks an address whether it wants an account's alerts. Pure."""

from datetime import datetime
from email.message import EmailMessage

from alerts import message
from config.mail_links import Recipient

SUBJECT = "Please confirm FTP alerts"

_TEXT = """\
The account {account} of the {platform} names this address for its alerts: e-mails that say that \
call recordings cannot be delivered to a server.

To get them, open this page and press the button: {url}

If you do nothing, no alert is sent to this address.
"""


def compose(
    recipient: Recipient, at: datetime, url: str, *, sender: str, platform: str
) -> EmailMessage:
    """The question. Raises ValueError where the sender is no address."""
    text = _TEXT.format(
        account=message.one_line(recipient.account_id), platform=message.one_line(platform), url=url
    )
    return message.make(
        sender=sender,
        to=[recipient.address],
        subject=SUBJECT,
        at=at,
        key=f"{recipient.account_id}\n{recipient.address}\n{at.isoformat()}\nconfirmation",
        text=text,
    )
