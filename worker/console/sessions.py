"""The console's sealed cookies: the signed-in user, and browsers known from earlier sign-ins.

The key is derived from the first of COURIER_SECRET_KEYS (HKDF, RFC 5869), so that there is no
other secret to keep. A session ends at the server (`config.sessions`): with the sign-out, with
its time, and with the user's `session_epoch`.
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
from config.sessions import SESSION_SECONDS, OpenSession, OpenSessions
from config.users import User

NOTICE_SECONDS = 60
CODE_SECONDS = 300
"""A sign-in waits for the second factor's code for this time."""
DEVICE_SECONDS = 180 * 86_400
"""A browser is known for this time after a sign-in."""
_KEY_BYTES = 32


@dataclass(frozen=True)
class Session:
    """What a session cookie says."""

    session_id: str
    login: str
    epoch: int
    csrf: str
    """The token in every form of this session, which no other site knows."""


@dataclass(frozen=True)
class HalfSignIn:
    """What the cookie of a sign-in says whose password was right, and whose code is missing.

    It is no session and opens nothing.
    """

    login: str
    epoch: int
    csrf: str
    to: str
    """The page that was asked for."""


@dataclass(frozen=True)
class Notice:
    """A sentence for the next page: the outcome of the last request."""

    ok: bool
    text: str


@dataclass(frozen=True)
class Device:
    """The content of a known browser's cookie."""

    device_id: str
    login: str


class Sessions:
    """Makes and reads the console's cookies. Without a key nothing can be made.

    Raises pymongo's errors where MongoDB is away.
    """

    def __init__(self, keys: Sequence[SecretStr], opened: OpenSessions) -> None:
        self._sessions = _derived(keys, b"courier console session, open at the server")
        self._notices = _derived(keys, b"courier console notice")
        self._devices = _derived(keys, b"courier console device")
        self._halves = _derived(keys, b"courier console sign-in without its code")
        self._open = opened

    @property
    def possible(self) -> bool:
        """Whether anybody can sign in."""
        return self._sessions is not None

    def begin(self, user: User, address: str = "", browser: str = "") -> str:
        """The cookie of a new session. Raises SecretError without a key."""
        session_id = self._open.begin(user.login, address, browser)
        session = Session(session_id, user.login, user.session_epoch, _csrf())
        return _sealed(self._sessions, asdict(session))

    def half(self, user: User, to: str) -> str:
        """The cookie of a sign-in whose code is missing. Raises SecretError without a key."""
        half = HalfSignIn(user.login, user.session_epoch, _csrf(), to)
        return _sealed(self._halves, asdict(half))

    def read_half(self, cookie: str) -> HalfSignIn | None:
        """The sign-in of a cookie; None where we did not make it, or its time is over."""
        content = _opened(self._halves, cookie, CODE_SECONDS)
        return None if content is None else HalfSignIn(**content)

    def read(self, cookie: str, *, is_use: bool = True) -> Session | None:
        """The session of a cookie; None where we did not make it, or it is over.

        `is_use` counts the request as a use of the session, which keeps it open.
        """
        content = _opened(self._sessions, cookie, SESSION_SECONDS)
        if content is None:
            return None
        session = Session(**content)
        look = self._open.use if is_use else self._open.is_open
        return session if look(session.session_id) else None

    def is_open(self, session_id: str) -> bool:
        """Whether the session still stands."""
        return self._open.is_open(session_id)

    def prove(self, session: Session) -> None:
        """Note that the user has just given the password in this session."""
        self._open.prove(session.session_id)

    def is_proved(self, session: Session) -> bool:
        """Whether that was in the last minutes (`PROOF_SECONDS`)."""
        return self._open.is_proved(session.session_id)

    def end(self, session: Session) -> None:
        """End the session: its cookie opens nothing any more."""
        self._open.end(session.session_id)

    def end_all(self, login: str) -> None:
        """End all sessions of the user."""
        self._open.end_all(login)

    def end_one(self, login: str, handle: str) -> bool:
        """End the user's session of this handle. False where there is none."""
        return self._open.end_one(login, handle)

    def of(self, login: str) -> list[OpenSession]:
        """The user's open sessions, the last used first."""
        return self._open.of(login)

    def remember(self, login: str, cookie: str) -> str:
        """The cookie of a known browser of this user; the present one where there is one."""
        if self.device(login, cookie) is not None:
            return cookie
        return _sealed(self._devices, asdict(Device(secrets.token_hex(16), login)))

    def device(self, login: str, cookie: str) -> str | None:
        """The known browser of the user; None where it is not known."""
        content = _opened(self._devices, cookie, DEVICE_SECONDS)
        if content is None or content["login"] != login.strip().lower():
            return None
        return Device(**content).device_id

    def note(self, notice: Notice) -> str:
        """The cookie that carries a notice over a redirect."""
        return _sealed(self._notices, asdict(notice))

    def noted(self, cookie: str) -> Notice | None:
        """The notice of a cookie."""
        content = _opened(self._notices, cookie, NOTICE_SECONDS)
        return None if content is None else Notice(**content)


def _csrf() -> str:
    return secrets.token_urlsafe(24)


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
