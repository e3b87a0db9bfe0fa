"""What URLs of recordings in object stores look like: `s3://`, `gs://` and `az://`."""

import re
from typing import NamedTuple
from urllib.parse import unquote

MAX_KEY = 1024
"""Bytes in UTF-8 (Amazon S3, "Naming Amazon S3 objects"; Google's and Azure's limit is as long)."""
_LEAST_BUCKET, _MOST_BUCKET = 3, 222
"""Characters: Google's names with dots are the longest, and no store has shorter ones."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]*[a-z0-9]")
_CLOUDS = "'courier[clouds]' (requirements-clouds.txt)"


class Scheme(NamedTuple):
    """What is said of the objects of one scheme."""

    form: str
    """Of what stands behind `SCHEME://`."""
    bucket: str
    """What a bucket is called."""
    setting: str
    """Which lists the buckets that recordings may come from."""
    package: str
    """Which reads them."""
    extra: str
    """What to install where the package is missing."""


SCHEMES = {
    "s3": Scheme("BUCKET/KEY", "bucket", "COURIER_S3_BUCKETS", "botocore", "'courier[s3]'"),
    "gs": Scheme("BUCKET/OBJECT", "bucket", "COURIER_GS_BUCKETS", "gcsfs", _CLOUDS),
    "az": Scheme("CONTAINER/BLOB", "container", "COURIER_AZ_CONTAINERS", "adlfs", _CLOUDS),
}


class NoObject(ValueError):
    """It is not the URL of an object; its text says what it must be."""


class ObjectUrl(NamedTuple):
    """Where an object is."""

    scheme: str
    bucket: str
    """Or the container, as Azure calls it."""
    key: str


def is_object_url(url: str) -> bool:
    """Whether the URL is meant for a store of objects."""
    return scheme_of(url) in SCHEMES


def scheme_of(url: str) -> str:
    """The scheme in small letters; nothing where there is none."""
    scheme, found, _ = url.partition("://")
    return scheme.lower() if found else ""


def parts_of(url: str) -> ObjectUrl:
    """The parts of `SCHEME://BUCKET/KEY`, where the key is percent-encoded.

    Raises NoObject. Keys with the parts `.` and `..` are none: a store that keeps objects as files
    might take them for a way to others.
    """
    scheme = scheme_of(url)
    bucket, _, path = url.partition("://")[2].partition("/")
    _check_bucket(scheme, bucket)
    if not path:
        raise NoObject(f"must be {_form(scheme)}: nothing follows the {_called(scheme)}")
    if "?" in path or "#" in path:
        raise NoObject(f"must be {_form(scheme)}, with ? and # of the key percent-encoded")
    try:
        key = unquote(path, errors="strict")
        raw = key.encode()
    except UnicodeError:
        raise NoObject("must have a key in UTF-8") from None
    if len(raw) > MAX_KEY or b"\0" in raw:
        raise NoObject(f"must have a key of at most {MAX_KEY} bytes without a NUL")
    if key.endswith("/") or {"", ".", ".."} & {*key.split("/")}:
        raise NoObject("must have a key that names a file, without empty parts, . and ..")
    if scheme == "az" and ("\\" in key or any(not part.strip(". ") for part in key.split("/"))):
        # Azure takes \ for /, and leaves dots at the end of a part out.
        raise NoObject("must have a key without \\ and without parts of dots and blanks alone")
    return ObjectUrl(scheme, bucket, key)


def _check_bucket(scheme: str, bucket: str) -> None:
    if not bucket or scheme not in SCHEMES:
        raise NoObject(f"must be {_form(scheme)}: it names no {_called(scheme)}")
    if not _LEAST_BUCKET <= len(bucket) <= _MOST_BUCKET:
        raise NoObject(
            f"must be {_form(scheme)}: a {_called(scheme)} has {_LEAST_BUCKET} to {_MOST_BUCKET} "
            f"characters, and this one has {len(bucket)}"
        )
    if not _BUCKET.fullmatch(bucket):
        raise NoObject(
            f"must be {_form(scheme)}: a {_called(scheme)} has small letters, digits, dots, - and "
            "_, and begins and ends with a letter or a digit"
        )


def _form(scheme: str) -> str:
    return f"{scheme}://{SCHEMES.get(scheme, SCHEMES['s3']).form}"


def _called(scheme: str) -> str:
    return SCHEMES.get(scheme, SCHEMES["s3"]).bucket
