"""Reads a private key that a person gives: OpenSSH's format and PEM, with a passphrase or without.

Whatever is wrong with it is told in a sentence about the field that it is wrong in. The text is
hostile until it was read: it names itself how long its passphrase is to be hashed.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_ssh_private_key,
)
from pydantic import SecretStr

from config.errors import FieldRefused
from config.ssh_keys import KeyPair, SshPrivateKey, pair_of

LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192
"""A signature of a longer key costs seconds."""
MOST_ROUNDS = 128
"""Of bcrypt, for OpenSSH's format: ssh-keygen takes 16 or 24, and each costs about 10 ms."""
MOST_ITERATIONS = 1_000_000
"""Of PBKDF2, for PKCS #8."""

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----")
_PUBLIC = re.compile(
    r"\s*(ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+ AAAA|-----BEGIN [A-Z ]*PUBLIC KEY-----"
    r"|---- BEGIN SSH2 PUBLIC KEY ----"
)
_MAGIC = b"openssh-key-v1\x00"
_CURVES = {"secp256r1", "secp384r1", "secp521r1"}
_KINDS = "use Ed25519, ECDSA (P-256, P-384, P-521), or RSA from 2048 bits"
_NOT_WHOLE = "is not whole: give all of it, from its BEGIN line to its END line"
_CONVERT = "have 'ssh-keygen -p -f FILE' write it anew, and give that"
_ODD = (ValueError, TypeError, NotImplementedError, OverflowError, AssertionError)
"""What the library raises over data that is damaged."""

_INTEGER, _IDENTIFIER = 0x02, 0x06
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")


class _Envelope(NamedTuple):
    """What stands open around a private key in OpenSSH's format."""

    is_encrypted: bool
    rounds: int
    kind: str


def read_private_key(text: SecretStr, passphrase: SecretStr | None, comment: str) -> KeyPair:
    """The key pair of a private key as it was pasted. Raises FieldRefused."""
    return pair_of(open_private_key(text, passphrase), comment)


def open_private_key(text: SecretStr, passphrase: SecretStr | None) -> SshPrivateKey:
    """The private key as it was pasted. Raises FieldRefused."""
    pem, label = _block(text.get_secret_value())
    secret = passphrase.get_secret_value().encode() if passphrase else None
    is_openssh = label == "OPENSSH PRIVATE KEY"
    key = _openssh(pem, secret) if is_openssh else _pem(pem, label, secret)
    return _checked(key)


def _block(text: str) -> tuple[bytes, str]:
    """The key itself, without what stands around it, and the name of its format.

    All of it stands between the first line and the last: what is checked is what is read.
    """
    found = _BLOCK.search(text)
    if found is None:
        _refuse(_why_no_key(text))
    if found[1] == "DSA PRIVATE KEY":
        _refuse_dsa()
    if not found[0].isascii():
        _refuse(_NOT_WHOLE)
    body = [line.strip() for line in found[2].strip().splitlines()]
    lines = [f"-----BEGIN {found[1]}-----", *body, f"-----END {found[1]}-----"]
    return "\n".join(lines).encode() + b"\n", found[1]


def _why_no_key(text: str) -> str:
    if text.lstrip("\ufeff \r\n").startswith("PuTTY-User-Key-File"):
        return (
            "is in PuTTY's own format (.ppk): have PuTTYgen write it by "
            "'Conversions, Export OpenSSH key', and give that"
        )
    if _BEGIN.search(text):
        return _NOT_WHOLE
    if _PUBLIC.search(text):
        return "is a public key: give the private half, which begins with -----BEGIN"
    return "is no private key: one begins with -----BEGIN and names PRIVATE KEY behind it"


