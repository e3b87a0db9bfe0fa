"""HEAD is answered as GET is, without the body (RFC 9110 section 9.3.2)."""

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.console import Console, serving
from tests.integration.platform import MakeCourier
from tests.integration.test_console_access import access_of, requests, routes
from worker.console.access import ApiAccess


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("acme.admin", "acme")
        console.user("provider.admin", None)
        yield console


def assert_alike(client: httpx.Client, path: str) -> None:
    asked, got = client.head(path), client.get(path)
    assert asked.status_code == got.status_code, path
    assert asked.headers.get("content-type") == got.headers.get("content-type"), path
    assert asked.headers.get("location") == got.headers.get("location"), path
    assert ("content-length" in asked.headers) == ("content-length" in got.headers), path
    assert asked.content == b"", path


def test_every_page_and_every_address_of_the_api_answers_head(console: Console) -> None:
    browser, program = console.browser("provider.admin"), console.program(None)
    named = {str(route.path): path for route, _, path in requests(console, "acme")}
    console.platform.core.database["deliveries"].delete_many({})  # half a row cannot be shown
    asked = 0
    for route in routes(console):
        if "GET" not in (route.methods or ()):
            continue
        path = named.get(str(route.path), str(route.path))
        is_api = isinstance(access_of(route), ApiAccess)
        assert_alike(program if is_api else browser, f"{console.url}{path}")
        asked += 1
    assert asked > 20


@pytest.mark.parametrize("path", ["/static/console/console.css", "/sign-in", "/no/such/page"])
def test_so_do_files_and_pages_for_everybody(console: Console, path: str) -> None:
    assert_alike(console.nobody(), path)


def test_head_of_what_cannot_be_got_is_refused_and_does_nothing(console: Console) -> None:
    program = console.program(None)
    answer = program.head("/accounts/acme/suspend")
    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["allow"] == "POST"
    assert program.post("/accounts/acme").headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert console.nobody().post("/static/console/console.css").headers["allow"] == "GET, HEAD"
    assert console.nobody().delete("/sign-in").headers["allow"] == "GET, HEAD, POST"
    assert not console.platform.run_state("acme").paused
