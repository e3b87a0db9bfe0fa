"""The links in e-mails. The bearer of a link acts for its address, without a login.

They are sealed by a key derived from the first of COURIER_SECRET_KEYS (HKDF, RFC 5869). All keys
open them, so that links in older e-mails work after a change of keys.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from config.errors import ConfigError

PATH = "/alert-mail"
_PURPOSE = b"courier link in an alert e-mail"
_KEY_BYTES = 32


def problems(
    console_url: str | None, keys: Sequence[SecretStr], *, must_confirm: bool
) -> Iterator[str]:
    """A sentence where readers have to confirm their addresses, and cannot."""
    if must_confirm and not (console_url and keys):
        yield (
            "COURIER_CONFIRM_ALERT_EMAILS is not valid: it needs links in e-mails. Set "
            "COURIER_CONSOLE_URL and COURIER_SECRET_KEYS too, or nobody can confirm."
        )


@dataclass(frozen=True)
class Recipient:
    """An address that an account's alerts go to."""

    account_id: str
    address: str


class MailLinks:
    """Makes and reads the links. Without a key, or the console's address, there are none."""

    def __init__(self, keys: Sequence[SecretStr], console_url: str | None) -> None:
        fernets = [_derived(key) for key in keys]
        self._fernet = MultiFernet(fernets) if fernets else None
        self._console_url = console_url

    @property
    def possible(self) -> bool:
        """Whether links can be made."""
        return self._fernet is not None and self._console_url is not None

    @property
    def console_url(self) -> str | None:
        """The console's address as people reach it; None where it is not known."""
        return self._console_url

    def account_page(self, account_id: str) -> str | None:
        """The account's page in the console, for who may sign in there; None without console."""
        return None if self._console_url is None else f"{self._console_url}/accounts/{account_id}"

    def url(self, recipient: Recipient) -> str:
        """The page where the recipient stops, resumes and confirms its e-mails.

        Raises ConfigError where there are no links.
        """
        if self._fernet is None or self._console_url is None:
            raise ConfigError(
                "E-mails can have no links: set COURIER_CONSOLE_URL and COURIER_SECRET_KEYS."
            )
        token = self._fernet.encrypt(json.dumps(asdict(recipient)).encode()).decode().rstrip("=")
        return f"{self._console_url}{PATH}?{urlencode({'token': token})}"

    def read(self, token: str) -> Recipient | None:
        """The recipient of a link; None where the link is not ours."""
        if self._fernet is None:
            return None
        try:
            padded = token + "=" * (-len(token) % 4)  # mail programs spoil a "=" in a link
            content: dict[str, str] = json.loads(self._fernet.decrypt(padded.encode()))
        except (InvalidToken, UnicodeEncodeError):
            return None
        return Recipient(**content)


def _derived(key: SecretStr) -> Fernet:
    secret = base64.urlsafe_b64decode(key.get_secret_value())
    derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(secret)
    return Fernet(base64.urlsafe_b64encode(derived))
