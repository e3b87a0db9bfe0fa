"""What the on-call hears of: outages as they begin and end, and what is lost by our own fault."""

import json

import pytest
from typer.testing import CliRunner

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.integration.console import commands_reach, serving
from tests.integration.platform import MakeCourier, running, until
from worker.cli import app

ONCALL = ("oncall@platform.example",)


def read_by_oncall(sink: SmtpSink) -> str:
    """All digests, one below the other."""
    mails = [mail.message for mail in sink.messages if mail.recipients == ONCALL]
    return "\n".join(f"{mail['Subject']}\n{mail.get_content()}" for mail in mails)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next digest follows at once."""
    monkeypatch.setattr("alerts.outbox.DIGEST_SECONDS", 0)


def test_what_is_lost_by_our_own_fault_reaches_the_oncall_and_not_the_customer(
    make_courier: MakeCourier, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(retry_delays=(0.0,), oncall_emails=ONCALL)
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=("it@acme.example",))
    with running(courier):
        missing = courier.publish("acme", courier.folder / "missing.wav")
        damaged = courier.publish("acme", courier.recording("short.wav"), size=1)
        for recording_id in (missing, damaged):
            courier.wait_status(recording_id, "dead_lettered")
        until(
            lambda: missing in read_by_oncall(smtp_sink) and damaged in read_by_oncall(smtp_sink),
            lambda: f"both to be told: {read_by_oncall(smtp_sink)}",
        )
    text = read_by_oncall(smtp_sink)
    assert "LOST BY OUR OWN FAULT: 2 recordings" in text
    assert {mail.recipients for mail in smtp_sink.messages} == {ONCALL}
    assert "untold" not in courier.row(missing)


def test_what_was_replayed_before_it_was_told_is_not_told(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        missing = courier.publish("acme", courier.folder / "missing.wav")
        courier.wait_status(missing, "dead_lettered")
    dead_letters = courier.core.ledger.dead_letters
    courier.core.database["deliveries"].update_one({"_id": missing}, {"$set": {"untold": True}})
    (loss,) = dead_letters.untold(10)
    assert (loss.account_id, loss.recording_id, loss.reason) == ("acme", missing, "source")
    assert loss.code == "recording-missing"
    assert dead_letters.revive(missing)
    assert [*dead_letters.untold(10)] == []


@pytest.mark.usefixtures("soon")
def test_the_oncall_is_told_of_the_beginning_and_the_end_of_an_outage(
    make_courier: MakeCourier, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(
        retry_delays=(0.0,), suspend_after=2, suspend_seconds=1.0, oncall_emails=ONCALL
    )
    courier.account("acme", customer.customer, Protocol.SFTP)
    customer.stop()
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["call.wav"])
        until(lambda: "NEW: 1 account" in read_by_oncall(smtp_sink), "the outage to be told")
        customer.start()
        courier.wait_status(recording_id, "delivered")
        until(lambda: "ENDED: 1 account delivers again" in read_by_oncall(smtp_sink), "its end")
    assert "Connection refused" in read_by_oncall(smtp_sink)


def test_an_account_that_is_down_for_days_becomes_dormant_and_try_now_wakes_it(
    make_courier: MakeCourier,
    customer: AsyncSshServer,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    courier = make_courier(
        retry_delays=(0.0,),
        suspend_after=2,
        suspend_seconds=0.3,
        dormant_after_days=1 / 86_400,
    )
    commands_reach(courier, monkeypatch)
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=("it@acme.example",))
    customer.stop()
    with serving(courier) as console, running(courier):
        ids = courier.publish_many("acme", ["one.wav", "two.wav"])
        until(lambda: courier.run_state("acme").dormant_since, "the account to be dormant")
        run = courier.run_state("acme")
        assert run.state is State.SUSPENDED
        assert run.seconds_until(run.suspended_until) > 3600
        until(lambda: said(smtp_sink), "the e-mail that says so")
        (mail,) = said(smtp_sink)
        assert "FTP has been suspended for 360 minutes for your account" in mail
        shown = console.program("acme").get("/accounts/acme").json()
        assert (shown["state"], bool(shown["dormant_since"])) == ("suspended", True)
        assert shown["queued"] == 2
        console.user("admin", "acme")
        assert "Dormant since" in console.browser("admin").get("/accounts/acme").text
        listed = CliRunner().invoke(app, ["accounts", "show", "acme", "--json"])
        assert json.loads(listed.stdout)["dormant_since"] == shown["dormant_since"]
        assert courier.core.ledger.totals().accounts["suspended"] == 1
        customer.start()
        assert CliRunner().invoke(app, ["accounts", "try-now", "acme"]).exit_code == 0
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.wait_state("acme", State.ACTIVE)
        courier.account_for("acme", customer.root)
    assert courier.run_state("acme").dormant_since is None
    assert len(said(smtp_sink)) == 1


def said(sink: SmtpSink) -> list[str]:
    """The e-mails that tell of it."""
    texts = [str(mail.message.get_content()) for mail in sink.messages]
    return [text for text in texts if "Dormant since" in text]
