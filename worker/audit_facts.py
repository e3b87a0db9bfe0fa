"""The audit's entries for changes: the same for pages, the API and commands."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from config import certificates
from config.accounts import Account, DeliveryMethod, FtpSettings
from config.audit import Action
from config.numbers import Number
from config.public_keys import PublicKey
from config.tokens import Token
from config.users import User

if TYPE_CHECKING:
    from consumers.intake.invalid_queue import InvalidMessage

NAMED = 20
"""Most recordings that an entry names; it counts all of them."""

Facts = dict[str, Any]
Change = tuple[Action, str, Facts, Facts]
"""Action, account, facts before, facts after."""


def account_created(account: Account) -> Facts:
    """The facts of an account that was added."""
    return {"name": account.name, "parent": account.parent, "ftp_access": account.ftp_access}


def account_removed(account: Account) -> Facts:
    """The facts of an account that was removed."""
    return {"name": account.name, "parent": account.parent}


def user_created(user: User) -> Facts:
    """The facts of a user that was added."""
    return {"read_only": True} if user.read_only else {}


def settings_before(account: Account) -> Facts:
    """The facts of the stored settings, and whether they are switched on."""
    given = {} if account.settings is None else _given(account.settings)
    return {"enabled": account.enabled, **given, **_key(account.key)}


def settings_saved(
    settings: FtpSettings, password: SecretStr | None, key: PublicKey | None
) -> Facts:
    """The facts of saved settings, which are switched on; a password only if one was given, of the
    account's key the fingerprint."""
    after = {"enabled": True, **_given(settings), **_key(key)}
    return after if password is None else {**after, "password": password}


def default_method(method: DeliveryMethod) -> Facts:
    """The fact of where recordings without a known number go."""
    return {"default_method": method}


def number_set(before: Number | None, after: Number) -> Iterator[Change]:
    """The entries for a number that was stored.

    A number that belonged to another account makes an entry for each of the two accounts. Neither
    entry names the other account.
    """
    own = before
    if before is not None and before.account_id != after.account_id:
        yield Action.NUMBER_REMOVED, before.account_id, number_removed(before), {}
        own = None
    yield Action.NUMBER_SET, after.account_id, _number(own), _number(after)


def number_removed(number: Number) -> Facts:
    """The facts of a number that was removed."""
    return {"method": number.method}


def token_created(token: Token) -> Facts:
    """The facts of a new token, never its secret."""
    scope = "read" if token.read_only else "write"
    return {"name": token.name, "scope": scope, "expires_at": token.expires_at}


def invalid_events(done: Sequence["InvalidMessage"]) -> Facts:
    """The facts of events that were published again or discarded; `?` for an unknown recording."""
    return recordings([each.recording_id or "?" for each in done])


def recordings(done: Sequence[str]) -> Facts:
    """The facts of recordings that were replayed or discarded."""
    return {"count": len(done), "recordings": ", ".join(done[:NAMED])}


def begun(act: str, ids: Sequence[str]) -> Facts:
    """The facts of an act on many recordings, such as `replay dead-letters`, before it."""
    return {"act": act, "of": len(ids), "recordings": recordings(ids)["recordings"]}


def _key(key: PublicKey | None) -> Facts:
    return {} if key is None else {"key": key.fingerprint}


def _number(number: Number | None) -> Facts:
    return {} if number is None else {"account_id": number.account_id, "method": number.method}


def _given(settings: FtpSettings) -> Facts:
    """The settings that a person entered, without what the test on save found."""
    facts = settings.model_dump(mode="json", exclude={"capabilities", "known_hosts"})
    for name in ("ca_certificates", "client_certificate"):
        if facts[name] is not None:
            facts[name] = certificates.told(facts[name])
    return facts
