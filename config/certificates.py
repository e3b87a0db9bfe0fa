"""Certificates in PEM (RFC 7468) that people give. Pure."""

import re

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from config.fingerprints import of_certificate

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
    try:
        found = x509.load_pem_x509_certificates(value.encode())
    except (ValueError, x509.InvalidVersion):
        raise ValueError("must be certificates in PEM (-----BEGIN CERTIFICATE-----)") from None
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def told(pem: str) -> str:
    """Whose certificates these are, with their fingerprints, for a person."""
    found = x509.load_pem_x509_certificates(pem.encode())
    each_told = (
        f"{_subject(each)} ({of_certificate(each.public_bytes(Encoding.DER))})" for each in found
    )
    return "; ".join(each_told)


def _subject(certificate: x509.Certificate) -> str:
    try:
        name = certificate.subject.rfc4514_string()
    except ValueError:  # it is read only now
        name = ""
    return _UNPRINTABLE.sub(" ", name)[:_MAX_SUBJECT] or "a certificate without a name"
