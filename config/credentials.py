"""With what one logs in at a customer's server, and what of it is stored."""

from typing import NamedTuple

from pydantic import SecretStr

from config.account_documents import StoredLogin
from config.errors import AccountError
from config.ftp_settings import FtpSettings
from config.public_keys import PublicKey
from config.secrets import Vault
from config.ssh_keys import KeyPair


class Credentials(NamedTuple):
    """What a logon needs."""

    password: SecretStr
    """Empty where the logon is by key alone."""
    key: KeyPair | None = None
    client_key: SecretStr | None = None
    """Of the client certificate, in PKCS #8; None without one."""


def stored_credentials(login: StoredLogin, vault: Vault) -> Credentials:
    """What the stored settings' logon needs. Raises AccountError where it is not stored,
    SecretError without key."""
    settings = _settings(login)
    logon = settings.logon_type
    return Credentials(
        stored_password(login, vault) if logon.needs_password else SecretStr(""),
        stored_key(login, vault) if logon.needs_key else None,
        stored_client_key(login, vault) if settings.client_certificate else None,
    )


def stored_password(login: StoredLogin, vault: Vault) -> SecretStr:
    """The password. Raises AccountError where none is stored, SecretError without key."""
    _settings(login)
    if login.token is None:
        raise AccountError(f"The account {login.account.account_id!r} has no password stored.")
    return vault.decrypt(login.token)


def stored_key(login: StoredLogin, vault: Vault) -> KeyPair:
    """The account's key. Raises AccountError where none is stored, SecretError without key."""
    return _pair(login, login.account.key, login.key_token, vault)


def stored_new_key(login: StoredLogin, vault: Vault) -> KeyPair:
    """The key that is to take its place. Raises as `stored_key` does."""
    return _pair(login, login.account.pending_key, login.pending_key_token, vault)


def stored_client_key(login: StoredLogin, vault: Vault) -> SecretStr:
    """The client certificate's key. Raises AccountError where none is stored, SecretError."""
    if login.client_key_token is None:
        raise AccountError(f"The account {login.account.account_id!r} has no client key stored.")
    return vault.decrypt(login.client_key_token)


def _settings(login: StoredLogin) -> FtpSettings:
    if login.settings is None:
        raise AccountError(f"The account {login.account.account_id!r} has no FTP settings yet.")
    return login.settings


def _pair(login: StoredLogin, public: PublicKey | None, token: str | None, vault: Vault) -> KeyPair:
    if public is None or token is None:
        raise AccountError(f"The account {login.account.account_id!r} has no such key stored.")
    return KeyPair(public, vault.decrypt(token))
