"""The story of one recording, as page, API and command tell it, from real servers."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer
from tests.integration.console import Console, commands_reach, serving
from tests.integration.ledger.rows import opened
from tests.integration.platform import MakeCourier, Platform, running
from worker.cli import app
from worker.core import open_messaging


def shown(monkeypatch: pytest.MonkeyPatch, courier: Platform, *arguments: str) -> str:
    """What a command prints."""
    with monkeypatch.context() as patch:
        commands_reach(courier, patch)
        result = CliRunner().invoke(app, ["deliveries", "show", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_an_outage_is_told_try_by_try_with_its_suspension_and_its_end(
    make_courier: MakeCourier,
    asyncssh_server: AsyncSshServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    courier = make_courier(suspend_after=2, suspend_seconds=900.0, retry_delays=(0.0,))
    server = asyncssh_server.customer
    courier.account("acme", server, Protocol.SFTP, password="wrong")
    with serving(courier) as console, running(courier):
        console.user("provider", None)
        console.user("admin", "acme")
        operator, customer = console.program(None), console.program("acme")
        recording_id = courier.publish("acme", courier.recording("one.wav"))
        courier.wait_state("acme", State.SUSPENDED)
        waiting = customer.get(f"/deliveries/{recording_id}").json()["story"]
        assert [step["what"] for step in waiting] == [
            *("arrived", "routed", "failed", "failed", "suspended", "waits"),
        ]
        assert waiting[2]["phase"] == "login"
        assert waiting[2]["whose"] == "customer"
        assert waiting[-1]["next_at"] is not None
        page = console.browser("admin").get(f"/recordings/{recording_id}").text
        assert "Try 1 failed while logging in." in page
        assert "when the time is over" in page

        courier.save("acme", server, Protocol.SFTP)
        courier.wait_status(recording_id, "delivered")
        courier.wait_state("acme", State.ACTIVE)

        told = operator.get(f"/deliveries/{recording_id}").json()
        story = {step["what"]: step for step in told["story"]}
        assert [step["what"] for step in told["story"]][-1] == "delivered"
        assert story["suspended"]["until"] is not None
        assert story["delivered"]["bytes"] == told["size"]
        assert story["delivered"]["verified"] == told["verified"]
        assert story["delivered"]["worker"]
        assert story["failed"]["worker"] == story["delivered"]["worker"]
        for_customer = customer.get(f"/deliveries/{recording_id}").json()["story"]
        assert {step["worker"] for step in for_customer} == {None}

        activity = console.browser("admin").get("/accounts/acme").text
        assert f'href="/recordings/{recording_id}"' in activity
        assert "Worker" in console.browser("provider").get(f"/recordings/{recording_id}").text
        page = console.browser("admin").get(f"/recordings/{recording_id}").text
        assert "Worker" not in page
        assert "one.wav" in page
        assert told["trace_id"] in page

        as_json = json.loads(shown(monkeypatch, courier, recording_id, "--json"))
        assert as_json == told
        text = shown(monkeypatch, courier, recording_id)
        assert "Try 2 failed while logging in." in text
        assert "Delivered:" in text


def test_a_skipped_file_is_replayed_from_its_page(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    courier = make_courier(max_tries=1, retry_delays=(0,))
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    missing = [courier.folder / name for name in ("one.wav", "two.wav")]
    with serving(courier) as console, running(courier):
        console.user("admin", "acme")
        browser = console.browser("admin")
        ids = [courier.publish("acme", path) for path in missing]
        for recording_id in ids:
            courier.wait_status(recording_id, "dead_lettered")
        page = f"/recordings/{ids[0]}"
        assert "Try 1 failed while opening the recording." in browser.get(page).text
        assert "It was skipped" in browser.get(page).text
        assert "dead letter" not in browser.get(page).text.lower()

        courier.recording("one.wav")
        assert "on its way again" in browser.notice(page, do="replay")
        courier.wait_status(ids[0], "delivered")
        assert "Somebody put it back on its way" in browser.get(page).text
        assert "any more" in browser.notice(page, do="replay")
        assert "for good" in browser.notice(f"/recordings/{ids[1]}", do="discard")
        assert "Somebody gave it up" in browser.get(f"/recordings/{ids[1]}").text
        assert browser.send_form(page, do="nothing").status_code == 404


ODD = ["a/b", "a//b?c=d#e", "%2F", "<script>alert(1)</script>", "'\"{{7*7}}", "a b", "x" * 128]


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    courier.core.directory.create("other", ftp_access=True)
    with serving(courier) as console:
        console.user("admin", "acme")
        console.user("stranger", "other")
        yield console


def test_a_redelivery_is_told_to_customer_and_shell(
    make_courier: MakeCourier,
    asyncssh_server: AsyncSshServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    courier = make_courier()
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    with serving(courier) as console, running(courier):
        console.user("admin", "acme")
        recording_id = courier.publish("acme", courier.recording("one.wav"))
        place = courier.wait_status(recording_id, "delivered")["remote_path"]
        with open_messaging(courier.core, lambda _: None) as messaging:
            assert messaging.redelivery.again(recording_id, 0)
        courier.wait_status(recording_id, "delivered")

        told = console.program("acme").get(f"/deliveries/{recording_id}").json()["story"]
        assert [step["what"] for step in told] == [
            *("arrived", "routed", "delivered", "redelivered", "routed", "delivered"),
        ]
        words = f"Somebody asked to have it delivered once more. It stood there as {place} before."
        assert told[3]["text"].startswith(words)
        assert words in console.browser("admin").get(f"/recordings/{recording_id}").text
        assert "asked to have it delivered" in shown(monkeypatch, courier, recording_id)


@pytest.mark.parametrize("recording_id", ODD)
def test_a_recording_of_any_id_has_its_page(console: Console, recording_id: str) -> None:
    opened(console.platform.core.ledger, recording_id)
    browser = console.browser("admin")
    activity = browser.get("/accounts/acme").text
    href = activity.split('href="/recordings/')[1].split('"')[0]
    answer = browser.get(f"/recordings/{href}")
    assert answer.status_code == 200
    assert "The recording arrived." in answer.text
    assert "<script>alert" not in answer.text
    assert console.browser("stranger").get(f"/recordings/{href}").status_code == 404


def test_there_is_no_page_of_no_recording(console: Console) -> None:
    browser = console.browser("admin")
    for recording_id in ("nope", "x" * 5000, "%00", "%FF", "../accounts"):
        assert browser.get(f"/recordings/{recording_id}").status_code in {404, 200}
    assert browser.get("/recordings/nope").status_code == 404
