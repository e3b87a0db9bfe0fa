"""The console's passwords: rules and hashes."""

import secrets

import pytest
from argon2 import PasswordHasher, extract_parameters
from pydantic import SecretStr

from config.errors import UserError
from config.passwords import (
    check_new_password,
    generate_password,
    hash_password,
    is_outdated,
    is_password,
)


def test_a_generated_password_keeps_the_rules_and_is_never_the_same() -> None:
    first, second = generate_password(), generate_password()
    assert check_new_password(first, "anna") == first
    assert first != second


@pytest.mark.parametrize("length", [12, 1024])
def test_length_is_all_that_is_asked(length: int) -> None:
    check_new_password(SecretStr(("ab" * 512)[:length]), "anna")


@pytest.mark.parametrize("length", [0, 1, 11, 1025, 100_000])
def test_a_password_too_short_or_too_long_is_refused_without_repeating_it(length: int) -> None:
    weak = secrets.token_urlsafe(length)[:length]
    with pytest.raises(UserError, match="12 to 1024 characters") as caught:
        check_new_password(SecretStr(weak), "anna")
    assert not weak or length < 3 or weak not in str(caught.value)


@pytest.mark.parametrize("weak", ["anna@customer.example", "ANNA@customer.example", "a" * 12])
def test_a_password_that_everybody_guesses_is_refused(weak: str) -> None:
    with pytest.raises(UserError, match="neither the login nor"):
        check_new_password(SecretStr(weak), "anna@customer.example")


def test_a_password_that_is_no_text_is_refused() -> None:
    with pytest.raises(UserError, match="Unicode"):
        check_new_password(SecretStr("abcdefghijkl\ud800"), "anna")


def test_a_hash_knows_its_password_and_no_other() -> None:
    password = generate_password()
    stored = hash_password(password)
    assert is_password(stored, password)
    assert not is_password(stored, generate_password())
    assert not is_password(stored, SecretStr(""))
    assert not is_password(stored, SecretStr("\ud800"))
    assert password.get_secret_value() not in stored
    assert hash_password(password) != stored


def test_without_a_hash_no_password_is_right() -> None:
    for guess in ("", "\0" * 16, "AAAAAAAAAAAAAAAA"):
        assert not is_password(None, SecretStr(guess))
    assert not is_password("", generate_password())
    assert not is_password("no hash", generate_password())


def test_the_parameters_are_those_that_owasp_names() -> None:
    found = extract_parameters(hash_password(generate_password()))
    assert found.type.name == "ID"
    assert (found.memory_cost, found.time_cost, found.parallelism) == (19 * 1024, 2, 1)


def test_a_hash_of_other_parameters_is_outdated() -> None:
    assert not is_outdated(hash_password(generate_password()))
    assert is_outdated(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("x" * 12))
