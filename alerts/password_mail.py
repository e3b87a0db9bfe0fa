"""Makes the link of an e-mail about a forgotten password at the moment when it is sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from alerts import password
from config.audit import Action, Audit
from config.password_links import LINK_SECONDS, PasswordLinks

PASSWORD = "password"  # noqa: S105 - the kind of an e-mail
_EVERY_SECONDS = 3600
_UNKNOWN = "unknown"

Document = dict[str, Any]


@dataclass(frozen=True)
class PasswordMail:
    """The e-mails with such links. Raises pymongo's errors where MongoDB is away."""

    links: PasswordLinks
    audit: Audit

    def link(self, document: Document, claimed_at: datetime) -> str | None:
        """A new link for the e-mail; None where it was asked for too long ago, or is for nobody.

        The first one of an e-mail is noted in the audit.
        """
        facts: Document = document["facts"]
        asked_at: datetime = document["at"]
        if claimed_at > asked_at + timedelta(seconds=LINK_SECONDS):
            return None
        link = self.links.make(facts["login"])
        if link is not None and document["tries"] == 1:
            self.audit.count(
                _UNKNOWN,
                Action.PASSWORD_ASKED,
                link.account_id,
                facts["address"],
                every=_EVERY_SECONDS,
                target=facts["login"],
            )
        return None if link is None else link.url

    def compose(self, document: Document, *, sender: str, platform: str) -> EmailMessage:
        """The e-mail with its link, which the document holds in memory alone."""
        facts: Document = document["facts"]
        return password.compose(
            facts["login"],
            document["at"],
            document["url"],
            address=facts["address"],
            minutes=LINK_SECONDS // 60,
            sender=sender,
            platform=platform,
        )
