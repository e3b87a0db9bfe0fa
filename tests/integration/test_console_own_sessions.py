"""The list of one's own sessions, and signing out of one or of all."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.integration.console import Browser, Console, serving
from tests.integration.platform import MakeCourier
from worker.console.access import SESSION_COOKIE

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("anna", "acme")
        console.user("bert", "acme")
        yield console


def is_signed_in(client: httpx.Client) -> bool:
    return client.get("/accounts/acme").status_code == 200


def handles(browser: Browser) -> list[str]:
    """What the page's forms name of the other sessions."""
    parts = browser.get("/sessions").text.split('name="session" value="')[1:]
    return [part.split('"')[0] for part in parts]


def test_the_list_tells_since_when_from_where_and_with_which_browser(console: Console) -> None:
    browser = console.browser("anna")
    browser.headers["User-Agent"] = FIREFOX
    console.services.sessions.begin(console.services.users.get("anna"), "192.0.2.7", "Edge on X")
    console.browser("bert")

    text = browser.get("/sessions").text

    assert text.count('<li class="row">') == 2
    assert "192.0.2.7" in text
    assert "Edge on X" in text
    assert "127.0.0.1" in text
    assert text.count("this one") == 1
    assert "<time" in text


def test_nothing_on_the_page_opens_a_session(console: Console) -> None:
    browser, other = console.browser("anna"), console.browser("anna")
    text = browser.get("/sessions").text

    for each in (browser, other):
        session = console.services.sessions.read(each.cookies[SESSION_COOKIE])
        assert session is not None
        assert session.session_id not in text
        assert each.cookies[SESSION_COOKIE] not in text


def test_one_session_is_signed_out_and_the_others_stay(console: Console) -> None:
    browser, lost = console.browser("anna"), console.browser("anna")
    [handle] = handles(browser)

    assert "signed out" in browser.notice("/sessions", do="end", session=handle)

    assert is_signed_in(browser)
    assert not is_signed_in(lost)
    assert "ended already" in browser.notice("/sessions", do="end", session=handle)


def test_nobody_signs_another_user_out(console: Console) -> None:
    anna, bert = console.browser("anna"), console.browser("bert")
    console.browser("anna")
    [handle] = handles(anna)

    assert "ended already" in bert.notice("/sessions", do="end", session=handle)

    assert len(handles(anna)) == 1


def test_signing_out_everywhere_ends_this_one_too(console: Console) -> None:
    browser, elsewhere, other = (console.browser(each) for each in ("anna", "anna", "bert"))

    answer = browser.send_form("/sessions", do="everywhere")

    assert answer.headers["location"] == "/sign-in"
    assert not is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    assert is_signed_in(other)
    assert "sessions.ended" in console.actions("acme")


def test_a_sign_in_ends_the_session_that_the_browser_had_before(console: Console) -> None:
    browser = console.browser("anna")
    thief = console.nobody()
    thief.cookies.set(SESSION_COOKIE, browser.cookies[SESSION_COOKIE])

    form = {"login": "bert", "password": "correct horse battery"}
    assert browser.post("/sign-in", data=form).status_code == 303

    assert not is_signed_in(thief)


def test_sessions_begun_by_an_earlier_version_are_listed(console: Console) -> None:
    browser = console.browser("anna")
    console.platform.core.database["sessions"].update_many(
        {}, {"$unset": {"address": "", "browser": ""}}
    )

    assert "not noted" in browser.get("/sessions").text


def test_an_administrator_signs_a_user_out_by_page_and_api(console: Console) -> None:
    anna, bert = console.browser("anna"), console.browser("bert")
    program = console.program("acme")
    [listed] = program.get("/users/bert/sessions").json()
    assert (listed["address"], set(listed)) == (
        "127.0.0.1",
        {"address", "browser", "began_at", "used_at"},
    )

    assert "have ended" in anna.notice("/accounts/acme/people", do="sign-out", login="bert")
    assert not is_signed_in(bert)
    again = console.browser("bert")
    assert program.delete("/users/bert/sessions").status_code == 204
    assert not is_signed_in(again)
    assert is_signed_in(anna)


@pytest.mark.parametrize("how", ["password", "factor", "disabled", "removed", "account"])
def test_what_an_administrator_takes_away_ends_the_open_sessions(
    console: Console, how: str
) -> None:
    """Also what such a session has begun asks whether it is still open."""
    browser = console.browser("anna")
    session = console.services.sessions.read(browser.cookies[SESSION_COOKIE])
    assert session is not None
    provider, users = console.program(None), console.services.users
    take_away: dict[str, Callable[[], object]] = {
        "password": lambda: provider.post("/users/anna/reset"),
        "factor": lambda: provider.delete("/users/anna/second-factor"),
        "disabled": lambda: provider.patch("/users/anna", json={"disabled": True}),
        "removed": lambda: provider.delete("/users/anna"),
        "account": lambda: users.remove_of("acme"),
    }
    if how == "factor":
        factor = {"secret": "", "since": datetime.now(UTC), "step": 0, "recovery": []}
        users._users.update_one({"_id": "anna"}, {"$set": {"factor": factor}})

    take_away[how]()

    assert not console.services.sessions.is_open(session.session_id)
    assert console.services.sessions.of("anna") == []


def test_an_administrators_new_role_ends_no_session(console: Console) -> None:
    browser = console.browser("anna")
    console.program(None).patch("/users/anna", json={"read_only": True})
    assert is_signed_in(browser)
