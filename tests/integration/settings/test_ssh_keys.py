"""Logon by a key of the customer's own, from the settings to the delivery."""

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from typer.testing import CliRunner

from config.account_keys import AccountKeys
from config.accounts import FtpSettings, LogonType
from config.private_keys import read_private_key
from config.secrets import Vault
from config.ssh_keys import KeyPair, KeyType, generated
from tests.integration.console import Browser, Console
from tests.integration.platform import running
from tests.integration.settings.page import FTP
from tests.integration.settings.ssh_keys import (
    API,
    COMMENT,
    PASSPHRASE,
    body,
    encrypted,
    form,
    stored,
)
from tests.servers import Sshd
from worker.cli import app


def test_a_key_of_the_customers_own_logs_in_and_delivers(
    console: Console, browser: Browser, server: Sshd, own: KeyPair
) -> None:
    pasted = encrypted(own)
    fields = form(server.customer, private_key=pasted, passphrase=PASSPHRASE)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert "Saved and switched on" in shown
    assert f"customer, with the key {own.public.fingerprint}" in shown

    again = form(server.customer, path="calls")
    assert "Saved" in console.tested(browser, "acme", browser.send_form(FTP, **again).text)
    with running(console.platform):
        (recording,) = console.platform.publish_many("acme", ["call.wav"])
        console.platform.wait_status(recording, "delivered")
    assert (server.root / "calls" / "call.wav").is_file()

    document = stored(console)
    assert "password" not in document
    assert document["key"]["line"].endswith(COMMENT)
    vault = Vault(console.platform.core.settings.secret_keys)
    kept = vault.decrypt(document["key"]["private"])
    assert read_private_key(kept, None, "").public.fingerprint == own.public.fingerprint
    everything = " ".join(
        [
            json.dumps(document, default=str),
            browser.get(FTP).text,
            browser.get("/accounts/acme/audit").text,
            console.program("acme").get("/accounts/acme").text,
            json.dumps([vars(e) for e in console.services.audit.list(["acme"], 99)], default=str),
        ]
    )
    for secret in (pasted, own.private.get_secret_value(), kept.get_secret_value()):
        assert secret.splitlines()[3] not in everything
    assert PASSPHRASE not in everything
    assert own.public.fingerprint in everything


@pytest.mark.parametrize("door", ["api", "command"])
def test_a_key_is_given_by_the_api_and_by_a_command_too(
    console: Console, server: Sshd, own: KeyPair, tmp_path: Path, door: str
) -> None:
    told = server.customer
    if door == "api":
        given = body(told, private_key=encrypted(own), passphrase=PASSPHRASE)
        answer = console.program("acme").put(API, json=given)
        assert answer.status_code == 200, answer.text
        said = answer.text
    else:
        file = tmp_path / "id_ed25519"
        file.write_text(encrypted(own))
        options = [f"--host={told.host}", f"--port={told.port}", f"--username={told.username}"]
        options += ["--protocol=sftp", "--logon-type=key", f"--private-key={file}"]
        command = ["accounts", "set", "acme", *options, "--passphrase-stdin"]
        result = CliRunner().invoke(app, command, input=f"{PASSPHRASE}\n")
        assert result.exit_code == 0, result.output
        said = result.output
        assert own.public.fingerprint in said
        page = CliRunner().invoke(app, ["accounts", "show", "acme"]).output
        assert own.public.fingerprint in page
    assert own.private.get_secret_value().splitlines()[3] not in said
    shown = console.program("acme").get("/accounts/acme").json()
    blob = own.public.line.split()[1]
    assert shown["key"] == {
        "algorithm": "ssh-ed25519",
        "fingerprint": own.public.fingerprint,
        "public_key": f"ssh-ed25519 {blob} {COMMENT}",
    }
    assert shown["settings"]["logon_type"] == "key"
    tested = CliRunner().invoke(app, ["accounts", "test", "acme"])
    assert tested.exit_code == 0, tested.output


