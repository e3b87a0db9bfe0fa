"""Sessions that are handed to libraries: where they cannot go, whatever the library asks for."""

import asyncio
import socket

import aiohttp
import pytest
import trustme

from tests.servers.store import Store
from transports.network.dialing import Address
from transports.sources.clouds.guard import Guard, Refusal
from transports.sources.http import place_of


def asked(url: str, *, host: str = "localhost") -> int:
    """The status that a session for this host at 127.0.0.1 gets for the URL."""

    async def ask() -> int:
        checked = [Address(socket.AF_INET, ("127.0.0.1", 1))]
        guard = Guard(place_of(f"https://{host}", "https"), checked, 1, 1)
        try:
            async with guard.session.get(url) as answer:
                return answer.status
        finally:
            await guard.close()

    return asyncio.run(ask())


def test_the_host_of_the_settings_is_reached(store: Store) -> None:
    store.does.content = b"x"
    assert asked(store.url) == 200


def test_a_host_in_letters_beyond_ascii_is_reached(
    authority: trustme.CA, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("_trusted")
    with Store(authority, "xn--bcher-kva.example") as store:
        port = store.authority.rpartition(":")[2]
        assert asked(f"https://bücher.example:{port}/", host="bücher.example") == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.2:{port}/",
        "https://[::1]:{port}/",
        "https://127.1:{port}/",
        "https://2130706434:{port}/",
        "https://0.0.0.0:{port}/",
        "https://other.localhost:{port}/",
        "http://metadata.google.internal/",
        "http://169.254.169.254/latest",
    ],
)
def test_no_other_host_and_no_other_address_is(store: Store, url: str) -> None:
    port = store.authority.rpartition(":")[2]
    with pytest.raises(aiohttp.ClientError) as refused:
        asked(url.format(port=port))
    told = ("another host", "no connection may go", "canonical")
    words = str(getattr(refused.value, "os_error", refused.value))
    assert any(each in words for each in told)
    assert not store.does.asked


def test_a_redirect_is_told_and_not_followed(store: Store) -> None:
    store.does.replies = lambda _: (302, {"Location": "http://169.254.169.254/"}, b"")
    with pytest.raises(Refusal) as told:
        asked(store.url)
    assert told.value.status == 302
    assert len(store.does.asked) == 1


def test_neither_proxies_nor_logins_of_the_environment_are_taken(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", "/dev/null")
    assert asked(store.url) == 200
    assert "authorization" not in store.does.asked[0].headers
