"""Sessions end at the server; who signs in, fails to and signs out stands in the audit."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from config.audit import Entry
from config.sessions import IDLE_SECONDS, SESSION_SECONDS
from config.signins import BY_LOGIN
from deploy.local.customers import AsyncSshServer
from tests.integration.console import LIMIT, PASSWORD, Console, lengthen_waits, serving
from tests.integration.platform import MakeCourier, until
from worker import ftp_settings
from worker.console import limits
from worker.console.access import SESSION_COOKIE

OTHER = "another good password"


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    for account_id in ("acme", "other"):
        courier.core.directory.create(account_id, ftp_access=True)
    with serving(courier) as console:
        console.user("anna", "acme")
        yield console


def sign_in(client: httpx.Client, login: str = "anna", password: str = PASSWORD) -> httpx.Response:
    return client.post("/sign-in", data={"login": login, "password": password})


def entries(console: Console, action: str) -> list[Entry]:
    return [each for each in console.services.audit.list(None, 100) if each.action == action]


def age(console: Console, name: str, seconds: float) -> None:
    """Let the sessions' moment of this name be so much longer ago."""
    console.platform.core.database["sessions"].update_many(
        {}, [{"$set": {name: {"$subtract": [f"${name}", round(seconds * 1000)]}}}]
    )


def is_signed_in(client: httpx.Client, **headers: str) -> bool:
    return client.get("/accounts/acme", headers=headers).status_code == 200


# --- the end of a session -----------------------------------------------------------------------


def test_a_copied_cookie_is_dead_after_the_sign_out(console: Console) -> None:
    browser = console.browser("anna")
    thief = console.nobody()
    thief.cookies.set(SESSION_COOKIE, browser.cookies[SESSION_COOKIE])
    assert is_signed_in(thief)

    browser.send_form("/sign-out")

    assert not is_signed_in(thief)
    assert is_signed_in(console.browser("anna"))


def test_a_session_that_is_left_alone_ends(console: Console) -> None:
    browser = console.browser("anna")
    age(console, "used", IDLE_SECONDS / 2)
    assert is_signed_in(browser)
    age(console, "used", IDLE_SECONDS / 2 + 60)
    assert is_signed_in(browser), "it was used meanwhile"

    age(console, "used", IDLE_SECONDS + 1)

    assert not is_signed_in(browser)


def test_a_page_that_refreshes_itself_keeps_no_session_open(console: Console) -> None:
    browser = console.browser("anna")
    refresh = {"HX-Request": "true"}
    age(console, "used", IDLE_SECONDS / 2)
    assert is_signed_in(browser, **refresh)

    age(console, "used", IDLE_SECONDS / 2 + 1)

    assert not is_signed_in(browser, **refresh)


def test_no_session_is_longer_than_a_day_of_work(console: Console) -> None:
    browser = console.browser("anna")

    age(console, "began", SESSION_SECONDS + 1)

    assert not is_signed_in(browser)


# --- the own password ---------------------------------------------------------------------------


def test_whoever_changes_the_own_password_stays_and_the_other_sessions_end(
    console: Console,
) -> None:
    browser, elsewhere = console.browser("anna"), console.browser("anna")
    assert "Your password" in browser.get("/password").text

    form = {"current": PASSWORD, "new": OTHER, "again": OTHER}
    answer = browser.send_form("/password", **form)

    assert answer.status_code == 303
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    assert sign_in(console.nobody()).status_code == 422
    assert sign_in(console.nobody(), password=OTHER).status_code == 303
    [entry] = entries(console, "password.changed")
    assert (entry.actor, entry.account_id) == ("anna", "acme")
    assert OTHER not in repr(entry)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"current": "wrong", "new": OTHER, "again": OTHER}, "is not right"),
        ({"current": PASSWORD, "new": OTHER, "again": "something else"}, "the same twice"),
        ({"current": PASSWORD, "new": "short", "again": "short"}, "12 to 1024"),
        ({}, "is not right"),
    ],
)
def test_a_password_is_changed_by_who_knows_it_and_to_a_good_one(
    console: Console, form: dict[str, str], words: str
) -> None:
    browser = console.browser("anna")

    answer = browser.send_form("/password", **form)

    assert answer.status_code == 422
    assert words in answer.text
    assert is_signed_in(browser)
    assert sign_in(console.nobody()).status_code == 303


