"""Decides which recipients get an e-mail, and sends each a copy of its own where it has links."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from alerts.personal import common, personal
from alerts.smtp import DeliveryFailed, Refusal, ServerAway, send
from config.alert_addresses import AlertAddresses, LeftOut
from config.mail_links import MailLinks, Recipient
from config.tls import Endpoint

Note = Callable[[Sequence[str]], None]
"""Writes down the recipients that are left."""


@dataclass(frozen=True)
class Admitted:
    """The recipients of an e-mail, and those left out, with the reason."""

    recipients: list[str]
    left_out: list[dict[str, str]]
    waiting: list[str]
    """Those who get too many e-mails now, and this one later."""


@dataclass(frozen=True)
class Delivery:
    """Sends the e-mails about accounts. Raises pymongo's errors where MongoDB is away."""

    addresses: AlertAddresses
    links: MailLinks
    smtp: Endpoint

    def admit(
        self,
        account_id: str,
        recipients: Sequence[str],
        *,
        may_wait: bool = False,
        is_test: bool = False,
        behind: Container[str] = (),
    ) -> Admitted:
        """Leave out addresses that stopped such e-mails, have yet to agree, or get too many.

        With `may_wait` those who get too many wait; so do those of `behind` in any case. An e-mail
        is counted once; a later try to send it is not counted again.
        """
        admitted = Admitted([], [], [])
        for address in recipients:
            reason = (
                LeftOut.LIMITED
                if address in behind
                else self.addresses.admit(
                    Recipient(account_id, address), may_wait=may_wait, is_test=is_test
                )
            )
            if reason is None:
                admitted.recipients.append(address)
            elif may_wait and reason is LeftOut.LIMITED:
                admitted.waiting.append(address)
            else:
                admitted.left_out.append({"address": address, "why": reason.value})
        return admitted

    def send(
        self,
        account_id: str,
        recipients: Sequence[str],
        compose: Callable[[], EmailMessage],
        note: Note,
    ) -> list[Refusal]:
        """Send it to all at once, or to each with a link of its own. Returns the refusals.

        The recipients that are left are written down after each copy, so that a crash repeats one
        copy at most. Raises ServerAway, and DeliveryFailed where nobody got it.
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
        """The addresses to be asked now whether they want an account's alerts, each once.

        An address that gets too many e-mails is asked later.
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
