"""The second factor: set up, changed, lost and reset, with its keys."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.factors import RECOVERY_CODES, Factors
from config.secrets import Vault
from tests.integration.console import PASSWORD, Browser, Console
from tests.integration.platform import MakeCourier
from tests.integration.second_factor import (
    PAGE,
    begun,
    code,
    codes_of,
    enter,
    entries,
    halfway,
    is_signed_in,
    let_time_pass,
    rotated,
    served,
    set_up,
)
from worker.console.access import SESSION_COOKIE


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with served(make_courier()) as console:
        yield console


# --- setting it up --------------------------------------------------------------------------------


def test_it_is_set_up_with_the_password_and_a_code_and_other_sessions_end(
    console: Console,
) -> None:
    browser, elsewhere = console.browser("anna"), console.browser("anna")
    before = browser.cookies[SESSION_COOKIE]
    secret = begun(browser)

    page = browser.send_form(PAGE, do="enable", code=code(secret))

    assert len(set(codes_of(page))) == RECOVERY_CODES
    assert is_signed_in(browser)
    assert browser.cookies[SESSION_COOKIE] != before
    assert not is_signed_in(elsewhere)
    thief = console.nobody()
    thief.cookies.set(SESSION_COOKIE, before)
    assert not is_signed_in(thief)
    [entry] = entries(console, "factor.enabled")
    assert (entry.actor, entry.target) == ("anna", "anna")


@pytest.mark.parametrize("given", ["", "guess"])
def test_a_session_that_was_left_open_does_not_set_it_up(console: Console, given: str) -> None:
    browser = console.browser("anna")

    answer = browser.send_form(PAGE, do="begin", current=given)

    assert answer.status_code == 422
    assert "<svg" not in answer.text
    assert not console.services.users.get("anna").has_factor


@pytest.mark.parametrize("given", ["", "000000", "12345", "١٢٣٤٥٦", "x" * 10_000])
def test_what_is_no_code_switches_nothing_on_and_the_picture_stays(
    console: Console, given: str
) -> None:
    browser = console.browser("anna")
    secret = begun(browser)

    answer = browser.send_form(PAGE, do="enable", code=given)

    assert answer.status_code == 422
    assert "<svg" in answer.text
    assert browser.send_form(PAGE, do="enable", code=code(secret)).status_code == 200


def test_a_set_up_that_was_left_alone_is_over(console: Console) -> None:
    browser = console.browser("anna")
    secret = begun(browser)
    console.platform.core.database["users"].update_one(
        {"_id": "anna"}, [{"$set": {"new_factor.at": {"$subtract": ["$$NOW", 3_600_000]}}}]
    )

    answer = browser.send_form(PAGE, do="enable", code=code(secret))

    assert answer.status_code == 409
    assert "begin again" in answer.text
    assert not console.services.users.get("anna").has_factor


def test_nothing_that_opens_is_stored_or_noted_in_clear(console: Console) -> None:
    secret, codes = set_up(console)
    database = console.platform.core.database
    kept = repr([list(database[name].find()) for name in database.list_collection_names()])

    assert secret not in kept
    for each in codes:
        assert each not in kept
        assert each.replace("-", "") not in kept
    assert secret not in console.browser("admin").get("/people").text


# --- changing it ----------------------------------------------------------------------------------


def signed_in(console: Console, secret: str) -> Browser:
    """A browser that has signed in with a code."""
    browser = console.unused_browser()
    browser.post("/sign-in", data={"login": "anna", "password": PASSWORD})
    csrf = browser.get("/sign-in/code").text.split('name="csrf" value="')[1].split('"')[0]
    assert enter(browser, csrf, code(secret)).status_code == 303
    rotated(console, browser)
    let_time_pass(console)
    return browser


def test_new_recovery_codes_take_a_code_and_end_the_old_ones(console: Console) -> None:
    secret, old = set_up(console)
    browser = signed_in(console, secret)
    assert browser.send_form(PAGE, do="renew", code="000000").status_code == 422
    page = browser.send_form(PAGE, do="renew", code=code(secret))

    new = codes_of(page)
    assert not set(old) & set(new)
    assert enter(*halfway(console), old[0]).status_code == 422
    assert enter(*halfway(console), new[0]).status_code == 303


def test_it_is_switched_off_with_a_code_alone(console: Console) -> None:
    secret, _ = set_up(console)
    browser = signed_in(console, secret)
    assert browser.send_form(PAGE, do="disable", code="000000").status_code == 422
    assert console.services.users.get("anna").has_factor

    assert browser.send_form(PAGE, do="disable", code=code(secret)).status_code == 303

    assert is_signed_in(browser)
    assert is_signed_in(console.browser("anna"))
    assert entries(console, "factor.disabled")


@pytest.mark.parametrize("way", ["page", "api"])
def test_an_operator_resets_it_for_another_and_that_is_noted(console: Console, way: str) -> None:
    secret, _ = set_up(console)
    client, csrf = halfway(console)
    assert enter(client, csrf, code(secret)).status_code == 303
    if way == "page":
        reset = {"do": "reset-factor", "login": "anna", "current": PASSWORD}
        words = console.browser("admin").notice("/people", **reset)
        assert "not one of this account" in words
        page = "/accounts/acme/people"
        assert "forgotten" in console.browser("admin").notice(page, **reset)
    else:
        assert console.program(None).delete("/users/anna/second-factor").status_code == 204
        assert console.program(None).delete("/users/anna/second-factor").status_code == 409

    assert not is_signed_in(client)
    assert is_signed_in(console.browser("anna"))
    [entry] = entries(console, "factor.reset")
    assert (entry.target, entry.account_id) == ("anna", "acme")
    assert entry.actor == "admin" if way == "page" else entry.actor.startswith("token:")


def test_nobody_resets_the_own_one_by_the_page_for_others(console: Console) -> None:
    secret, _ = set_up(console)
    browser = signed_in(console, secret)
    for do in ("reset-factor", "reset", "sign-out"):
        words = browser.notice("/accounts/acme/people", do=do, login="anna", current=PASSWORD)
        assert "under your name" in words

    assert console.services.users.get("anna").has_factor


# --- the keys -------------------------------------------------------------------------------------


def test_the_secret_is_encrypted_anew_with_a_new_key(console: Console) -> None:
    secret, _ = set_up(console)
    database = console.platform.core.database
    [old] = console.platform.core.settings.secret_keys
    new = SecretStr(Fernet.generate_key().decode())

    assert Factors(database, Vault([new, old])).rotate(Vault([new, old])).rotated == 1

    assert Factors(database, Vault([new])).accept("anna", code(secret)) is not None
    lost = Factors(database, Vault([old])).rotate(Vault([old]))
    assert lost.unreadable == ("anna",)


def test_where_the_keys_do_not_read_it_a_recovery_code_still_signs_in(console: Console) -> None:
    _, codes = set_up(console)
    console.platform.core.database["users"].update_one(
        {"_id": "anna"}, {"$set": {"factor.secret": "gAAAAA"}}
    )
    client, csrf = halfway(console)

    answer = enter(client, csrf, "123456")
    assert answer.status_code == 503
    assert "recovery code" in answer.text
    assert enter(client, csrf, codes[0]).status_code == 303
