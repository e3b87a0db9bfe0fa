"""Who hears of outages is changed without a test; what was sent is told; a test e-mail is sent."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from config.accounts import Protocol
from config.mail_links import Recipient
from consumers.upkeep.alerting import send_alerts
from deploy.local.customers import CustomerServer, SmtpSink
from tests.integration.alerts.desk import LATER
from tests.integration.console import LIMIT, Browser, Console, commands_reach, serving
from tests.integration.platform import MakeCourier, Platform
from tests.integration.settings.suspending import suspend
from tests.unit.alerts.facts import RECOVERY, suspension
from worker.alert_mail import TESTS, TooManyTestMails, send_test_mail
from worker.cli import app
from worker.core import make_outbox

OLD, NEW = "it@acme.example", "ops@acme.example"
ALERTS = "/accounts/acme/alerts"
NOWHERE = CustomerServer("ftp.invalid", 21, "customer", "a password", Path(), None, "/")
"""It does not answer: nothing that is tested here may need it."""


@pytest.fixture
def console(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    courier = make_courier(console_url="https://courier.example")
    commands_reach(courier, monkeypatch)
    courier.account("acme", NOWHERE, Protocol.FTP, email_alerts=(OLD,))
    with serving(courier) as console:
        console.user("admin@acme.example", "acme")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    return console.browser("admin@acme.example")


def command(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["accounts", "alerts", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def send_due(courier: Platform) -> None:
    """One round of what a worker does every second."""
    outbox = make_outbox(courier.core, lambda _tried: None)
    send_alerts(courier.core.ledger, courier.core.directory, outbox)


# --- who hears of outages -------------------------------------------------------------------------


def test_addresses_are_changed_while_the_server_is_down_and_nothing_else_is(
    console: Console, browser: Browser
) -> None:
    suspend(console.platform)
    before = console.settings("acme")
    run = console.platform.run_state("acme")
    form = {"email_alerts": f"{OLD}, {NEW}", "alert_frequency": "outage", "recovery_email": "on"}

    assert "server was not tested" in browser.notice(ALERTS, **form)

    settings = console.settings("acme")
    assert before is not None
    changes = {
        "email_alerts": (OLD, NEW),
        "alert_frequency": "outage",
        "recovery_email": True,
    }
    assert settings == before.model_copy(update=changes)
    after = console.platform.run_state("acme")
    assert (after.state, after.suspended_until) == (run.state, run.suspended_until)
    assert after.change == run.change
    assert console.actions("acme") == ["alerts.set"]
    login = console.platform.core.directory.login("acme")
    assert login.token is not None, "the password stays"
    assert OLD in browser.get(ALERTS).text


def test_the_next_suspension_reaches_the_new_addresses_also_in_a_session_that_began_before(
    console: Console, smtp_sink: SmtpSink
) -> None:
    account = console.platform.core.directory.get("acme")
    command("set", "acme", "--email-alerts", NEW)

    suspend(console.platform, account=account)
    send_due(console.platform)

    alerts = [mail for mail in smtp_sink.messages if "Suspension" in mail.message["Subject"]]
    assert [mail.recipients for mail in alerts] == [(NEW,)]


def test_an_address_that_is_taken_out_is_told_and_its_change_is_in_the_audit(
    console: Console, smtp_sink: SmtpSink
) -> None:
    program = console.program("acme")
    answer = program.put(ALERTS, json={"email_alerts": [NEW]})
    assert answer.json() == {
        "email_alerts": [NEW],
        "alert_frequency": "every",
        "recovery_email": False,
    }

    send_due(console.platform)

    (told,) = smtp_sink.messages
    assert told.recipients == (OLD,)
    assert told.message["Subject"] == "FTP Settings Changed"
    assert f"Email Alerts: {NEW} (before: {OLD})" in told.message.get_content()
    (entry,) = console.services.audit.list(["acme"], 1)
    assert (entry.before, entry.after) == ({"email_alerts": [OLD]}, {"email_alerts": [NEW]})


def test_new_addresses_are_asked_where_the_platform_wants_that(
    make_courier: MakeCourier, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = make_courier(console_url="https://courier.example", confirm_alert_emails=True)
    commands_reach(courier, monkeypatch)
    monkeypatch.setenv("COURIER_CONSOLE_URL", "https://courier.example")
    monkeypatch.setenv("COURIER_CONFIRM_ALERT_EMAILS", "true")
    courier.account("acme", NOWHERE, Protocol.FTP)

    command("set", "acme", "--email-alerts", NEW)
    send_due(courier)

    (question,) = smtp_sink.messages
    assert question.recipients == (NEW,)
    assert question.message["Subject"] == "Please confirm FTP alerts"
    assert "/accounts/acme" not in question.message.get_content()
    command("test", "acme")
    send_due(courier)
    assert len(smtp_sink.messages) == 1, "nobody who has not agreed gets a test"


def test_the_server_itself_cannot_be_changed_on_this_way(console: Console) -> None:
    before = console.settings("acme")
    for body in ({"host": "evil.example"}, {"email_alerts": [NEW], "password": "x"}):
        answer = console.program("acme").put(ALERTS, json=body)
        assert answer.status_code == 422
    browser = console.browser("admin@acme.example")
    browser.send_form(ALERTS, email_alerts=OLD, host="evil.example", port="2121")
    assert console.settings("acme") == before


def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_saved(
    console: Console, browser: Browser
) -> None:
    answer = browser.send_form(
        ALERTS, email_alerts="it@acme.example, <script>", recovery_email="on"
    )
    assert answer.status_code == 422
    assert "Email Alerts, entry 2, must be an e-mail address" in answer.text
    assert "<script>" not in answer.text
    many = ",".join(f"a{number}@acme.example" for number in range(51))
    assert "at most 50 entries" in browser.send_form(ALERTS, email_alerts=many).text
    program = console.program("acme")
    wrong: tuple[Any, ...] = (
        {"email_alerts": "x"},
        {"alert_frequency": "never"},
        {"recovery_email": 7},
        [],
    )
    for body in wrong:
        assert program.put(ALERTS, json=body).status_code == 422
    assert "must be an e-mail address" in command("set", "acme", "--email-alerts", "x", code=2)
    assert command("set", "acme", code=2)
    settings = console.settings("acme")
    assert settings is not None
    assert settings.email_alerts == (OLD,)


def test_without_settings_there_are_no_alerts_to_change(console: Console) -> None:
    console.platform.core.directory.create("globex", ftp_access=True)
    program = console.program(None)
    assert program.get("/accounts/globex/alerts").status_code == 404
    answer = program.put("/accounts/globex/alerts", json={"email_alerts": [NEW]})
    assert answer.status_code == 409
    assert "no FTP settings" in answer.json()["error"]["message"]
    assert "no FTP settings" in command("show", "globex", code=1)
    console.user("root", None)
    assert "none are stored yet" in console.browser("root").get("/accounts/globex/alerts").text


def test_only_who_may_change_an_account_changes_its_alerts(console: Console) -> None:
    console.platform.core.directory.create("globex", ftp_access=True)
    stranger = console.program("globex")
    assert stranger.get(ALERTS).status_code == 404
    assert stranger.put(ALERTS, json={"email_alerts": []}).status_code == 404
    assert stranger.get(f"{ALERTS}/history").status_code == 404
    assert stranger.post(f"{ALERTS}/test", json={}).status_code == 404
    console.platform.core.directory.set_ftp_access("acme", granted=False)
    own = console.program("acme")
    assert own.get(ALERTS).status_code == 200
    assert own.put(ALERTS, json={"email_alerts": []}).status_code == 403
    assert own.post(f"{ALERTS}/test", json={}).status_code == 403


def test_two_who_change_the_settings_at_once_do_not_overwrite_each_other(console: Console) -> None:
    directory = console.platform.core.directory
    stale = directory.login("acme")
    directory.save_alerts("acme", {"email_alerts": (NEW,)}, "admin")
    assert stale.settings is not None
    with pytest.raises(Exception, match="changed by somebody else"):
        directory.save_settings(
            "acme", stale.settings, directory.password("acme"), instead_of=stale
        )
    assert console.settings("acme") == stale.settings.model_copy(update={"email_alerts": (NEW,)})


# --- what was sent --------------------------------------------------------------------------------


def history(program: httpx.Client, **query: str) -> list[dict[str, Any]]:
    answer = program.get(f"{ALERTS}/history", params=query)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


def test_who_is_not_told_again_of_an_outage_is_told_why(console: Console, browser: Browser) -> None:
    outbox = make_outbox(console.platform.core, lambda _tried: None)
    outbox.store(suspension(number=4, recipients=()))
    outbox.store(suspension(number=5, at=LATER, recipients=(), outage_since=LATER))
    found = history(console.program("acme"))
    assert [each["told_already"] for each in found] == [True, False]
    words = "an outage is told once, and then daily"
    assert browser.get(ALERTS).text.count(words) == 1
    assert words in command("history", "acme")


def test_the_history_tells_when_why_to_whom_and_what_became_of_it(
    console: Console, browser: Browser, smtp_sink: SmtpSink
) -> None:
    outbox = make_outbox(console.platform.core, lambda _tried: None)
    outbox.store(suspension(recipients=(OLD, NEW)))
    program = console.program("acme")
    (waiting,) = history(program)
    assert (waiting["kind"], waiting["state"]) == ("suspension", "waiting")
    assert waiting["recipients"] == [
        {"address": address, "outcome": "waiting", "words": None} for address in (OLD, NEW)
    ]
    smtp_sink.refuse("451 4.3.0 the mailbox is full")
    outbox.send_due()
    (refused,) = history(program)
    assert "451 4.3.0 the mailbox is full" in str(refused["last_error"])
    smtp_sink.accept()
    console.platform.core.database["alerts"].update_many({}, [{"$set": {"due": "$$NOW"}}])
    outbox.send_due()
    outbox.store(RECOVERY)
    outbox.store(suspension(number=4, at=LATER, recipients=()))

    nobody, recovery, sent = history(program)

    assert sent["why"] == "Suspended after 10 failures: 530 Login incorrect."
    assert sent["state"] == "sent"
    assert {each["outcome"] for each in sent["recipients"]} == {"sent"}
    assert recovery["why"] == "Files are delivered again."
    assert (nobody["state"], nobody["recipients"]) == ("unaddressed", [])
    assert not nobody["told_already"]
    page = browser.get(ALERTS).text
    for words in ("530 Login incorrect.", OLD, "sent", "waiting to be sent", "nobody"):
        assert words in page
    listed = command("history", "acme")
    assert "530 Login incorrect." in listed
    assert "nobody" in listed
    assert json.loads(command("history", "acme", "--json")) == [nobody, recovery, sent]


def test_who_was_left_out_is_told_with_the_reason(console: Console) -> None:
    outbox = make_outbox(console.platform.core, lambda _tried: None)
    outbox.store(suspension(recipients=(OLD, NEW)))
    console.services.alert_addresses.stop(Recipient("acme", OLD))
    outbox.send_due()
    (mail,) = history(console.program("acme"))
    assert mail["recipients"] == [
        {"address": OLD, "outcome": "stopped", "words": None},
        {"address": NEW, "outcome": "sent", "words": None},
    ]


def test_the_history_is_paged_and_survives_hostile_cursors(
    console: Console, browser: Browser
) -> None:
    outbox = make_outbox(console.platform.core, lambda _tried: None)
    for number in range(30):
        outbox.store(suspension(number=number))
    outbox.store(suspension(account_id="globex", number=1))
    program = console.program("acme")
    first = history(program, limit="20")
    rest = history(program, limit="20", before=str(first[-1]["alert_id"]))
    ids = [each["alert_id"] for each in [*first, *rest]]
    assert {*ids} == {f"acme:{number}" for number in range(30)}
    assert (len(first), len(rest)) == (20, 10)
    for cursor in ("globex:1", "nothing", "{$gt: 0}", "a\0b"):
        assert history(program, before=cursor) == []
        assert "No older e-mails" in browser.get(ALERTS, params={"before": cursor}).text
    assert program.get(f"{ALERTS}/history", params={"limit": "0"}).status_code == 422
    assert program.get(f"{ALERTS}/history", params={"before": "x" * 501}).status_code == 422
    page = browser.get(ALERTS).text
    assert ">Older</a>" in page
    assert "globex" not in page


# --- a test e-mail --------------------------------------------------------------------------------


def test_a_test_email_goes_to_the_addresses_or_to_who_asks_and_not_too_often(
    console: Console, browser: Browser, smtp_sink: SmtpSink
) -> None:
    assert OLD in browser.notice(f"{ALERTS}/test", to="addresses")
    assert "admin@acme.example" in browser.notice(f"{ALERTS}/test", to="me")
    assert OLD in command("test", "acme")
    send_due(console.platform)
    assert [mail.recipients for mail in smtp_sink.messages] == [
        (OLD,),
        ("admin@acme.example",),
        (OLD,),
    ]
    for mail in smtp_sink.messages:
        assert mail.message["Subject"] == "FTP Alert Test"
        assert "https://courier.example/accounts/acme" in mail.message.get_content()
    assert [each["kind"] for each in history(console.program("acme"))] == ["test"] * TESTS

    answer = console.program("acme").post(f"{ALERTS}/test", json={})

    assert answer.status_code == 429
    assert "in the last ten minutes" in command("test", "acme", code=1)
    assert "in the last ten minutes" in browser.notice(f"{ALERTS}/test", to="addresses")
    send_due(console.platform)
    assert len(smtp_sink.messages) == TESTS
    assert console.actions("acme") == ["alerts.tested"] * TESTS


def test_of_many_who_ask_for_a_test_at_once_no_more_than_the_limit_get_it(
    console: Console,
) -> None:
    core, together = console.platform.core, threading.Barrier(12)

    def ask(_number: int) -> bool:
        together.wait(LIMIT)
        try:
            return send_test_mail(core, "acme", actor="admin") == (OLD,)
        except TooManyTestMails:
            return False

    with ThreadPoolExecutor(together.parties) as people:
        assert sum(people.map(ask, range(together.parties))) == TESTS
    assert len(history(console.program("acme"))) == TESTS


def test_a_test_email_needs_somebody_to_go_to(console: Console) -> None:
    command("set", "acme", "--email-alerts", "")
    assert "no Email Alerts addresses" in command("test", "acme", code=1)
    answer = console.program("acme").post(f"{ALERTS}/test", json={"to": "me"})
    assert answer.status_code == 409
    assert "not an e-mail address" in answer.json()["error"]["message"]
    assert (
        console.program("acme").post(f"{ALERTS}/test", json={"to": "x@y.example"}).status_code
        == 422
    )
