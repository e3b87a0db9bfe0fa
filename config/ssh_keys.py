"""The key pairs with which accounts log in to SFTP servers: read, made, and told. Pure.

A private key is kept in OpenSSH's own format and without a passphrase: the vault encrypts what is
stored, as it does with passwords.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import assert_never

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import SecretStr

from config.public_keys import PublicKey

SshPrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyType(StrEnum):
    """The kinds of keys that the platform makes; the others are for servers that lack the first."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"

    @property
    def label(self) -> str:
        """The words for people."""
        return _LABELS[self]


_LABELS = {
    KeyType.ED25519: "Ed25519",
    KeyType.ECDSA_P256: "ECDSA P-256",
    KeyType.RSA_3072: "RSA 3072",
    KeyType.RSA_4096: "RSA 4096",
}


@dataclass(frozen=True)
class KeyPair:
    """A key of an account with its private half."""

    public: PublicKey
    private: SecretStr
    """In OpenSSH's format, without a passphrase."""


def comment_of(platform: str, account_id: str) -> str:
    """The comment behind a public key: it tells a server's administrator whose it is."""
    name = "".join(each if each.isprintable() else " " for each in platform)
    return f"{' '.join(name.split())}, account {account_id}"


def generated(kind: KeyType, comment: str) -> KeyPair:
    """A new key pair."""
    return pair_of(_make(kind), comment)


def pair_of(key: SshPrivateKey, comment: str) -> KeyPair:
    """The pair as it is stored and shown."""
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    shown = PublicKey(line=f"{public} {comment}", fingerprint=_fingerprint(public))
    return KeyPair(shown, SecretStr(private.decode()))


def _fingerprint(public: str) -> str:
    digest = sha256(b64decode(public.split()[1])).digest()
    return f"SHA256:{b64encode(digest).decode().rstrip('=')}"


def _make(kind: KeyType) -> SshPrivateKey:
    match kind:
        case KeyType.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        case KeyType.ECDSA_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyType.RSA_3072:
            return rsa.generate_private_key(public_exponent=65537, key_size=3072)
        case KeyType.RSA_4096:
            return rsa.generate_private_key(public_exponent=65537, key_size=4096)
        case _:
            assert_never(kind)
