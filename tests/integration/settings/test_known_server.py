"""What is known of an account's server, on its page and in the API; and tests that save nothing."""

from ipaddress import ip_network
from typing import Any

import pytest

from tests.integration.console import Browser, Console
from tests.integration.settings.page import FTP, form, renew_host_key
from tests.servers import Sshd

SERVER = "/accounts/acme/server"


@pytest.fixture
def changed() -> dict[str, Any]:
    """What the operator says of the platform's own addresses."""
    return {"firewall_addresses": (ip_network("203.0.113.0/28"),)}


def test_the_page_tells_what_was_found_agreed_on_and_pinned_since_when(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    assert "No FTP settings" in browser.get(SERVER).text
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    former = renew_host_key(sshd)
    refused = console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    act = refused.split('action="')[1].split('"')[0]
    console.tested(browser, "acme", browser.send_form(act).text)

    page = browser.get(SERVER).text
    stored = console.settings("acme")
    assert stored is not None
    can = stored.capabilities
    assert can.algorithms is not None
    for found in ("Key exchange", can.algorithms.kex, can.algorithms.cipher, "Uploads at once"):
        assert found in page
    assert page.count(f"<code>{sshd.host_key}</code>") == 2, "the one that counts, and its save"
    assert page.count(f"<code>{former}</code>") == 2, "when it came and when it went"
    assert "203.0.113.0/28" in page

    told = console.program("acme").get("/accounts/acme/server").json()
    assert told["capabilities"] == can.model_dump(mode="json")
    assert told["encryption"]["Cipher"] == can.algorithms.cipher
    assert told["host_keys"] == [sshd.host_key]
    saved = [(each["host_keys"], each["before"]) for each in told["host_key_history"]]
    assert saved == [([sshd.host_key], [former]), ([former], [])]
    assert {each["actor"] for each in told["host_key_history"]} == {"admin"}
    assert told["connects_from"] == ["203.0.113.0/28"]
    assert "Uploads at once" in {each["title"] for each in told["facts"]}


def test_a_slow_history_of_host_keys_takes_nothing_else_from_the_page(
    console: Console, browser: Browser, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    monkeypatch.setattr(console.services.audit, "_seconds", 1e-6)
    answer = browser.get(SERVER)
    assert answer.status_code == 200, answer.text
    for found in ("Key exchange", "Test now", f"<code>{sshd.host_key}</code>", "203.0.113.0/28"):
        assert found in answer.text
    assert "When they were saved is not shown" in answer.text
    told = console.program("acme").get("/accounts/acme/server")
    assert told.status_code == 200, told.text
    assert told.json()["host_key_history"] is None
    assert told.json()["host_keys"] == [sshd.host_key]


def test_stored_settings_are_tested_and_nothing_is_saved(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    shown = console.tested(browser, "acme", browser.send_form(f"{SERVER}/test").text)
    assert "no FTP settings to test" in shown
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    before = console.settings("acme")
    shown = console.tested(browser, "acme", browser.send_form(f"{SERVER}/test").text)
    assert "nothing was saved" in shown
    assert "Uploads at once" in shown
    assert console.settings("acme") == before
    assert console.actions("acme") == ["settings.tested", "settings.saved", "settings.tested"]


def test_a_form_is_tested_alone_whatever_comes_of_it(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    fields = form(sshd.customer, act="try")
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert "once it is saved" in shown
    wrong = form(sshd.customer, act="try", password="wrong")
    shown = console.tested(browser, "acme", browser.send_form(FTP, **wrong).text)
    assert "Nothing was saved" in shown
    assert console.settings("acme") is None
    assert console.actions("acme") == ["settings.tested"] * 2
    del fields["enabled"]
    shown = console.tested(browser, "acme", browser.send_form(FTP, **fields).text)
    assert "once it is saved" in shown, "whether they are switched on is no matter"


def test_another_host_key_is_told_by_a_test_and_approved_by_a_save_alone(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    console.tested(browser, "acme", browser.send_form(FTP, **form(sshd.customer)).text)
    former = renew_host_key(sshd)
    shown = console.tested(browser, "acme", browser.send_form(f"{SERVER}/test").text)
    assert f"<code>{sshd.host_key}</code>" in shown
    assert "Approve" not in shown
    run_id = shown.split("/ftp/tests/")[1].split('"')[0] if "/ftp/tests/" in shown else ""
    assert run_id == ""
    stored = console.settings("acme")
    assert stored is not None
    assert stored.host_keys == (former,)


def test_programs_test_what_is_stored_or_what_they_give(console: Console, sshd: Sshd) -> None:
    api = console.program("acme")
    assert api.post("/accounts/acme/settings/test").status_code == 404
    given: dict[str, Any] = {**form(sshd.customer), "port": sshd.customer.port}
    del given["enabled"]
    tested = api.post("/accounts/acme/settings/test", json=given)
    assert tested.status_code == 200, tested.text
    assert tested.json()["host_keys"] == [sshd.host_key]
    assert [each["ok"] for each in tested.json()["steps"]]
    assert console.settings("acme") is None
    refused = api.post("/accounts/acme/settings/test", json={**given, "password": "wrong"})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "password")
    assert api.put("/accounts/acme/settings", json=given).status_code == 200
    again = api.post("/accounts/acme/settings/test")
    assert again.status_code == 200, again.text
    assert again.json()["capabilities"]["at_once"] == 8
    assert console.actions("acme")[0] == "settings.tested"
