"""The kinds of e-mails about an account: how each is stored and composed. Pure."""

from email.message import EmailMessage
from typing import Any

from alerts import changed, confirmation, message, recovery, suspension, trial
from alerts.facts import from_document, to_document
from alerts.loss import Losses
from alerts.recovery import Recovery
from alerts.suspension import Suspension
from alerts.trial import TrialMail
from config.mail_links import MailLinks, Recipient
from config.notices import SettingsNotice

CONFIRMATION = "confirmation"
DIGEST = "digest"
RECOVERY = "recovery"
SETTINGS = "settings"
SUSPENSION = "suspension"
TEST = "test"

Document = dict[str, Any]
Alert = Suspension | Recovery | SettingsNotice | TrialMail
"""What the outbox is given to send."""
Digested = Suspension | Recovery | Losses
"""What the on-call is told, in digests."""


def described(alert: Alert) -> tuple[str, Document]:
    """The alert's id and its stored fields."""
    if isinstance(alert, TrialMail):
        facts = {"kind": TEST, "facts": to_document(alert)}
        return f"{alert.account_id}:test:{alert.key}", facts
    if isinstance(alert, SettingsNotice):
        facts = {"kind": SETTINGS, "facts": to_document(alert)}
        return f"{alert.account_id}:settings:{alert.key}", facts
    alert_id = f"{alert.account_id}:{alert.number}"
    if isinstance(alert, Recovery):
        return f"{alert_id}:recovery", {"kind": RECOVERY, "facts": to_document(alert)}
    return alert_id, {"kind": SUSPENSION, "facts": to_document(alert)}


def compose(document: Document, links: MailLinks, *, sender: str, platform: str) -> EmailMessage:
    """The e-mail of a stored document. Raises ValueError where the sender is no address.

    It names those who are to get it, and nobody who has stopped or not agreed to such e-mails.
    Those about an account lead to its page in the console, where the console's address is known;
    not the question to an address whose reader may be a stranger there.
    """
    facts: Document = document["facts"]
    who = {"sender": sender, "platform": platform}
    if document["kind"] == CONFIRMATION:
        recipient = Recipient(**facts)
        return confirmation.compose(recipient, document["at"], links.url(recipient), **who)
    left_out = {each["address"] for each in document.get("left_out", ())}
    named = [each for each in document["to"] if each not in left_out]
    mail = _about_account(document["kind"], {**facts, "recipients": named}, **who)
    page = links.account_page(facts["account_id"])
    if page is not None:
        message.append(mail, f"\nThe account in the console: {page}\n")
    return mail


def digested(document: Document) -> Digested:
    """The event of a stored document that a digest tells of."""
    facts: Document = document["facts"]
    match document["kind"]:
        case "suspension":
            return from_document(Suspension, facts)
        case "recovery":
            return from_document(Recovery, facts)
    return _lost(facts)


def why(document: Document) -> str:
    """What the e-mail of a stored document is about, in a sentence for people."""
    facts: Document = document["facts"]
    match document["kind"]:
        case "suspension":
            return f"Suspended after {facts['failures']} failures: {cause_words(document)}"
        case "recovery":
            return "Files are delivered again."
        case "settings":
            return f"The settings were changed by {facts['actor']}: {', '.join(facts['before'])}."
        case "test":
            return f"A test, asked for by {facts['actor']}."
    return "The address was asked whether it wants the alerts."


def cause_words(document: Document) -> str:
    """What was said of the failure that an e-mail tells of, at the end of `why`; often empty."""
    if document["kind"] != SUSPENSION:
        return ""
    return document["facts"]["words"] or "(no words)"


def _lost(facts: Document) -> Losses:
    """A recording that an earlier version stored by itself."""
    cause = facts["code"] or facts["reason"]
    return Losses(
        facts["account_id"], cause, facts["words"], 1, (facts["recording_id"],), facts["at"]
    )


def _about_account(kind: str, facts: Document, *, sender: str, platform: str) -> EmailMessage:
    who = {"sender": sender, "platform": platform}
    match kind:
        case "suspension":
            return suspension.compose(from_document(Suspension, facts), **who)
        case "recovery":
            return recovery.compose(from_document(Recovery, facts), **who)
        case "settings":
            return changed.compose(from_document(SettingsNotice, facts), **who)
    return trial.compose(from_document(TrialMail, facts), **who)
