"""FTPS from the form, the API and the command to the customer's server."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from config.accounts import Protocol
from config.certificates import check_certificates
from tests.integration.console import Browser, Console
from tests.integration.platform import running
from tests.integration.settings.page import FTP, form
from tests.servers import Sshd, Vsftpd
from tests.servers.certificates import Authority, fingerprint
from tests.servers.ftps import Ftps
from worker.cli import app


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Vsftpd]:
    with Vsftpd(tmp_path / "vsftpd", tls="ftps") as running:
        yield running


def saved(console: Console, browser: Browser, fields: dict[str, str]) -> str:
    return html.unescape(console.tested(browser, "acme", browser.send_form(FTP, **fields).text))


def test_a_server_whose_authority_is_given_is_saved_and_gets_its_recordings(
    console: Console, browser: Browser, server: Vsftpd
) -> None:
    shown = saved(console, browser, form(server.customer))
    for step in ("Encrypted", "Certificate", "Logged in", "Protected", "Renamed"):
        assert f">{step}<" in shown
    assert "issued by trustme" in shown
    stored = console.settings("acme")
    assert stored is not None
    assert (stored.protocol, stored.host_keys) == (Protocol.FTPS, ())
    assert stored.ca_certificates == check_certificates(server.customer.authority or "")
    page = html.unescape(browser.get(FTP).text)
    assert stored.ca_certificates.strip() in page

    courier = console.platform
    with running(courier):
        for recording_id in courier.publish_many("acme", ["a.wav", "b.wav", "c.wav"]):
            assert courier.wait_status(recording_id, "delivered")["verified"] == "size"
        courier.account_for("acme", server.root)


def test_a_certificate_that_nobody_known_has_issued_is_approved_and_pinned(
    console: Console, browser: Browser, server: Vsftpd
) -> None:
    refused = saved(console, browser, form(server.customer, ca_certificates=""))
    shown = fingerprint(server.pair)
    assert "The server's certificate is not trusted" in refused
    assert f"<code>{shown}</code>" in refused
    assert 'data-problem="host_keys"' in refused
    assert "Approve it" in refused
    assert 'name="keep"' not in refused
    assert console.settings("acme") is None

    act = refused.split('action="')[1].split('"')[0]
    approved = console.tested(browser, "acme", browser.send_form(act).text)
    assert "Saved" in approved
    stored = console.settings("acme")
    assert stored is not None
    assert stored.host_keys == (shown,)
    assert "Pinned certificate" in browser.get(FTP).text


def test_a_pin_that_is_removed_on_the_page_has_the_certificate_verified(
    console: Console, browser: Browser, server: Vsftpd
) -> None:
    pinned = form(server.customer, ca_certificates="", host_keys=fingerprint(server.pair))
    assert "Saved" in saved(console, browser, pinned)
    assert "is not trusted" in saved(console, browser, {**pinned, "host_keys": ""})
    verified = form(server.customer, host_keys="", password="")
    assert "Saved" in saved(console, browser, verified)
    stored = console.settings("acme")
    assert stored is not None
    assert stored.host_keys == ()


def test_a_key_of_ssh_that_the_form_still_shows_is_no_pin_of_a_certificate_nor_the_other_way(
    console: Console, browser: Browser, server: Vsftpd, sshd: Sshd
) -> None:
    def pins_after(fields: dict[str, str]) -> tuple[str, ...]:
        assert "Saved" in saved(console, browser, fields)
        stored = console.settings("acme")
        assert stored is not None
        return stored.host_keys

    key, certificate = sshd.host_key, fingerprint(server.pair)
    assert pins_after(form(sshd.customer)) == (key,)
    assert pins_after(form(server.customer, host_keys=key)) == ()
    assert pins_after(form(server.customer, host_keys=certificate)) == (certificate,)
    assert pins_after(form(sshd.customer, host_keys=certificate)) == (key,)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"protocol": "ftp", "ca_certificates": ""}, "protocol", "choose FTPS (explicit)"),
        ({"protocol": "ftps-implicit"}, "protocol", "choose FTPS (explicit)"),
        ({"host": "localhost"}, "host", "by a name that its certificate has"),
        ({"password": "wrong"}, "password", "Check username, password"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(
    console: Console,
    browser: Browser,
    server: Vsftpd,
    changes: dict[str, str],
    field: str,
    words: str,
) -> None:
    shown = saved(console, browser, form(server.customer, **changes))
    assert f'data-problem="{field}"' in shown
    assert words in shown
    assert console.settings("acme") is None


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"expired": True}, "The certificate expired on 20"),
        ({"early": True}, "The certificate is valid from 20"),
    ],
)
def test_a_certificate_that_is_not_valid_by_now_is_told_beside_the_host(
    console: Console, browser: Browser, tmp_path: Path, times: dict[str, bool], words: str
) -> None:
    authority = Authority(tmp_path / "authority")
    with Ftps(authority, pair=authority.issue("127.0.0.1", **times)) as server:
        shown = saved(console, browser, form(server.customer))
        assert not any(line.startswith(("USER", "PASS")) for line in server.heard)
    assert 'data-problem="host"' in shown
    assert words in shown
    assert "No password was sent." in shown
    assert console.settings("acme") is None


def test_the_api_gives_the_fingerprint_to_approve(console: Console, server: Vsftpd) -> None:
    customer, api = server.customer, console.program("acme")
    entered: dict[str, Any] = {
        "protocol": "ftps",
        "host": customer.host,
        "port": customer.port,
        "username": customer.username,
        "password": customer.password,
    }
    refused = api.put("/accounts/acme/settings", json=entered)
    told = refused.json()["error"]
    shown = fingerprint(server.pair)
    assert (refused.status_code, told["shown"], told["field"]) == (409, shown, "host_keys")
    pinned = api.put("/accounts/acme/settings", json={**entered, "host_key": shown}).json()
    assert pinned["settings"]["host_keys"] == [shown]
    verified = {**entered, "host_keys": [], "ca_certificates": customer.authority}
    answer = api.put("/accounts/acme/settings", json=verified).json()
    assert answer["settings"]["host_keys"] == []
    assert answer["settings"]["ca_certificates"].startswith("-----BEGIN CERTIFICATE-----")


def test_the_command_takes_a_file_of_authorities_or_a_fingerprint(
    console: Console, server: Vsftpd
) -> None:
    customer, run = server.customer, CliRunner().invoke
    options = [
        *("--protocol", "ftps", "--host", customer.host, "--port", str(customer.port)),
        *("--username", customer.username, "--password-stdin"),
    ]
    command, secret = ["accounts", "set", "acme", *options], f"{customer.password}\n"
    refused = run(app, command, input=secret)
    shown = fingerprint(server.pair)
    assert refused.exit_code == 1
    assert f"--host-key {shown}" in " ".join(refused.output.split())
    assert run(app, [*command, "--host-key", shown], input=secret).exit_code == 0
    assert server.authority is not None
    given = ["--ca-file", str(server.authority.file), "--host-key", ""]
    assert run(app, ["accounts", "set", "acme", *given]).exit_code == 0
    stored = console.settings("acme")
    assert stored is not None
    assert (stored.host_keys, bool(stored.ca_certificates)) == ((), True)
    assert run(app, ["accounts", "set", "acme", "--ca-file", "nowhere.pem"]).exit_code == 1
    assert "trustme" in run(app, ["accounts", "show", "acme"]).output
