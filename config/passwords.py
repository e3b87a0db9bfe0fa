"""The console's passwords: rules, hashing, and making one. Knows no users.

The parameters of Argon2id are the second of those that OWASP's Password Storage Cheat Sheet
holds equal; the rules those of NIST SP 800-63B section 5.1.1 (length, no composition).
"""

import secrets
from functools import cache
from typing import TYPE_CHECKING

from pydantic import SecretStr

from config.errors import UserError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH = 12
MAX_LENGTH = 1024
"""The longest password: hashing a longer text could keep the processor busy."""
GENERATED_BYTES = 18

_MEMORY_KIB = 19 * 1024
_ITERATIONS = 2
_LANES = 1
_NOBODYS = (
    f"$argon2id$v=19$m={_MEMORY_KIB},t={_ITERATIONS},p={_LANES}"
    "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
"""A hash of no password, at the same cost: checking an unknown user takes as long."""


def check_new_password(password: SecretStr, login: str) -> SecretStr:
    """The password itself; raises UserError, without repeating it, where it is too weak."""
    text = password.get_secret_value()
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        raise UserError(f"The password must have {MIN_LENGTH} to {MAX_LENGTH} characters.")
    if len(set(text)) == 1 or text.lower() == login:
        raise UserError("The password must be neither the login nor one character repeated.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError("The password must be valid Unicode text.") from None
    return password


def generate_password() -> SecretStr:
    """A password nobody guesses: 144 random bits in 24 characters."""
    return SecretStr(secrets.token_urlsafe(GENERATED_BYTES))


def hash_password(password: SecretStr) -> str:
    """The password as it is stored."""
    return _hasher().hash(password.get_secret_value())


def is_password(stored: str | None, password: SecretStr) -> bool:
    """Whether the password is the stored one. Without a stored one it takes as long: False."""
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - see _hasher

    text = password.get_secret_value()[: MAX_LENGTH + 1].encode(errors="replace")
    try:
        _hasher().verify(stored or _NOBODYS, text)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether the hash has other parameters than today's."""
    return _hasher().check_needs_rehash(stored)


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # noqa: PLC0415 - most commands see no password

    return PasswordHasher(time_cost=_ITERATIONS, memory_cost=_MEMORY_KIB, parallelism=_LANES)
