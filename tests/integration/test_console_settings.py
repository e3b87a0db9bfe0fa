"""FTP Settings through the page: tested live, saved only where files can be written."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.accounts import LogonType, Protocol
from config.fields import settings_fields
from config.permissions import Principal
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.integration.console import Browser, Console, serving
from tests.integration.platform import MakeCourier
from tests.servers import Sshd
from tests.servers.misbehaving import Mood, moody_server
from transports.base import Limits
from worker.ftp_settings import Secrets

FTP = "/accounts/acme/ftp"


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("admin", "acme")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    browser = console.browser("admin")
    browser.headers["HX-Request"] = "true"
    return browser


def form(server: CustomerServer, **changes: str) -> dict[str, str]:
    return {
        "enabled": "on",
        "protocol": "sftp" if server.host_key else "ftp",
        "logon_type": "normal",
        "host": server.host,
        "port": str(server.port),
        "username": server.username,
        "password": server.password,
        "path": ".",
        **changes,
    }


GOOD = CustomerServer("ftp.example", 21, "customer", "a password", Path(), None, "/")


def test_the_form_has_the_fields_of_the_settings_text(browser: Browser) -> None:
    page = browser.get(FTP).text

    for label in ("Enable FTP Settings", "Protocol", "Logon Type", "Host", "Port", "Username"):
        assert label in page
    for label in ("Password", "Path", "Email Alerts", "Normal", "Interactive", ">FTP<", ">SFTP<"):
        assert label in page
    assert 'data-shown-when="protocol=sftp"' in page


def test_the_form_has_every_field_that_is_declared_for_whoever_may_set_it(
    console: Console, browser: Browser
) -> None:
    console.user("operator", None)
    own, provider = browser.get(FTP).text, console.browser("operator").get(FTP).text
    for field in settings_fields():
        assert f'name="{field.name}"' in provider
        assert field.help.split(":")[0].split("'")[0] in provider
        assert (f'name="{field.name}"' in own) is not field.by_provider


def test_settings_that_work_are_saved_and_the_host_key_pinned(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    began = browser.send_form(FTP, **form(sshd.customer, email_alerts="a@x.example; b@y.example"))
    shown = console.tested(browser, "acme", began.text)

    for step in ("Resolved", "Connected", "Host key", "Logged in", "Path", "Wrote", "Renamed"):
        assert f">{step}<" in shown
    assert "Saved and switched on" in shown
    assert sshd.host_key.replace("+", "&#43;") in shown or sshd.host_key in shown
    saved = console.settings("acme")
    assert saved is not None
    assert (saved.protocol, saved.host_key) == (Protocol.SFTP, sshd.host_key)
    assert saved.email_alerts == ("a@x.example", "b@y.example")
    assert console.actions("acme") == ["settings.saved", "settings.tested"]
    assert sshd.password not in browser.get(FTP).text + browser.get("/accounts/acme/audit").text


def test_an_interactive_logon_is_tested_as_such(
    console: Console, browser: Browser, asyncssh_server: AsyncSshServer
) -> None:
    fields = form(asyncssh_server.customer, logon_type="interactive")
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)

    assert "Saved" in shown
    saved = console.settings("acme")
    assert saved is not None
    assert saved.logon_type is LogonType.INTERACTIVE


def test_a_wrong_password_is_refused_with_the_servers_words(
    console: Console, browser: Browser, pyftpd_server: PyFtpServer
) -> None:
    fields = form(pyftpd_server.customer, password="wrong")
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)

    assert "530" in shown
    assert "Nothing was saved" in shown
    assert 'data-problem="password"' in shown
    assert console.settings("acme") is None


def test_beside_the_field_stands_what_to_do_and_below_whose_words_they_are(
    browser: Browser, console: Console, pyftpd_server: PyFtpServer
) -> None:
    wrong = form(pyftpd_server.customer, protocol="sftp")
    shown = console.tested(browser, "acme", browser.send_form(FTP, **wrong).text)
    assert 'data-problem="protocol"' in shown
    assert 'data-words="An FTP server answers here: choose FTP, or another port."' in shown

    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = str(listener.getsockname()[1])
    closed = form(pyftpd_server.customer, port=nobody)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **closed).text)
    assert "operating system said: <q>Connection refused</q>" in shown
    assert "The server said" not in shown


@pytest.mark.parametrize(
    ("switch", "words"), [("settings", "switched off"), ("permission", "has no FTP access")]
)
def test_an_account_that_is_switched_off_after_a_save_is_told_by_which_switch(
    console: Console, browser: Browser, pyftpd_server: PyFtpServer, switch: str, words: str
) -> None:
    console.tested(browser, "acme", browser.send_form(FTP, **form(pyftpd_server.customer)).text)
    directory = console.platform.core.directory
    if switch == "settings":
        directory.set_enabled("acme", enabled=False)
    else:
        directory.set_ftp_access("acme", granted=False)
    shown = console.browser("admin").get(f"{FTP}/after").text
    assert words in shown
    assert ("has no FTP access" in shown) is (switch == "permission")


def test_a_folder_that_cannot_be_written_is_refused(
    console: Console, browser: Browser, tmp_path: Path
) -> None:
    with moody_server(tmp_path / "server", Mood(read_only=True)) as server:
        fields = form(server.customer)
        shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)

    assert "You may not write here" in shown
    assert 'data-problem="path"' in shown
    assert console.settings("acme") is None


def test_a_changed_host_key_is_refused_until_it_is_approved(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    pinned = sshd.host_key
    sshd.stop()
    sshd.regenerate_host_key()
    sshd.start()

    fields = form(sshd.customer, path="recordings")
    refused = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    kept = console.settings("acme")

    assert f"<code>{pinned}</code>" in refused
    assert f"<code>{sshd.host_key}</code>" in refused
    assert "Approve it instead" in refused
    assert "the pinned one is forgotten" in refused
    assert "Nothing was saved" in refused
    assert kept is not None
    assert (kept.host_key, kept.path) == (pinned, ".")

    act = refused.split('action="')[1].split('"')[0]
    shown = console.tested(browser, "acme", browser.send_form(act).text)
    saved = console.settings("acme")

    assert "Saved" in shown
    assert f"no other host key: <code>{sshd.host_key}</code>" in shown
    assert saved is not None
    assert (saved.host_keys, saved.path) == ((sshd.host_key,), "recordings")
    assert console.actions("acme") == [
        "settings.saved",
        "settings.tested",
        "host-key.approved",
        "settings.tested",
        "settings.saved",
        "settings.tested",
    ]


def test_a_change_keeps_the_password_and_the_pinned_key(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)

    fields = form(sshd.customer, password="", path="elsewhere", host_keys=sshd.host_key)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)

    assert "Saved" in shown
    assert (sshd.root / "elsewhere").is_dir()


def test_weak_algorithms_that_are_allowed_stay_and_are_warned_of_on_the_page(
    console: Console, browser: Browser, tmp_path: Path
) -> None:
    console.user("provider", None)
    provider = console.browser("provider")
    provider.headers["HX-Request"] = "true"
    root = tmp_path / "weak"
    root.mkdir()
    with AsyncSshServer(root, algorithms={"encryption_algs": ["aes128-cbc"]}) as server:
        fields = form(server.customer, weak_algorithms="on")
        console.tested(provider, "acme", provider.send_form(FTP, **fields).text)
        assert 'name="weak_algorithms"' in provider.get(FTP).text
        shown = browser.get(FTP).text
        assert 'name="weak_algorithms"' not in shown
        assert "Weak algorithms are allowed" in shown
        fields = form(server.customer, password="", path="calls")
        console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    stored = console.settings("acme")
    assert stored is not None
    assert (stored.weak_algorithms, stored.path) == (True, "calls")


def test_without_the_box_ticked_the_settings_are_switched_off(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    fields = form(sshd.customer)
    del fields["enabled"]

    answer = browser.send_form(FTP, **fields)

    assert answer.headers["hx-redirect"] == FTP
    assert console.platform.core.directory.get("acme").enabled is False
    assert console.settings("acme") is not None


BAD_INPUT = [
    ("host", "", "Host is required."),
    ("host", "x" * 300, "at most"),
    ("host", "sftp://ftp.example", "without protocol, port or path"),
    ("host", "ftp.example:22", "without protocol, port or path"),
    ("host", "ftp.example\r\nSITE CHMOD", "without protocol, port or path"),
    ("host", "<script>alert(1)</script>", "without protocol, port or path"),
    ("host", "\u0430pple.example", "look alike"),
    ("port", "0", "whole number from 1 to 65535"),
    ("port", "65536", "whole number from 1 to 65535"),
    ("port", "ssh", "whole number from 1 to 65535"),
    ("port", "\uff12\uff12", "whole number from 1 to 65535"),
    ("username", "", "Username is required."),
    ("username", "a\r\nDELE b", "line breaks"),
    ("username", "x" * 257, "at most 256"),
    ("username", "ab\u202egnp", "direction of writing"),
    ("password", "", "Password is required."),
    ("password", "a\nb", "line breaks"),
    ("password", "x" * 1025, "1024"),
    ("path", "a\r\nb", "line breaks"),
    ("path", "x" * 1025, "at most 1024"),
    ("email_alerts", "not an address", "e-mail address"),
    ("email_alerts", "a@x.example\r\nBcc: all@x.example", "e-mail address"),
    ("email_alerts", ",".join(f"a{n}@x.example" for n in range(51)), "at most 50"),
    ("protocol", "scp", "must be"),
    ("protocol", "", "Protocol is required."),
    ("logon_type", "<b>", "must be"),
    ("host_keys", "MD5:1234", "fingerprint"),
]


def test_bad_input_is_told_beside_its_field_and_nothing_is_saved(
    console: Console, browser: Browser
) -> None:
    for field, value, words in BAD_INPUT:
        answer = browser.send_form(FTP, **form(GOOD, protocol="sftp") | {field: value})

        assert answer.status_code == 422, (field, value)
        assert f'data-problem="{field}"' in answer.text, (field, value)
        assert words in answer.text, (field, value, answer.text)
        assert "<script>" not in answer.text
    assert console.settings("acme") is None
    assert console.actions("acme") == []


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("169.254.169.254", "where no connection may go"),
        ("::ffff:169.254.169.254", "where no connection may go"),
        ("no-such-host.invalid", ""),
    ],
)
def test_an_address_that_cannot_be_used_is_told_beside_the_host(
    console: Console, browser: Browser, host: str, words: str
) -> None:
    fields = form(GOOD, host=host)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)

    assert 'data-problem="host"' in shown
    assert words in shown
    assert console.settings("acme") is None


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
