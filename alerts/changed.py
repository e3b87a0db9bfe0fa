"""The e-mail about changed settings: an account's recordings go elsewhere from now on. Pure."""

from email.message import EmailMessage

from alerts import message
from alerts.facts import mail
from config.notices import SettingsNotice
from config.text import MAX_WORDS

SUBJECT = "FTP Settings Changed"

_TEXT = """\
The FTP settings of your account {account} at the {platform} were {done} at {at} by {actor}.

{changes}

You are told because this address was among its Email Alerts. If this was intended there is \
nothing that you have to do; if not, tell the administrator of your account or your service \
provider at once.
"""


def compose(notice: SettingsNotice, *, sender: str, platform: str) -> EmailMessage:
    """The e-mail to the Email Alerts addresses from before the change.

    The Message-ID follows from the facts alone. No fact can add a line to the text or a header.
    Raises ValueError where the sender is no address.
    """
    text = _TEXT.format(
        account=message.one_line(notice.account_id),
        platform=message.one_line(platform),
        done="changed" if notice.after else "removed",
        at=message.told(notice.at),
        actor=message.one_line(notice.actor),
        changes="\n".join(_line(notice, title) for title in notice.before),
    )
    return mail(
        notice,
        sender=sender,
        subject=SUBJECT,
        key=f"{notice.account_id}\n{notice.key}\nsettings",
        text=text,
    )


def _line(notice: SettingsNotice, title: str) -> str:
    before = message.one_line(notice.before[title], MAX_WORDS)
    after = notice.after.get(title)
    if after is None:
        return f"{title}: {before}"
    return f"{title}: {message.one_line(after, MAX_WORDS)} (before: {before})"
