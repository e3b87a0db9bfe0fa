"""Signed sessions in a cookie: who signed in, and until when. Nothing is kept on the server.

The key is derived from the first of COURIER_SECRET_KEYS (HKDF, RFC 5869), so that there is no
other secret to keep. A session ends with its time, and with the user's `session_epoch`.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from config.errors import SecretError
from config.users import User

SESSION_SECONDS = 12 * 3600
"""A long working day; afterwards one signs in again."""
NOTICE_SECONDS = 60
_KEY_BYTES = 32


@dataclass(frozen=True)
class Session:
    """What a session cookie says."""

    login: str
    epoch: int
    csrf: str
    """What every form of this session carries, and no other site knows."""


@dataclass(frozen=True)
class Notice:
    """One sentence for the next page that is shown: how what was asked for ended."""

    ok: bool
    text: str


class Sessions:
    """Makes and reads the console's cookies. Without a key nothing can be made."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._sessions = _derived(keys, b"courier console session")
        self._notices = _derived(keys, b"courier console notice")

    @property
    def possible(self) -> bool:
        """Whether anybody can sign in."""
        return self._sessions is not None

    def begin(self, user: User) -> str:
        """The cookie of a new session. Raises SecretError without a key."""
        session = Session(user.login, user.session_epoch, secrets.token_urlsafe(24))
        return _sealed(self._sessions, asdict(session))

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None where we did not make it, or its time is over."""
        content = _opened(self._sessions, cookie, SESSION_SECONDS)
        return None if content is None else Session(**content)

    def note(self, notice: Notice) -> str:
        """The cookie that carries a notice over a redirect."""
        return _sealed(self._notices, asdict(notice))

    def noted(self, cookie: str) -> Notice | None:
        """The notice of a cookie."""
        content = _opened(self._notices, cookie, NOTICE_SECONDS)
        return None if content is None else Notice(**content)


def _derived(keys: Sequence[SecretStr], purpose: bytes) -> Fernet | None:
    if not keys:
        return None
    secret = base64.urlsafe_b64decode(keys[0].get_secret_value())
    key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose).derive(secret)
    return Fernet(base64.urlsafe_b64encode(key))


def _sealed(fernet: Fernet | None, content: dict[str, object]) -> str:
    if fernet is None:
        raise SecretError(
            "Nobody can sign in, because COURIER_SECRET_KEYS is not set: "
            "put a Fernet key there ('courier secrets generate' prints one)."
        )
    return fernet.encrypt(json.dumps(content).encode()).decode()


def _opened(fernet: Fernet | None, cookie: str, seconds: int) -> dict[str, Any] | None:
    if fernet is None or not cookie:
        return None
    try:
        content: dict[str, Any] = json.loads(fernet.decrypt(cookie.encode(), ttl=seconds))
    except (InvalidToken, UnicodeEncodeError):
        return None
    return content
