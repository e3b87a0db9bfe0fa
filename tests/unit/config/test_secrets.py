"""Stored credentials: encrypted, rotated, never shown."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.errors import SecretError, UnreadableSecret
from config.secrets import Vault

OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
PASSWORD = SecretStr("hunter2")


@given(st.text())
def test_a_secret_comes_back_as_it_was(text: str) -> None:
    vault = Vault([NEW])
    assert vault.decrypt(vault.encrypt(SecretStr(text))).get_secret_value() == text


def test_a_token_does_not_show_the_secret_nor_that_two_are_the_same() -> None:
    vault = Vault([NEW])
    first, second = vault.encrypt(PASSWORD), vault.encrypt(PASSWORD)
    assert "hunter2" not in first
    assert first != second


def test_what_was_stored_with_an_older_key_can_still_be_read() -> None:
    token = Vault([OLD]).encrypt(PASSWORD)
    assert Vault([NEW, OLD]).decrypt(token) == PASSWORD


def test_the_first_key_encrypts() -> None:
    token = Vault([NEW, OLD]).encrypt(PASSWORD)
    assert Vault([NEW]).decrypt(token) == PASSWORD
    with pytest.raises(SecretError):
        Vault([OLD]).decrypt(token)


@pytest.mark.parametrize("token", ["", "x", "ä", "gAAAAA=="])
def test_a_token_of_no_known_key_says_what_to_do(token: str) -> None:
    with pytest.raises(SecretError, match=r"add the key it was stored with") as caught:
        Vault([NEW]).decrypt(token)
    assert caught.value.__suppress_context__


def test_without_a_key_nothing_is_stored_or_read() -> None:
    with pytest.raises(SecretError, match="COURIER_SECRET_KEYS is not set"):
        Vault([]).encrypt(PASSWORD)
    with pytest.raises(SecretError, match="COURIER_SECRET_KEYS is not set"):
        Vault([]).decrypt("x")


def test_a_vault_does_not_show_its_keys() -> None:
    assert NEW.get_secret_value() not in repr(vars(Vault([NEW])))


def test_a_token_is_rotated_to_the_first_key() -> None:
    vault = Vault([NEW, OLD])
    token = Vault([OLD]).encrypt(PASSWORD)
    assert not vault.is_current(token)
    rotated = vault.rotate(token)
    assert vault.is_current(rotated)
    assert Vault([NEW]).decrypt(rotated) == PASSWORD


def test_what_no_key_can_read_cannot_be_rotated() -> None:
    token = Vault([OLD]).encrypt(PASSWORD)
    assert not Vault([NEW]).is_current(token)
    with pytest.raises(UnreadableSecret, match="add the key it was stored with"):
        Vault([NEW]).rotate(token)


def test_without_a_key_nothing_is_rotated() -> None:
    with pytest.raises(SecretError, match="COURIER_SECRET_KEYS is not set"):
        Vault([]).rotate("x")
    with pytest.raises(SecretError, match="COURIER_SECRET_KEYS is not set"):
        Vault([]).is_current("x")