def test_the_own_password_is_no_way_around_the_limit_of_tries(console: Console) -> None:
    browser = console.browser("anna")
    form = {"current": "guess", "new": OTHER, "again": OTHER}
    codes = [browser.send_form("/password", **form).status_code for _ in range(BY_LOGIN.free)]
    lengthen_waits(console.platform.core.database)

    assert set(codes) == {422}
    assert browser.send_form("/password", **form).status_code == 429


# --- the limit of tries -------------------------------------------------------------------------


def test_who_guesses_elsewhere_does_not_lock_the_owner_out(console: Console) -> None:
    owner = console.browser("anna")
    owner.send_form("/sign-out")
    guesser = console.nobody()
    while sign_in(guesser, password="guess").status_code != 429:
        pass
    lengthen_waits(console.platform.core.database)

    assert sign_in(console.nobody()).status_code == 429
    assert sign_in(owner).status_code == 303


def test_a_known_browser_may_not_guess_without_end_either(console: Console) -> None:
    browser = console.browser("anna")
    console.user("bert", "acme")
    for _ in range(BY_LOGIN.free):
        assert sign_in(browser, password="guess").status_code == 422
    lengthen_waits(console.platform.core.database)

    assert sign_in(browser).status_code == 429
    assert sign_in(browser, "bert").status_code == 303, "it is known for anna alone"


# --- the audit ----------------------------------------------------------------------------------


def test_sign_ins_and_sign_outs_stand_in_the_audit_with_their_address(console: Console) -> None:
    console.browser("anna").send_form("/sign-out")

    [began], [ended] = entries(console, "session.begun"), entries(console, "session.ended")
    assert (began.actor, began.account_id) == (ended.actor, ended.account_id) == ("anna", "acme")
    assert began.after == {"times": 1, "addresses": ["127.0.0.1"]}
    assert ended.after == {"address": "127.0.0.1"}


def test_who_guesses_the_password_in_a_session_that_was_left_open_stands_in_the_audit(
    console: Console,
) -> None:
    browser = console.browser("anna")
    browser.send_form("/password", current="guess", new=OTHER, again=OTHER)

    [failed] = entries(console, "sign-in.failed")
    assert (failed.target, failed.account_id) == ("anna", "acme")


def test_a_flood_of_failures_is_one_entry_with_its_count(console: Console) -> None:
    client = console.nobody()
    for number in range(4):
        sign_in(client, password="guess")
        sign_in(client, f"nobody-{number}", "my secret")

    known, unknown = sorted(
        entries(console, "sign-in.failed"),
        key=lambda each: each.after["times"] if each.target else 99,
    )
    assert (known.target, known.account_id, known.after["times"]) == ("anna", "acme", 4)
    assert (unknown.target, unknown.account_id, unknown.after["times"]) == (None, None, 4)
    assert unknown.after["addresses"] == ["127.0.0.1"]
    kept = repr([*console.platform.core.database["audit"].find()])
    assert "guess" not in kept
    assert "secret" not in kept
    assert "nobody-" not in kept


def test_what_an_account_may_see_of_the_audit_holds_its_own_sign_ins(console: Console) -> None:
    console.user("olga", "other")
    sign_in(console.nobody(), "olga", "guess")
    browser = console.browser("anna")

    text = browser.get("/accounts/acme/audit").text
    assert "<strong>anna</strong> signed in" in text
    assert "olga" not in text


# --- logins of others ---------------------------------------------------------------------------


