"""The certificate and its key by which FTPS servers know an account (RFC 8446 section 4.4.2).

The key is kept in PKCS #8 and without a passphrase: the vault encrypts what is stored, as it does
with passwords. Whether an authority is trusted, and for which users, is the server's to say.
"""

import os
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import SecretStr

from config.errors import FieldRefused
from config.fields import declared
from config.private_keys import open_private_key

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_ODD = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm)
"""What the library raises over one that is damaged, or of a kind that it does not know."""
_FIELDS = {"private_key": "client_key", "passphrase": "client_key_passphrase"}
"""What is wrong with a key is told of the field that it was entered in."""


def read_client_key(text: SecretStr, passphrase: SecretStr | None) -> SecretStr:
    """The private key as it was pasted, as it is stored. Raises FieldRefused."""
    try:
        key = open_private_key(text, passphrase)
    except FieldRefused as refused:
        raise _of_client_key(refused) from None
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SecretStr(pem.decode())


def check_client_certificate(chain: str, key: SecretStr, now: float) -> None:
    """Raises FieldRefused where a server cannot be shown the certificate with the key at this time.

    `chain`: in PEM, the account's own first.
    """
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - few commands need it

    own, *others = load_pem_x509_certificates(chain.encode())
    public = _public_of(load_pem_private_key(key.get_secret_value().encode(), None))
    if _public_of(own) != public:
        if any(_public_of(each) == public for each in others):
            _refuse("begins with that of an authority: give the account's own first")
        _refuse_key("is not that of the certificate: give the key that it was issued for")
    try:
        begins, ends = own.not_valid_before_utc, own.not_valid_after_utc
    except _ODD:
        _refuse("says no time that it is valid for: give one that does")
    if ends.timestamp() <= now:
        _refuse(f"ended on {_moment(ends)}: give one that is valid")
    if begins.timestamp() > now:
        _refuse(f"begins on {_moment(begins)}: give one that is valid by now")
    try:
        show_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), chain, key)
    except ssl.SSLError as error:
        _refuse(f"cannot be used: {_reason(error)}")


def show_certificate(context: ssl.SSLContext, chain: str, key: SecretStr) -> None:
    """Have connections of the context show the certificate. Raises ssl.SSLError.

    OpenSSL takes files alone: these lie in memory, and never on a disk.
    """
    both = os.memfd_create("client-certificate")
    try:
        os.write(both, f"{key.get_secret_value()}\n{chain}".encode())
        context.load_cert_chain(f"/proc/self/fd/{both}")
    finally:
        os.close(both)


def _public_of(holder: "Certificate | PrivateKeyTypes") -> bytes:
    """The public key of a certificate or a private key; nothing where it cannot be read."""
    try:
        public = holder.public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _ODD:
        return b""


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "it is not understood").replace("_", " ").lower()


def _of_client_key(refused: FieldRefused) -> FieldRefused:
    field = _FIELDS[refused.field]
    words = str(refused).removeprefix(declared(refused.field).title)
    return FieldRefused(field, f"{declared(field).title}{words}")


def _refuse(words: str) -> NoReturn:
    raise FieldRefused("client_certificate", f"Client Certificate {words}.") from None


def _refuse_key(words: str) -> NoReturn:
    raise FieldRefused("client_key", f"Client Key {words}.") from None
