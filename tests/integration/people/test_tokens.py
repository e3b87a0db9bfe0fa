"""Tokens of the API."""

import secrets
from datetime import timedelta

import pytest
from pydantic import SecretStr

from config.errors import TokenError, UnknownAccount
from config.permissions import Principal
from tests.integration.people.desk import Desk


def test_a_token_opens_in_the_name_of_its_account(console: Desk) -> None:
    token_id, secret = console.tokens.create("the wallboard", "acme")
    assert console.tokens.verify(secret) == Principal(f"token:{token_id}", "acme")
    _, providers = console.tokens.create("monitoring", None)
    principal = console.tokens.verify(providers)
    assert principal is not None
    assert principal.is_provider


def test_a_token_is_stored_as_its_sha256_only(console: Desk) -> None:
    token_id, secret = console.tokens.create("x", None)
    stored = console.database["tokens"].find_one({"_id": token_id})
    random_part = secret.get_secret_value().rpartition("_")[2]
    assert random_part not in repr(stored)
    assert random_part not in repr(secret)
    assert stored is not None
    assert len(bytes.fromhex(stored["hash"])) == 32
    assert stored["hash"] not in repr(console.tokens.get(token_id))


def test_what_is_no_token_opens_nothing(console: Desk) -> None:
    token_id, secret = console.tokens.create("x", None)
    text = secret.get_secret_value()
    swapped = text[:-1] + ("A" if text[-1] != "A" else "B")
    other = f"courier_{secrets.token_hex(8)}_{text.rpartition('_')[2]}"
    for wrong in ("", token_id, swapped, other, f"{text}\n", f" {text}", text.upper(), "ä" * 100):
        assert console.tokens.verify(SecretStr(wrong)) is None
    assert console.tokens.get(token_id).last_used_at is None


def test_a_revoked_token_opens_nothing(console: Desk) -> None:
    token_id, secret = console.tokens.create("x", "acme")
    console.tokens.revoke(token_id)
    assert console.tokens.verify(secret) is None
    with pytest.raises(TokenError, match="There is no token"):
        console.tokens.revoke(token_id)
    with pytest.raises(TokenError, match="There is no token"):
        console.tokens.get(token_id)


def test_tokens_are_listed_by_account_oldest_first(console: Desk) -> None:
    console.directory.create("other")
    for name, account in (("third", "acme"), ("first", None), ("second", "other")):
        console.tokens.create(name, account)
    assert [token.name for token in console.tokens.list()] == ["third", "first", "second"]
    assert [token.name for token in console.tokens.list(["acme", "other"])] == ["third", "second"]
    assert [*console.tokens.list([])] == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, "\ud800"])
def test_a_token_needs_a_name_that_can_be_read(console: Desk, name: str) -> None:
    with pytest.raises(TokenError, match=r"^The token's name [^\n]+\.$"):
        console.tokens.create(name, None)
    with pytest.raises(UnknownAccount):
        console.tokens.create("x", "unknown")


def test_the_last_use_is_noted_at_most_once_a_minute(console: Desk) -> None:
    token_id, secret = console.tokens.create("x", None)
    console.tokens.verify(secret)
    first = console.tokens.get(token_id).last_used_at
    assert first is not None
    console.tokens.verify(secret)
    assert console.tokens.get(token_id).last_used_at == first
    earlier = first - timedelta(seconds=61)
    console.database["tokens"].update_one({}, {"$set": {"last_used_at": earlier}})
    console.tokens.verify(secret)
    later = console.tokens.get(token_id).last_used_at
    assert later is not None
    assert later >= first
