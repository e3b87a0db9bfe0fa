"""An account's alerts as people see and change them: who gets them, what was sent, a test of it."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alerts.history import SentMail
from alerts.trial import TrialMail
from config.alert_settings import ALERT_FIELDS
from config.audit import Action, Audit
from config.errors import AccountError
from config.ftp_settings import FtpSettings
from config.text import is_email
from worker.core import Core, make_addresses, make_outbox
from worker.show import Shape, iso

TESTS = 3
"""Test e-mails of one account in `TESTS_SECONDS`, whoever asks for them and by which way."""
TESTS_SECONDS = 600.0

OUTCOMES = {
    "sent": "sent",
    "waiting": "waiting to be sent",
    "failed": "not sent: given up",
    "refused": "not sent: refused",
    "stopped": "left out: its reader stopped these e-mails",
    "unconfirmed": "left out: its reader has not agreed yet",
    "limited": "left out: too many in an hour",
    "later": "sent later: too many in an hour",
}
"""What became of one recipient's copy, for a person."""
TOLD_ALREADY = "an outage is told once, and then daily"
"""Why nobody was to get the e-mail of a suspension."""
KINDS = {
    "suspension": "Suspension",
    "recovery": "Recovery",
    "settings": "Settings changed",
    "confirmation": "Question to a new address",
    "test": "Test",
}
"""What an e-mail is, for a person."""


class TooManyTestMails(AccountError):
    """Test e-mails were asked for several times just now."""


def save_alerts(
    core: Core, account_id: str, changes: Mapping[str, Any], *, actor: str
) -> FtpSettings:
    """Change who hears of outages and how often, without a test of the server.

    Addresses that are taken out are told, new ones asked where the platform wants that.
    Raises UnknownAccount, and AccountError where there are no settings.
    """
    before, after = core.directory.save_alerts(account_id, changes, actor)
    make_addresses(core).ask(account_id, after.email_alerts)
    Audit(core.database).record(
        actor, Action.ALERTS_SET, account_id, alerts_shape(before), alerts_shape(after)
    )
    return after


def send_test_mail(
    core: Core, account_id: str, *, actor: str, to_actor: bool = False
) -> tuple[str, ...]:
    """Have a test e-mail sent to the Email Alerts addresses, or to the person who asks alone.

    Returns the addresses. It goes the way of every alert: addresses that stopped them, have not
    agreed, or get too many are left out. Raises UnknownAccount, TooManyTestMails, and AccountError
    where there is nobody to send it to.
    """
    recipients = (actor,) if to_actor else _configured(core, account_id)
    if to_actor and not is_email(actor):
        raise AccountError(
            "Your login is not an e-mail address: the test can only go to Email Alerts."
        )
    if not make_addresses(core).may_ask_for_test(account_id, TESTS, TESTS_SECONDS):
        raise TooManyTestMails(
            f"{TESTS} test e-mails were asked for in the last ten minutes: see what became of "
            "them first, and try again later."
        )
    trial = TrialMail(account_id, secrets.token_hex(8), actor, recipients, at=datetime.now(UTC))
    make_outbox(core, lambda _tried: None).store(trial)
    to = {"recipients": list(recipients)}
    Audit(core.database).record(actor, Action.ALERTS_TESTED, account_id, {}, to)
    return recipients


def _configured(core: Core, account_id: str) -> tuple[str, ...]:
    settings = core.directory.get(account_id).settings
    addresses = settings.email_alerts if settings else ()
    if not addresses:
        raise AccountError(
            f"The account {account_id!r} has no Email Alerts addresses: enter one first."
        )
    return addresses


def alerts_shape(settings: FtpSettings) -> Shape:
    """Who hears of outages, and how often."""
    return settings.model_dump(mode="json", include=set(ALERT_FIELDS))


def sent_mail_shape(mail: SentMail) -> Shape:
    """One e-mail about an account, and what became of it."""
    return {
        "alert_id": mail.alert_id,
        "kind": mail.kind,
        "at": iso(mail.at),
        "why": mail.why,
        "state": mail.state,
        "told_already": mail.is_told_already,
        "recipients": [vars(each) for each in mail.recipients],
        "last_error": mail.last_error,
        "finished_at": iso(mail.finished_at),
    }
