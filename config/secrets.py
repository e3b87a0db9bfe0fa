"""Encryption of stored credentials: Fernet, with key rotation."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from config.errors import SecretError, UnreadableSecret


class Vault:
    """Encrypts with the first key, decrypts with any of them."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        fernets = [Fernet(key.get_secret_value()) for key in keys]
        self._fernet = MultiFernet(fernets) if fernets else None
        self._first = MultiFernet(fernets[:1]) if fernets else None

    def encrypt(self, secret: SecretStr) -> str:
        """The secret as a token for the database. Raises SecretError without a key."""
        return self._keys().encrypt(secret.get_secret_value().encode()).decode()

    def decrypt(self, token: str) -> SecretStr:
        """The secret of a stored token. Raises UnreadableSecret where no key given made it."""
        try:
            return SecretStr(self._keys().decrypt(token.encode()).decode())
        except InvalidToken:
            raise _unreadable() from None

    def rotate(self, token: str) -> str:
        """The same secret as a token of the first key. Raises UnreadableSecret."""
        try:
            return self._keys().rotate(token.encode()).decode()
        except InvalidToken:
            raise _unreadable() from None

    def is_current(self, token: str) -> bool:
        """Whether the first key made the token: nothing is left to rotate."""
        try:
            _given(self._first).decrypt(token.encode())
        except InvalidToken:
            return False
        return True

    def _keys(self) -> MultiFernet:
        return _given(self._fernet)


def _given(keys: MultiFernet | None) -> MultiFernet:
    if keys is None:
        raise SecretError(
            "Passwords and keys are stored encrypted only, and COURIER_SECRET_KEYS is not set: "
            "put a Fernet key there ('courier secrets generate' prints one)."
        )
    return keys


def _unreadable() -> UnreadableSecret:
    return UnreadableSecret(
        "A stored password or private key cannot be read with the keys in COURIER_SECRET_KEYS: "
        "add the key it was stored with, or save the account's settings again with it."
    )
