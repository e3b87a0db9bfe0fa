"""How often an outage is told of, and whether its end is."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyftpdlib.handlers import FTPHandler

from alerts.recovery import Recovery
from config.accounts import AlertFrequency, Protocol
from consumers.delivery.policy import State
from consumers.ledger import LastError, RecoveryAlert
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.integration.settings.suspending import run_of, suspend

IT = ("it@acme.example",)
NAMES = [f"call-{number:02}.wav" for number in range(6)]


def recover(courier: Platform, relief: RecoveryAlert | None) -> bool:
    accounts = courier.core.ledger.accounts
    return accounts.recovered("acme", 1, accounts.read("acme"), relief)


def relief_of(courier: Platform) -> RecoveryAlert:
    account = courier.core.directory.get("acme")
    error = LastError("account", "421 Bye", "Look.", "server")
    return RecoveryAlert(account, error, queued=3, returning=1)


def told(courier: Platform) -> list[tuple[int, bool]]:
    """Of each pending alert its number, and whether the account's addresses hear of it."""
    alerts = courier.core.ledger.accounts.pending_alerts()
    return [(alert.number, alert.recipients == IT) for alert in alerts]


def let_pass(courier: Platform, time: timedelta) -> None:
    """Let the last alert of the outage be so much longer ago."""
    milliseconds = round(time.total_seconds() * 1000)
    earlier = {"$subtract": ["$run.outage_told", milliseconds]}
    courier.core.database["accounts"].update_one(
        {"_id": "acme"}, [{"$set": {"run.outage_told": earlier}}]
    )


def add_quiet_account(courier: Platform, customer: AsyncSshServer) -> None:
    """It is told of an outage once, and then daily, and of its end."""
    courier.account(
        "acme",
        customer.customer,
        Protocol.SFTP,
        email_alerts=IT,
        alert_frequency=AlertFrequency.OUTAGE,
        recovery_email=True,
    )


@pytest.fixture
def quiet(courier: Platform, customer: AsyncSshServer) -> Platform:
    """A platform with that account."""
    add_quiet_account(courier, customer)
    return courier


def test_of_an_outage_the_first_suspension_is_told_and_then_one_a_day(quiet: Platform) -> None:
    for _ in range(3):
        suspend(quiet)
    let_pass(quiet, timedelta(hours=23, minutes=59))
    suspend(quiet)
    let_pass(quiet, timedelta(minutes=1))
    suspend(quiet)
    suspend(quiet)
    assert told(quiet) == [
        (1, True),
        (2, False),
        (3, False),
        (4, False),
        (5, True),
        (6, False),
    ]


def test_the_next_outage_is_told_at_once(quiet: Platform) -> None:
    suspend(quiet)
    assert recover(quiet, None)
    suspend(quiet)
    assert told(quiet) == [(1, True), (2, True)]