def test_nobody_is_told_of_whom_a_taken_login_is(console: Console) -> None:
    console.user("olga", "other")
    program = console.program("acme")
    console.platform.core.directory.create("acme.sub", parent="acme")

    def refused(login: str) -> dict[str, Any]:
        answer = program.post("/users", json={"login": login, "account_id": "acme.sub"})
        assert answer.status_code == 409
        error: dict[str, Any] = answer.json()["error"]
        return {**error, "message": error["message"].replace(login, "X")}

    assert refused("olga") == refused("anna")
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/reset"), ("DELETE", "")):
        body = {"disabled": True} if method == "PATCH" else None
        answers = [
            program.request(method, f"/users/{login}{path}", json=body)
            for login in ("olga", "nobody")
        ]
        assert [each.status_code for each in answers] == [404, 404]
        assert answers[0].text == answers[1].text
    page, browser = "/accounts/acme/people", console.browser("anna")
    for do in ("remove", "reset", "disable"):
        notices = [
            browser.notice(page, do=do, login=login, current=PASSWORD)
            for login in ("olga", "nobody")
        ]
        assert notices[0] == notices[1]


def test_who_asks_again_and_again_which_logins_are_taken_has_to_wait(console: Console) -> None:
    console.user("olga", "other")
    program = console.program("acme")
    console.platform.core.directory.create("acme.sub", parent="acme")

    def create(login: str) -> httpx.Response:
        return program.post("/users", json={"login": login, "account_id": "acme.sub"})

    for _ in range(limits.TAKEN_LOGINS.burst):
        assert create("olga").status_code == 409
    waits = create("olga")
    assert waits.status_code == 429
    assert int(waits.headers["retry-after"]) > 0
    assert create("free").status_code == 429


# --- a right that ends --------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["permission", "sign-out", "removed", "disabled"])
def test_a_test_whose_right_ends_meanwhile_saves_nothing(
    console: Console, asyncssh_server: AsyncSshServer, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    browser, customer = console.browser("anna"), asyncssh_server.customer
    tested, may_go_on = threading.Event(), threading.Event()
    run_test = ftp_settings.run_test

    def held(*arguments: Any) -> Any:
        report = run_test(*arguments)
        tested.set()
        assert may_go_on.wait(LIMIT)
        return report

    monkeypatch.setattr(ftp_settings, "run_test", held)
    fields = {
        "enabled": "on",
        "protocol": "sftp",
        "logon_type": "normal",
        "host": customer.host,
        "port": str(customer.port),
        "username": customer.username,
        "password": customer.password,
        "path": ".",
    }
    begun = browser.post(
        "/accounts/acme/ftp", data={**fields, "csrf": browser.csrf}, headers={"HX-Request": "true"}
    )
    run_id = begun.text.split("/ftp/tests/")[1].split('"', maxsplit=1)[0]
    assert tested.wait(LIMIT), begun.text
    if ends == "permission":
        console.platform.core.directory.set_ftp_access("acme", granted=False)
    elif ends == "sign-out":
        browser.send_form("/sign-out")
    elif ends == "removed":
        console.services.users.remove("anna")
    else:
        console.services.users.set_disabled("anna", disabled=True)
    may_go_on.set()

    run = console.services.validations.find("acme", run_id)
    assert run is not None
    assert run.ended.wait(LIMIT)
    assert run.problem is not None
    assert "may not change these settings any more" in run.problem
    assert console.settings("acme") is None
    assert "settings.saved" not in console.actions("acme")


def test_the_password_of_nobody_is_looked_at_by_all_threads(console: Console) -> None:
    """Those who sign in do not take the threads that answer other pages."""
    browser = console.browser("anna")
    gone = threading.Event()

    def guess(number: int) -> None:
        client = console.nobody()
        while not gone.is_set():
            sign_in(client, f"user{number}", "guess")

    threads = [threading.Thread(target=guess, args=(number,), daemon=True) for number in range(20)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: is_signed_in(browser), "a page while many guess")
    finally:
        gone.set()
        for thread in threads:
            thread.join()


def test_users_and_their_sessions_are_of_the_account_they_were_of(console: Console) -> None:
    browser = console.browser("anna")
    console.services.users.remove("anna")
    console.services.users.create("anna", "other", SecretStr(PASSWORD))

    assert not is_signed_in(browser)
