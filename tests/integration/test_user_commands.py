"""`courier users role|sessions|sign-out|reset-factor|disable|enable`, and what the lists tell."""

import json
from collections.abc import Iterator

import pyotp
import pytest

from tests.integration.console import Console, commands_reach, serving
from tests.integration.platform import MakeCourier
from tests.integration.second_factor import set_up
from tests.integration.test_console_commands import courier, refused


@pytest.fixture
def console(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    platform = make_courier()
    commands_reach(platform, monkeypatch)
    platform.core.directory.create("acme", ftp_access=True)
    with serving(platform) as console:
        console.user("anna", "acme")
        yield console


def test_a_user_is_made_that_may_only_look_and_let_change_things_later(console: Console) -> None:
    courier("users", "create", "reader", "--account", "acme", "--read-only", "--generate")
    [reader] = [
        each for each in json.loads(courier("users", "list", "--json")) if each["read_only"]
    ]
    assert reader["login"] == "reader"
    assert "read-only" in courier("users", "list")

    assert "change things" in courier("users", "role", "reader", "full")
    assert not console.services.users.get("reader").read_only
    assert "change nothing" in courier("users", "role", "reader", "read-only")
    assert console.services.users.get("reader").read_only
    assert console.actions("acme")[:3] == ["user.role-set", "user.role-set", "user.created"]
    assert "There is no user" in refused("users", "role", "nobody", "full")


def test_the_sessions_of_a_user_are_listed_and_ended(console: Console) -> None:
    browser = console.browser("anna")
    [session] = json.loads(courier("users", "sessions", "anna", "--json"))
    assert session["address"] == "127.0.0.1"
    assert "127.0.0.1" in courier("users", "sessions", "anna")

    assert "have ended" in courier("users", "sign-out", "anna")

    assert browser.get("/accounts/acme").status_code == 303
    assert json.loads(courier("users", "sessions", "anna", "--json")) == []
    assert "sessions.ended" in console.actions("acme")


def test_the_second_factor_of_a_user_who_has_lost_it_is_reset(console: Console) -> None:
    secret, _ = set_up(console)
    assert pyotp.TOTP(secret).now() not in courier("users", "list")

    assert "was forgotten" in courier("users", "reset-factor", "anna")

    assert console.browser("anna").get("/accounts/acme").status_code == 200
    assert "nothing to reset" in refused("users", "reset-factor", "anna")
    assert console.actions("acme")[0] == "factor.reset"


def test_a_user_is_locked_out_and_let_in_again(console: Console) -> None:
    browser = console.browser("anna")

    assert "was disabled" in courier("users", "disable", "ANNA")
    assert browser.get("/accounts/acme").status_code == 303
    assert console.services.users.get("anna").disabled

    assert "was enabled" in courier("users", "enable", "anna")
    assert console.browser("anna").get("/accounts/acme").status_code == 200
    assert [each for each in console.actions("acme") if each.startswith("user.")][:2] == [
        "user.enabled",
        "user.disabled",
    ]
    for command in ("disable", "enable"):
        assert "There is no user" in refused("users", command, "nobody")


def test_a_change_of_keys_covers_second_factors(console: Console) -> None:
    set_up(console)

    assert "0 unreadable" in courier("secrets", "rotate")
