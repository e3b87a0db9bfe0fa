"""A user who may only look: it sees all that its account sees, and changes nothing by any way."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from config.accounts import DeliveryMethod, FtpSettings, Protocol
from config.numbers import Number
from tests.integration.console import PASSWORD, Console, serving
from tests.integration.platform import MakeCourier
from tests.integration.test_console_access import (
    access_of,
    bodies,
    requests,
    routes,
)
from worker.console.access import ApiAccess, PageAccess, Right
from worker.show import DELIVERY_FIELDS

FORMS = re.compile(r"<form\b[^>]*>", re.IGNORECASE)
BOXES_OF_ROWS = re.compile(r'<input[^>]*type="checkbox"[^>]*name="(?:account:|pick)')
OWN = {"/sign-out", "/password", "/second-factor", "/sessions", "/language"}


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    courier.core.directory.create("acme.sub", parent="acme", ftp_access=True)
    with serving(courier) as console:
        console.user("acme.admin", "acme")
        console.user("reader", "acme", read_only=True)
        console.user("auditor", None, read_only=True)
        yield console


def token_of(console: Console, login: str) -> httpx.Client:
    """A token that the user has made."""
    made = console.services.tokens.create("hers", "acme", creator=login)[1]
    return console.bearer(made.get_secret_value())


def dead_letter(console: Console) -> None:
    """One that whoever may change things could replay."""
    nothing = dict.fromkeys((*DELIVERY_FIELDS, "dead_at"))
    row = {"_id": "r1", "account_id": "acme", "status": "dead_lettered", "turn": 0, "tries": 5}
    at = datetime.now(UTC)
    told = {"file_name": "call.wav", "reason": "tries", "created_at": at, "dead_at": at}
    console.platform.core.database["deliveries"].insert_one({**nothing, **row, **told})


@pytest.mark.parametrize("login", ["reader", "auditor"])
def test_no_page_is_changed_by_who_may_only_look(console: Console, login: str) -> None:
    browser, tried = console.browser(login), 0
    for route, method, path in requests(console, "acme"):
        if method == "GET" or not isinstance(access_of(route), PageAccess):
            continue
        answer = browser.request(method, path, data={"do": "pause", "enabled": "on"})
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
        assert "change nothing" in answer.text
        tried += 1

    assert tried >= 10
    assert not console.platform.run_state("acme").paused


def test_no_route_without_a_name_is_a_way_around(console: Console) -> None:
    browser, program = console.browser("auditor"), token_of(console, "reader")
    for route in routes(console):
        access, path = access_of(route), str(route.path)
        if access.right in {Right.PUBLIC, Right.OWN} or "{" in path:
            continue
        for method in sorted(set(route.methods or ()) - {"HEAD", "GET"}):
            is_api = isinstance(access, ApiAccess)
            client = program if is_api else browser
            answer = client.request(method, path.removeprefix("/api/v1") if is_api else path)
            assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"


def test_the_tokens_of_a_user_look_as_long_as_it_may_only_look(console: Console) -> None:
    program = token_of(console, "acme.admin")
    assert program.patch("/accounts/acme", json={"name": "Acme"}).status_code == 200

    console.services.users.set_read_only("acme.admin", read_only=True)

    assert program.get("/accounts/acme").status_code == 200
    for route, method, path in requests(console, "acme"):
        if method != "GET" and isinstance(access_of(route), ApiAccess):
            body = bodies(method, path) or None
            answer = program.request(method, path.removeprefix("/api/v1"), json=body)
            assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
    console.services.users.set_read_only("acme.admin", read_only=False)
    assert program.patch("/accounts/acme", json={"name": "Acme Ltd"}).status_code == 200


@pytest.mark.parametrize("login", ["reader", "auditor"])
def test_every_page_is_seen_and_shows_no_form_that_would_be_refused(
    console: Console, login: str
) -> None:
    directory = console.platform.core.directory
    settings = FtpSettings(protocol=Protocol.FTP, host="ftp.example", username="acme")
    directory.save_settings("acme", settings, SecretStr("not looked at"))
    directory.set_number(Number("+441632960001", "acme", DeliveryMethod.FTP))
    dead_letter(console)
    browser, seen = console.browser(login), 0
    for route in routes(console):
        path = str(route.path).replace("{account_id}", "acme").replace("{login}", "reader")
        access = access_of(route)
        is_page = isinstance(access, PageAccess) and "GET" in (route.methods or ())
        if not is_page or access.right is Right.PUBLIC or "{" in path:
            continue
        answer = browser.get(path, follow_redirects=True)
        if access.right is Right.PROVIDER and login == "reader":
            assert answer.status_code == 403, path
            continue
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        for form in FORMS.findall(answer.text):
            sent_to = re.search(r'action="([^"]*)"', form)
            is_change = 'method="post"' in form.lower() or "hx-post" in form.lower()
            assert not is_change or (sent_to and sent_to[1] in OWN), f"{path} shows {form}"
        assert not BOXES_OF_ROWS.search(answer.text), f"{path} has boxes, and nothing to do"
        assert "-all" not in "".join(re.findall(r"data-(?:select|pick)-all", answer.text)), path
        seen += 1

    assert seen >= 12


def test_its_own_password_and_sessions_are_its_own(console: Console) -> None:
    browser = console.browser("reader")
    other = "another good password"

    answer = browser.send_form("/password", current=PASSWORD, new=other, again=other)

    assert answer.status_code == 303
    assert browser.get("/sessions").status_code == 200


def test_the_role_is_given_and_taken_by_an_administrator_and_noted(console: Console) -> None:
    browser, page = console.browser("acme.admin"), "/accounts/acme/people"
    answer = browser.send_form(page, do="create-user", login="new", role="look", current=PASSWORD)
    assert answer.status_code == 200
    assert console.services.users.get("new").read_only

    assert "change things" in browser.notice(page, do="may-change", login="new")
    assert not console.services.users.get("new").read_only
    assert "change nothing" in browser.notice(page, do="only-look", login="new")
    assert console.services.users.get("new").read_only
    assert "other users" in browser.notice(page, do="only-look", login="acme.admin")
    assert console.actions("acme")[:3] == ["user.role-set", "user.role-set", "user.created"]


def test_the_api_tells_and_sets_the_role(console: Console) -> None:
    program = console.program("acme")
    made = program.post("/users", json={"login": "x", "account_id": "acme.sub", "read_only": True})
    assert made.json()["read_only"] is True

    changed: dict[str, Any] = program.patch("/users/x", json={"read_only": False}).json()

    assert (changed["read_only"], changed["disabled"]) == (False, False)
    nothing = program.patch("/users/x", json={})
    assert nothing.status_code == 422
    assert "must name what to change" in nothing.json()["error"]["message"]


def test_a_change_of_the_role_holds_for_a_session_that_is_open(console: Console) -> None:
    browser = console.browser("acme.admin")

    console.services.users.set_read_only("acme.admin", read_only=True)

    assert browser.get("/accounts/acme").status_code == 200
    assert browser.send_form("/accounts/acme/state", do="pause").status_code == 403


def test_a_user_stored_by_an_earlier_version_may_change_things(console: Console) -> None:
    console.platform.core.database["users"].update_many(
        {}, {"$unset": {"read_only": "", "factor": ""}}
    )

    user = console.services.users.get("acme.admin")

    assert (user.read_only, user.has_factor) == (False, False)
    console.browser("acme.admin").send_form("/accounts/acme/state", do="pause")
    assert console.platform.run_state("acme").paused
