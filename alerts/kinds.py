"""The kinds of e-mails about an account: how each is stored and composed. Pure."""

from email.message import EmailMessage
from typing import Any

from alerts import changed, confirmation, recovery, suspension
from alerts.facts import from_document, to_document
from alerts.recovery import Recovery
from alerts.suspension import Suspension
from config.mail_links import MailLinks, Recipient
from config.notices import SettingsNotice

CONFIRMATION = "confirmation"
DIGEST = "digest"
SETTINGS = "settings"

Document = dict[str, Any]


def described(alert: Suspension | Recovery | SettingsNotice) -> tuple[str, Document]:
    """The alert's id and its stored fields."""
    if isinstance(alert, SettingsNotice):
        facts = {"kind": SETTINGS, "facts": to_document(alert)}
        return f"{alert.account_id}:settings:{alert.key}", facts
    alert_id = f"{alert.account_id}:{alert.number}"
    if isinstance(alert, Recovery):
        return f"{alert_id}:recovery", {"kind": "recovery", "facts": to_document(alert)}
    return alert_id, {"kind": "suspension", "facts": to_document(alert)}


def compose(document: Document, links: MailLinks, *, sender: str, platform: str) -> EmailMessage:
    """The e-mail of a stored document. Raises ValueError where the sender is no address."""
    facts: Document = document["facts"]
    who = {"sender": sender, "platform": platform}
    match document["kind"]:
        case "suspension":
            return suspension.compose(from_document(Suspension, facts), **who)
        case "recovery":
            return recovery.compose(from_document(Recovery, facts), **who)
        case "settings":
            return changed.compose(from_document(SettingsNotice, facts), **who)
    recipient = Recipient(**facts)
    return confirmation.compose(recipient, document["at"], links.url(recipient), **who)
