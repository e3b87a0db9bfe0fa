"""Accounts, and the rule which of them may use FTP. Pure: no I/O, no clock.

The service provider grants the permission to an account, which may pass it on beneath it.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum

from pydantic import BaseModel

from config.alert_settings import AlertFrequency
from config.capabilities import Algorithms, Capabilities, HashAlgorithm, Look
from config.errors import AccountError
from config.ftp_settings import MAX_PASSWORD, ExistingFile, FtpSettings, check_password
from config.models import FROZEN
from config.protocols import LogonType, Protocol
from config.public_keys import PublicKey
from config.text import EmailAddress, Name, Text

__all__ = [
    "MAX_PASSWORD",
    "Account",
    "AlertFrequency",
    "Algorithms",
    "Capabilities",
    "DeliveryMethod",
    "EmailAddress",
    "ExistingFile",
    "Find",
    "FtpSettings",
    "HashAlgorithm",
    "LogonType",
    "Look",
    "Protocol",
    "Text",
    "check_account_id",
    "check_password",
    "lineage",
    "may_use_ftp",
]

ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class DeliveryMethod(StrEnum):
    """Where the recordings of a number go; `email` is the mail service's business."""

    FTP = "ftp"
    FTP_AND_EMAIL = "ftp-and-email"
    EMAIL = "email"

    @property
    def label(self) -> str:
        """The words for people."""
        return {"ftp": "FTP", "ftp-and-email": "FTP & Email", "email": "Email"}[self.value]


class Account(BaseModel):
    """An account of the platform; sub accounts name their parent."""

    model_config = FROZEN

    account_id: str
    name: Name = ""
    parent: str | None = None
    ftp_access: bool = False
    enabled: bool = False
    default_method: DeliveryMethod = DeliveryMethod.FTP
    settings: FtpSettings | None = None
    key: PublicKey | None = None
    """The key that its logon shows, once a test on save has logged in with it."""
    pending_key: PublicKey | None = None
    """A key that is to take its place: the next save with a logon by key tests it."""


Find = Callable[[str], Account | None]
"""Looks an account up by its id."""


def check_account_id(account_id: str) -> str:
    """The id itself; raises AccountError where the platform could not have made it."""
    if not ACCOUNT_ID.fullmatch(account_id):
        raise AccountError(
            f"{account_id!r} is not an account id: up to 64 letters, digits, '.', '_' or '-', "
            "beginning with a letter or a digit."
        )
    return account_id


def lineage(account: Account, find: Find) -> Iterator[Account]:
    """The account and those above it, nearest first.

    Raises AccountError where a parent is missing or the chain runs in a circle: then nobody can
    have given the account a permission.
    """
    seen: set[str] = set()
    current: Account | None = account
    while current is not None:
        if current.account_id in seen:
            raise AccountError(f"The account {current.account_id!r} is its own ancestor.")
        seen.add(current.account_id)
        yield current
        if current.parent is None:
            return
        parent, current = current.parent, find(current.parent)
        if current is None:
            raise AccountError(f"The parent account {parent!r} does not exist.")


def may_use_ftp(account: Account, find: Find) -> bool:
    """Whether the account has the FTP permission: it and all accounts above it were granted it.

    Revoking it from an account takes it from all beneath. Granting it again gives it back.
    """
    try:
        return all(ancestor.ftp_access for ancestor in lineage(account, find))
    except AccountError:
        return False
