"""OpenSSH's user certificates: an authority of the customer's signs an account's public key.

See PROTOCOL.certkeys of OpenSSH. Whether an authority is trusted, and for which users, is the
server's to say; here it is seen only that the certificate fits the key, and is valid by now.
"""

from datetime import UTC, datetime
from typing import NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from config.errors import FieldRefused
from config.public_keys import PublicKey

_ODD = (ValueError, TypeError, NotImplementedError, OverflowError, UnsupportedAlgorithm)
"""What the library raises over a line that is damaged, or of a kind that it does not know."""


def check_certificate(line: str, key: PublicKey, now: float) -> None:
    """Raises FieldRefused where the key cannot be shown with the certificate at this time."""
    try:
        found = load_ssh_public_identity(line.encode())
        is_user = isinstance(found, SSHCertificate) and found.type is SSHCertificateType.USER
    except _ODD:
        _refuse("is not whole: give the whole line of id-cert.pub")
    if not isinstance(found, SSHCertificate) or not is_user:
        _refuse("is one of a server: give one that was made for a user")
    signed = found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    if signed.split() != key.line.split()[:2]:
        _refuse(f"is for another key: have {key.fingerprint} signed")
    if found.valid_before <= now:
        _refuse(f"ended on {_moment(found.valid_before)}: give one that is valid")
    if found.valid_after > now:
        _refuse(f"begins on {_moment(found.valid_after)}: give one that is valid by now")


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(min(seconds, 2**32), UTC):%Y-%m-%d %H:%M} UTC"


def _refuse(words: str) -> NoReturn:
    raise FieldRefused("key_certificate", f"Key Certificate {words}.") from None
