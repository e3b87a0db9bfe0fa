"""A stored password goes to the server and the login it was entered for, and nowhere else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from config.accounts import FtpSettings, Protocol
from config.audit import Entry
from config.directory import Directory
from config.errors import AccountError, PasswordAsked
from consumers.upkeep.alerting import send_alerts
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer, SmtpSink
from tests.integration.console import Console, commands_reach, serving
from tests.integration.platform import MakeCourier
from worker.cli import app
from worker.core import make_outbox
from worker.ftp_settings import NOTHING_GIVEN, change


@pytest.fixture
def console(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    commands_reach(courier, monkeypatch)
    with serving(courier) as console:
        console.user("admin", "acme")
        yield console


def store(console: Console, server: CustomerServer, **changes: Any) -> None:
    """Settings with their password, as an earlier save has left them."""
    protocol = Protocol.SFTP if server.host_key else Protocol.FTP
    console.platform.save("acme", server, protocol, **changes)


def noted_tests(console: Console) -> list[Entry]:
    found = console.services.audit.list(["acme"], 100)
    return [entry for entry in found if entry.action == "settings.tested"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[AsyncSshServer]:
    """The server of somebody who wants the password."""
    (tmp_path / "elsewhere").mkdir()
    with AsyncSshServer(tmp_path / "elsewhere") as server:
        yield server


def whole(console: Console, changes: dict[str, Any]) -> dict[str, Any]:
    """What the API asks for at least, as it is stored, with the changes."""
    stored = console.settings("acme")
    assert stored is not None
    return {**stored.model_dump(mode="json", include={"protocol", "host", "username"}), **changes}


def by_api(console: Console, changes: dict[str, Any]) -> str:
    body = whole(console, changes)
    answer = console.program("acme").put("/accounts/acme/settings", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()["error"]
    assert problem["field"] == "password"
    return str(problem["message"])


def by_parent(console: Console, changes: dict[str, Any]) -> str:
    directory = console.platform.core.directory
    if directory.find("above") is None:
        directory.create("above", ftp_access=True)
        directory.move("acme", "above")
    body = whole(console, changes)
    answer = console.program("above").put("/accounts/acme/settings", json=body)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["error"]["message"])


def by_page(console: Console, changes: dict[str, Any]) -> str:
    browser = console.browser("admin")
    browser.headers["HX-Request"] = "true"
    stored = console.settings("acme")
    assert stored is not None
    names = ("protocol", "logon_type", "host", "port", "username", "path")
    form = {name: str(getattr(stored, name)) for name in names}
    form |= {name: str(value) for name, value in changes.items()}
    began = browser.send_form("/accounts/acme/ftp", enabled="on", password="", **form)
    shown = console.tested(browser, "acme", began.text)
    assert 'data-problem="password"' in shown
    return shown


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    return result.stderr


def by_command(_console: Console, changes: dict[str, Any]) -> str:
    options = [f"--{name}={value}" for name, value in changes.items()]
    told = refused("accounts", "set", "acme", *options)
    assert "--password-stdin" in told
    return told


@pytest.mark.parametrize("door", [by_api, by_parent, by_page, by_command])
def test_it_is_asked_again_for_another_host_port_protocol_or_username(
    console: Console,
    asyncssh_server: AsyncSshServer,
    elsewhere: AsyncSshServer,
    door: Callable[[Console, dict[str, Any]], str],
) -> None:
    server = asyncssh_server.customer
    store(console, server)
    changes: list[dict[str, Any]] = [
        {"host": "localhost"},
        {"port": elsewhere.customer.port},
        {"protocol": "ftp"},
        {"username": "somebody"},
    ]
    for changed in changes:
        assert next(iter(changed)) in door(console, changed)
    assert asyncssh_server.logins == elsewhere.logins == 0
    settings = console.settings("acme")
    assert settings is not None
    assert (settings.host, settings.port) == (server.host, server.port)
    results = [entry.after["result"] for entry in noted_tests(console)]
    assert len(results) == len(changes)
    assert all(result.startswith("refused") for result in results)


def test_it_is_kept_where_the_server_and_the_login_are_the_same(
    console: Console, asyncssh_server: AsyncSshServer
) -> None:
    store(console, asyncssh_server.customer)
    api = console.program("acme")
    for same in ({"path": "in", "uploads": 2}, {"host_key": None}):
        body = whole(console, same)
        assert api.put("/accounts/acme/settings", json=body).status_code == 200
    settings = console.settings("acme")
    assert settings is not None
    assert (settings.path, settings.host_key) == ("in", asyncssh_server.customer.host_key)


def test_every_test_is_in_the_audit_with_its_target_and_its_result(
    console: Console, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    api, where = console.program("acme"), "/accounts/acme/settings"
    target = {"protocol": "ftp", "host": server.host, "port": server.port}
    given = {**target, "username": server.username}
    assert api.put(where, json={**given, "password": "wrong"}).status_code == 422
    assert api.put(where, json={**given, "password": server.password}).status_code == 200
    assert CliRunner().invoke(app, ["accounts", "test", "acme"]).exit_code == 0
    stored, passed, failed = noted_tests(console)
    for entry in (stored, passed, failed):
        found = {"result": entry.after["result"]}
        found |= {"cause": "login-refused"} if entry is failed else {}
        assert {**given, **found} == entry.after
        assert server.password not in str(entry)
    assert failed.after["result"].startswith("failed: 530")
    assert stored.after["result"] == passed.after["result"] == "passed"
    assert stored.actor.startswith("cli")
    assert passed.actor == next(console.services.tokens.list(["acme"])).principal.login


def test_a_pin_outlives_another_protocol_and_another_host(
    console: Console,
    asyncssh_server: AsyncSshServer,
    pyftpd_server: PyFtpServer,
    elsewhere: AsyncSshServer,
) -> None:
    first, ftp = asyncssh_server.customer, pyftpd_server.customer
    api, where = console.program("acme"), "/accounts/acme/settings"

    def save(server: CustomerServer, protocol: str) -> Any:
        given = {"protocol": protocol, "host": server.host, "port": server.port}
        login = {"username": server.username, "password": server.password}
        return api.put(where, json={**given, **login})

    assert save(first, "sftp").json()["pinned"] is True
    assert save(ftp, "ftp").status_code == 200
    assert api.get(where).json()["host_key"] is None
    another = save(elsewhere.customer, "sftp").json()
    assert (another["pinned"], another["settings"]["host_key"]) == (
        True,
        elsewhere.customer.host_key,
    )
    asyncssh_server.stop()
    asyncssh_server.regenerate_host_key()
    asyncssh_server.start()
    logins = asyncssh_server.logins
    back = save(first, "sftp")
    assert back.status_code == 409
    assert back.json()["error"]["pinned"] == first.host_key
    assert asyncssh_server.logins == logins


def test_the_old_addresses_hear_where_the_recordings_go_from_now_on(
    console: Console,
    asyncssh_server: AsyncSshServer,
    elsewhere: AsyncSshServer,
    smtp_sink: SmtpSink,
) -> None:
    core = console.platform.core
    store(console, asyncssh_server.customer, email_alerts=("it@acme.example",))
    api, where = console.program("acme"), "/accounts/acme/settings"
    assert api.put(where, json=whole(console, {"uploads": 2})).status_code == 200
    moved = {"port": elsewhere.customer.port, "username": elsewhere.customer.username}
    given = {**moved, "password": elsewhere.password, "email_alerts": ["eve@evil.example"]}
    assert api.put(where, json=whole(console, given)).status_code == 200
    assert api.delete(where).status_code == 204
    outbox = make_outbox(core, lambda _: None)
    for _ in range(2):
        send_alerts(core.ledger, core.directory, outbox)

    mails = {mail.message["To"]: mail.message.get_content() for mail in smtp_sink.messages}
    assert sorted(mails) == ["eve@evil.example", "it@acme.example"]
    told = mails["it@acme.example"]
    assert str(asyncssh_server.customer.port) in told
    assert str(elsewhere.customer.port) in told
    assert "eve@evil.example" in told
    assert elsewhere.password not in told + mails["eve@evil.example"]
    assert "removed" in mails["eve@evil.example"]


def test_a_save_that_another_one_has_overtaken_is_refused(
    console: Console, asyncssh_server: AsyncSshServer
) -> None:
    core = console.platform.core
    store(console, asyncssh_server.customer)

    def overtaken(_step: Any) -> None:
        store(console, asyncssh_server.customer, path="theirs")

    with pytest.raises(AccountError, match="meanwhile"):
        change(core, "acme", {"path": "mine"}, NOTHING_GIVEN, overtaken, actor="me")
    settings = console.settings("acme")
    assert settings is not None
    assert settings.path == "theirs"


def test_an_upload_that_still_has_the_former_settings_gets_no_password(
    console: Console, asyncssh_server: AsyncSshServer, elsewhere: AsyncSshServer
) -> None:
    directory: Directory = console.platform.core.directory
    store(console, asyncssh_server.customer)
    former = console.settings("acme")
    assert isinstance(former, FtpSettings)
    password = directory.credentials_for("acme", former).password
    assert password == SecretStr(asyncssh_server.customer.password)
    store(console, elsewhere.customer)
    with pytest.raises(PasswordAsked):
        directory.credentials_for("acme", former)
