"""The console behind a proxy: cookies, origins and limits by what a trusted one says."""

from collections.abc import Iterator
from ipaddress import ip_network

import httpx
import pytest

from tests.integration.console import PASSWORD, Console, serving
from tests.integration.platform import MakeCourier
from worker.console.access import SESSION_COOKIE

OUTSIDE = "courier.example"
BEHIND = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": OUTSIDE}


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with serving(make_courier(trusted_proxies=(ip_network("127.0.0.1/32"),))) as console:
        console.user("admin", None)
        yield console


@pytest.fixture
def open_console(make_courier: MakeCourier) -> Iterator[Console]:
    """One that trusts no proxy, as is the default."""
    with serving(make_courier()) as console:
        console.user("admin", None)
        yield console


def behind(console: Console, client: str = "192.0.2.1") -> httpx.Client:
    """A browser behind a proxy that ends TLS."""
    nobody = console.nobody()
    nobody.headers.update({**BEHIND, "X-Forwarded-For": client, "Origin": f"https://{OUTSIDE}"})
    return nobody


def sign_in(client: httpx.Client, login: str = "admin", password: str = PASSWORD) -> httpx.Response:
    return client.post("/sign-in", data={"login": login, "password": password})


def test_over_https_cookies_are_of_this_host_and_secure(console: Console) -> None:
    answer = sign_in(behind(console))

    assert answer.status_code == 303
    cookies = answer.headers.get_list("set-cookie")
    assert any(each.startswith(f"__Host-{SESSION_COOKIE}=") for each in cookies)
    for cookie in cookies:
        parts = cookie.split("; ")
        assert parts[0].startswith("__Host-")
        assert {"Secure", "Path=/", "HttpOnly"} <= set(parts)
        assert not any(part.startswith("Domain") for part in parts)
    assert answer.headers["strict-transport-security"]


def test_over_https_a_cookie_that_came_over_http_is_none(console: Console) -> None:
    over_http = sign_in(console.nobody()).cookies[SESSION_COOKIE]
    client = behind(console)

    assert client.get("/overview", headers={"Cookie": f"{SESSION_COOKIE}={over_http}"}).is_redirect
    named = f"__Host-{SESSION_COOKIE}={over_http}"
    assert client.get("/overview", headers={"Cookie": named}).status_code == 200


@pytest.mark.parametrize("origin", [f"http://{OUTSIDE}", "https://evil.example", "null"])
def test_the_scheme_of_an_origin_counts(console: Console, origin: str) -> None:
    client = behind(console)
    client.headers["Origin"] = origin

    assert sign_in(client).status_code == 403


def test_without_trust_no_header_makes_it_https(open_console: Console) -> None:
    client = open_console.nobody()
    client.headers.update(BEHIND)

    answer = sign_in(client)

    assert answer.status_code == 303
    assert "Secure" not in answer.headers["set-cookie"]
    assert "strict-transport-security" not in answer.headers


def test_an_origin_of_the_consoles_own_address_is_its_own(make_courier: MakeCourier) -> None:
    with serving(make_courier(console_url=f"https://{OUTSIDE}")) as console:
        console.user("admin", None)
        client = console.nobody()
        client.headers["Origin"] = f"https://{OUTSIDE}"

        assert sign_in(client).status_code == 303
        client.headers["Origin"] = f"http://{OUTSIDE}"
        refused = sign_in(client)
        assert refused.status_code == 403
        assert "COURIER_TRUSTED_PROXIES" in refused.json()["error"]["message"]


def counted(console: Console) -> dict[str, int]:
    """The tries by address."""
    found = console.platform.core.database["signins"].find({"_id": {"$regex": "^address:"}})
    return {each["_id"].removeprefix("address:"): each["tries"] for each in found}


def test_a_header_does_not_evade_the_limit_of_an_address(open_console: Console) -> None:
    client = open_console.nobody()
    for number in range(3):
        hop = f"192.0.2.{number}"
        client.headers.update({"X-Forwarded-For": hop, "Forwarded": f"for={hop}"})
        sign_in(client, f"user{number}", "x")

    assert counted(open_console) == {"127.0.0.1": 3}


def test_clients_behind_a_trusted_proxy_are_counted_apart(console: Console) -> None:
    for _ in range(2):
        sign_in(behind(console), "other", "x")
    sign_in(behind(console, "192.0.2.99"), "other", "x")
    sign_in(behind(console, "198.51.100.1, 192.0.2.1"), "other", "x")

    assert counted(console) == {"192.0.2.1": 3, "192.0.2.99": 1}
