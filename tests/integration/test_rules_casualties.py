"""Rule 10 of docs/rules.md: what an outage dead-lettered returns by itself."""

from urllib.request import urlopen

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.misbehaving import Mood
from worker.service import Service

DELAYS = (0.0,)
IT = ("it@acme.example",)


@pytest.fixture
def courier(make_courier: MakeCourier, customer: AsyncSshServer) -> Platform:
    made = make_courier(retry_delays=DELAYS, suspend_seconds=1)
    made.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    return made


def counted(service: Service, sample: str) -> float:
    """A sample of `/metrics`; 0 where it is not there yet."""
    assert service.health_address is not None
    host, port = service.health_address
    with urlopen(f"http://{host}:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} "))


def publish_together(courier: Platform, names: list[str]) -> list[str]:
    """All of them in the queue before the first is tried."""
    courier.core.ledger.accounts.pause("acme")
    ids = courier.publish_many("acme", names)
    courier.wait_length("deliveries.acme", len(ids))
    courier.core.ledger.accounts.resume("acme")
    return ids


def test_an_account_with_one_recording_gets_it_after_the_outage(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    customer.stop()
    with running(courier) as service:
        (only,) = courier.publish_many("acme", ["only.wav"])
        row = courier.wait_status(only, "dead_lettered")
        assert (row["tries"], row["reason"]) == (5, "account")
        courier.account_for("acme", customer.root, dead=[only])
        run = courier.run_state("acme")
        assert (run.state, run.suspensions) == (State.ACTIVE, 0)
        until(lambda: courier.run_state("acme").failures >= 6, "the casualty to be tried")
        assert courier.row(only)["tries"] == 5
        courier.wait_length("dead-letters.acme", 1)
        customer.start()
        row = courier.wait_status(only, "delivered")
        courier.account_for("acme", customer.root)
        run = courier.run_state("acme")
        assert counted(service, 'courier_files_total{outcome="replayed"}') == 1
        assert counted(service, 'courier_files_total{outcome="dead_lettered"}') == 1
    assert (row["tries"], row["reason"]) == (0, None)
    assert (run.state, run.failures, run.outage_retry_due) == (State.ACTIVE, 0, None)
    assert not smtp_sink.messages


def test_a_casualty_is_the_probe_when_nothing_else_is_queued_and_brings_the_others_back(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink, mood: Mood
) -> None:
    customer.stop()
    with running(courier) as service:
        ids = publish_together(courier, ["one.wav", "two.wav"])
        courier.wait_state("acme", State.SUSPENDED)
        courier.account_for("acme", customer.root, dead=ids)
        until(lambda: courier.run_state("acme").suspensions >= 2, "a casualty to be the probe")
        assert [courier.row(recording_id)["tries"] for recording_id in ids] == [5, 5]
        courier.wait_length("dead-letters.acme", 2)
        customer.start()
        rows = [courier.wait_status(recording_id, "delivered") for recording_id in ids]
        courier.account_for("acme", customer.root)
        run = courier.run_state("acme")
        assert counted(service, 'courier_files_total{outcome="replayed"}') == 2
    assert [row["tries"] for row in rows] == [0, 0]
    assert sorted(mood.renamed) == ["one.wav", "two.wav"]
    assert len(smtp_sink.wait_for(run.suspensions)) == run.suspensions


def test_casualties_return_when_another_file_has_been_delivered(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier(retry_delays=DELAYS)
    courier.account("acme", customer.customer, Protocol.SFTP)
    customer.stop()
    with running(courier) as service:
        (lost,) = courier.publish_many("acme", ["lost.wav"])
        courier.wait_status(lost, "dead_lettered")
        customer.start()
        (next_one,) = courier.publish_many("acme", ["next.wav"])
        courier.wait_status(next_one, "delivered")
        row = courier.wait_status(lost, "delivered")
        courier.account_for("acme", customer.root)
        assert counted(service, 'courier_files_total{outcome="replayed"}') == 1
    assert row["tries"] == 0


def test_a_casualty_that_returned_dies_for_good_of_its_own_failures(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(retry_delays=DELAYS)
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.refused_names.add("lost.wav")
    customer.stop()
    with running(courier) as service:
        (lost,) = courier.publish_many("acme", ["lost.wav"])
        courier.wait_status(lost, "dead_lettered")
        customer.start()
        good = courier.publish_many("acme", ["next.wav"])
        courier.wait_status(good[0], "delivered")
        until(lambda: courier.row(lost)["reason"] == "file", "the file's own death")
        good += courier.publish_many("acme", ["after.wav"])
        courier.wait_status(good[1], "delivered")
        courier.account_for("acme", customer.root, dead=[lost])
        assert counted(service, 'courier_files_total{outcome="replayed"}') == 1
    assert courier.row(lost)["tries"] == 5
    ((headers, _),) = courier.messages("dead-letters.acme")
    assert headers["x-courier-reason"] == "file"


def test_a_dead_letter_that_did_not_only_fail_by_the_account_is_no_casualty(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(retry_delays=(0.5, 0.0))
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.refused_names.add("mixed.wav")
    with running(courier) as service:
        (mixed,) = courier.publish_many("acme", ["mixed.wav"])
        until(lambda: courier.row(mixed).get("tries") == 1, "the first try")
        customer.stop()
        assert courier.wait_status(mixed, "dead_lettered")["reason"] == "account"
        customer.start()
        mood.refused_names.clear()
        (good,) = courier.publish_many("acme", ["good.wav"])
        courier.wait_status(good, "delivered")
        courier.account_for("acme", customer.root, dead=[mixed])
        assert counted(service, 'courier_files_total{outcome="replayed"}') == 0


def test_casualties_stay_dead_where_replay_is_switched_off(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier(retry_delays=DELAYS, suspend_seconds=1, replay_after_outage=False)
    courier.account("acme", customer.customer, Protocol.SFTP)
    customer.stop()
    with running(courier) as service:
        (lost,) = courier.publish_many("acme", ["lost.wav"])
        courier.wait_status(lost, "dead_lettered")
        customer.start()
        (good,) = courier.publish_many("acme", ["good.wav"])
        courier.wait_status(good, "delivered")
        courier.account_for("acme", customer.root, dead=[lost])
        assert courier.run_state("acme").outage_retry_due is None
        assert counted(service, 'courier_files_total{outcome="replayed"}') == 0
