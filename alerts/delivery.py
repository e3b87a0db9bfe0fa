"""Who of an e-mail's recipients gets it, and each one's own copy where there are links."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from alerts.personal import common, personal
from alerts.smtp import DeliveryFailed, Refusal, ServerAway, send
from config.alert_addresses import AlertAddresses
from config.mail_links import MailLinks, Recipient
from config.tls import Endpoint

Note = Callable[[Sequence[str]], None]
"""Writes down who still has to get the e-mail."""


@dataclass(frozen=True)
class Admitted:
    """Who gets an e-mail, and who does not, with the reason."""

    recipients: list[str]
    left_out: list[dict[str, str]]


@dataclass(frozen=True)
class Delivery:
    """Sends the e-mails about accounts. Raises pymongo's errors where MongoDB is away."""

    addresses: AlertAddresses
    links: MailLinks
    smtp: Endpoint

    def admit(self, account_id: str, recipients: Sequence[str]) -> Admitted:
        """Leave out who has stopped such e-mails, has yet to agree, or gets too many.

        Once for an e-mail: a later try of it is not one more.
        """
        why = {each: self.addresses.admit(Recipient(account_id, each)) for each in recipients}
        return Admitted(
            [address for address, reason in why.items() if reason is None],
            [{"address": each, "why": reason.value} for each, reason in why.items() if reason],
        )

    def send(
        self,
        account_id: str,
        recipients: Sequence[str],
        compose: Callable[[], EmailMessage],
        note: Note,
    ) -> list[Refusal]:
        """To all at once, or to each with a link of its own; who was refused.

        What is left is noted after each, so that a crash repeats one of them and no more. Raises
        ServerAway, and DeliveryFailed where nobody got it.
        """
        if not self.links.possible:
            return [*send(common(compose()), self.smtp, recipients)]
        refused: list[Refusal] = []
        for sent, address in enumerate(recipients, 1):
            refused += self._send_one(Recipient(account_id, address), compose())
            note([*(each.address for each in refused), *recipients[sent:]])
        if len(refused) == len(recipients):
            is_permanent = all(each.permanent for each in refused)
            raise DeliveryFailed(refused[0].words, permanent=is_permanent)
        return refused

    def questions(self) -> Iterator[Recipient]:
        """Who is to be asked now whether it wants an account's alerts; each once.

        Whoever is written to too often is not asked for now.
        """
        for recipient in self.addresses.asking():
            if self.addresses.take(recipient) is None:
                yield recipient
            self.addresses.asked(recipient)

    def _send_one(self, recipient: Recipient, mail: EmailMessage) -> list[Refusal]:
        known = self.addresses.find(recipient)
        left_out = known.left_out if known else 0
        copy = personal(mail, recipient.address, self.links.url(recipient), left_out)
        try:
            send(copy, self.smtp, [recipient.address])
        except ServerAway:
            raise
        except DeliveryFailed as failure:
            return [Refusal(recipient.address, failure.words, failure.permanent)]
        if left_out:
            self.addresses.delivered(recipient)
        return []
