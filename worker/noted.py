"""What the audit notes of a change, the same whether a page, the API or a command made it."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import SecretStr

from config.accounts import Account, DeliveryMethod, FtpSettings
from config.audit import Action
from config.numbers import Number
from config.tokens import Token
from consumers.invalid import InvalidMessage

NAMED = 20
"""At most so many recordings are named; all are counted."""

Facts = dict[str, Any]
Change = tuple[Action, str, Facts, Facts]
"""What was done, of which account, before and after."""


def account_created(account: Account) -> Facts:
    """Of an account as it was added."""
    return {"name": account.name, "parent": account.parent, "ftp_access": account.ftp_access}


def account_removed(account: Account) -> Facts:
    """Of an account that is no more."""
    return {"name": account.name, "parent": account.parent}


def settings_before(account: Account) -> Facts:
    """Of the settings as they are stored, and whether they are switched on."""
    given = {} if account.settings is None else _given(account.settings)
    return {"enabled": account.enabled, **given}


def settings_saved(settings: FtpSettings, password: SecretStr | None) -> Facts:
    """Of settings that were saved, which switches them on; a password only where one was given."""
    after = {"enabled": True, **_given(settings)}
    return after if password is None else {**after, "password": password}


def default_method(method: DeliveryMethod) -> Facts:
    """Of where recordings go that have no known number."""
    return {"default_method": method}


def number_set(before: Number | None, after: Number) -> Iterator[Change]:
    """Of a number as it was stored.

    One that was another account's is an entry of each, and neither names the other account.
    """
    own = before
    if before is not None and before.account_id != after.account_id:
        yield Action.NUMBER_REMOVED, before.account_id, number_removed(before), {}
        own = None
    yield Action.NUMBER_SET, after.account_id, _number(own), _number(after)


def number_removed(number: Number) -> Facts:
    """Of a number that is no more."""
    return {"method": number.method}


def token_created(token: Token) -> Facts:
    """Of a token as it was made, never its secret."""
    scope = "read" if token.read_only else "write"
    return {"name": token.name, "scope": scope, "expires_at": token.expires_at}


def invalid_events(done: Sequence[InvalidMessage]) -> Facts:
    """Of events that were published again or discarded; named by their recordings where known."""
    return recordings([each.recording_id or "?" for each in done])


def recordings(done: Sequence[str]) -> Facts:
    """Of recordings that were replayed or discarded."""
    return {"count": len(done), "recordings": ", ".join(done[:NAMED])}


def _number(number: Number | None) -> Facts:
    return {} if number is None else {"account_id": number.account_id, "method": number.method}


def _given(settings: FtpSettings) -> Facts:
    """What somebody entered, without what a test found out."""
    return settings.model_dump(mode="json", exclude={"capabilities", "known_hosts"})
