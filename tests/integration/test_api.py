"""The API, with a token, against a running console and real servers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.integration.console import LIMIT, Console, serving
from tests.integration.platform import MakeCourier, Platform, running
from tests.servers import Sshd


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with serving(make_courier()) as console:
        yield console


@pytest.fixture
def provider(console: Console) -> httpx.Client:
    return console.program(None)


def settings(server: CustomerServer, **changes: Any) -> dict[str, Any]:
    return {
        "protocol": "sftp",
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "password": server.password,
        **changes,
    }


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    found: dict[str, Any] = answer.json()["error"]
    assert found["message"].endswith("."), found
    return found


def test_a_customer_is_set_up_and_its_waiting_recording_arrives(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    courier = make_courier()
    folder = tmp_path / "customer"
    folder.mkdir()
    customer = AsyncSshServer(folder, logon=("keyboard-interactive",))
    entered = settings(customer.customer, logon_type="interactive")
    with customer, serving(courier) as console, running(courier):
        api = console.program(None)
        made = api.post("/accounts", json={"account_id": "acme", "ftp_access": True})
        assert (made.status_code, made.json()["state"]) == (201, "disabled")
        recording_id = courier.publish("acme", courier.recording("one.wav"))
        courier.wait_status(recording_id, "queued")
        waiting = api.get("/accounts/acme").json()
        assert waiting["queued"] == 1
        assert 0 < waiting["oldest_queued_seconds"] < LIMIT
        own = console.program("acme")

        wrong = own.put("/accounts/acme/settings", json={**entered, "password": "no"})
        told = problem(wrong, 422)
        assert told["field"] == "password"
        assert "Authentication failed" in told["message"]
        assert [step["name"] for step in told["steps"]][-1] == "logged in"
        problem(own.get("/accounts/acme/settings"), 404)

        saved = own.put("/accounts/acme/settings", json=entered).json()
        assert saved["pinned"] is True
        assert saved["settings"]["host_key"] == customer.customer.host_key
        assert saved["settings"]["logon_type"] == "interactive"
        assert all(step["ok"] for step in saved["steps"])
        assert customer.password not in str(saved)
        assert "password" not in saved["settings"]
        stored = own.get("/accounts/acme/settings").json()
        assert stored == saved["settings"]
        assert stored["capabilities"] == saved["capabilities"]
        assert stored["capabilities"]["algorithms"]["host_key"] == "ssh-ed25519"

        courier.wait_status(recording_id, "delivered")
        shown = own.get(f"/deliveries/{recording_id}").json()
        assert (shown["status"], shown["tries"]) == ("delivered", 0)
        assert [step["what"] for step in shown.pop("story")][-1] == "delivered"
        assert own.get("/deliveries", params={"status": "delivered"}).json() == [shown]
        assert (folder / "one.wav").is_file()


def test_a_changed_host_key_is_a_conflict_with_both_fingerprints(
    console: Console, provider: httpx.Client, sshd: Sshd
) -> None:
    provider.post("/accounts", json={"account_id": "acme", "ftp_access": True})
    provider.put("/accounts/acme/settings", json=settings(sshd.customer))
    pinned = sshd.host_key
    sshd.stop()
    sshd.regenerate_host_key()
    sshd.start()

    told = problem(provider.put("/accounts/acme/settings", json=settings(sshd.customer)), 409)
    assert (told["pinned"], told["shown"], told["field"]) == (pinned, sshd.host_key, "host_keys")

    approved = settings(sshd.customer, host_key=sshd.host_key)
    assert provider.put("/accounts/acme/settings", json=approved).status_code == 200
    stored = console.settings("acme")
    assert stored is not None
    assert stored.host_key == sshd.host_key


def test_several_host_keys_are_stored_and_the_first_is_told_as_ever(
    console: Console, provider: httpx.Client, sshd: Sshd
) -> None:
    provider.post("/accounts", json={"account_id": "acme", "ftp_access": True})
    keys = [f"SHA256:{'A' * 43}", sshd.host_key]
    entered = settings(sshd.customer, host_keys=keys)
    saved = provider.put("/accounts/acme/settings", json=entered).json()["settings"]
    assert (saved["host_keys"], saved["host_key"]) == (keys, keys[0])
    stored = console.settings("acme")
    assert stored is not None
    assert list(stored.host_keys) == keys


def test_weak_algorithms_are_the_service_providers_to_allow(
    console: Console, provider: httpx.Client, tmp_path: Path
) -> None:
    provider.post("/accounts", json={"account_id": "acme", "ftp_access": True})
    weak = {"encryption_algs": ["aes128-cbc"]}
    with AsyncSshServer(tmp_path, algorithms=weak) as server:
        entered = settings(server.customer, weak_algorithms=True)
        tenant = console.program("acme")
        told = problem(tenant.put("/accounts/acme/settings", json=entered), 403)
        assert told["message"] == "Only the service provider may change Weak Algorithms."
        assert provider.put("/accounts/acme/settings", json=entered).status_code == 200
        read = tenant.get("/accounts/acme/settings").json()
        again = tenant.put("/accounts/acme/settings", json={**read, "path": "calls"})
        assert again.status_code == 200, again.text
    stored = console.settings("acme")
    assert stored is not None
    assert (stored.weak_algorithms, stored.path) == (True, "calls")
    noted = [entry.after.get("weak_algorithms") for entry in console.services.audit.list(["acme"])]
    assert list(filter(None, noted)) == [True]


def test_settings_that_were_read_may_be_changed_and_given_back(
    console: Console, provider: httpx.Client, asyncssh_server: AsyncSshServer
) -> None:
    provider.post("/accounts", json={"account_id": "acme", "ftp_access": True})
    where = "/accounts/acme/settings"
    found = provider.put(where, json=settings(asyncssh_server.customer)).json()["capabilities"]
    read = provider.get(where).json()
    assert read["capabilities"] == found

    invented = {**read, "path": "in", "capabilities": {"size": False}}
    assert provider.put(where, json=invented).status_code == 200
    again = provider.get(where).json()
    for each in (read, again):
        del each["capabilities"]["finish_seconds"]  # measured anew by each test
    assert again == {**read, "path": "in"}
    assert console.actions("acme")[0] == "settings.saved"


def test_settings_are_removed_by_those_who_may_change_them(
    console: Console, asyncssh_server: AsyncSshServer
) -> None:
    server = asyncssh_server.customer
    console.platform.account("acme", server, Protocol.SFTP)
    console.platform.core.directory.create("other", ftp_access=True)
    own, settings = console.program("acme"), "/accounts/acme/settings"

    problem(console.program("other").delete(settings), 404)
    assert own.delete(settings).status_code == 204
    problem(own.get(settings), 404)
    assert "no FTP settings" in problem(own.delete(settings), 409)["message"]
    assert own.get("/accounts/acme").json()["state"] == "disabled"
    [entry] = own.get("/audit").json()
    assert (entry["action"], entry["after"]) == ("settings.removed", {"enabled": False})
    assert entry["before"]["host"] == server.host
    assert server.password not in str(entry)


def test_a_field_that_is_wrong_is_named(provider: httpx.Client) -> None:
    provider.post("/accounts", json={"account_id": "acme", "ftp_access": True})
    good = settings(CustomerServer("h.example", 22, "u", "p", __file__, None, "/"))  # type: ignore[arg-type]
    for field, value in (
        ("host", "a\r\nb"),
        ("host", 7),
        ("port", 70_000),
        ("port", "ssh"),
        ("username", "x" * 300),
        ("password", "a\nb"),
        ("password", 7),
        ("email_alerts", ["<script>"]),
        ("email_alerts", "a@x.example"),
        ("protocol", "scp"),
        ("no_such_field", 1),
    ):
        told = problem(provider.put("/accounts/acme/settings", json={**good, field: value}), 422)
        assert told["field"] == field, told
        assert "script" not in told["message"]


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        ("/users", b"{", "What was given is not JSON."),
        ("/users", b"[]", "What was given must be a JSON object with the fields."),
        ("/users", b'{"login": "it", "sudo": 1}', "Sudo is not a field that can be given here."),
    ],
)
def test_what_cannot_be_read_is_told_in_plain_words(
    provider: httpx.Client, path: str, content: bytes, sentence: str
) -> None:
    headers = {"Content-Type": "application/json"}
    told = problem(provider.post(path, content=content, headers=headers), 422)
    assert told["message"] == sentence


def test_a_time_that_is_none_is_told_with_one_that_is(provider: httpx.Client) -> None:
    for given in ("yesterday", "2026-13-01"):
        told = problem(provider.get("/deliveries", params={"since": given}), 422)
        assert told["message"] == "Since must be a time, such as 2026-11-23T14:05:00Z."


def test_every_kind_of_refusal_has_its_code(console: Console, provider: httpx.Client) -> None:
    provider.post("/accounts", json={"account_id": "acme"})
    nobody = httpx.get(f"{console.url}/api/v1/accounts", timeout=LIMIT)
    forged = httpx.get(
        f"{console.url}/api/v1/accounts",
        headers={"Authorization": "Bearer courier_0_0"},
        timeout=LIMIT,
    )

    problem(nobody, 401)
    problem(forged, 401)
    problem(console.program("acme").post("/accounts/acme/suspend"), 403)
    problem(provider.get("/accounts/nobody"), 404)
    problem(provider.get("/no/such/thing"), 404)
    problem(provider.post("/accounts/acme"), 405)
    problem(provider.post("/accounts", json={"account_id": "acme"}), 409)
    problem(provider.post("/accounts/acme/resume"), 409)
    problem(provider.post("/accounts/acme/settings/enable"), 409)
    problem(provider.post("/accounts", content=b"{", headers={"Content-Type": "text/json"}), 422)
    problem(provider.post("/accounts", content=b"{\xff"), 422)
    problem(provider.get("/accounts", params={"limit": 0}), 422)


def test_permission_and_numbers(console: Console, provider: httpx.Client) -> None:
    for account_id, parent in (("acme", None), ("acme.sub", "acme")):
        provider.post("/accounts", json={"account_id": account_id, "parent": parent})
    refused = provider.put("/accounts/acme.sub/permission")
    assert "no FTP access to pass on" in problem(refused, 409)["message"]
    assert provider.put("/accounts/acme/permission").json()["effective"] is True
    own = console.program("acme")
    assert own.put("/accounts/acme.sub/permission").json()["effective"] is True
    assert provider.delete("/accounts/acme/permission").json()["effective"] is False
    assert own.get("/accounts/acme.sub/permission").json() == {
        "account_id": "acme.sub",
        "ftp_access": True,
        "effective": False,
    }
    provider.put("/accounts/acme/permission")

    long = provider.put(f"/accounts/acme/numbers/{'4' * 65}", json={"method": "ftp"})
    assert "must have 1 to 64 printable ASCII" in problem(long, 422)["fields"]["number"]
    number = "/accounts/acme/numbers/+441632960001"
    problem(own.put(number, json={"method": "ftp"}), 409)
    assert provider.put(number, json={"method": "ftp"}).status_code == 200
    assert own.put(number, json={"method": "email"}).json()["method"] == "email"
    assert [each["method"] for each in own.get("/accounts/acme/numbers").json()] == ["email"]
    problem(own.delete(number), 403)
    assert provider.delete(number).status_code == 204


def test_accounts_are_changed_listed_and_removed(console: Console, provider: httpx.Client) -> None:
    for name in ("a", "b", "c"):
        provider.post("/accounts", json={"account_id": name})
    page = provider.get("/accounts", params={"after": "a", "limit": 1}).json()
    assert [each["account_id"] for each in page] == ["b"]
    change = {"name": "Bee", "parent": "a", "default_method": "email"}
    changed = provider.patch("/accounts/b", json=change).json()
    assert (changed["name"], changed["parent"]) == ("Bee", "a")
    assert provider.get("/accounts/b").json()["default_method"] == "email"
    problem(provider.patch("/accounts/a", json={"parent": "b"}), 409)
    problem(provider.delete("/accounts/a"), 409)
    removed = provider.delete("/accounts/b")
    assert removed.status_code == 200
    assert removed.json() == {"account_id": "b", "discarded": {"queued": 0, "dead_letters": 0}}
    problem(provider.get("/accounts/b"), 404)
    assert console.actions("b")[0] == "account.removed"


def test_users_and_tokens(console: Console, provider: httpx.Client) -> None:
    provider.post("/accounts", json={"account_id": "acme"})
    made = provider.post("/users", json={"login": "IT@customer.example", "account_id": "acme"})
    assert made.status_code == 201
    assert len(made.json()["password"]) >= 20
    assert "password" not in provider.get("/users/it@customer.example").json()
    weak = {"login": "weak", "account_id": "acme", "password": "short"}
    assert "12" in problem(provider.post("/users", json=weak), 409)["message"]
    disabled = provider.patch("/users/it@customer.example", json={"disabled": True})
    assert disabled.json()["disabled"] is True
    assert provider.post("/users/it@customer.example/reset").json()["password"]
    assert provider.delete("/users/it@customer.example").status_code == 204

    token = provider.post("/tokens", json={"name": "x", "account_id": "acme"}).json()
    bearer = {"Authorization": f"Bearer {token['token']}"}
    accounts = f"{console.url}/api/v1/accounts"
    assert [
        each["account_id"] for each in httpx.get(accounts, headers=bearer, timeout=LIMIT).json()
    ] == ["acme"]
    assert provider.delete(f"/tokens/{token['token_id']}").status_code == 204
    problem(httpx.get(accounts, headers=bearer, timeout=LIMIT), 401)


@contextmanager
def serving_a_dead_letter(
    make_courier: MakeCourier, customer: CustomerServer
) -> Iterator[tuple[Platform, Console, str]]:
    """The service with its console, and a recording that it has given up after the first try."""
    courier = make_courier(max_tries=1, retry_delays=(0,))
    courier.account("acme", customer, Protocol.SFTP)
    with serving(courier) as console, running(courier):
        recording_id = courier.publish("acme", courier.folder / "missing.wav")
        courier.wait_status(recording_id, "dead_lettered")
        yield courier, console, recording_id


def test_dead_letters_and_states(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    dead_letter = serving_a_dead_letter(make_courier, asyncssh_server.customer)
    with dead_letter as (_, console, recording_id):
        api = console.program("acme")
        [dead] = api.get("/dead-letters").json()
        assert (dead["recording_id"], dead["reason"]) == (recording_id, "source")
        replay, discard = (f"/accounts/acme/dead-letters/{do}" for do in ("replay", "discard"))
        assert api.post(replay, json={"recording_ids": ["another"]}).json() == {"count": 0}
        assert api.post(discard, json={"reason": "account"}).json() == {"count": 0}
        assert api.post(discard).json() == {"count": 1}
        assert api.post("/accounts/acme/suspend").json()["state"] == "paused"
        assert api.post("/accounts/acme/resume").json()["state"] == "active"
        problem(api.post("/accounts/acme/try-now"), 409)
        assert console.program(None).get("/status").json()["workers"] == 1
        actions = [entry["action"] for entry in api.get("/audit").json()]
        assert actions == ["account.resumed", "account.paused", "dead-letters.discarded"]


def test_the_removal_of_an_account_counts_what_was_discarded_with_it(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    dead_letter = serving_a_dead_letter(make_courier, asyncssh_server.customer)
    with dead_letter as (courier, console, dead):
        api = console.program(None)
        api.post("/accounts/acme/suspend")
        queued = courier.publish_many("acme", ["one.wav", "two.wav"])
        for recording_id in queued:
            courier.wait_status(recording_id, "queued")

        assert "2 files are queued" in problem(api.delete("/accounts/acme"), 409)["message"]
        removed = api.delete("/accounts/acme", params={"discard_files": True}).json()
        assert removed == {"account_id": "acme", "discarded": {"queued": 2, "dead_letters": 1}}
        assert {courier.row(each)["status"] for each in (dead, *queued)} == {"discarded"}


def test_the_description_names_every_error(console: Console) -> None:
    schema = httpx.get(f"{console.url}/api/v1/openapi.json", timeout=LIMIT).json()

    assert schema["security"] == [{"token": []}]
    for path, methods in schema["paths"].items():
        assert path.startswith("/api/v1/")
        for operation in methods.values():
            assert {"400", "401", "403", "404", "409", "422", "429"} <= set(operation["responses"])
            assert operation["description"]
