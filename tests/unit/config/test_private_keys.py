"""Private keys that people paste: taken in every usual format, or refused in a sentence."""

import base64
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.errors import FieldRefused
from config.private_keys import read_private_key
from config.ssh_keys import KeyType, comment_of, generated, pair_of

COMMENT = "Platform, account acme"
PASSPHRASE = "correct horse"
OPENSSH, PKCS8 = PrivateFormat.OpenSSH, PrivateFormat.PKCS8
TRADITIONAL = PrivateFormat.TraditionalOpenSSL
FORMATS = {"openssh": OPENSSH, "pkcs8": PKCS8, "traditional": TRADITIONAL}
KEYS: dict[str, Any] = {
    "ssh-ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ecdsa-sha2-nistp256": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-sha2-nistp384": ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-sha2-nistp521": ec.generate_private_key(ec.SECP521R1()),
    "ssh-rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def text_of(key: Any, kind: PrivateFormat, passphrase: str | None = None) -> str:
    sealed = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, kind, sealed).decode())


def read(text: str, passphrase: str | None = None) -> Any:
    secret = SecretStr(passphrase) if passphrase else None
    return read_private_key(SecretStr(text), secret, COMMENT)


def refused(text: str, passphrase: str | None = None) -> tuple[str, str]:
    with pytest.raises(FieldRefused) as caught:
        read(text, passphrase)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert len(sentence.splitlines()) == 1
    return caught.value.field, sentence


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["open", "encrypted"])
@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", KEYS)
def test_every_usual_key_is_taken_in_every_format(
    name: str, kind: PrivateFormat, passphrase: str | None
) -> None:
    if name == "ssh-ed25519" and kind is TRADITIONAL:
        kind = PKCS8
    pair = read(text_of(KEYS[name], kind, passphrase), passphrase)
    assert pair.public == pair_of(KEYS[name], COMMENT).public
    assert pair.public.algorithm == name
    assert read(pair.private.get_secret_value()).public == pair.public
    assert "BEGIN OPENSSH PRIVATE KEY" in pair.private.get_secret_value()
    assert pair.private.get_secret_value() not in repr(pair)


def test_lines_may_end_and_begin_as_browsers_and_windows_leave_them() -> None:
    text = text_of(KEYS["ssh-ed25519"], OPENSSH)
    pasted = "\ufeff  \r\nBag Attributes\r\n" + text.replace("\n", "  \r\n") + "\r\n\r\n"
    assert read(pasted).public == pair_of(KEYS["ssh-ed25519"], COMMENT).public


def test_a_passphrase_that_the_key_does_not_have_is_not_needed() -> None:
    for kind in (OPENSSH, PKCS8):
        assert read(text_of(KEYS["ssh-ed25519"], kind), PASSPHRASE)


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_a_wrong_or_a_missing_passphrase_is_told_beside_its_field(kind: PrivateFormat) -> None:
    text = text_of(KEYS["ecdsa-sha2-nistp256"], kind, PASSPHRASE)
    assert refused(text, "wrong") == ("passphrase", "Passphrase does not open the private key.")
    assert refused(text) == ("passphrase", "Passphrase is required: the private key has one.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "PuTTY's own format (.ppk)"),
        (generated(KeyType.ED25519, COMMENT).public.line, "is a public key"),
        ("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", "is a public key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "is a public key"),
        ("-----BEGIN DSA PRIVATE KEY-----\nAA\n-----END DSA PRIVATE KEY-----", "is of DSA"),
        ("hunter2", "is no private key"),
        ("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----", "is no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----", "is not whole"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "is not whole"),
    ],
)
def test_what_is_no_private_key_is_told_with_what_it_is(text: str, words: str) -> None:
    field, sentence = refused(text)
    assert field == "private_key"
    assert words in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_a_key_of_which_lines_are_missing_is_not_whole(kind: PrivateFormat) -> None:
    lines = text_of(KEYS["ssh-rsa"], kind).splitlines()
    for left in (lines[:-1], lines[:5], [*lines[:5], *lines[8:]], [lines[0], lines[-1]]):
        field, sentence = refused("\n".join(left))
        assert (field, "is not whole" in sentence) == ("private_key", True), sentence


def weak() -> dict[str, tuple[Any, str]]:
    return {
        "short": (
            rsa.generate_private_key(65537, 1024),  # noqa: S505 - what is to be refused
            "has 1024 bits: RSA keys need 2048",
        ),
        "curve": (ec.generate_private_key(ec.SECP256K1()), "of a kind that servers do not take"),
        "ed448": (ed448.Ed448PrivateKey.generate(), "of a kind that servers do not take"),
        "x25519": (x25519.X25519PrivateKey.generate(), "of a kind that servers do not take"),
    }


@pytest.mark.parametrize("name", weak())
def test_a_key_that_is_too_weak_or_of_no_kind_for_ssh_is_named(name: str) -> None:
    key, words = weak()[name]
    field, sentence = refused(text_of(key, PKCS8))
    assert field == "private_key"
    assert words in sentence


def packed(*strings: bytes) -> bytes:
    return b"".join(len(each).to_bytes(4) + each for each in strings)


def openssh(kind: bytes, cipher: bytes, options: bytes) -> str:
    """A key in OpenSSH's format as far as its head goes."""
    kdf = b"bcrypt" if options else b"none"
    head = packed(cipher, kdf, options) + (1).to_bytes(4) + packed(packed(kind), bytes(64))
    body = base64.encodebytes(b"openssh-key-v1\0" + head).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("kind", "words"),
    [(b"ssh-dss", "is of DSA"), (b"sk-ssh-ed25519@openssh.com", "lies on a security key")],
)
def test_a_kind_that_cannot_be_used_is_named_before_anything_is_decrypted(
    kind: bytes, words: str
) -> None:
    assert words in refused(openssh(kind, b"none", b""))[1]


