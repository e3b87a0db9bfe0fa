"""Rules 7 to 9, 11 and 12 of docs/rules.md: how a suspension ends, and who may end it."""

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.misbehaving import Mood

NAMES = [f"call-{number:02}.wav" for number in range(10)]
IT = ("it@acme.example",)


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    """Suspends for 15 minutes: only "try now" and saved settings end it in time."""
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8))


@pytest.fixture
def quick(make_courier: MakeCourier) -> Platform:
    """Suspends for a time in which a test has seen, on a busy machine too, how things stand."""
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8), suspend_seconds=1.5)


def suspend(courier: Platform, server: AsyncSshServer, names: list[str] = NAMES) -> list[str]:
    """Recordings of these names, each tried once in vain at most, and the account suspended."""
    server.stop()
    courier.core.ledger.accounts.pause("acme")
    ids = courier.publish_many("acme", names)
    courier.wait_length("deliveries.acme", len(ids))
    courier.core.ledger.accounts.resume("acme")
    courier.wait_state("acme", State.SUSPENDED)
    courier.wait_length("deliveries.acme", len(ids))
    server.start()
    return ids


def wait_suspensions(courier: Platform, count: int) -> None:
    until(
        lambda: courier.run_state("acme").suspensions >= count,
        lambda: f"suspension {count}; it is {courier.run_state('acme')}",
    )


def starts(courier: Platform, ids: list[str]) -> list[int]:
    return [courier.row(recording_id)["starts"] for recording_id in ids]


