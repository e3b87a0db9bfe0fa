"""Encryption of stored credentials: Fernet, with key rotation."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from config.errors import SecretError


class Vault:
    """Encrypts with the first key, decrypts with any of them."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        fernets = [Fernet(key.get_secret_value()) for key in keys]
        self._fernet = MultiFernet(fernets) if fernets else None

    def encrypt(self, secret: SecretStr) -> str:
        """The secret as a token for the database. Raises SecretError without a key."""
        return self._keys().encrypt(secret.get_secret_value().encode()).decode()

    def decrypt(self, token: str) -> SecretStr:
        """The secret of a stored token. Raises SecretError where no key given made it."""
        try:
            return SecretStr(self._keys().decrypt(token.encode()).decode())
        except InvalidToken:
            raise SecretError(
                "A stored password cannot be read with the keys in COURIER_SECRET_KEYS: "
                "add the key it was stored with, or save the account's password again."
            ) from None

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            raise SecretError(
                "Passwords are stored encrypted only, and COURIER_SECRET_KEYS is not set: "
                "put a Fernet key there ('courier secrets generate' prints one)."
            )
        return self._fernet
