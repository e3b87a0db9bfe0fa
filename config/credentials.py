"""With what one logs in at a customer's server, and what of it is stored."""

from typing import NamedTuple

from pydantic import SecretStr

from config.account_documents import StoredLogin
from config.errors import AccountError
from config.secrets import Vault
from config.ssh_keys import KeyPair


class Credentials(NamedTuple):
    """What a logon needs."""

    password: SecretStr
    """Empty where the logon is by key alone."""
    key: KeyPair | None = None


def stored_credentials(login: StoredLogin, vault: Vault) -> Credentials:
    """What the stored settings' logon needs. Raises AccountError where it is not stored,
    SecretError without key."""
    if login.settings is None:
        raise AccountError(f"The account {login.account.account_id!r} has no FTP settings yet.")
    logon = login.settings.logon_type
    return Credentials(
        stored_password(login, vault) if logon.needs_password else SecretStr(""),
        stored_key(login, vault) if logon.needs_key else None,
    )


def stored_password(login: StoredLogin, vault: Vault) -> SecretStr:
    """The password. Raises AccountError where none is stored, SecretError without key."""
    if login.token is None:
        raise AccountError(f"The account {login.account.account_id!r} has no password stored.")
    return vault.decrypt(login.token)


def stored_key(login: StoredLogin, vault: Vault) -> KeyPair:
    """The account's key. Raises AccountError where none is stored, SecretError without key."""
    if login.account.key is None or login.key_token is None:
        raise AccountError(f"The account {login.account.account_id!r} has no key stored.")
    return KeyPair(login.account.key, vault.decrypt(login.key_token))
