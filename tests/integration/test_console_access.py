"""Every route asks for a right, and nobody reaches another account's things by any of them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts

from config.accounts import DeliveryMethod
from config.numbers import Number
from consumers.ledger.bulk_actions import Decision, Subject, Verb
from tests.integration.console import PASSWORD, Console, serving
from tests.integration.platform import MakeCourier, Platform
from worker.console.access import Access, ApiAccess, PageAccess, Right
from worker.console.app import create_app
from worker.ftp_settings import NOTHING_GIVEN

MINE, THEIRS = "mine", "theirs"
REFUSED = {403, 404}


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    for name in (MINE, THEIRS):
        courier.core.directory.create(name, ftp_access=True)
    courier.core.directory.create("mine.sub", parent=MINE, ftp_access=True)
    with serving(courier) as console:
        for account_id in (MINE, THEIRS, None):
            console.user(f"{account_id or 'provider'}.admin", account_id)
        yield console


def routes(console: Console) -> list[RouteContext]:
    found = iter_route_contexts(create_app(console.services).routes)
    return [route for route in found if not str(route.path).startswith("/static")]


def declared(dependant: Dependant) -> Iterator[Access]:
    """The checks that a route depends on, however deep."""
    for each in dependant.dependencies:
        check: object = each.call
        if isinstance(check, Access):
            yield check
        yield from declared(each)


def access_of(route: RouteContext) -> Access:
    [access] = declared(route.dependant)
    return access


def test_every_route_declares_its_right_at_its_own_door(console: Console) -> None:
    found = routes(console)

    assert len(found) > 50
    for route in found:
        path = str(route.path)
        access = access_of(route)
        is_api = path.startswith("/api/") and access.right is not Right.PUBLIC
        assert isinstance(access, ApiAccess if is_api else PageAccess), path


def test_only_the_sign_in_the_guides_and_the_description_are_public(console: Console) -> None:
    public = {
        str(route.path) for route in routes(console) if access_of(route).right is Right.PUBLIC
    }

    assert public == {
        "/sign-in",
        "/sign-in/code",
        "/forgotten-password",
        "/new-password",
        "/alert-mail",
        "/help",
        "/help/api",
        "/api/v1/openapi.json",
    }


def test_what_a_path_names_is_what_is_checked(console: Console) -> None:
    for route in routes(console):
        access = access_of(route)
        if access.right in {Right.PUBLIC, Right.SIGNED_IN, Right.OWN}:
            assert "{" not in str(route.path), f"{route.path} names something and checks nothing"


def requests(console: Console, account_id: str) -> Iterator[tuple[RouteContext, str, str]]:
    """Every route that names something, with the things of the account."""
    token_id, _ = console.services.tokens.create("theirs", account_id)
    number = Number("+441632960001", account_id, DeliveryMethod.FTP)
    console.platform.core.directory.set_number(number)
    recording_id = recording_of(console.platform, account_id)
    values = {
        "account_id": account_id,
        "login": f"{account_id}.admin",
        "token_id": token_id,
        "number:path": number.number,
        "recording_id:path": recording_id,
        "action_id": bulk_action_of(console, account_id),
        "run_id": console.services.validations.start(
            console.services.users.get(f"{account_id}.admin").principal,
            account_id,
            {"protocol": "sftp", "host": "127.0.0.1", "port": 9, "username": "x"},
            NOTHING_GIVEN,
        ).run_id,
    }
    for route in routes(console):
        path = str(route.path)
        if "{" not in path:
            continue
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, f"the test knows no value for {path}"
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            yield route, method, path


def recording_of(platform: Platform, account_id: str) -> str:
    platform.core.database["deliveries"].insert_one(
        {
            "_id": f"recording-of-{account_id}",
            "account_id": account_id,
            "status": "dead_lettered",
            "turn": 0,
        }
    )
    return f"recording-of-{account_id}"


def bulk_action_of(console: Console, account_id: str) -> str:
    decision = Decision(Subject.DEAD_LETTERS, Verb.REPLAY, account_id, "somebody", {}, 1)
    actions = console.services.ledger.bulk_actions
    return actions.begin(f"bulk-action-of-{account_id}", decision).action_id


def bodies(method: str, path: str) -> dict[str, Any]:
    """A body that would be taken, so that it is the right that refuses."""
    if method == "PUT" and path.endswith("/settings"):
        return {"protocol": "ftp", "host": "h.example", "username": "u", "password": "p"}
    if method == "PUT" and "/numbers/" in path:
        return {"method": "ftp"}
    if method == "PATCH":
        return {"disabled": True} if "/users/" in path else {"name": "Taken over"}
    return {}


def test_no_route_gives_a_user_another_accounts_things(console: Console) -> None:
    browser, program = console.browser("mine.admin"), console.program(MINE)
    before = console.platform.core.directory.get(THEIRS)
    tried = 0
    for route, method, path in requests(console, THEIRS):
        access = access_of(route)
        if isinstance(access, ApiAccess):
            body = bodies(method, path)
            answer = program.request(method, path.removeprefix("/api/v1"), json=body or None)
        else:
            data = {"do": "pause", "enabled": "on"} if method == "POST" else None
            answer = browser.request(method, path, data=data)
        assert answer.status_code in REFUSED, f"{method} {path}: {answer.status_code}"
        assert "recording-of" not in answer.text
        tried += 1

    assert tried >= 40
    assert console.platform.core.directory.get(THEIRS) == before
    assert console.services.users.get("theirs.admin").disabled is False
    own_test = {"settings.tested"}  # its user's, which `requests` began
    assert set(console.actions(THEIRS)) <= own_test


def test_no_route_answers_whoever_is_not_signed_in(console: Console) -> None:
    nobody = console.nobody()
    for route in routes(console):
        access = access_of(route)
        if access.right is Right.PUBLIC:
            continue
        path = str(route.path).replace("{account_id}", MINE).replace(":path", "")
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            answer = nobody.request(method, path)
            if isinstance(access, ApiAccess):
                assert answer.status_code == 401, f"{method} {path}"
                assert answer.headers["www-authenticate"] == "Bearer"
            else:
                assert answer.status_code == 303, f"{method} {path}"
                assert answer.headers["location"].startswith("/sign-in")


def test_a_session_opens_no_api_and_a_token_no_page(console: Console) -> None:
    browser, program = console.browser("provider.admin"), console.program(None)

    assert browser.get("/api/v1/accounts").status_code == 401
    assert program.get(f"{console.url}/overview").status_code == 303


def test_a_user_sees_its_own_account_and_what_is_beneath(console: Console) -> None:
    browser = console.browser("mine.admin")

    assert browser.get("/").headers["location"] == "/accounts/mine"
    for page in ("/overview", "/accounts"):
        text = browser.get(page).text
        assert "/accounts/mine.sub" in text
        assert THEIRS not in text
    assert browser.get("/accounts/mine.sub").status_code == 200
    assert browser.get("/people").status_code == 403
    assert browser.get("/audit").status_code == 403


def test_lists_hold_only_what_a_token_may_see(console: Console) -> None:
    program = console.program(MINE)
    recording_of(console.platform, THEIRS)

    assert [each["account_id"] for each in program.get("/accounts").json()] == [MINE, "mine.sub"]
    assert {each["login"] for each in program.get("/users").json()} == {"mine.admin"}
    assert {each["account_id"] for each in program.get("/tokens").json()} == {MINE}
    assert program.get("/deliveries").json() == []
    assert program.get("/deliveries", params={"account_id": THEIRS}).status_code == 404
    assert program.get("/audit", params={"account_id": THEIRS}).json() == []
    assert program.get("/users", params={"account_id": THEIRS}).status_code == 404
    assert program.get("/status").status_code == 403


def test_a_body_cannot_name_another_account(console: Console) -> None:
    program = console.program(MINE)

    for account_id in (THEIRS, None):
        new = {"login": "intruder", "account_id": account_id}
        assert program.post("/users", json=new).status_code == 404
        assert (
            program.post("/tokens", json={"name": "x", "account_id": account_id}).status_code == 404
        )
    page = console.browser("mine.admin")
    assert "not one of this account" in page.notice(
        "/accounts/mine/people", do="remove", login="theirs.admin", current=PASSWORD
    )
    assert console.services.users.get("theirs.admin").login == "theirs.admin"


def test_without_the_permission_a_user_looks_and_does_not_touch(console: Console) -> None:
    console.platform.core.directory.set_ftp_access(MINE, granted=False)
    browser, program = console.browser("mine.admin"), console.program(MINE)

    assert browser.get("/accounts/mine/ftp").status_code == 200
    refused = [
        browser.send_form("/accounts/mine/ftp", enabled="on"),
        browser.send_form("/accounts/mine/state", do="pause"),
        browser.send_form("/accounts/mine.sub/permissions", ftp_access="granted"),
        program.post("/accounts/mine/suspend"),
        program.put("/accounts/mine.sub/permission"),
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert "no FTP access" in refused[0].text


def test_nobody_grants_the_permission_to_itself(console: Console) -> None:
    program = console.program(MINE)

    assert program.put("/accounts/mine/permission").status_code == 403
    assert program.delete("/accounts/mine/permission").status_code == 403
    assert program.delete("/accounts/mine.sub/permission").json()["effective"] is False


def test_a_session_ends_with_its_user(console: Console) -> None:
    browser = console.browser("mine.admin")
    assert browser.get("/accounts/mine").status_code == 200

    console.services.users.set_disabled("mine.admin", disabled=True)

    assert browser.get("/accounts/mine").status_code == 303
    fragment: httpx.Response = browser.get("/accounts/mine", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["hx-redirect"]) == (401, "/sign-in")