def test_where_every_suspension_is_told_each_is(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    for _ in range(3):
        suspend(courier)
    assert told(courier) == [(1, True), (2, True), (3, True)]


def test_the_end_of_an_outage_and_its_email_are_one_update(quiet: Platform) -> None:
    suspend(quiet)
    suspend(quiet)
    since = run_of(quiet)["outage_since"]
    with quiet.core.database["accounts"].watch(full_document="updateLookup") as changes:
        assert recover(quiet, relief_of(quiet))
        after = changes.next()["fullDocument"]["run"]
        assert changes.try_next() is None
    assert (after["state"], after["outage_since"], after["outage_suspensions"]) == (
        "active",
        None,
        0,
    )
    (mail,) = [alert for alert in after["alerts"] if alert.get("kind") == "recovery"]
    assert (mail["number"], mail["suspensions"], mail["since"]) == (2, 2, since)
    assert (mail["queued"], mail["returning"], mail["recipients"]) == (3, 1, list(IT))
    assert (mail["words"], mail["said_by"]) == ("421 Bye", "server")
    assert mail["at"] >= since


def test_a_recovery_that_the_world_has_overtaken_tells_nobody(quiet: Platform) -> None:
    suspend(quiet)
    accounts = quiet.core.ledger.accounts
    seen = accounts.read("acme")
    suspend(quiet)
    assert not accounts.recovered("acme", 1, seen, relief_of(quiet))
    assert [alert.number for alert in accounts.pending_alerts()] == [1, 2]


def test_failures_without_a_suspension_end_without_an_email(quiet: Platform) -> None:
    accounts = quiet.core.ledger.accounts
    accounts.fence("acme", 1)
    assert recover(quiet, relief_of(quiet))
    assert [*accounts.pending_alerts()] == []


def test_a_suspension_and_the_recovery_after_it_are_stored_and_forgotten_each_by_itself(
    quiet: Platform,
) -> None:
    accounts = quiet.core.ledger.accounts
    suspend(quiet)
    recover(quiet, relief_of(quiet))
    suspension, recovery = accounts.pending_alerts()
    assert suspension.number == recovery.number
    accounts.alert_stored(suspension)
    assert [*accounts.pending_alerts()] == [recovery]
    accounts.alert_stored(recovery)
    assert [*accounts.pending_alerts()] == []


def mails(smtp_sink: SmtpSink) -> list[str]:
    return [mail.message["Subject"] for mail in smtp_sink.messages if mail.recipients == IT]


def digests(smtp_sink: SmtpSink) -> list[str]:
    return [mail.message["Subject"] for mail in smtp_sink.messages if mail.recipients != IT]


def test_an_outage_is_told_once_and_so_is_its_end_and_the_oncall_hears_as_ever(
    make_courier: MakeCourier, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(
        retry_delays=(0.0,),
        suspend_after=2,
        suspend_seconds=0.3,
        oncall_emails=("oncall@platform.example",),
    )
    add_quiet_account(courier, customer)
    customer.stop()
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        until(lambda: courier.run_state("acme").suspensions >= 4, "several suspensions")
        courier.wait_routed(ids)
        customer.start()
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        until(lambda: len(mails(smtp_sink)) == 2, lambda: f"two e-mails: {mails(smtp_sink)}")
        courier.account_for("acme", customer.root)
        until(lambda: digests(smtp_sink), "the on-call to be told")
    assert mails(smtp_sink) == ["FTP Suspension Alert", "FTP Suspension Ended"]
    alert, end = [mail.message for mail in smtp_sink.messages if mail.recipients == IT]
    assert "Outage since: " in alert.get_content()
    text = end.get_content()
    suspensions = courier.run_state("acme").suspensions
    assert f"Suspensions: {suspensions}" in text
    assert f"Files that waited: {len(ids)}, of which 1 is delivered" in text
    assert "Connection refused" in text
    assert digests(smtp_sink)[0] in {
        "FTP Suspension Digest: 1 account",
        "FTP Suspension Digest: 1 ended",  # it was back before the first digest had settled
    }
    stored = courier.core.database["alerts"].distinct("_id")
    expected = {f"acme:{number}" for number in range(1, suspensions + 1)}
    assert expected | {f"acme:{suspensions}:recovery"} <= {*stored}


def stored_recoveries(courier: Platform) -> list[dict[str, Any]]:
    return list(courier.core.database["alerts"].find({"kind": "recovery"}))


def test_without_the_wish_the_end_of_an_outage_is_not_told(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    customer.stop()
    with running(courier):
        (recording_id,) = courier.publish_many("acme", NAMES[:1])
        courier.wait_state("acme", State.SUSPENDED)
        customer.start()
        courier.wait_status(recording_id, "delivered")
        courier.wait_state("acme", State.ACTIVE)
    assert set(mails(smtp_sink)) <= {"FTP Suspension Alert"}
    pending = [*courier.core.ledger.accounts.pending_alerts()]
    assert all(bool(each.recipients) != isinstance(each, Recovery) for each in pending)
    assert {each["state"] for each in stored_recoveries(courier)} <= {"unaddressed"}


def test_files_that_an_outage_had_given_up_are_told_of_as_returning(
    make_courier: MakeCourier, tmp_path: Path, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(retry_delays=(0.0,), max_tries=1, suspend_after=3, suspend_seconds=0.3)
    root = tmp_path / "ftp"
    root.mkdir()
    handler = type("Quick", (FTPHandler,), {"auth_failed_timeout": 0})
    ftp = PyFtpServer(root, handler=handler)
    wishes: dict[str, Any] = {"email_alerts": IT, "recovery_email": True}
    courier.account("acme", ftp.customer, Protocol.FTP, password="wrong", **wishes)
    with ftp, running(courier):
        ids = courier.publish_many("acme", NAMES)
        courier.wait_routed(ids)
        courier.wait_state("acme", State.SUSPENDED)
        courier.save("acme", ftp.customer, Protocol.FTP, **wishes)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        until(lambda: "FTP Suspension Ended" in mails(smtp_sink), "the e-mail of the end")
        courier.account_for("acme", root)
    (end,) = [
        mail.message.get_content()
        for mail in smtp_sink.messages
        if mail.message["Subject"] == "FTP Suspension Ended"
    ]
    assert "Files that waited: 3" in end or "Files that waited: 4" in end
    assert "Files that return: " in end
