"""What guards the console beside the rights: cookies, origins, limits, headers."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from config.signins import BY_LOGIN
from tests.integration.console import PASSWORD, Console, lengthen_waits, serving
from tests.integration.platform import MakeCourier
from worker.console.access import CSRF_HEADER, SESSION_COOKIE


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("admin", None)
        yield console


def sign_in(client: httpx.Client, login: str = "admin", password: str = PASSWORD) -> httpx.Response:
    return client.post("/sign-in", data={"login": login, "password": password})


def test_the_session_cookie_is_for_the_console_alone(console: Console) -> None:
    cookie = sign_in(console.nobody()).headers.get_list("set-cookie")[0]

    assert cookie.startswith(f"{SESSION_COOKIE}=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert "admin" not in cookie


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
def test_another_sites_page_changes_nothing(console: Console, origin: str | None) -> None:
    browser = console.browser("admin")
    del browser.headers["Origin"]
    headers = {} if origin is None else {"Origin": origin}

    answer = browser.post("/accounts/acme/state", data={"do": "pause"}, headers=headers)

    assert answer.status_code == 403
    assert not console.platform.run_state("acme").paused


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_a_form_without_the_sessions_token_changes_nothing(console: Console, token: str) -> None:
    browser = console.browser("admin")
    del browser.headers[CSRF_HEADER]

    answer = browser.post("/accounts/acme/state", data={"do": "pause", "csrf": token})

    assert answer.status_code == 403
    assert not console.platform.run_state("acme").paused


def test_every_answer_carries_the_security_headers(console: Console) -> None:
    browser, program = console.browser("admin"), console.program(None)
    answers = [
        browser.get("/overview"),
        browser.get("/nothing-here"),
        program.get("/accounts"),
        program.get("/nothing-here"),
        console.nobody().get("/sign-in"),
        browser.post("/sign-out", headers={"Origin": "https://evil.example"}),
    ]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_no_page_holds_scripts_or_styles_of_its_own(console: Console) -> None:
    browser = console.browser("admin")
    for path in ("/overview", "/accounts", "/accounts/acme", "/accounts/acme/ftp", "/people"):
        text = browser.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        data = text.count('type="application/json"')  # the browser runs none of it
        assert text.count("<script ") - data == text.count("<script src=") > 0
        assert "//" not in text.replace("<!doctype", "").split("<body")[0]  # nothing from elsewhere


def test_guessing_a_password_is_slowed_down(console: Console) -> None:
    client = console.nobody()
    for _ in range(BY_LOGIN.free):
        assert sign_in(client, password="guess").status_code == 422
    lengthen_waits(console.platform.core.database)

    answer = sign_in(client)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Too many tries" in answer.text


def test_an_unknown_user_is_told_what_a_wrong_password_is(console: Console) -> None:
    client = console.nobody()
    unknown, wrong = sign_in(client, "nobody"), sign_in(client, password="wrong")

    assert unknown.status_code == wrong.status_code == 422
    assert "Login or password is not right" in unknown.text
    assert unknown.text.replace("nobody", "admin") == wrong.text


@pytest.mark.parametrize(
    ("to", "led"),
    [
        ("/accounts/acme", "/accounts/acme"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_signing_in_never_leads_to_another_site(console: Console, to: str, led: str) -> None:
    form = {"login": "admin", "password": PASSWORD, "to": to}

    assert console.nobody().post("/sign-in", data=form).headers["location"] == led


def test_without_a_key_nobody_can_sign_in_and_is_told_why(make_courier: MakeCourier) -> None:
    courier = make_courier()
    keyless = courier.core.settings.model_copy(update={"secret_keys": ()})
    courier.core = replace(courier.core, settings=keyless)
    with serving(courier) as console:
        console.user("admin", None)
        page, answer = console.nobody().get("/sign-in"), sign_in(console.nobody())

    assert "COURIER_SECRET_KEYS" in page.text
    assert answer.status_code == 503
    assert "COURIER_SECRET_KEYS" in answer.text
    assert "set-cookie" not in answer.headers


def test_another_password_ends_the_sessions(console: Console) -> None:
    browser = console.browser("admin")

    console.services.users.reset_password("admin", SecretStr("another good password"))

    assert browser.get("/overview").headers["location"].startswith("/sign-in")


def test_signing_out_forgets_the_session(console: Console) -> None:
    browser = console.browser("admin")

    assert browser.send_form("/sign-out").headers["location"] == "/sign-in"
    assert browser.get("/overview").status_code == 303


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/accounts"])
def test_a_large_request_is_refused(console: Console, path: str) -> None:
    answer = console.nobody().post(path, content=b"a=" + b"x" * 100_000)

    assert answer.status_code == 413
    assert "64 KiB" in answer.json()["error"]["message"]


def test_a_large_request_of_unknown_length_is_refused(console: Console) -> None:
    answer = console.nobody().post("/sign-in", content=(b"x" * 8192 for _ in range(20)))

    assert answer.status_code == 413


def test_what_people_type_is_shown_as_text(console: Console) -> None:
    browser = console.browser("admin")
    script = "<script>alert(1)</script>"

    console.platform.core.directory.rename("acme", script)

    for path in ("/overview", "/accounts", "/accounts/acme"):
        text = browser.get(path).text
        assert script not in text
        assert "&lt;script&gt;" in text
    assert script not in browser.get("/overview", params={"search": script}).text
    assert script not in browser.get("/overview", params={"state": script}).text


def test_the_cookie_of_another_key_is_no_session(
    console: Console, make_courier: MakeCourier
) -> None:
    cookie = sign_in(console.nobody()).cookies[SESSION_COOKIE]
    with serving(make_courier()) as other:
        client = other.nobody()
        client.cookies.set(SESSION_COOKIE, cookie)

        assert client.get("/overview").status_code == 303
