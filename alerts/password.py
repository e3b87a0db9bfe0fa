"""The e-mail with a link to a new password. Pure."""

from datetime import datetime
from email.message import EmailMessage

from alerts import message

SUBJECT = "Your new password"

_TEXT = """\
Somebody at {address} has asked for a new password for {login} at the {platform}.

To choose one, open this page: {url}

The link works once, for {minutes} minutes. If you did not ask for it there is nothing that you \
have to do: your password stays as it is.
"""


def compose(
    login: str,
    at: datetime,
    url: str,
    *,
    address: str,
    minutes: int,
    sender: str,
    platform: str,
) -> EmailMessage:
    """The e-mail to a login that is an address. Raises ValueError where the sender is none.

    `address` is where the link was asked for. Each link has a Message-ID of its own.
    """
    text = _TEXT.format(
        address=message.one_line(address, 64),
        login=message.one_line(login),
        platform=message.one_line(platform),
        url=url,
        minutes=minutes,
    )
    return message.make(
        sender=sender, to=[login], subject=SUBJECT, at=at, key=f"{login}\n{url}", text=text
    )