def test_when_the_time_is_over_the_oldest_file_is_the_probe_and_the_rest_follow_in_order(
    quick: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    quick.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.held = True
    with running(quick):
        ids = suspend(quick, customer)
        before = starts(quick, ids)
        quick.wait_status(ids[0], "uploading")
        assert quick.run_state("acme").state is State.PROBING
        until(lambda: mood.open_now == 1, "the probe's upload")
        quick.wait_length("deliveries.acme", len(ids))
        assert starts(quick, ids) == [before[0] + 1, *before[1:]]
        mood.held = False
        for recording_id in ids:
            quick.wait_status(recording_id, "delivered")
        run = quick.wait_state("acme", State.ACTIVE)
        quick.account_for("acme", customer.root)
    assert (run.failures, run.last_error, run.suspended_until) == (0, None, None)
    assert mood.renamed == NAMES
    assert mood.most_at_once == 1


def test_a_probe_failed_by_the_account_suspends_again_and_tells_again_and_is_no_try(
    quick: Platform, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink
) -> None:
    quick.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    mood.read_only = True
    with running(quick):
        ids = suspend(quick, customer)
        tries = [quick.row(recording_id)["tries"] for recording_id in ids]
        wait_suspensions(quick, 3)
        quick.core.ledger.accounts.pause("acme")
        run = quick.run_state("acme")
        mails = smtp_sink.wait_for(run.suspensions)
        assert [quick.row(recording_id)["tries"] for recording_id in ids] == tries
        assert run.failures == 10 + run.suspensions - 1
        for number, mail in enumerate(mails):
            text = mail.message.get_content()
            assert text.startswith(f"There have been {10 + number} failures sending files via FTP")
            words = "Connection refused" if number == 0 else "You may not write here"
            assert f"Last error message from your server: {words}" in text
        quick.account_for("acme", customer.root, queued=ids)
        assert quick.queued_ids("acme") == ids
        mood.read_only = False
        quick.core.ledger.accounts.resume("acme")
        for recording_id in ids:
            quick.wait_status(recording_id, "delivered")
        quick.account_for("acme", customer.root)
        alerts = quick.run_state("acme").suspensions
    assert len(smtp_sink.messages) == alerts


def test_a_probe_failed_by_the_file_suspends_again_and_is_a_try(
    quick: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    quick.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.refused_names.add(NAMES[0])
    with running(quick):
        ids = suspend(quick, customer)
        assert quick.row(ids[0])["tries"] == 1
        row = quick.wait_status(ids[0], "dead_lettered")
        for recording_id in ids[1:]:
            quick.wait_status(recording_id, "delivered")
        run = quick.run_state("acme")
        quick.account_for("acme", customer.root, dead=ids[:1])
    assert (row["tries"], row["reason"]) == (5, "file")
    assert run.suspensions == 1 + 4
    assert (run.state, run.failures) == (State.ACTIVE, 0)
    assert mood.renamed == NAMES[1:]


def test_a_probe_failed_by_the_source_is_a_try_and_the_next_oldest_is_probed_at_once(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    with running(courier):
        ids = suspend(courier, customer)
        for name in NAMES[:2]:
            (courier.folder / name).unlink()
        logins = customer.logins
        assert courier.core.ledger.accounts.try_now("acme")
        for recording_id in ids[2:]:
            courier.wait_status(recording_id, "delivered")
        for recording_id in ids[:2]:
            row = courier.wait_status(recording_id, "dead_lettered")
            assert (row["tries"], row["reason"]) == (5, "source")
        courier.account_for("acme", customer.root, dead=ids[:2])
        run = courier.run_state("acme")
    assert (run.suspensions, run.failures) == (1, 0)
    assert customer.logins == logins + 1
    assert len(smtp_sink.wait_for(1)) == 1


def test_a_long_outage_dead_letters_nothing_by_probes_and_everything_arrives_after_it(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(suspend_seconds=0.1)
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        ids = suspend(courier, customer)
        customer.stop()
        wait_suspensions(courier, 10)
    with running(courier):
        wait_suspensions(courier, 18)
        late = courier.publish_many("acme", ["late.wav"])
        wait_suspensions(courier, 24)
        run = courier.run_state("acme")
        assert run.failures == 10 + run.suspensions - 1
        assert {row["status"] for row in courier.rows("acme")} <= {"queued", "uploading"}
        assert {row["tries"] for row in courier.rows("acme")} == {0, 1}
        customer.start()
        for recording_id in [*ids, *late]:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert mood.renamed[0] == NAMES[0]


def test_when_nothing_is_left_to_probe_with_the_next_arrival_is_the_probe_at_once(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_seconds=1)
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.refused_names.update({"one.wav", "two.wav"})
    with running(courier):
        dead = suspend_by_files(courier, ["one.wav", "two.wav"])
        until(
            lambda: not (run := courier.run_state("acme")).seconds_until(run.suspended_until),
            "the time to be over",
        )
        accounts = courier.core.database["accounts"]
        until(
            lambda: accounts.find_one({"_id": "acme", "run.next_due": None}),
            "the account to rest",
        )
        assert courier.run_state("acme").state is State.SUSPENDED
        (arrival,) = courier.publish_many("acme", ["arrival.wav"])
        courier.wait_status(arrival, "delivered")
        courier.wait_state("acme", State.ACTIVE)
        courier.account_for("acme", customer.root, dead=dead)


def suspend_by_files(courier: Platform, names: list[str]) -> list[str]:
    """Two files that the server refuses: both dead by the tenth failure, which suspends."""
    courier.core.ledger.accounts.pause("acme")
    ids = courier.publish_many("acme", names)
    courier.wait_length("deliveries.acme", len(ids))
    courier.core.ledger.accounts.resume("acme")
    courier.wait_state("acme", State.SUSPENDED)
    return ids


def test_a_probe_whose_worker_dies_counts_for_nothing(
    quick: Platform, customer: AsyncSshServer, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.service.GRACE_SECONDS", 0.2)
    quick.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.held = True
    with running(quick):
        ids = suspend(quick, customer)
        quick.wait_status(ids[0], "uploading")
        tries = quick.row(ids[0])["tries"]
    run = quick.run_state("acme")
    assert (run.state, run.failures, run.suspensions) == (State.PROBING, 10, 1)
    assert (quick.row(ids[0])["status"], quick.row(ids[0])["tries"]) == ("queued", tries)
    mood.held = False
    with running(quick):
        for recording_id in ids:
            quick.wait_status(recording_id, "delivered")
        quick.account_for("acme", customer.root)
    assert mood.renamed == NAMES


def test_try_now_probes_at_once_and_keeps_the_count(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        assert not courier.core.ledger.accounts.try_now("acme")
        ids = suspend(courier, customer)
        mood.read_only = True
        assert courier.core.ledger.accounts.try_now("acme")
        wait_suspensions(courier, 2)
        assert courier.run_state("acme").failures == 11
        courier.account_for("acme", customer.root, queued=ids)
        mood.read_only = False
        assert courier.core.ledger.accounts.try_now("acme")
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)


def test_saved_settings_probe_a_suspended_account_at_once_and_keep_the_count(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    customer.password = "new"
    with running(courier):
        ids = suspend(courier, customer)
        courier.save("acme", customer.customer, Protocol.SFTP, password="still wrong")
        wait_suspensions(courier, 2)
        assert courier.run_state("acme").failures == 11
        courier.save("acme", customer.customer, Protocol.SFTP, password="new")
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        assert courier.wait_state("acme", State.ACTIVE).failures == 0
        courier.account_for("acme", customer.root)


def test_a_changed_host_key_is_given_no_password_until_it_is_saved(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    old = customer.customer.host_key
    customer.stop()
    customer.regenerate_host_key()
    customer.start()
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        run = courier.wait_state("acme", State.SUSPENDED)
        assert customer.logins == 0
        assert run.last_error is not None
        assert str(old) in run.last_error.words
        assert str(customer.customer.host_key) in run.last_error.words
        text = smtp_sink.wait_for(1)[0].message.get_content().replace("\r\n", "\n")
        assert f"Last error message from your server: {run.last_error.words}\n" in text
        courier.account_for("acme", customer.root, queued=ids)
        courier.save("acme", customer.customer, Protocol.SFTP)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