def _openssh(pem: bytes, passphrase: bytes | None) -> object:
    try:
        envelope = _envelope(b64decode(b"".join(pem.splitlines()[1:-1]), validate=True))
    except ValueError:
        _refuse(_NOT_WHOLE)
    if envelope.kind == "ssh-dss":
        _refuse_dsa()
    if envelope.kind.startswith("sk-"):
        _refuse(f"lies on a security key (FIDO), where the platform cannot use it: {_KINDS}")
    if envelope.rounds > MOST_ROUNDS:
        _refuse(
            f"has a passphrase that is hashed {envelope.rounds} times, and {MOST_ROUNDS} are "
            "taken: have 'ssh-keygen -p -a 16 -f FILE' write it anew, and give that"
        )
    given = _needed(passphrase) if envelope.is_encrypted else None
    try:
        return load_ssh_private_key(pem, given, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm:
        _refuse(f"is of a kind or encrypted in a way that is not read: {_KINDS}")
    except InvalidTag:
        _refuse_passphrase()
    except _ODD:
        if envelope.is_encrypted:
            _refuse_passphrase()
        _refuse(_NOT_WHOLE)


def _pem(pem: bytes, label: str, passphrase: bytes | None) -> object:
    is_encrypted = label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in pem
    if label == "ENCRYPTED PRIVATE KEY":
        _check_iterations(pem)
    given = _needed(passphrase) if is_encrypted else None
    try:
        return load_pem_private_key(pem, given, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm:
        _refuse(f"is of a kind or encrypted in a way that is not read: {_KINDS}")
    except _ODD:
        if is_encrypted:
            _refuse_passphrase()
        _refuse(_NOT_WHOLE)


def _checked(key: object) -> SshPrivateKey:
    """The key, where servers and the platform take its kind."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, dsa.DSAPrivateKey):
        _refuse_dsa()
    if not isinstance(key, rsa.RSAPrivateKey):
        _refuse(f"is of a kind that servers do not take: {_KINDS}")
    if key.key_size < LEAST_RSA_BITS:
        _refuse(f"has {key.key_size} bits: RSA keys need {LEAST_RSA_BITS} or more")
    if key.key_size > MOST_RSA_BITS:
        _refuse(f"has {key.key_size} bits: RSA keys may have {MOST_RSA_BITS}")
    return _examined(key)


def _examined(key: rsa.RSAPrivateKey) -> rsa.RSAPrivateKey:
    """The key, whose numbers fit. Only now: of a key that is too long it would take minutes."""
    try:
        return key.private_numbers().private_key()
    except _ODD:
        _refuse(_NOT_WHOLE)


def _envelope(data: bytes) -> _Envelope:
    """Raises ValueError where the data is not whole."""
    if not data.startswith(_MAGIC):
        raise ValueError
    cipher, rest = _string(data[len(_MAGIC) :])
    _kdf, rest = _string(rest)
    options, rest = _string(rest)
    _count, rest = rest[:4], rest[4:]
    public, rest = _string(rest)
    _private, _ = _string(rest)
    kind, _ = _string(public)
    _salt, rounds = _string(options) if options else (b"", b"")
    return _Envelope(cipher != b"none", int.from_bytes(rounds[:4]), kind.decode("latin-1"))


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The first string (RFC 4251 section 5) and what follows. Raises ValueError."""
    size = int.from_bytes(data[:4])
    if len(data) < 4 + size:
        raise ValueError
    return data[4 : 4 + size], data[4 + size :]


def _check_iterations(pem: bytes) -> None:
    """Refuses an encrypted PKCS #8 key whose passphrase would be hashed for too long."""
    try:
        iterations = _iterations(b64decode(b"".join(pem.splitlines()[1:-1]), validate=True))
    except (ValueError, IndexError):
        _refuse(_NOT_WHOLE)
    if iterations is None:
        _refuse(f"is encrypted in a way that is not read: {_CONVERT}")
    if iterations > MOST_ITERATIONS:
        _refuse(
            f"has a passphrase that is hashed {iterations} times, and {MOST_ITERATIONS} are "
            f"taken: {_CONVERT}"
        )


def _iterations(der: bytes) -> int | None:
    """How often the passphrase is hashed by PBKDF2 (RFC 8018 appendix A); None by another way."""
    whole = _items(der)[0][1]
    scheme = _items(_items(whole)[0][1])
    if scheme[0] != (_IDENTIFIER, _PBES2):
        return None
    derivation = _items(_items(scheme[1][1])[0][1])
    if derivation[0] != (_IDENTIFIER, _PBKDF2):
        return None
    numbers = [each for tag, each in _items(derivation[1][1]) if tag == _INTEGER]
    return int.from_bytes(numbers[0])


def _items(der: bytes) -> list[tuple[int, bytes]]:
    """What stands in a sequence: tags and contents. Raises ValueError, IndexError."""
    return list(_each_item(der))


def _each_item(der: bytes) -> Iterator[tuple[int, bytes]]:
    while der:
        tag, size, at = der[0], der[1], 2
        if size & 0x80:
            at += size & 0x7F
            size = int.from_bytes(der[2:at])
        if len(der) < at + size:
            raise ValueError
        yield tag, der[at : at + size]
        der = der[at + size :]


def _needed(passphrase: bytes | None) -> bytes:
    if passphrase is None:
        raise FieldRefused("passphrase", "Passphrase is required: the private key has one.")
    return passphrase


def _refuse(words: str) -> NoReturn:
    raise FieldRefused("private_key", f"Private Key {words}.") from None


def _refuse_dsa() -> NoReturn:
    _refuse(f"is of DSA, which is too weak and which servers do not take any more: {_KINDS}")


def _refuse_passphrase() -> NoReturn:
    raise FieldRefused("passphrase", "Passphrase does not open the private key.") from None
