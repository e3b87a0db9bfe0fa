"""Stores behind https: their logins, what they refuse, and what passes by itself."""

import base64
import socket
import threading
from collections.abc import Mapping

import h11
import pytest
import trustme
from pydantic import SecretStr

from config.settings import Settings
from tests.servers.store import Store
from transports.base import Egress, Limits
from transports.errors import (
    EgressDenied,
    ResolveFailed,
    SourceAway,
    SourceFailure,
    SourceRefused,
    SourceUnreadable,
)
from transports.sources.http import NoSuchPlace, readable
from transports.sources.source import open_source
from transports.sources.stores import Stores


def read(url: str, stores: Stores | None = None, limits: Limits | None = None) -> bytes:
    with open_source(
        url, dirs=(), max_bytes=1000, egress=Egress(), limits=limits or Limits(), stores=stores
    ) as source:
        return b"".join(source)


def logins(store: Store, login: str = "https://user:p%40ss%2C:word@") -> Mapping[str, SecretStr]:
    settings = Settings(source_logins=(SecretStr(f"{login}{store.authority}"),))
    return settings.logins_of_sources


BASIC = "Basic " + base64.b64encode(b"user:p@ss,:word").decode()


@pytest.mark.parametrize(
    ("login", "header"),
    [
        ("https://user:p%40ss%2C:word@", BASIC),
        ("https+bearer://aB0-._~%2B%2F==@", "Bearer aB0-._~+/=="),
    ],
)
def test_a_host_is_sent_the_login_that_is_set_for_it(store: Store, login: str, header: str) -> None:
    store.does.content, store.does.authorization = b"x", header
    assert read(store.url, Stores(logins(store, login))) == b"x"


def test_no_other_host_or_port_gets_it_also_where_it_is_redirected_to(
    store: Store, authority: trustme.CA
) -> None:
    with Store(authority) as other:
        other.does.content = b"x"
        store.does.replies = lambda _: (302, {"Location": other.url}, b"")
        assert read(store.url, Stores(logins(store))) == b"x"
        assert "authorization" in store.does.asked[0].headers
        assert "authorization" not in other.does.asked[0].headers


def test_a_login_that_is_refused_is_the_platforms_to_mend(store: Store) -> None:
    store.does.authorization = "Basic other"
    stores = Stores(logins(store))
    for _ in range(3):
        with pytest.raises(SourceRefused) as refused:
            read(store.url, stores)
    assert refused.value.words == "HTTP 401 Unauthorized"


def test_a_recording_that_is_refused_beside_others_that_are_read_is_its_own_failure(
    store: Store,
) -> None:
    stores = Stores(logins(store))
    store.does.refused = {"/a.wav"}
    with pytest.raises(SourceRefused):
        read(store.url, stores)
    read(store.url.replace("a.wav", "b.wav"), stores)
    with pytest.raises(SourceUnreadable) as own:
        read(store.url, stores)
    assert not isinstance(own.value, SourceAway)
    with pytest.raises(SourceRefused):
        read(store.url, stores)


@pytest.mark.parametrize("status", [401, 403])
def test_without_a_login_a_refusal_is_of_the_url(store: Store, status: int) -> None:
    store.does.status = status
    with pytest.raises(SourceUnreadable) as refused:
        read(store.url)
    assert not isinstance(refused.value, SourceAway)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_cannot_answer_now_is_away(store: Store, status: int) -> None:
    store.does.status = status
    with pytest.raises(SourceAway) as away:
        read(store.url)
    assert away.value.words.startswith(f"HTTP {status} ")


@pytest.mark.parametrize("status", [204, 400, 405, 501, 505])
def test_any_other_answer_is_the_recordings_failure(store: Store, status: int) -> None:
    store.does.status = status
    with pytest.raises(SourceUnreadable) as failed:
        read(store.url)
    assert not isinstance(failed.value, SourceAway)


def test_a_store_that_does_not_take_connections_is_away(store: Store) -> None:
    store.stop()
    with pytest.raises(SourceAway, match="Connection refused"):
        read(store.url)


@pytest.mark.parametrize(
    ("cause", "failure"),
    [
        (ResolveFailed("x"), SourceAway),
        (EgressDenied("x"), NoSuchPlace),
        (TimeoutError(), SourceAway),
        (ConnectionResetError(104, "x"), SourceAway),
        (UnicodeError("x"), SourceUnreadable),
    ],
)
def test_what_the_network_does_passes_and_what_the_event_says_does_not(
    cause: Exception, failure: type[SourceFailure]
) -> None:
    with pytest.raises(SourceFailure) as told, readable():
        raise cause
    assert type(told.value) is failure


@pytest.mark.parametrize(
    ("code", "failure"), [(socket.EAI_NONAME, NoSuchPlace), (socket.EAI_AGAIN, SourceAway)]
)
def test_a_name_that_nobody_has_is_told_from_a_resolver_that_is_away(
    code: int, failure: type[SourceFailure]
) -> None:
    with pytest.raises(SourceFailure) as told, readable():
        raise ResolveFailed("x") from socket.gaierror(code, "x")
    assert type(told.value) is failure


def test_a_silent_store_costs_one_time_limit_and_not_one_for_each_file(store: Store) -> None:
    held = threading.Event()

    def hold(_: object) -> None:
        held.wait(60)

    store.does.replies = hold
    stores, limits = Stores(), Limits(reply=0.5)
    for _ in range(20):
        with pytest.raises(SourceAway, match="silent"):
            read(store.url, stores, limits)
    assert len(store.does.asked) == 1
    held.set()


def test_a_store_is_tried_by_one_after_its_pause_and_by_all_once_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transports.sources.stores.PAUSE", 0.0)
    stores = Stores()
    with pytest.raises(SourceAway), stores.asking("host", 600):
        raise SourceAway("gone")
    with (
        stores.asking("host", 600),
        pytest.raises(SourceAway, match="gone"),
        stores.asking("host", 600),
    ):
        pytest.fail("somebody tries it already")
    with stores.asking("host", 600), stores.asking("host", 600):
        pass


def test_what_is_remembered_of_silent_stores_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.sources.stores.PAUSE", -1.0)
    stores = Stores()
    for number in range(100):
        with pytest.raises(SourceAway), stores.asking(f"host-{number}", 1):
            raise SourceAway("gone")
    assert len(stores._silences) == 1


def test_a_request_that_cannot_be_sent_is_not_quoted() -> None:
    with pytest.raises(SourceUnreadable) as unreadable, readable():
        h11.Request(
            method="GET", target="/", headers=[("Host", "a"), ("Authorization", "s3cret\nx")]
        )
    assert unreadable.value.words == "The request for it cannot be sent: it is not sound HTTP"
    assert unreadable.value.__cause__ is None