def test_a_key_that_cannot_be_used_is_told_beside_its_field_and_nothing_is_saved(
    console: Console, browser: Browser, server: Sshd, own: KeyPair
) -> None:
    pasted = encrypted(own)
    bad = [
        ({"private_key": pasted, "passphrase": "wrong"}, "passphrase", "does not open"),
        ({"private_key": pasted}, "passphrase", "Passphrase is required"),
        ({"private_key": own.public.line}, "private_key", "is a public key"),
        ({"private_key": "PuTTY-User-Key-File-2: ssh-rsa"}, "private_key", ".ppk"),
        ({"private_key": pasted[:200]}, "private_key", "is not whole"),
        ({}, "private_key", "Private Key is required"),
    ]
    api = console.program("acme")
    for given, field, words in bad:
        fields = form(server.customer, **given)
        shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
        assert f'data-problem="{field}"' in shown, given
        assert words in shown
        told = api.put(API, json=body(server.customer, **given))
        assert told.status_code == 422
        assert told.json()["error"]["field"] == field
        assert words in told.json()["error"]["message"]
    assert console.settings("acme") is None
    assert "key" not in stored(console)
    assert "user customer" not in server.log.read_text()  # nobody tried to log in


def test_a_key_that_the_logon_type_does_not_use_is_not_silently_dropped(
    console: Console, server: Sshd, own: KeyPair
) -> None:
    given = {"private_key": own.private.get_secret_value(), "password": "a password"}
    entered = body(server.customer, logon_type="normal", **given)
    told = console.program("acme").put(API, json=entered)
    assert (told.status_code, told.json()["error"]["field"]) == (422, "private_key")
    assert "choose Key" in told.json()["error"]["message"]


def test_a_key_that_the_server_refuses_is_not_saved(
    console: Console, browser: Browser, server: Sshd, own: KeyPair
) -> None:
    other = generated(KeyType.ED25519, "another")
    fields = form(server.customer, private_key=other.private.get_secret_value())
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert 'data-problem="private_key"' in shown
    assert "authorized_keys" in shown
    assert console.settings("acme") is None
    fields = form(server.customer, private_key=own.private.get_secret_value())
    assert "Saved" in console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    before = stored(console)["key"]
    fields = form(server.customer, private_key=other.private.get_secret_value())
    assert "Nothing was saved" in console.tested(
        browser, "acme", browser.send_form(FTP, **fields).text
    )
    assert stored(console)["key"] == before


def test_a_logon_that_needs_a_password_again_asks_for_it(
    console: Console, browser: Browser, server: Sshd, own: KeyPair
) -> None:
    fields = form(server.customer, private_key=own.private.get_secret_value())
    console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    fields = form(server.customer, logon_type="normal")
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert 'data-problem="password"' in shown
    settings = console.settings("acme")
    assert settings is not None
    assert settings.logon_type is LogonType.KEY


def test_a_server_that_takes_only_keys_says_which_logon_type_to_choose(
    console: Console, browser: Browser, server: Sshd
) -> None:
    fields = form(server.customer, logon_type="normal", password=server.password)
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert 'data-problem="logon_type"' in shown
    assert "choose the logon type Key" in shown


def test_a_change_of_keys_encrypts_private_keys_anew_too(console: Console, own: KeyPair) -> None:
    core = console.platform.core
    (old,) = core.settings.secret_keys
    settings = {"protocol": "sftp", "host": "h.example", "username": "u", "logon_type": "key"}
    core.directory.save_settings(
        "acme", FtpSettings.model_validate(settings), SecretStr(""), key=own
    )
    new = SecretStr(Fernet.generate_key().decode())
    before = stored(console)["key"]["private"]
    assert core.directory.rotate(Vault([new, old])).rotated == 1
    assert core.directory.rotate(Vault([new, old])).rotated == 0
    after = stored(console)["key"]
    assert after["private"] != before
    assert after["line"] == own.public.line
    assert Vault([new]).decrypt(after["private"]) == own.private
    assert core.directory.unreadable(9) is not None
    assert core.directory.rotate(Vault([old])).unreadable == ("acme",)


def test_a_change_of_keys_encrypts_a_key_that_waits_anew_too(
    console: Console, own: KeyPair
) -> None:
    core = console.platform.core
    (old,) = core.settings.secret_keys
    AccountKeys(core.database, Vault([old])).propose("acme", own)  # before there are settings
    new = SecretStr(Fernet.generate_key().decode())
    assert core.directory.rotate(Vault([new, old])).rotated == 1
    assert core.directory.rotate(Vault([new, old])).rotated == 0
    waiting = stored(console)["pending_key"]
    assert waiting["line"] == own.public.line
    assert Vault([new]).decrypt(waiting["private"]) == own.private
    assert core.directory.unreadable(9) is not None
    assert core.directory.rotate(Vault([old])).unreadable == ("acme",)
