"""`courier users`, `tokens`, `accounts grant|revoke`: what console and API then know."""

import json
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from config.accounts import Protocol
from config.audit import Entry
from deploy.local.customers import AsyncSshServer
from tests.integration.console import LIMIT, Console, commands_reach, serving
from tests.integration.platform import MakeCourier, running
from worker.cli import app

PASSWORD = "correct horse battery"


@pytest.fixture
def console(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    courier = make_courier()
    commands_reach(courier, monkeypatch)
    with serving(courier) as console:
        yield console


def courier(*arguments: str, stdin: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str, stdin: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exit_code == 1, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_the_first_administrator_is_made_by_a_command_and_signs_in(console: Console) -> None:
    assert "created" in courier("users", "create", "admin", "--password-stdin", stdin=PASSWORD)

    assert console.browser("admin").get("/overview").status_code == 200
    [user] = json.loads(courier("users", "list", "--json"))
    assert (user["login"], user["account_id"]) == ("admin", None)
    assert console.actions(None) == ["user.created"]


def test_a_password_is_made_and_printed_once(console: Console) -> None:
    console.platform.core.directory.create("acme")

    made = courier("users", "create", "it@acme.example", "--account", "acme", "--generate")
    password = made.strip().rpartition(" ")[2]

    form = {"login": "it@acme.example", "password": password}
    assert console.nobody().post("/sign-in", data=form).status_code == 303
    assert password not in courier("users", "list")
    assert "it@acme.example" in courier("users", "list", "--account", "acme")


def test_a_reset_ends_the_sessions_and_a_removal_the_user(console: Console) -> None:
    courier("users", "create", "admin", "--password-stdin", stdin=PASSWORD)
    browser = console.browser("admin")

    courier("users", "reset", "admin", "--password-stdin", stdin="another good password")
    assert browser.get("/overview").status_code == 303
    courier("users", "remove", "admin")
    assert json.loads(courier("users", "list", "--json")) == []


def test_what_is_wrong_is_told_in_one_sentence(console: Console) -> None:
    assert "12" in refused("users", "create", "admin", "--password-stdin", stdin="short")
    assert "--password-stdin" in refused("users", "create", "admin")
    assert "no account" in refused("users", "create", "x", "--account", "nobody", "--generate")
    assert "There is no user" in refused("users", "remove", "nobody")
    assert "There is no token" in refused("tokens", "revoke", "nothing")
    assert console.actions(None) == []


def test_a_token_opens_the_api_until_it_is_revoked(console: Console) -> None:
    console.platform.core.directory.create("acme")
    made = json.loads(courier("tokens", "create", "Provisioning", "--account", "acme", "--json"))
    bearer = {"Authorization": f"Bearer {made['token']}"}
    url = f"{console.url}/api/v1/accounts"

    assert [
        each["account_id"] for each in httpx.get(url, headers=bearer, timeout=LIMIT).json()
    ] == ["acme"]
    assert made["token"] not in courier("tokens", "list", "--json") + courier("tokens", "list")
    courier("tokens", "revoke", made["token_id"])
    assert httpx.get(url, headers=bearer, timeout=LIMIT).status_code == 401
    assert console.actions("acme") == ["token.revoked", "token.created"]


def test_the_permission_is_granted_from_the_top_and_revoked_with_all_beneath(
    console: Console,
) -> None:
    directory = console.platform.core.directory
    directory.create("acme")
    directory.create("acme.sub", parent="acme")

    assert "no FTP access to pass on" in refused("accounts", "grant", "acme.sub")
    courier("accounts", "grant", "acme")
    courier("accounts", "grant", "acme.sub")
    assert directory.may_use_ftp(directory.get("acme.sub"))
    courier("accounts", "revoke", "acme")
    assert not directory.may_use_ftp(directory.get("acme.sub"))
    assert console.actions("acme") == ["ftp-access.revoked", "ftp-access.granted"]


def entries(console: Console, account_id: str) -> list[Entry]:
    """What the audit has of the account, the oldest first."""
    return list(console.services.audit.list([account_id], 100))[::-1]


def test_every_change_of_an_account_is_in_the_audit_without_secrets(
    console: Console, asyncssh_server: AsyncSshServer
) -> None:
    server = asyncssh_server.customer
    given = ["--protocol", "sftp", "--host", server.host, "--port", str(server.port)]
    login = ["--username", server.username, "--password-stdin"]
    number = "+441632960001"

    courier("accounts", "create", "acme", "--name", "Acme Ltd", "--ftp-access")
    courier("accounts", "set", "acme", *given, *login, stdin=server.password)
    courier("accounts", "set", "acme", "--path", "in")
    courier("accounts", "disable", "acme")
    courier("accounts", "enable", "acme")
    courier("accounts", "suspend", "acme")
    courier("accounts", "suspend", "acme")
    courier("accounts", "resume", "acme")
    courier("numbers", "set", number, "--account", "acme", "--method", "ftp")
    courier("numbers", "set", number, "--account", "acme", "--method", "email")
    courier("numbers", "remove", number)
    courier("numbers", "default", "--account", "acme", "--method", "email")
    courier("accounts", "remove", "acme")

    found = entries(console, "acme")
    assert {entry.actor.partition(":")[0] for entry in found} == {"cli"}
    assert server.password not in str(found)
    assert [(entry.action, entry.before, entry.after) for entry in found] == [
        ("account.created", {}, {"name": "Acme Ltd", "ftp_access": True}),
        ("settings.tested", {}, found[1].after),
        ("settings.saved", {"enabled": False}, found[2].after),
        ("settings.tested", {}, found[1].after),
        ("settings.saved", {"path": "."}, {"path": "in"}),
        ("settings.disabled", {"enabled": True}, {"enabled": False}),
        ("settings.enabled", {"enabled": False}, {"enabled": True}),
        ("account.paused", {}, {}),
        ("account.resumed", {}, {}),
        ("number.set", {}, {"account_id": "acme", "method": "ftp"}),
        ("number.set", {"method": "ftp"}, {"method": "email"}),
        ("number.removed", {"method": "email"}, {}),
        ("account.default-method-set", {"default_method": "ftp"}, {"default_method": "email"}),
        ("account.removed", {"name": "Acme Ltd"}, {"discarded_files": 0}),
    ]
    saved = {"enabled": True, "password": "changed", "host": server.host, "path": "."}
    assert saved.items() <= found[2].after.items()
    assert found[-3].target == number


def test_what_is_refused_is_not_in_the_audit_but_for_the_test_that_was_made(
    console: Console, asyncssh_server: AsyncSshServer
) -> None:
    server = asyncssh_server.customer
    console.platform.account("acme", server, Protocol.SFTP)

    refused("accounts", "set", "acme", "--password-stdin", stdin="wrong")
    refused("accounts", "resume", "acme")
    refused("accounts", "try-now", "acme")
    refused("numbers", "remove", "+441632960001")
    assert console.actions("acme") == ["settings.tested"]


def test_dead_letters_replayed_and_discarded_are_in_the_audit(
    make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch, asyncssh_server: AsyncSshServer
) -> None:
    platform = make_courier(max_tries=1, retry_delays=(0,))
    commands_reach(platform, monkeypatch)
    platform.account("acme", asyncssh_server.customer, Protocol.SFTP)
    with serving(platform) as console, running(platform):
        recording_id = platform.publish("acme", platform.folder / "missing.wav")
        platform.wait_status(recording_id, "dead_lettered")
        courier("dead-letters", "replay", "--account", "acme")
        platform.wait_status(recording_id, "dead_lettered")
        courier("dead-letters", "discard", "--recording", recording_id)
        courier("dead-letters", "discard", "--account", "acme")

        begun = {"of": 1, "recordings": recording_id}
        one = {"count": 1, "recordings": recording_id}
        assert [(entry.action, entry.after) for entry in entries(console, "acme")] == [
            ("bulk.begun", {"act": "replay dead-letters", **begun}),
            ("dead-letters.replayed", one),
            ("bulk.begun", {"act": "discard dead-letters", **begun}),
            ("dead-letters.discarded", one),
        ]


def test_api_and_commands_show_the_same(console: Console) -> None:
    console.platform.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    api = console.program(None)

    assert (
        json.loads(courier("accounts", "show", "acme", "--json"))
        == api.get("/accounts/acme").json()
    )
    assert json.loads(courier("accounts", "list", "--json")) == api.get("/accounts").json()
    shown = json.loads(courier("status", "--json"))
    assert {**shown, "workers": 0} == api.get("/status").json() | {"workers": 0}


def test_a_token_is_made_with_scope_and_time(console: Console) -> None:
    made = json.loads(
        courier("tokens", "create", "wallboard", "--read-only", "--days", "7", "--json")
    )

    reader = console.bearer(made["token"])
    assert reader.get("/accounts").status_code == 200
    assert reader.post("/accounts", json={"account_id": "x"}).status_code == 403
    assert made["scope"] == "read"
    assert made["created_by"].startswith("cli")
    [listed] = json.loads(courier("tokens", "list", "--json"))
    assert listed["expires_at"] == made["expires_at"] is not None
    assert "read" in courier("tokens", "list")
