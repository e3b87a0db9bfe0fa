"""What the audit notes of a change, the same whether a page, the API or a command made it."""

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from config.accounts import Account, DeliveryMethod, FtpSettings
from config.numbers import Number
from config.tokens import Token
from consumers.invalid import InvalidMessage

NAMED = 20
"""At most so many recordings are named; all are counted."""

Facts = dict[str, Any]


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


def number_before(number: Number | None) -> Facts:
    """Of a number that may not be known yet."""
    return {} if number is None else number_set(number)


def number_set(number: Number) -> Facts:
    """Of a number as it was stored."""
    return {"account_id": number.account_id, "method": number.method}


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


def _given(settings: FtpSettings) -> Facts:
    """What somebody entered, without what a test found out."""
    return settings.model_dump(mode="json", exclude={"capabilities", "known_hosts"})
