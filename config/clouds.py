"""Stores of Google and Azure, as an operator names them in the process's settings."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Annotated, NamedTuple
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr

from config.service_urls import is_url
from config.stores import Bucket, bucket_of, is_sendable

GOOGLE = "https://storage.googleapis.com"
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])+")
_CONTAINER_LENGTH = range(3, 64)
_SUFFIX = re.compile(r"[a-z0-9.-]+")
_OF_A_KEY = ("client_email", "private_key", "token_uri")


class GoogleSettings(NamedTuple):
    """How Google Cloud Storage is reached, and which objects may be read there."""

    buckets: tuple[Bucket, ...] = ()
    endpoint: str = GOOGLE
    credentials: SecretStr | None = None
    """The JSON of a service account's key; None: what Google's own tools would find."""


class AzureSettings(NamedTuple):
    """How Azure Blob Storage is reached, and which blobs may be read there."""

    containers: tuple[Bucket, ...] = ()
    account: str | None = None
    endpoint: str | None = None
    """None: Azure's own, of the account."""
    key: SecretStr | None = None
    sas: SecretStr | None = None
    """A shared access signature; where there is none, nor a key: what Azure's tools would find."""
    connection_string: SecretStr | None = None
    """Instead of all but the containers."""

    @property
    def resolved(self) -> "AzureSettings":
        """The same, with what the connection string says in its place. Raises ValueError."""
        if self.connection_string is None:
            return self
        return AzureSettings(self.containers, *_told_by(self.connection_string))

    @property
    def url(self) -> str:
        """The address of the account's blobs."""
        return self.endpoint or f"https://{self.account}.blob.core.windows.net"


def _told_by(
    connection_string: SecretStr,
) -> tuple[str | None, str, SecretStr | None, SecretStr | None]:
    """The account, the endpoint, the key and the signature in it. Raises ValueError."""
    told = _parts(connection_string)
    account, key = told.get("accountname"), told.get("accountkey")
    sas = told.get("sharedaccesssignature")
    suffix = told.get("endpointsuffix", "core.windows.net")
    if not _SUFFIX.fullmatch(suffix) or not (account or "blobendpoint" in told):
        raise ValueError("must name an account, such as AccountName=NAME;AccountKey=KEY")
    scheme = told.get("defaultendpointsprotocol", "https")
    return (
        None if account is None else check_account(account),
        check_azure_endpoint(told.get("blobendpoint") or f"{scheme}://{account}.blob.{suffix}"),
        None if key is None else check_account_key(SecretStr(key)),
        None if sas is None else check_sas(SecretStr(sas)),
    )


def problems(azure: AzureSettings) -> Iterator[str]:
    """A sentence for each setting of Azure that cannot be used together with the others."""
    given = {
        "COURIER_AZ_ACCOUNT": azure.account,
        "COURIER_AZ_ENDPOINT": azure.endpoint,
        "COURIER_AZ_KEY": azure.key,
        "COURIER_AZ_SAS": azure.sas,
    }
    named = [name for name, value in given.items() if value is not None]
    if azure.connection_string is not None:
        if named:
            yield (
                f"COURIER_AZ_CONNECTION_STRING and {named[0]} are both set: the connection string "
                "has it all, keep one of them."
            )
        return
    if azure.key is not None and azure.sas is not None:
        yield "COURIER_AZ_KEY and COURIER_AZ_SAS are both set: keep one of them."
    if azure.key is not None and azure.account is None:
        yield (
            "COURIER_AZ_KEY is not valid: COURIER_AZ_ACCOUNT, the name of its account, belongs "
            "to it."
        )
    is_plain = urlsplit(azure.endpoint or "").scheme == "http"
    if is_plain and azure.key is None and azure.sas is None:
        yield (
            "COURIER_AZ_ENDPOINT begins with http://: set COURIER_AZ_KEY or COURIER_AZ_SAS, or "
            "begin it with https://, without which no other login is sent."
        )
    if azure.containers and azure.account is None and azure.endpoint is None:
        yield (
            "COURIER_AZ_CONTAINERS is not valid: COURIER_AZ_ACCOUNT, the name of the storage "
            "account they are in, belongs to it."
        )


