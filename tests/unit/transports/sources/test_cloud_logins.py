"""Logins that the libraries of Google and Azure find, and what is told where they fail."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.store import Asked, Reply, Store
from tests.unit.transports.sources.cloud import Cloud, read
from transports.errors import ResourcesExhausted, SourceRefused
from transports.sources.clouds import azure, google
from transports.sources.logins import Cut, Login
from transports.sources.stores import Stores

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    """Of logins that other tests have found."""
    google._login.cache_clear()
    azure._tokens.cache_clear()
    yield
    google._login.cache_clear()
    azure._tokens.cache_clear()


def refused(cloud: Cloud) -> str:
    """What is told where no login is set."""
    stores = cloud.stores
    found = Stores(
        google=stores.google._replace(credentials=None), azure=stores.azure._replace(key=None)
    )
    with pytest.raises(SourceRefused) as told:
        read(cloud, found)
    assert not cloud.store.does.asked
    return told.value.words


@pytest.mark.parametrize("content", ["[]", "{}", "3", "[" * 100_000, "\xff", None])
def test_a_file_of_google_that_is_none_is_the_platforms_to_mend(
    store: Store, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.json"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content, "latin-1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    told = refused(Cloud("gs", store))
    assert told.startswith("No credentials for Google: ")
    assert "COURIER_GS_CREDENTIALS_FILE" in told


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AZURE_TOKEN_CREDENTIALS", "foo", "Invalid value for AZURE_TOKEN_CREDENTIALS"),
        ("AZURE_AUTHORITY_HOST", "http://127.0.0.1", "is an invalid authority"),
        ("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential", "none were found"),
    ],
)
def test_a_wrong_environment_of_azure_is_the_platforms_to_mend(
    store: Store, name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    told = refused(Cloud("az", store))
    assert told.startswith("No credentials for Azure: ")
    assert words in told


def test_a_wrong_secret_of_azure_is_told_in_its_own_words(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = f"https://{store.authority}"
    for name, value in {
        "TOKEN_CREDENTIALS": "EnvironmentCredential",
        "AUTHORITY_HOST": host,
        "TENANT_ID": "adfs",  # Azure's library asks no other host of such a one
        "CLIENT_ID": "courier",
        "CLIENT_SECRET": SECRET,
    }.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    asked = []

    def answers(said: Asked) -> Reply:
        asked.append(said)
        headers = {"Content-Type": "application/json"}
        if "well-known" in said.path:
            told = {
                name: f"{host}/adfs/{name}"
                for name in ("authorization_endpoint", "token_endpoint", "issuer")
            }
            return 200, headers, json.dumps(told).encode()
        wrong = f"AADSTS7000215: Invalid client secret provided: {SECRET}."
        body = {"error": "invalid_client", "error_description": wrong}
        return 401, headers, json.dumps(body).encode()

    cloud = Cloud("az", store)
    cloud.answers = answers
    stores = Stores(azure=cloud.stores.azure._replace(key=None))
    with pytest.raises(SourceRefused) as refused:
        read(cloud, stores)
    assert "AADSTS7000215: Invalid client secret" in refused.value.words
    assert SECRET not in refused.value.words
    assert "none were found" not in refused.value.words
    assert len(refused.value.words) < 500
    count = len(asked)
    assert count
    with pytest.raises(SourceRefused, match="AADSTS7000215"):
        read(cloud, stores)
    assert len(asked) == count, "for a pause nobody asks again"


class Slow(Login):
    """Fails after a while."""

    is_fresh = False

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.goes_on = threading.Event()

    def ask(self) -> None:
        self.asked += 1
        self.goes_on.wait(5)
        raise SourceRefused("away")


def test_a_login_that_fails_is_asked_for_once_by_all_who_wait() -> None:
    login, failures = Slow(), []

    def renew() -> None:
        with pytest.raises(SourceRefused) as failure:
            login.renew(threading.Event())
        failures.append(failure.value)

    threads = [threading.Thread(target=renew) for _ in range(8)]
    for each in threads:
        each.start()
    login.goes_on.set()
    for each in threads:
        each.join()
    assert login.asked == 1
    assert [each.words for each in failures] == ["away"] * 8
    assert len({id(each) for each in failures}) == 8


def test_who_waits_for_a_login_is_ended_by_a_cut() -> None:
    login = Slow()
    for _ in range(2):  # who has begun to ask for it, and who waits for that
        cut = threading.Event()
        threading.Timer(0.2, cut.set).start()
        started = time.monotonic()
        with pytest.raises(Cut):
            login.renew(cut)
        assert time.monotonic() - started < 2
    assert login.asked == 1
    login.goes_on.set()


def test_a_fault_while_a_login_is_asked_for_is_raised_where_it_is_waited_for() -> None:
    class Faulty(Slow):
        def ask(self) -> None:
            raise TimeoutError("unforeseen")

    with pytest.raises(TimeoutError, match="unforeseen"):
        Faulty().renew(threading.Event())


def test_after_the_pause_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.sources.stores.PAUSE", 0.0)
    login = Slow()
    login.goes_on.set()
    for _ in range(2):
        with pytest.raises(SourceRefused):
            login.renew(threading.Event())
    assert login.asked == 2


def test_want_of_a_thread_is_the_platforms_and_keeps_nobody_who_comes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    login, ended = Slow(), threading.Event()
    ended.set()  # whoever waits all the same is told so

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", start)
        for _ in range(3):
            with pytest.raises(ResourcesExhausted, match="no more threads"):
                login.renew(ended)
    login.goes_on.set()
    with pytest.raises(SourceRefused, match="away"):
        login.renew(threading.Event())
    assert login.asked == 1


def test_a_login_that_does_not_come_is_the_platforms_to_mend_and_waited_for_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transports.sources.logins.SECONDS", 0.5)
    login = Slow()
    ended = threading.Event()
    threading.Timer(3, ended.set).start()
    with pytest.raises(SourceRefused, match=r"in 0\.5 seconds"):
        login.renew(ended)
    started = time.monotonic()
    for _ in range(5):
        with pytest.raises(SourceRefused, match=r"in 0\.5 seconds"):
            login.renew(ended)
    assert time.monotonic() - started < 2
    assert login.asked == 1
    login.goes_on.set()
