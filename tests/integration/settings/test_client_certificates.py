"""A client certificate from the form, the API and the command to the customer's server."""

import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from typer.testing import CliRunner

from config.secrets import Vault
from tests.integration.console import Browser, Console
from tests.integration.platform import running
from tests.integration.settings.page import FTP, form
from tests.servers import Vsftpd
from tests.servers.certificates import Authority, Pair
from worker.cli import app

API = "/accounts/acme/settings"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "clients")


@pytest.fixture
def own(authority: Authority) -> Pair:
    return authority.issue("acme")


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[Vsftpd]:
    """Wants a certificate of the client's."""
    lines = ["ssl_request_cert=YES", "require_cert=YES", "validate_cert=YES"]
    lines.append(f"ca_certs_file={authority.file}")
    with Vsftpd(tmp_path / "vsftpd", tls="ftps", extra=lines) as running:
        yield running


def pasted(pair: Pair) -> dict[str, str]:
    return {"client_certificate": pair.cert.read_text(), "client_key": pair.key.read_text()}


def saved(console: Console, browser: Browser, fields: dict[str, str]) -> str:
    return html.unescape(console.tested(browser, "acme", browser.send_form(FTP, **fields).text))


def stored(console: Console) -> dict[str, Any]:
    return console.platform.core.database["accounts"].find_one({"_id": "acme"}) or {}


def test_it_is_pasted_once_kept_encrypted_and_shown_to_the_server(
    console: Console, browser: Browser, server: Vsftpd, own: Pair
) -> None:
    shown = saved(console, browser, form(server.customer, **pasted(own)))
    assert "Saved and switched on" in shown
    again = form(
        server.customer, path="calls", password="", client_certificate=own.cert.read_text()
    )
    assert "Saved" in saved(console, browser, again)
    courier = console.platform
    with running(courier):
        (recording,) = courier.publish_many("acme", ["call.wav"])
        courier.wait_status(recording, "delivered")
    assert (server.root / "calls" / "call.wav").is_file()

    document = stored(console)
    kept = Vault(courier.core.settings.secret_keys).decrypt(document["client_key"])
    assert kept.get_secret_value().startswith("-----BEGIN PRIVATE KEY-----")
    page = html.unescape(browser.get(FTP).text)
    assert own.cert.read_text().splitlines()[2] in page
    everything = " ".join(
        [
            json.dumps(document, default=str),
            page,
            html.unescape(browser.get("/accounts/acme/audit").text),
            console.program("acme").get("/accounts/acme").text,
            CliRunner().invoke(app, ["accounts", "show", "acme"]).output,
        ]
    )
    for secret in (own.key.read_text(), kept.get_secret_value()):
        assert secret.splitlines()[2] not in everything
    tested = CliRunner().invoke(app, ["accounts", "test", "acme"])
    assert tested.exit_code == 0, tested.output

    removed = saved(console, browser, form(server.customer))
    assert 'data-problem="client_certificate"' in removed
    assert "wants a client certificate" in removed
    assert "client_key" in stored(console)


def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_saved(
    console: Console, browser: Browser, server: Vsftpd, authority: Authority, own: Pair
) -> None:
    other, late = authority.issue("other"), authority.issue("late", expired=True)
    early = authority.issue("early", early=True)
    chain, key = own.cert.read_text(), own.key.read_text()
    bad = [
        ({}, "client_certificate", "wants a client certificate"),
        ({"client_certificate": chain}, "client_key", "Client Key is required"),
        ({"client_key": key}, "client_certificate", "Client Certificate is required"),
        ({**pasted(own), "client_key": other.key.read_text()}, "client_key", "is not that of"),
        ({**pasted(own), "client_key": "a key"}, "client_key", "is no private key"),
        (pasted(late), "client_certificate", "ended on 20"),
        (pasted(early), "client_certificate", "begins on 20"),
    ]
    api = console.program("acme")
    for given, field, words in bad:
        shown = saved(console, browser, form(server.customer, **given))
        assert f'data-problem="{field}"' in shown, given
        assert words in shown
        entered: dict[str, Any] = form(server.customer, **given)
        del entered["enabled"]
        told = api.put(API, json={**entered, "port": server.port})
        assert (told.status_code, told.json()["error"]["field"]) == (422, field)
        assert words in told.json()["error"]["message"]
    assert console.settings("acme") is None
    assert "client_key" not in stored(console)


def test_a_certificate_that_is_none_is_refused_at_once(browser: Browser, server: Vsftpd) -> None:
    fields = form(server.customer, client_certificate="nonsense")
    shown = html.unescape(browser.send_form(FTP, **fields).text)
    assert "Client Certificate must be certificates in PEM" in shown


def test_a_client_key_that_the_protocol_does_not_use_is_not_silently_dropped(
    console: Console, server: Vsftpd, own: Pair
) -> None:
    entered: dict[str, Any] = form(server.customer, **pasted(own))
    del entered["enabled"], entered["ca_certificates"]
    told = console.program("acme").put(
        API, json={**entered, "port": server.port, "protocol": "ftp"}
    )
    assert (told.status_code, told.json()["error"]["field"]) == (422, "client_key")
    assert "choose FTPS" in told.json()["error"]["message"]


@pytest.mark.usefixtures("console")
def test_the_command_takes_it_from_files_and_tells_whose_it_is(server: Vsftpd, own: Pair) -> None:
    customer, run = server.customer, CliRunner().invoke
    assert server.authority is not None
    options = [
        *("--protocol", "ftps", "--host", customer.host, "--port", str(customer.port)),
        *("--username", customer.username, "--password-stdin"),
        *("--ca-file", str(server.authority.file), "--client-certificate", str(own.cert)),
    ]
    command, secret = ["accounts", "set", "acme", *options], f"{customer.password}\n"
    refused = run(app, command, input=secret)
    assert refused.exit_code == 1
    assert "Client Key is required" in refused.output
    assert "--client-key" in refused.output
    given = run(app, [*command, "--client-key", str(own.key)], input=secret)
    assert given.exit_code == 0, given.output
    shown = " ".join(run(app, ["accounts", "show", "acme"]).output.split())
    assert "client certificate" in shown
    again = run(app, ["accounts", "set", "acme", "--path", "calls"])
    assert again.exit_code == 0, again.output


def test_a_change_of_keys_encrypts_it_anew_and_removing_the_settings_removes_it(
    console: Console, browser: Browser, server: Vsftpd, own: Pair
) -> None:
    assert "Saved" in saved(console, browser, form(server.customer, **pasted(own)))
    core = console.platform.core
    (old,) = core.settings.secret_keys
    new = SecretStr(Fernet.generate_key().decode())
    before = Vault([old]).decrypt(stored(console)["client_key"])
    assert core.directory.rotate(Vault([new, old])).rotated == 2
    assert core.directory.rotate(Vault([new, old])).rotated == 0
    assert Vault([new]).decrypt(stored(console)["client_key"]) == before
    core.directory.forget_settings("acme")
    assert "client_key" not in stored(console)
