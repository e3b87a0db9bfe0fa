"""One recipient's copy of an e-mail: how to stop such e-mails, and how many were left out. Pure."""

from email.message import EmailMessage

from alerts import message

_WITH_LINK = """
{left_out}To stop these e-mails to this address: {url}
"""
_WITHOUT_LINK = """
To stop these e-mails, have this address taken out of the account's Email Alerts, in its FTP \
Settings or by your service provider.
"""


def personal(mail: EmailMessage, address: str, url: str, left_out: int) -> EmailMessage:
    """The copy for one address, with a link of its own: `url` is this address's secret.

    The header fields are those of RFC 2369 and RFC 8058, by which mail programs show a button.
    """
    told = ""
    if left_out:
        plural = "e-mails were" if left_out > 1 else "e-mail was"
        told = f"{left_out} {plural} left out before this one: there were too many in an hour.\n"
    message.append(mail, _WITH_LINK.format(left_out=told, url=url))
    message_id = str(mail["Message-ID"])
    del mail["Message-ID"]
    mail["Message-ID"] = message.message_id(f"{message_id}\n{address}", message_id)
    mail["List-Unsubscribe"] = f"<{url}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return mail


def common(mail: EmailMessage) -> EmailMessage:
    """The copy for all recipients, where there are no links."""
    message.append(mail, _WITHOUT_LINK)
    return mail
