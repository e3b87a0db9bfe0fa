"""Logon by a key that the platform makes, from its making to the delivery; with a certificate."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from config.accounts import LogonType
from config.credentials import Credentials
from config.destination import merged
from config.errors import AccountError
from config.public_keys import certificate_line
from config.secrets import Vault
from config.ssh_keys import KeyPair, KeyType, generated
from tests.integration.console import Browser, Console
from tests.integration.platform import running
from tests.integration.settings.page import FTP
from tests.integration.settings.ssh_keys import (
    COMMENT,
    PASSPHRASE,
    body,
    encrypted,
    form,
    stored,
)
from tests.servers import Sshd
from tests.servers.host_keys import make_host_key
from worker.cli import app
from worker.console.limits import KEYS
from worker.ftp_settings import NOTHING_GIVEN, change


def generate(console: Console, door: str) -> str:
    """Have a key made; the line of its public half."""
    if door == "api":
        made = console.program("acme").post("/accounts/acme/key", json={})
        assert made.status_code == 201, made.text
        line = made.json()["pending_key"]["public_key"]
    elif door == "command":
        result = CliRunner().invoke(app, ["accounts", "key", "generate", "acme", "--json"])
        assert result.exit_code == 0, result.output
        line = json.loads(result.stdout)["pending_key"]["public_key"]
    else:
        browser = console.browser("admin")
        browser.headers["HX-Request"] = "true"
        made = browser.send_form(f"{FTP}/key", do="generate", type="ed25519")
        assert made.status_code == 200, made.text
        line = made.text.split('id="key-waiting" class="secret">')[1].split("<")[0]
    assert line.endswith(COMMENT)
    return str(line)


@pytest.mark.parametrize("door", ["api", "command", "page"])
def test_a_key_that_was_made_is_in_use_once_a_test_has_logged_in_with_it(
    console: Console, browser: Browser, server: Sshd, door: str
) -> None:
    line = generate(console, door)
    assert line in browser.get(FTP).text
    fields = form(server.customer)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert 'data-problem="private_key"' in shown
    assert "authorized_keys" in shown
    assert "key" not in stored(console)

    server.authorize(line)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert "Saved" in shown
    assert "pending_key" not in stored(console)
    assert stored(console)["key"]["line"] == line


def test_the_old_key_goes_on_until_the_new_one_has_passed_its_test(
    console: Console, browser: Browser, server: Sshd, own: KeyPair
) -> None:
    fields = form(server.customer, private_key=own.private.get_secret_value())
    console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    old = stored(console)["key"]
    line = generate(console, "api")
    assert "PRIVATE KEY" not in console.program("acme").get("/accounts/acme").text
    refused = console.tested(browser, "acme", browser.send_form(FTP, **form(server.customer)).text)
    assert "Nothing was saved" in refused
    assert stored(console)["key"] == old
    tested = CliRunner().invoke(app, ["accounts", "test", "acme"])
    assert tested.exit_code == 0, tested.output
    with running(console.platform):
        (recording,) = console.platform.publish_many("acme", ["call.wav"])
        console.platform.wait_status(recording, "delivered")

    server.authorize(own.public.line, line)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **form(server.customer)).text)
    assert "Saved" in shown
    server.authorize(line)
    assert CliRunner().invoke(app, ["accounts", "test", "acme"]).exit_code == 0
    actions = console.actions("acme")
    assert "key.generated" in actions


def test_a_new_key_is_discarded_and_the_one_in_use_stays(
    console: Console, browser: Browser, server: Sshd, own: KeyPair
) -> None:
    fields = form(server.customer, private_key=own.private.get_secret_value())
    console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    api = console.program("acme")
    generate(console, "page")
    assert api.delete("/accounts/acme/key").status_code == 204
    assert api.delete("/accounts/acme/key").status_code == 409
    left = api.get("/accounts/acme/key").json()
    assert (left["pending_key"], left["key"]["fingerprint"]) == (None, own.public.fingerprint)
    generate(console, "page")
    assert CliRunner().invoke(app, ["accounts", "key", "discard", "acme"]).exit_code == 0
    again = console.tested(browser, "acme", browser.send_form(FTP, **form(server.customer)).text)
    assert "Saved" in again


def test_a_key_is_imported_and_waits_like_one_that_was_made(
    console: Console, browser: Browser, server: Sshd, own: KeyPair, tmp_path: Path
) -> None:
    api = console.program("acme")
    wrong = api.put("/accounts/acme/key", json={"private_key": own.public.line})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (422, "private_key")
    file = tmp_path / "key"
    file.write_text(encrypted(own))
    command = ["accounts", "key", "import", "acme", str(file)]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 1
    assert "Passphrase is required" in told.stderr
    assert "--passphrase-stdin" in told.stderr
    command.append("--passphrase-stdin")
    result = CliRunner().invoke(app, command, input=f"{PASSPHRASE}\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(own.public.line.rsplit(" ", 3)[0])
    shown = CliRunner().invoke(app, ["accounts", "key", "show", "acme"])
    assert own.public.fingerprint in shown.output
    saved = console.tested(browser, "acme", browser.send_form(FTP, **form(server.customer)).text)
    assert "Saved" in saved
    assert stored(console)["key"]["line"].split()[1] == own.public.line.split()[1]


def test_a_key_that_was_made_anew_during_a_test_is_not_taken_for_the_tested_one(
    console: Console, server: Sshd
) -> None:
    core = console.platform.core
    server.authorize(generate(console, "api"))

    def made_anew(_step: Any) -> None:
        generate(console, "command")

    with pytest.raises(AccountError, match="meanwhile"):
        change(core, "acme", body(server.customer), NOTHING_GIVEN, made_anew, actor="me")
    assert "key" not in stored(console)
    assert "pending_key" in stored(console)


@pytest.mark.parametrize("kind", KeyType)
def test_a_key_of_each_kind_is_made_on_demand(console: Console, kind: KeyType) -> None:
    made = console.program("acme").post("/accounts/acme/key", json={"type": kind.value})
    assert made.status_code == 201
    begins = {"ed25519": "ssh-ed25519", "ecdsa-p256": "ecdsa-sha2-nistp256"}
    algorithm = made.json()["pending_key"]["algorithm"]
    assert algorithm == begins.get(kind.value, "ssh-rsa")


def test_a_tenant_cannot_have_keys_made_without_end(console: Console) -> None:
    api, provider = console.program("acme"), console.program(None)
    statuses = [api.post("/accounts/acme/key", json={}).status_code for _ in range(KEYS.burst + 1)]
    assert statuses == [201] * KEYS.burst + [429]
    assert provider.post("/accounts/acme/key", json={}).status_code == 201


def test_an_account_of_the_previous_version_is_read_as_before(console: Console) -> None:
    core = console.platform.core
    settings = {"protocol": "sftp", "host": "h.example", "port": 22, "username": "u", "path": "."}
    vault = Vault(core.settings.secret_keys)
    before = {"settings": settings, "password": vault.encrypt(SecretStr("a password"))}
    core.database["accounts"].update_one({"_id": "acme"}, {"$set": before})
    login = core.directory.login("acme")
    assert (login.account.key, login.account.pending_key) == (None, None)
    assert core.directory.credentials_of(login) == Credentials(SecretStr("a password"))
    assert console.program("acme").get("/accounts/acme").json()["key"] is None


# --- certificates ---------------------------------------------------------------------------------


def certificate_of(folder: Path, line: str, *options: str) -> Path:
    """A certificate for the public key, of an authority in the folder."""
    public = folder / "id.pub"
    public.write_text(line)
    authority = folder / "authority"
    if not authority.exists():
        make_host_key(authority)
    given = ["-q", "-s", str(authority), "-I", "acme", "-n", "customer", *options, str(public)]
    subprocess.run(["ssh-keygen", *given], check=True, timeout=30)
    return folder / "id-cert.pub"


def test_a_certificate_is_shown_with_the_key_that_it_is_for(
    console: Console, browser: Browser, tmp_path: Path
) -> None:
    line = generate(console, "api")
    good = certificate_of(tmp_path, line).read_text()
    trust = [f"TrustedUserCAKeys {tmp_path / 'authority.pub'}"]
    nobody = generated(KeyType.ED25519, "nobody")
    with Sshd(tmp_path / "sshd", authorized=[nobody.public.line], extra=trust) as server:
        fields = form(server.customer, key_certificate=good)
        ended = certificate_of(tmp_path, line, "-V", "20200101:20200102").read_text()
        other = certificate_of(tmp_path, nobody.public.line).read_text()
        for wrong, words in ((ended, "ended on 2020-01-0"), (other, "is for another key")):
            answer = browser.send_form(FTP, **{**fields, "key_certificate": wrong})
            shown = console.tested(browser, "acme", answer.text)
            assert 'data-problem="key_certificate"' in shown
            assert words in shown
        assert console.settings("acme") is None
        shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
        assert "Saved" in shown
        assert "and its certificate" in shown
        assert CliRunner().invoke(app, ["accounts", "test", "acme"]).exit_code == 0
        removed = CliRunner().invoke(app, ["accounts", "set", "acme", "--key-certificate", ""])
        assert removed.exit_code == 1
        assert "authorized_keys" in removed.stderr
        again = certificate_of(tmp_path, line)
        command = ["accounts", "set", "acme", "--key-certificate", str(again)]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    settings = console.settings("acme")
    assert settings is not None
    assert settings.key_certificate == certificate_line(again.read_text())
    assert merged(settings, {"logon_type": LogonType.NORMAL}).key_certificate is None
