"""Rules 4 to 6 of docs/rules.md: the tenth failure, the alert, what a suspension leaves behind."""

import shutil
import threading
from pathlib import Path

import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Protocol
from consumers.delivery.messages import Consumer
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers import Sshd
from tests.servers.misbehaving import Mood

NAMES = [f"call-{number:02}.wav" for number in range(14)]
IT = ("it@acme.example", "boss@acme.example")


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8))


def publish_together(courier: Platform, account_id: str, names: list[str]) -> list[str]:
    """All of them in the queue before the first is tried."""
    courier.core.ledger.accounts.pause(account_id)
    ids = courier.publish_many(account_id, names)
    courier.wait_routed(ids)
    courier.core.ledger.accounts.resume(account_id)
    return ids


def alert_text(failures: int, username: str, duration: str, words: str) -> str:
    """How the alert's body begins, to the letter: customers have rules that sort it."""
    return (
        f"There have been {failures} failures sending files via FTP from the Advanced Services "
        f"Platform to 127.0.0.1 with username {username}\n\n"
        f"FTP has been suspended for {duration} for your account and it will be retried once this "
        "timer has expired, please note that your FTP requests are being queued up.\n\n"
        f"Last error message from your server: {words}\n"
    )


def test_ten_wrong_logins_suspend_and_the_customer_is_told_in_the_servers_words(
    courier: Platform, tmp_path: Path, smtp_sink: SmtpSink
) -> None:
    root = tmp_path / "ftp"
    root.mkdir()
    ftp = PyFtpServer(root, handler=type("Quick", (FTPHandler,), {"auth_failed_timeout": 0}))
    server = ftp.customer
    courier.account("acme", server, Protocol.FTP, password="wrong", email_alerts=IT)
    with ftp, running(courier):
        ids = publish_together(courier, "acme", NAMES)
        run = courier.wait_state("acme", State.SUSPENDED)
        (mail,) = smtp_sink.wait_for(1)
        courier.account_for("acme", server.root, queued=ids)
        assert courier.queued_ids("acme") == ids
    assert (run.failures, run.suspensions) == (10, 1)
    assert run.last_error is not None
    assert (run.last_error.kind, run.last_error.words) == (
        "account",
        "530 Authentication failed.",
    )
    assert run.suspended_until is not None
    assert 890 < run.seconds_until(run.suspended_until) <= 900
    assert mail.message["Subject"] == "FTP Suspension Alert"
    assert mail.message["From"] == "courier@localhost"
    assert mail.recipients == IT
    assert mail.message.get_content_type() == "text/plain"
    text = mail.message.get_content().replace("\r\n", "\n")
    expected = alert_text(10, server.username, "15 minutes", "530 Authentication failed.")
    assert text.startswith(expected)
    assert f"Files waiting: {len(ids)}" in text
    assert courier.core.database["accounts"].find_one({"run.alerts.number": 1}) is None


