"""Tests of settings that are given up, and those that may not begin."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.permissions import Principal
from deploy.local.customers import CustomerServer
from tests.integration.console import Browser, Console
from tests.integration.settings.page import FTP, form
from tests.servers import Sshd
from tests.servers.misbehaving import Mood, moody_server
from transports.base import Limits
from worker.ftp_settings import Secrets


@contextmanager
def listening(speak: bytes) -> Iterator[CustomerServer]:
    """A server that says this again and again, or nothing, and reads nothing."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)

        def serve() -> None:
            while not ended.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                client.settimeout(0.5)
                with client:
                    try:
                        while speak and not ended.is_set():
                            client.sendall(speak)
                    except OSError:
                        continue
                    ended.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        yield CustomerServer("127.0.0.1", listener.getsockname()[1], "u", "p", Path(), None, "/")
        ended.set()
        thread.join()


@pytest.mark.parametrize("protocol", ["ftp", "sftp"])
@pytest.mark.parametrize("speak", [b"", b"220-on and on\r\n" * 1000], ids=["hangs", "floods"])
def test_a_server_that_hangs_or_floods_is_given_up(
    console: Console,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    speak: bytes,
) -> None:
    monkeypatch.setattr("worker.ftp_settings.Limits", lambda: Limits(login=2, reply=2, stall=2))
    with listening(speak) as server:
        fields = form(server, protocol=protocol)
        shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)

    assert "Nothing was saved" in shown
    assert "data-problem" in shown
    assert console.settings("acme") is None


def test_one_account_is_tested_once_at_a_time(browser: Browser) -> None:
    with listening(b"") as server:
        first = browser.send_form(FTP, **form(server))
        second = browser.send_form(FTP, **form(server))
        waiting = browser.get(first.text.split('hx-get="')[1].split('"')[0])

    assert "Waiting for the server" in waiting.text
    assert second.status_code == 422
    assert "being tested already" in second.text


def test_what_the_console_ends_with_is_not_saved(console: Console, browser: Browser) -> None:
    mood_folder = console.platform.folder / "server"
    with moody_server(mood_folder, Mood(seconds_a_write=0.5)) as server:
        began = browser.send_form(FTP, **form(server.customer))
        console.services.validations.stop()
        shown = console.tested(browser, "acme", began.text)

    assert "nothing was saved" in shown
    assert console.settings("acme") is None


def test_a_test_that_takes_too_long_is_given_up(
    console: Console, browser: Browser, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.console.validation.LIMIT_SECONDS", 0.0)

    shown = console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)

    assert "given up" in shown
    assert "nothing was saved" in shown
    assert console.settings("acme") is None


def test_nobody_keeps_all_the_places_for_tests(console: Console) -> None:
    directory = console.platform.core.directory
    for name in ("acme.a", "acme.b"):
        directory.create(name, parent="acme", ftp_access=True)
    api, provider = console.program("acme"), console.program(None)
    principal = next(console.services.tokens.list(["acme"])).principal
    with listening(b"") as server:
        changes = {"protocol": "ftp", "host": server.host, "port": server.port, "username": "u"}
        given = Secrets(SecretStr("p"))
        for name in ("acme.a", "acme.b"):
            console.services.validations.start(principal, name, changes, given)
        body = {**changes, "password": "p"}
        refused = api.put("/accounts/acme/settings", json=body)
        console.services.validations.start(Principal("operator", None), "acme", changes, given)
        busy = provider.put("/accounts/acme/settings", json=body)

    assert refused.status_code == busy.status_code == 429
    assert "try again in a minute" in refused.json()["error"]["message"]
