"""FTP Settings through the page: tested live, saved only where files can be written."""

import socket
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.accounts import LogonType, Protocol
from config.fields import settings_fields
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.integration.console import Browser, Console, serving
from tests.integration.platform import MakeCourier
from tests.integration.settings.page import FTP, GOOD, form, renew_host_key
from tests.servers import Sshd
from tests.servers.misbehaving import Mood, moody_server
from worker import show
from worker.account_facts import read_account


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
    assert "data-said>Connection refused</span></q>" in shown
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
    renew_host_key(sshd)

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


def test_the_form_says_what_to_let_in_at_a_firewall(make_courier: MakeCourier) -> None:
    networks = (ip_network("203.0.113.0/28"), ip_network("2001:db8::7"))
    courier = make_courier(firewall_addresses=networks)
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("admin", "acme")
        page = console.browser("admin").get(FTP).text
        shown = console.program("acme").get("/accounts/acme").json()
    assert "<code>203.0.113.0/28</code>, <code>2001:db8::7</code>" in page
    assert shown["connects_from"] == ["203.0.113.0/28", "2001:db8::7"]
    assert show.account_shape(read_account(courier.core, "acme")) == shown


def test_the_form_says_nothing_of_firewalls_where_nothing_is_known(browser: Browser) -> None:
    assert "connects-from" not in browser.get(FTP).text
