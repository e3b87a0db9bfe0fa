"""A platform that suspends soon and for a short time, and one whose settings are given by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.ssh_keys import KeyPair, KeyType, generated
from tests.integration.console import Browser, Console, commands_reach, serving
from tests.integration.platform import MakeCourier, Platform
from tests.servers import Sshd


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8), suspend_after=2, suspend_seconds=1)


@pytest.fixture
def changed() -> dict[str, Any]:
    """What is otherwise than by default in the process's settings, for tests to say."""
    return {}


@pytest.fixture
def console(
    make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> Iterator[Console]:
    """The console and the commands, with the account acme and its administrator."""
    courier = make_courier(**changed)
    courier.core.directory.create("acme", ftp_access=True)
    commands_reach(courier, monkeypatch)
    with serving(courier) as console:
        console.user("admin", "acme")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    browser = console.browser("admin")
    browser.headers["HX-Request"] = "true"
    return browser


@pytest.fixture
def own() -> KeyPair:
    """A key of the customer's own."""
    return generated(KeyType.ED25519, "the customer's own")


@pytest.fixture
def server(tmp_path: Path, own: KeyPair) -> Iterator[Sshd]:
    """The customer's server, which takes that key and no password."""
    only = ["AuthenticationMethods publickey"]
    with Sshd(tmp_path / "sshd", authorized=[own.public.line], extra=only) as server:
        yield server
