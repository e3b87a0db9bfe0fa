"""Which entries of the audit people and programs ask for."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from config.accounts import ACCOUNT_ID
from config.audit import Action, AuditFilter
from config.errors import FieldRefused
from worker.console.language import gettext as _
from worker.console.language import mark as N_

FIELDS = ("who", "account", "what", "since", "until")
"""What the address of a page may ask for."""
MAX_TEXT = 100
TOPICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "accounts": (
        N_("Accounts and permissions"),
        ("account.created", "account.renamed", "account.moved", "account.removed", "ftp-access."),
    ),
    "settings": (N_("FTP settings and keys"), ("settings.", "host-key.", "key.")),
    "runs": (
        N_("Pauses and tries"),
        ("account.paused", "account.resumed", "account.tried-now", "account.traced"),
    ),
    "recordings": (
        N_("Recordings and events"),
        ("dead-letters.", "deliveries.", "invalid.", "bulk."),
    ),
    "numbers": (N_("Numbers"), ("number.", "account.default-method")),
    "alerts": (N_("Alerts"), ("alerts.",)),
    "people": (N_("Users and tokens"), ("user.", "token.")),
    "sign-ins": (
        N_("Signing in and passwords"),
        ("session.", "sessions.", "sign-in.", "password.", "factor.", "recovery-code"),
    ),
    "platform": (N_("Stored secrets"), ("secrets.",)),
}
"""What can be asked for: its words, and how its actions begin."""


def actions_of(topic: str) -> Sequence[Action]:
    """The actions of a topic. Raises FieldRefused where there is none of this name."""
    if topic not in TOPICS:
        raise FieldRefused(
            "what", _("There is nothing of this name in the audit: choose from the list.")
        )
    return tuple(each for each in Action if each.startswith(TOPICS[topic][1]))


def read_filter(typed: Mapping[str, str]) -> tuple[AuditFilter, str | None]:
    """The filter of an address's query, and the account that it names.

    `since` and `until` are days in UTC, both with all of them. Raises FieldRefused.
    """
    account_id = _text(typed, "account")
    if account_id is not None and not ACCOUNT_ID.fullmatch(account_id):
        raise FieldRefused("account", _("This is not the id of an account."))
    what, since, until = _text(typed, "what"), _day(typed, "since"), _day(typed, "until")
    if since is not None and until is not None and until < since:
        raise FieldRefused("until", _("The last day is before the first: change one of them."))
    chosen = AuditFilter(
        actor=actor_of(_text(typed, "who")),
        actions=None if what is None else actions_of(what),
        since=since,
        until=None if until is None else until + timedelta(days=1),
    )
    return chosen, account_id


def actor_of(typed: str | None) -> str | None:
    """The beginning of an actor as it is stored: logins are in lower case."""
    return typed if typed is None or ":" in typed else typed.lower()


def _text(typed: Mapping[str, str], name: str) -> str | None:
    text = typed.get(name, "").strip()
    if len(text) > MAX_TEXT:
        raise FieldRefused(
            name, _("This is longer than %(most)s characters: shorten it.") % {"most": MAX_TEXT}
        )
    return text or None


def _day(typed: Mapping[str, str], name: str) -> datetime | None:
    text = _text(typed, name)
    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return day + timedelta(days=1) - timedelta(days=1)  # the last day of all has no end
    except (ValueError, OverflowError):
        raise FieldRefused(name, _("This is not a day: type it as 2026-11-23.")) from None
