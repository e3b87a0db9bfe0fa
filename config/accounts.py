"""Accounts, their FTP settings, and who may use them. Pure: no I/O, no clock.

The fields and the permission rule are those of the product's settings text ("FTP Settings").
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from config.errors import AccountError

ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@[^@]{{1,253}}\Z){_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*")
_HOST_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_HOST_LABEL}(\.{_HOST_LABEL})*")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,64})?")
_HOST_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
MAX_PASSWORD = 1024
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Protocol(StrEnum):
    """How files travel to the customer's server."""

    FTP = "ftp"
    SFTP = "sftp"


class LogonType(StrEnum):
    """How an SFTP server asks for the password (RFC 4252 section 8, RFC 4256)."""

    NORMAL = "normal"
    INTERACTIVE = "interactive"


class DeliveryMethod(StrEnum):
    """Where the recordings of a number go; `email` is the mail service's business."""

    FTP = "ftp"
    FTP_AND_EMAIL = "ftp-and-email"
    EMAIL = "email"


def _no_control(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must not hold line breaks or other control characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text") from None
    return value


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError("must be an e-mail address, such as it@customer.example")
    return value


def _host(value: str) -> str:
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if not _is_ipv6(bare) and not _HOST.fullmatch(value):
        raise ValueError("must be a host name or an IP address, without protocol, port or path")
    return bare


def _is_ipv6(value: str) -> bool:
    try:
        return _IPV6.fullmatch(value) is not None and ip_address(value).version == 6  # noqa: PLR2004
    except ValueError:
        return False


def _host_key(value: str) -> str:
    if not _HOST_KEY.fullmatch(value):
        raise ValueError("must be a fingerprint like SHA256: and 43 characters")
    return value


Text = Annotated[str, AfterValidator(_no_control)]
EmailAddress = Annotated[str, AfterValidator(_email)]
Host = Annotated[str, Field(max_length=253), AfterValidator(_host)]
HostKey = Annotated[str, AfterValidator(_host_key)]


class Capabilities(BaseModel):
    """What the customer's server let the test on save do; the upload picks the best of it."""

    model_config = ConfigDict(frozen=True)

    size: bool = True
    rename: bool = True


class FtpSettings(BaseModel):
    """One account's way to its server ("FTP Settings" of the product's text).

    The password is not among them: it stays encrypted in the directory until a login needs it.
    """

    model_config = ConfigDict(frozen=True)

    protocol: Protocol
    logon_type: LogonType = LogonType.NORMAL
    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    username: Annotated[Text, Field(min_length=1, max_length=256)]
    path: Annotated[Text, Field(max_length=1024)] = "."
    email_alerts: tuple[EmailAddress, ...] = ()
    host_key: HostKey | None = None
    capabilities: Capabilities = Capabilities()

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("port") is None and data.get("protocol"):
            return {**data, "port": 22 if data["protocol"] == Protocol.SFTP else 21}
        return data


class Account(BaseModel):
    """An account of the platform; sub accounts name their parent."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    name: Text = ""
    parent: str | None = None
    ftp_access: bool = False
    enabled: bool = False
    default_method: DeliveryMethod = DeliveryMethod.FTP
    settings: FtpSettings | None = None


def check_password(password: SecretStr) -> SecretStr:
    """The password itself; raises AccountError where no server could take it."""
    text = password.get_secret_value()
    try:
        _no_control(text)
    except ValueError as error:
        raise AccountError(f"The password {error}.") from None
    if not text or len(text) > MAX_PASSWORD:
        raise AccountError(f"The password must have 1 to {MAX_PASSWORD} characters.")
    return password


def check_account_id(account_id: str) -> str:
    """The id itself; raises AccountError where the platform could not have made it."""
    if not ACCOUNT_ID.fullmatch(account_id):
        raise AccountError(
            f"{account_id!r} is not an account id: up to 64 letters, digits, '.', '_' or '-', "
            "beginning with a letter or a digit."
        )
    return account_id


def lineage(account: Account, find: Callable[[str], Account | None]) -> Iterator[Account]:
    """The account and those above it, nearest first.

    Raises AccountError where a parent is missing or the chain runs in a circle: such an account
    has no one who could have given it a permission.
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


def may_use_ftp(account: Account, find: Callable[[str], Account | None]) -> bool:
    """Whether the account has the FTP permission: it was given, and so had all above it.

    A permission taken from an account is gone from everything beneath it, and back with it.
    """
    try:
        return all(ancestor.ftp_access for ancestor in lineage(account, find))
    except AccountError:
        return False
