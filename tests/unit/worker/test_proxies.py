"""Whom a request is said to be from, and who is believed."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from worker.console.proxies import TrustedProxies

TRUSTED = tuple(ip_network(part) for part in ("10.0.0.0/8", "fd00::/8"))
PROXY = "10.0.0.1"


def seen(client: str, *headers: tuple[str, str], trusted: Any = TRUSTED) -> Scope:
    """The request as the application sees it."""
    found: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        found.append(scope)

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None: ...

    raw = [(name.encode(), value.encode()) for name, value in (("host", "inside:8080"), *headers)]
    scope = {"type": "http", "scheme": "http", "client": (client, 5), "headers": raw}
    asyncio.run(TrustedProxies(app, trusted)(scope, receive, send))
    return found[0]


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ([("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
        ([("x-forwarded-for", "evil, 192.0.2.7")], "192.0.2.7"),
        ([("x-forwarded-for", "198.51.100.1, 192.0.2.7, 10.0.0.9")], "192.0.2.7"),
        ([("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
        ([("x-forwarded-for", "192.0.2.7:4711")], "192.0.2.7"),
        ([("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1"),
        ([("x-forwarded-for", "2001:db8::1")], "2001:db8::1"),
        ([("x-forwarded-for", "10.0.0.2, 10.0.0.3")], "10.0.0.2"),
        ([("x-forwarded-for", "192.0.2.7, unknown, 10.0.0.9")], "10.0.0.9"),
        ([("x-forwarded-for", "unknown")], PROXY),
        ([("x-forwarded-for", "")], PROXY),
        ([("forwarded", 'for=192.0.2.7;proto=https, for="[fd00::1]"')], "192.0.2.7"),
        ([("forwarded", "for=_hidden")], PROXY),
        ([], PROXY),
    ],
)
def test_the_client_is_the_right_most_hop_that_is_not_trusted(
    headers: list[tuple[str, str]], client: str
) -> None:
    assert seen(PROXY, *headers)["client"][0] == client


@pytest.mark.parametrize(
    "headers",
    [
        [("x-forwarded-proto", "https"), ("x-forwarded-host", "courier.example")],
        [("x-forwarded-proto", "http, https"), ("x-forwarded-host", "x, courier.example")],
        [("forwarded", 'for=192.0.2.7;proto=HTTPS;host="courier.example"')],
    ],
)
def test_scheme_and_host_are_what_the_nearest_proxy_says(headers: list[tuple[str, str]]) -> None:
    scope = seen(PROXY, *headers)

    assert scope["scheme"] == "https"
    assert Headers(scope=scope).getlist("host") == ["courier.example"]


@pytest.mark.parametrize("client", ["192.0.2.1", "127.0.0.1", "::1", "", "testclient"])
@pytest.mark.parametrize("trusted", [TRUSTED, ()])
def test_nobody_else_is_believed(client: str, trusted: Any) -> None:
    scope = seen(
        client,
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=198.51.100.1;proto=https"),
        trusted=trusted,
    )

    assert (scope["client"][0], scope["scheme"]) == (client, "http")
    assert Headers(scope=scope)["host"] == "inside:8080"


@pytest.mark.parametrize("proto", ["ftp", "javascript", "https\x00", ""])
def test_a_scheme_that_is_none_changes_nothing(proto: str) -> None:
    assert seen(PROXY, ("x-forwarded-proto", proto))["scheme"] == "http"


def test_an_ipv4_client_of_an_ipv6_socket_is_known_by_its_ipv4_address() -> None:
    assert seen("::ffff:10.0.0.1", ("x-forwarded-for", "192.0.2.7"))["client"][0] == "192.0.2.7"
