"""Certificates in PEM (RFC 7468) that people give. Pure.

The library that reads them is loaded where one is read: most commands read none.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from config.fingerprints import of_certificate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_PEM = 24 * 1024
"""Characters: a form may have 64 KiB, and writes some of them with three."""
_MAX_SUBJECT = 100
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def check_certificates(value: str) -> str:
    """The certificates alone, as they are stored; raises ValueError where there are none."""
    if len(value) > MAX_PEM:
        raise ValueError(f"must have at most {MAX_PEM} characters")
    if "PRIVATE KEY-----" in value:
        raise ValueError("must hold no private key: give the certificates alone")
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - few need it
    from cryptography.x509 import InvalidVersion  # noqa: PLC0415 - few need it

    try:
        found = _read(value)
    except (ValueError, InvalidVersion):
        raise ValueError("must be certificates in PEM (-----BEGIN CERTIFICATE-----)") from None
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def told(pem: str) -> str:
    """Whose certificates these are, with their fingerprints, for a person."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - few need it

    found = _read(pem)
    each_told = (
        f"{_subject(each)} ({of_certificate(each.public_bytes(Encoding.DER))})" for each in found
    )
    return "; ".join(each_told)


def own_end(pem: str) -> datetime | None:
    """When the first of the certificates ends; None where that cannot be read."""
    return next(_ends(pem), None)


def last_end(pem: str) -> datetime | None:
    """When all of the certificates have ended; None where that cannot be read."""
    return max(_ends(pem), default=None)


def _ends(pem: str) -> Iterator[datetime]:
    for each in _read(pem):
        try:
            yield each.not_valid_after_utc
        except (ValueError, OverflowError):
            continue


def _read(pem: str) -> "list[Certificate]":
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - few need it

    return load_pem_x509_certificates(pem.encode())


def _subject(certificate: "Certificate") -> str:
    try:
        name = certificate.subject.rfc4514_string()
    except ValueError:  # it is read only now
        name = ""
    return _UNPRINTABLE.sub(" ", name)[:_MAX_SUBJECT] or "a certificate without a name"