def test_a_passphrase_is_not_hashed_for_as_long_as_a_key_asks() -> None:
    rounds = packed(bytes(16)) + (0xFFFFFFFF).to_bytes(4)
    field, sentence = refused(openssh(b"ssh-ed25519", b"aes256-ctr", rounds), PASSPHRASE)
    assert field == "private_key"
    assert "hashed 4294967295 times" in sentence

    text = text_of(KEYS["ssh-ed25519"], PKCS8, PASSPHRASE)
    der = base64.b64decode("".join(text.splitlines()[1:-1]))
    at = der.index(bytes.fromhex("2a864886f70d01050c"))
    salt = at + 11
    number = salt + 2 + der[salt + 1]
    assert der[number] == 0x02
    size = der[number + 1]
    costly = der[: number + 2] + b"\x7f" + b"\xff" * (size - 1) + der[number + 2 + size :]
    body = base64.encodebytes(costly).decode()
    asked = f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}-----END ENCRYPTED PRIVATE KEY-----"
    limit = int.from_bytes(b"\x7f" + b"\xff" * (size - 1))
    if limit > 1_000_000:
        assert f"hashed {limit} times" in refused(asked, PASSPHRASE)[1]
    else:  # a number of two bytes cannot ask for too much
        assert refused(asked, PASSPHRASE)[0] == "passphrase"


def test_what_stands_behind_the_first_line_counts_for_how_long_is_hashed_too() -> None:
    """The library reads on behind BEGIN: what the check passes over would not be bounded."""
    kind, whole = packed(b"ssh-ed25519"), b""
    for salt, rounds, private in ((16, 16, 82), (18, 400, 0)):  # the first lies in the second
        options = packed(bytes(salt)) + rounds.to_bytes(4)
        head = packed(b"aes256-ctr", b"bcrypt", options) + (1).to_bytes(4) + packed(kind)
        inner = packed(bytes(private)) if private else packed(whole)
        whole = b"openssh-key-v1\0" + head + inner
    at = whole.index(b"openssh-key-v1", 1)
    assert at % 3 == 0
    assert (len(whole) - at) % 16 == 0
    hidden, told = (base64.b64encode(part).decode() for part in (whole[:at], whole[at:]))
    text = f"-----BEGIN OPENSSH PRIVATE KEY-----{hidden}\n{told}\n-----END OPENSSH PRIVATE KEY-----"
    assert "hashed 400 times" in refused(text, PASSPHRASE)[1]


def test_a_key_on_one_line_is_read() -> None:
    text = text_of(KEYS["ssh-ed25519"], OPENSSH)
    on_one_line = text.strip().replace("\n", "").replace("KEY-----b", "KEY-----\nb")
    assert read(on_one_line).public == read(text).public
    assert read(text.strip().replace("\n", "")).public == read(text).public


def test_a_key_that_is_too_long_is_not_examined_first() -> None:
    """Whether its factors are primes would be found out for minutes."""
    p, q, e = 2**9689 - 1, 2**9941 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=d % (p - 1),
        dmq1=d % (q - 1),
        iqmp=pow(q, -1, p),
        public_numbers=rsa.RSAPublicNumbers(e, p * q),
    )
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    for kind in (PKCS8, TRADITIONAL, OPENSSH):
        began = time.process_time()
        assert "has 19630 bits" in refused(text_of(key, kind))[1]
        assert time.process_time() - began < 5


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_a_key_of_rsa_whose_numbers_do_not_fit_is_refused(kind: PrivateFormat) -> None:
    right = KEYS["ssh-rsa"].private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        p=right.p,
        q=right.q,
        d=right.d + 2,
        dmp1=right.dmp1,
        dmq1=right.dmq1,
        iqmp=right.iqmp,
        public_numbers=right.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    assert refused(text_of(wrong, kind))[0] == "private_key"


@given(st.binary(max_size=400), st.sampled_from(["OPENSSH ", "RSA ", "EC ", "ENCRYPTED ", ""]))
def test_whatever_stands_between_the_lines_is_refused_in_a_sentence(
    data: bytes, label: str
) -> None:
    body = base64.encodebytes(b"openssh-key-v1\0" + data if "SSH" in label else data).decode()
    text = f"-----BEGIN {label}PRIVATE KEY-----\n{body}-----END {label}PRIVATE KEY-----\n"
    refused(text, PASSPHRASE)


@given(st.text())
def test_whatever_text_is_given_is_refused_in_a_sentence(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("kind", KeyType)
def test_a_key_that_is_made_is_one_that_ssh_keygen_reads(kind: KeyType, tmp_path: Path) -> None:
    pair = generated(kind, COMMENT)
    file = tmp_path / "key"
    file.write_text(pair.private.get_secret_value())
    os.chmod(file, 0o600)  # noqa: PTH101 - as ssh-keygen wants it
    shown = _keygen("-y", "-f", str(file))
    assert pair.public.line.startswith(shown.strip())
    assert pair.public.line == f"{shown.strip()} {COMMENT}"
    file.with_suffix(".pub").write_text(pair.public.line)
    assert pair.public.fingerprint in _keygen("-l", "-f", str(file.with_suffix(".pub")))


def _keygen(*arguments: str) -> str:
    return subprocess.run(
        ["ssh-keygen", *arguments], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_the_comment_names_platform_and_account_on_one_line() -> None:
    assert comment_of("Advanced\nServices \u202ePlatform", "acme") == (
        "Advanced Services Platform, account acme"
    )
