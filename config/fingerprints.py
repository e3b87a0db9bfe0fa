"""Fingerprints by which a server is known: of its SSH host key or of its TLS certificate (SHA-256).

They are written as whoever has to compare them finds them elsewhere: of a key as OpenSSH shows it
(`SHA256:...`), of a certificate as OpenSSL and browsers do (`AB:CD:...`).
"""

import hashlib
import re
from base64 import b64decode, b64encode

_BASE64 = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")


def check_fingerprint(value: str) -> str:
    """The fingerprint itself; raises ValueError where it is none."""
    if not (_BASE64.fullmatch(value) or _HEXADECIMAL.fullmatch(value)):
        raise ValueError(
            "must be a fingerprint like SHA256: and 43 characters, or 64 hexadecimal digits"
        )
    return value


def of_certificate(der: bytes) -> str:
    """The fingerprint of a certificate."""
    return _in_pairs(hashlib.sha256(der).digest())


def as_of_certificate(fingerprint: str) -> str:
    """A fingerprint, however it is written, as that of a certificate is."""
    if _BASE64.fullmatch(fingerprint):
        return _in_pairs(b64decode(fingerprint.removeprefix("SHA256:") + "="))
    return _in_pairs(bytes.fromhex(fingerprint.replace(":", "")))


def as_of_host_key(fingerprint: str) -> str:
    """A fingerprint, however it is written, as that of an SSH host key is."""
    if _BASE64.fullmatch(fingerprint):
        return fingerprint
    digest = bytes.fromhex(fingerprint.replace(":", ""))
    return f"SHA256:{b64encode(digest).decode().rstrip('=')}"


def _in_pairs(digest: bytes) -> str:
    return digest.hex(":").upper()
