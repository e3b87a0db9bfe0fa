"""Logon by key, from the settings to the delivery."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_ssh_private_key,
)
from pydantic import SecretStr
from typer.testing import CliRunner

from config.account_keys import AccountKeys
from config.accounts import FtpSettings, LogonType
from config.credentials import Credentials
from config.destination import merged
from config.errors import AccountError
from config.private_keys import read_private_key
from config.public_keys import certificate_line
from config.secrets import Vault
from config.ssh_keys import KeyPair, KeyType, generated
from deploy.local.customers import CustomerServer
from tests.integration.console import Browser, Console, commands_reach, serving
from tests.integration.platform import MakeCourier, running
from tests.servers import Sshd
from tests.servers.host_keys import make_host_key
from worker.cli import app
from worker.console.limits import KEYS
from worker.ftp_settings import NOTHING_GIVEN, change

FTP = "/accounts/acme/ftp"
API = "/accounts/acme/settings"
COMMENT = "Advanced Services Platform, account acme"
PASSPHRASE = "correct horse"


@pytest.fixture
def console(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    courier = make_courier()
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


def encrypted(pair: KeyPair) -> str:
    key = load_ssh_private_key(pair.private.get_secret_value().encode(), None)
    sealed = BestAvailableEncryption(PASSPHRASE.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, sealed).decode()


def form(server: CustomerServer, **changes: str) -> dict[str, str]:
    return {
        "enabled": "on",
        "protocol": "sftp",
        "logon_type": "key",
        "host": server.host,
        "port": str(server.port),
        "username": server.username,
        "path": ".",
        **changes,
    }


def body(server: CustomerServer, **changes: Any) -> dict[str, Any]:
    fields = form(server)
    del fields["enabled"]
    return {**fields, "port": server.port, **changes}


def stored(console: Console) -> dict[str, Any]:
    return console.platform.core.database["accounts"].find_one({"_id": "acme"}) or {}


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


# --- a key that the platform makes ----------------------------------------------------------------


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