def test_a_server_too_busy_for_one_upload_fails_by_the_account_in_all_that_is_written_down(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    root = tmp_path / "ftp"
    root.mkdir()
    full = type("Full", (FTPHandler,), {"handle": FTPHandler.handle_max_cons})
    courier = make_courier(retry_delays=(0.0,), max_tries=2, suspend_after=2)
    with PyFtpServer(root, handler=full) as ftp, running(courier) as service:
        courier.account("acme", ftp.customer, Protocol.FTP)
        (recording,) = publish_together(courier, "acme", NAMES[:1])
        row = courier.wait_status(recording, "dead_lettered")
        run = courier.wait_state("acme", State.SUSPENDED)

        def counted() -> str:  # after it is written down
            metrics: str = service._metrics.render().decode()
            return metrics if 'courier_suspensions_total{cause="account"} 1.0' in metrics else ""

        metrics = until(counted, "the suspension to be counted")
        [(headers, _)] = courier.messages("dead-letters.acme")
    assert (row["tries"], row["account_tries"], row["reason"]) == (2, 2, "account")
    assert row["last_error"]["kind"] == "account"
    assert row["last_error"]["words"].startswith("421")
    assert headers["x-courier-reason"] == "account"
    assert run.last_error is not None
    assert run.last_error.kind == "account"
    assert 'kind="busy"' in metrics, "what the server said is counted among the tries as it was"


def test_a_server_that_is_down_is_told_in_the_operating_systems_words(
    make_courier: MakeCourier, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(suspend_seconds=90)
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    customer.stop()
    with running(courier):
        ids = publish_together(courier, "acme", NAMES)
        courier.wait_state("acme", State.SUSPENDED)
        (mail,) = smtp_sink.wait_for(1)
        courier.account_for("acme", customer.root, queued=ids)
        assert courier.queued_ids("acme") == ids
    text = mail.message.get_content().replace("\r\n", "\n")
    expected = alert_text(10, customer.username, "90 seconds", "Connection refused")
    assert text.startswith(expected)


def test_a_path_without_the_right_to_write_suspends_and_mends(
    make_courier: MakeCourier, sshd: Sshd
) -> None:
    courier = make_courier(suspend_seconds=1)
    folder = sshd.root / "theirs"
    folder.mkdir()
    folder.chmod(0o755)
    courier.account("acme", sshd.customer, Protocol.SFTP, path="theirs")
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        run = courier.wait_state("acme", State.SUSPENDED)
        assert run.last_error is not None
        assert (run.last_error.kind, run.last_error.words) == ("account", "Permission denied")
        shutil.chown(folder, sshd.root.stat().st_uid)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", sshd.root)


def test_a_full_disk_suspends_in_the_servers_words_and_leaves_no_file(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    mood.full = True
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        run = courier.wait_state("acme", State.SUSPENDED)
        courier.account_for("acme", customer.root, queued=ids)
    assert run.last_error is not None
    assert (run.last_error.kind, run.last_error.words) == ("account", "The disk is full")


def test_the_count_goes_on_across_a_restart_and_a_delivered_file_ends_it(
    courier: Platform, customer: AsyncSshServer
) -> None:
    customer.password = "changed"
    courier.account("acme", customer.customer, Protocol.SFTP, password="old")
    with running(courier):
        ids = courier.publish_many("acme", NAMES[:1])
        courier.wait_status(ids[0], "dead_lettered")
        until(lambda: courier.run_state("acme").failures == 5, "the count behind the row")
    with running(courier):
        ids += publish_together(courier, "acme", NAMES[1:4])
        run = courier.wait_state("acme", State.SUSPENDED)
        assert run.failures == 10
        assert customer.logins == 1, "what it has refused is not asked for again"
        courier.account_for("acme", customer.root, queued=ids[1:], dead=ids[:1])
        courier.save("acme", customer.customer, Protocol.SFTP, password="changed")
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
        assert courier.run_state("acme").failures == 0


def test_nine_failures_and_a_delivery_suspend_nobody(
    courier: Platform, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    names = [f"no-{number}.wav" for number in range(9)]
    mood.refused_names.update(names)
    with running(courier):
        courier.core.ledger.accounts.pause("acme")
        ids = courier.publish_many("acme", [*names, "yes.wav"])
        courier.wait_length("deliveries.acme", 10)
        courier.core.ledger.accounts.resume("acme")
        courier.wait_status(ids[-1], "delivered")
        mood.refused_names.clear()
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
        assert courier.run_state("acme").suspensions == 0
    assert not smtp_sink.messages


def test_the_fifth_try_and_the_tenth_failure_coincide_and_both_apply(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    mood.refused_names.update({"one.wav", "two.wav"})
    with running(courier):
        courier.core.ledger.accounts.pause("acme")
        ids = courier.publish_many("acme", ["one.wav", "two.wav"])
        courier.wait_length("deliveries.acme", 2)
        courier.core.ledger.accounts.resume("acme")
        run = courier.wait_state("acme", State.SUSPENDED)
        smtp_sink.wait_for(1)
        courier.account_for("acme", customer.root, dead=ids)
    assert run.failures == 10
    assert [courier.row(recording_id)["tries"] for recording_id in ids] == [5, 5]


def test_suspension_and_its_alert_are_one_update_of_the_account(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier(suspend_after=3)
    courier.account("acme", customer.customer, Protocol.SFTP, password="wrong")
    accounts = courier.core.database["accounts"]
    with running(courier), accounts.watch() as changes:
        ids = courier.publish_many("acme", NAMES[:5])
        courier.wait_state("acme", State.SUSPENDED)
        updates = (change["updateDescription"]["updatedFields"] for change in changes)
        suspended = next(fields for fields in updates if fields.get("run.state") == "suspended")
        courier.account_for("acme", customer.root, queued=ids)
        alerts = courier.core.database["alerts"]
        until(lambda: alerts.find_one({"_id": "acme:1"}), "the alert in the outbox")
    assert suspended["run.failures"] == 3
    assert suspended["run.suspended_until"] == suspended["run.next_due"]
    assert suspended["run.suspensions"] == 1
    assert any(name.startswith("run.last_error") for name in suspended)
    assert any(name.startswith("run.alerts") for name in suspended)


def test_nothing_is_claimed_and_nobody_logs_in_while_suspended(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, password="wrong")
    with running(courier):
        ids = publish_together(courier, "acme", NAMES)
        courier.wait_state("acme", State.SUSPENDED)
        courier.wait_length("deliveries.acme", len(ids))
        starts = [courier.row(recording_id)["starts"] for recording_id in ids]
        ids += courier.publish_many("acme", ["late.wav"])
        courier.wait_length("deliveries.acme", len(ids))
    with running(courier):
        (other,) = courier.publish_many("acme", ["later.wav"])
        ids.append(other)
        courier.wait_length("deliveries.acme", len(ids))
        # A whole round of an account that may work has its place in here.
        courier.account("beta", customer.customer, Protocol.SFTP, path="beta")
        (probe,) = courier.publish_many("beta", ["beta.wav"])
        courier.wait_status(probe, "delivered")
        assert courier.queued_ids("acme") == ids
    assert customer.logins == 1 + 1
    assert [courier.row(recording_id)["starts"] for recording_id in ids] == [*starts, 0, 0]
    assert mood.uploads == [mood.uploads[0]]


def test_what_a_session_holds_and_what_was_on_its_way_go_back_in_order(courier: Platform) -> None:
    with running(courier) as service:
        courier.core.directory.create("acme")  # it has no settings: no session of its own
        ids = courier.publish_many("acme", [*NAMES, *(f"more-{name}" for name in NAMES)])
        courier.wait_routed(ids)
        for _ in range(30):
            consumer = Consumer(service._consuming, "acme", 17, threading.Event())
            until(consumer.arrived, "messages to arrive")
            consumer.close()
        courier.wait_length("deliveries.acme", len(ids))
        assert courier.queued_ids("acme") == ids


def test_an_alert_waits_for_the_mail_server_and_comes_once(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    smtp_sink.stop()
    courier.account("acme", customer.customer, Protocol.SFTP, password="wrong", email_alerts=IT)
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        courier.wait_state("acme", State.SUSPENDED)
        alerts = courier.core.database["alerts"]
        until(lambda: alerts.find_one({"_id": "acme:1"}), "the alert in the outbox")
    smtp_sink.start()
    alerts.update_many({}, {"$set": {"due_at": None}})
    with running(courier):
        smtp_sink.wait_for(1, 60)
        courier.account_for("acme", customer.root, queued=ids)
    assert len(smtp_sink.messages) == 1
