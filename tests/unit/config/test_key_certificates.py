"""User certificates of OpenSSH: taken where they fit the key and are valid by now."""

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateBuilder,
    SSHCertificateType,
)
from hypothesis import given
from hypothesis import strategies as st

from config.errors import FieldRefused
from config.key_certificates import check_certificate
from config.public_keys import certificate_line
from config.ssh_keys import KeyPair, pair_of

NOW = time.time()
HOUR = 3600.0
KEY = ed25519.Ed25519PrivateKey.generate()
PAIR = pair_of(KEY, "a comment")


def certificate(**changes: Any) -> str:
    values: dict[str, Any] = {
        "of": KEY,
        "type": SSHCertificateType.USER,
        "after": NOW - HOUR,
        "before": NOW + HOUR,
        **changes,
    }
    built = (
        SSHCertificateBuilder()
        .public_key(values["of"].public_key())
        .type(values["type"])
        .key_id(b"acme")
        .valid_principals([b"customer"])
        .valid_after(int(values["after"]))
        .valid_before(int(values["before"]))
        .sign(ed25519.Ed25519PrivateKey.generate())
    )
    return built.public_bytes().decode()


def refused(line: str, key: KeyPair = PAIR) -> str:
    with pytest.raises(FieldRefused) as caught:
        check_certificate(line, key.public, NOW)
    assert caught.value.field == "key_certificate"
    return str(caught.value)


def test_a_certificate_of_the_key_is_taken_and_its_comment_left_out() -> None:
    line = certificate()
    assert certificate_line(f" {line} somebody@somewhere\n") == line
    check_certificate(line, PAIR.public, NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"of": ed25519.Ed25519PrivateKey.generate()}, "is for another key: have SHA256:"),
        ({"type": SSHCertificateType.HOST}, "is one of a server"),
        ({"before": NOW - 60}, "ended on 2"),
        ({"after": NOW + 60}, "begins on 2"),
    ],
)
def test_a_certificate_that_does_not_fit_is_told_why(changes: dict[str, Any], words: str) -> None:
    assert words in refused(certificate(**changes))


def test_a_certificate_without_an_end_is_taken() -> None:
    check_certificate(certificate(before=2**64 - 1), PAIR.public, NOW)


def test_a_certificate_of_which_the_end_is_missing_is_not_whole() -> None:
    assert "is not whole" in refused(certificate()[:-40])


@given(st.text())
def test_whatever_is_given_instead_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="line of a certificate"):
        certificate_line(text)