def check_account(value: str) -> str:
    """Raises ValueError."""
    if not _ACCOUNT.fullmatch(value):
        raise ValueError("must be the name of a storage account: 3 to 24 small letters and digits")
    return value


def check_account_key(value: SecretStr) -> SecretStr:
    """Raises ValueError, without the value."""
    try:
        key = base64.b64decode(value.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError("must be a key of the storage account, in Base64 as Azure shows it")
    return value


def check_sas(value: SecretStr) -> SecretStr:
    """The shared access signature without a ? before it. Raises ValueError, without the value."""
    bare = value.get_secret_value().removeprefix("?")
    if set("/:") & {*bare.partition("=")[0]}:
        raise ValueError(
            "must be the shared access signature alone: what stands behind the ? of its URL, such "
            "as sv=...&sp=r&sig=..."
        )
    if not is_sendable(bare) or "#" in bare or "sig" not in parse_qs(bare):
        raise ValueError("must be a shared access signature, such as sv=...&sp=r&sig=...")
    return SecretStr(bare)


def check_connection_string(value: SecretStr) -> SecretStr:
    """Raises ValueError, without the value."""
    _told_by(value)
    return value


def check_credentials(value: SecretStr) -> SecretStr:
    """Raises ValueError, without the value."""
    try:
        told = json.loads(value.get_secret_value())
    except (ValueError, RecursionError):
        told = None
    is_key = isinstance(told, dict) and told.get("type") == "service_account"
    if not is_key or not all(isinstance(told.get(name), str) for name in _OF_A_KEY):
        raise ValueError(
            "must be the JSON of a service account's key, as Google hands it out; other logins "
            "are found where GOOGLE_APPLICATION_CREDENTIALS names them"
        )
    return value


def check_container(value: str) -> str:
    """Raises ValueError."""
    name = bucket_of(value, "containers").name
    if not _CONTAINER.fullmatch(name) or len(name) not in _CONTAINER_LENGTH:
        raise ValueError("must be names of containers, such as recordings or recordings/calls/")
    return value


def check_azure_endpoint(value: str) -> str:
    """The address without a slash at its end. Raises ValueError."""
    bare = value.rstrip("/")
    path = urlsplit(bare).path.removeprefix("/")
    is_plain = is_url(value, "http", "https") and not set(value) & set("?#@ ")
    if not is_plain or (path and not _ACCOUNT.fullmatch(path)):
        raise ValueError(
            "must be the address of the account's blobs, such as "
            "https://NAME.blob.core.windows.net or https://azurite.example:10000/NAME"
        )
    return bare


def _parts(connection_string: SecretStr) -> dict[str, str]:
    """Raises ValueError."""
    found = {}
    for part in filter(None, connection_string.get_secret_value().split(";")):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError("must be a connection string, such as AccountName=NAME;AccountKey=KEY")
        found[name.strip().lower()] = value.strip()
    if not {"accountkey", "sharedaccesssignature"} & found.keys():
        raise ValueError("must have an AccountKey or a SharedAccessSignature in it")
    if {"accountkey", "sharedaccesssignature"} <= found.keys():
        raise ValueError("must have an AccountKey or a SharedAccessSignature in it, and not both")
    if "accountkey" in found and "accountname" not in found:
        raise ValueError("must have the AccountName that its AccountKey belongs to")
    return found


Credentials = Annotated[SecretStr, AfterValidator(check_credentials)]
Container = Annotated[str, AfterValidator(check_container)]
Account = Annotated[str, AfterValidator(check_account)]
AzureEndpoint = Annotated[str, AfterValidator(check_azure_endpoint)]
AccountKey = Annotated[SecretStr, AfterValidator(check_account_key)]
Sas = Annotated[SecretStr, AfterValidator(check_sas)]
ConnectionString = Annotated[SecretStr, AfterValidator(check_connection_string)]
