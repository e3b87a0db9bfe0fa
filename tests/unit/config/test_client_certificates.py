"""What is said of a client certificate and its key before a server is troubled with them."""

import ssl
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import SecretStr

from config.client_certificates import check_client_certificate, read_client_key, show_certificate
from config.errors import FieldRefused
from tests.servers.certificates import Authority, Pair, self_signed

PASSPHRASE = SecretStr("correct horse")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Pair:
    return authority.issue("acme")


def text(file: Path) -> SecretStr:
    return SecretStr(file.read_text())


def encrypted(file: Path) -> SecretStr:
    key = load_pem_private_key(file.read_bytes(), None)
    sealed = BestAvailableEncryption(PASSPHRASE.get_secret_value().encode())
    return SecretStr(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed).decode())


def refusal(chain: str, key: SecretStr, now: float | None = None) -> FieldRefused:
    with pytest.raises(FieldRefused) as refused:
        check_client_certificate(chain, key, time.time() if now is None else now)
    return refused.value


def test_a_key_is_kept_in_one_form_however_it_was_given(own: Pair) -> None:
    plain = read_client_key(text(own.key), None)
    assert plain.get_secret_value().startswith("-----BEGIN PRIVATE KEY-----")
    assert read_client_key(encrypted(own.key), PASSPHRASE) == plain
    assert read_client_key(plain, None) == plain


def test_a_certificate_and_its_key_are_taken_and_shown(own: Pair) -> None:
    key = read_client_key(text(own.key), None)
    check_client_certificate(own.cert.read_text(), key, time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    show_certificate(context, own.cert.read_text(), key)


def test_what_is_wrong_with_a_key_is_told_of_its_own_field(own: Pair) -> None:
    bad = [
        (encrypted(own.key), None, "client_key_passphrase", "Client Key Passphrase is required"),
        (encrypted(own.key), SecretStr("no"), "client_key_passphrase", "does not open"),
        (SecretStr("hello"), None, "client_key", "Client Key is no private key"),
        (SecretStr(own.key.read_text()[:200]), None, "client_key", "Client Key is not whole"),
    ]
    for given, passphrase, field, words in bad:
        with pytest.raises(FieldRefused) as refused:
            read_client_key(given, passphrase)
        assert refused.value.field == field
        assert words in str(refused.value)


def test_the_key_has_to_be_that_of_the_certificate(authority: Authority, own: Pair) -> None:
    other = authority.issue("other")
    refused = refusal(own.cert.read_text(), read_client_key(text(other.key), None))
    assert (refused.field, str(refused)) == (
        "client_key",
        "Client Key is not that of the certificate: give the key that it was issued for.",
    )


def test_the_accounts_own_certificate_comes_first(authority: Authority, own: Pair) -> None:
    turned = authority.file.read_text() + own.cert.read_text()
    refused = refusal(turned, read_client_key(text(own.key), None))
    assert refused.field == "client_certificate"
    assert "give the account's own first" in str(refused)


def test_a_certificate_has_its_time(authority: Authority) -> None:
    for pair, words in (
        (authority.issue("late", expired=True), "Client Certificate ended on 20"),
        (authority.issue("early", early=True), "Client Certificate begins on 20"),
    ):
        refused = refusal(pair.cert.read_text(), read_client_key(text(pair.key), None))
        assert refused.field == "client_certificate"
        assert str(refused).startswith(words)
        assert str(refused).endswith(": give one that is valid.") or "by now" in str(refused)


def test_a_certificate_of_the_customers_own_making_is_taken(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, "acme")
    check_client_certificate(
        pair.cert.read_text(), read_client_key(text(pair.key), None), time.time()
    )
