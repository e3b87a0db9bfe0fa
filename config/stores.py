"""Stores of recordings behind the network, as an operator names them in the process's settings."""

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, SecretStr

from config.service_urls import is_url

BASIC, BEARER = "https", "https+bearer"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]{2,32}")
_SENDABLE = re.compile(r"[!-~]+")
_HTTPS_PORT = 443


class Bucket(NamedTuple):
    """A bucket, and what the keys of its recordings begin with."""

    name: str
    prefix: str = ""


class S3Settings(NamedTuple):
    """How S3 is reached, and which objects may be read there."""

    buckets: tuple[Bucket, ...] = ()
    endpoint: str | None = None
    """None: Amazon's own, of the region."""
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None


def is_within(buckets: tuple[Bucket, ...], bucket: str, key: str) -> bool:
    """Whether the object is in one of the buckets, beneath what its keys begin with."""
    return any(bucket == each.name and key.startswith(each.prefix) for each in buckets)


def check_login(value: SecretStr) -> SecretStr:
    """Raises ValueError, without the value."""
    authority_and_header(value)
    return value


def authority_and_header(login: SecretStr) -> tuple[str, SecretStr]:
    """The host, with its port unless that is 443, and the Authorization header that it is sent.

    Raises ValueError.
    """
    wanted = "must be https://USER:PASSWORD@HOST or https+bearer://TOKEN@HOST, with , between"
    text = login.get_secret_value()
    if not is_url(text, BASIC, BEARER):
        raise ValueError(wanted)
    parts = urlsplit(text)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.path.strip("/") or parts.query:
        raise ValueError("must name hosts alone, without a path: a login is sent to all of a host")
    if parts.scheme == BEARER and not parts.password and _TOKEN.fullmatch(user):
        return _authority(parts), SecretStr(f"Bearer {user}")
    if parts.scheme == BASIC and user and password and ":" not in user:
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        return _authority(parts), SecretStr(f"Basic {encoded}")
    raise ValueError(wanted)


def problems(s3: S3Settings, logins: Sequence[SecretStr]) -> Iterator[str]:
    """A sentence for each setting of stores that cannot be used together with the others."""
    both = ("COURIER_S3_ACCESS_KEY_ID", "COURIER_S3_SECRET_ACCESS_KEY")
    given = [value is not None for value in (s3.access_key_id, s3.secret_access_key)]
    if any(given) and not all(given):
        yield (
            f"{both[given.index(True)]} is not valid: {both[given.index(False)]} belongs to it. "
            "Set both, or neither for the credentials that Amazon's tools would find."
        )
    hosts = [authority_and_header(each)[0] for each in logins]
    if len(hosts) > len({*hosts}):
        yield "COURIER_SOURCE_LOGINS is not valid: each host may have one login."


def bucket_of(value: str, called: str = "buckets") -> Bucket:
    """A bucket from `NAME` or `NAME/PREFIX/`. Raises ValueError, with what they are called."""
    name, _, prefix = value.partition("/")
    folders = prefix.removesuffix("/").split("/") if prefix else []
    if not _BUCKET.fullmatch(name) or {"", ".", ".."} & {*folders}:
        raise ValueError(f"must be names of {called}, such as recordings or recordings/calls/")
    if prefix and not prefix.endswith("/"):
        raise ValueError("must have a / at the end of what keys begin with: recordings/calls/")
    return Bucket(name, prefix)


def check_bucket(value: str) -> str:
    """Raises ValueError."""
    bucket_of(value)
    return value


def check_region(value: str) -> str:
    """Raises ValueError."""
    if not _REGION.fullmatch(value):
        raise ValueError("must be the name of a region, such as eu-central-1")
    return value


def check_key_id(value: str) -> str:
    """Raises ValueError, without the value."""
    if not is_sendable(value):
        raise ValueError(
            "must be letters, digits and signs of ASCII, without spaces and line breaks"
        )
    return value


def is_sendable(text: str) -> bool:
    """Whether it can stand in a header, at any place there."""
    return _SENDABLE.fullmatch(text) is not None


def check_endpoint(value: str) -> str:
    """The address without a slash at its end. Raises ValueError."""
    bare = value.rstrip("/")
    if not is_url(value, "http", "https") or set(value) & set("?#@ ") or urlsplit(bare).path:
        raise ValueError("must be the address of the service, such as https://s3.example:9000")
    return bare


def _authority(parts: SplitResult) -> str:
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    return name if parts.port in {None, _HTTPS_PORT} else f"{name}:{parts.port}"


Login = Annotated[SecretStr, AfterValidator(check_login)]
BucketName = Annotated[str, AfterValidator(check_bucket)]
