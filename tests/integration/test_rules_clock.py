"""Rules 6 and 14 of docs/rules.md: what comes late counts for nothing; time is the database's."""

import dataclasses
import time

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from consumers.sharding.presence import workers
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.contract.proxy import Proxy
from tests.integration.platform import MakeCourier, running, until
from tests.servers import Sshd
from worker.clocks import ADVICE

HOURS = 7200.0
NAMES = [f"call-{number:02}.wav" for number in range(10)]


def test_a_failure_from_before_the_last_change_of_state_counts_for_nothing(
    make_courier: MakeCourier, sshd: Sshd
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    with Proxy(sshd.customer, freeze_after=100_000) as proxy:
        frozen = dataclasses.replace(sshd.customer, port=proxy.port)
        courier.account("acme", frozen, Protocol.SFTP)
        with running(courier):
            recording = courier.publish("acme", courier.recording("one.wav", b"sound" * 100_000))
            until(lambda: list(sshd.root.iterdir()), "the upload to have begun")
            courier.core.ledger.accounts.pause("acme")
            proxy.reset()
            row = courier.wait_status(recording, "queued")
            run = courier.run_state("acme")
            assert (run.failures, row["tries"]) == (0, 0)
            assert row["last_error"]["kind"] == "account"
            courier.save("acme", sshd.customer, Protocol.SFTP)
            courier.core.ledger.accounts.resume("acme")
            courier.wait_status(recording, "delivered")
            courier.account_for("acme", sshd.root)


@pytest.mark.parametrize("skew", [-HOURS, HOURS])
def test_a_worker_whose_clock_is_hours_wrong_keeps_the_databases_times_and_says_so(
    make_courier: MakeCourier,
    customer: AsyncSshServer,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    skew: float,
) -> None:
    true_time = time.time
    courier = make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8), suspend_seconds=1.0)
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=("it@acme.example",))
    customer.stop()
    with running(courier):
        monkeypatch.setattr(time, "time", lambda: true_time() + skew)
        [told] = until(
            lambda: [each for each in workers(courier.core.database) if each.state == "degraded"],
            "the worker to be degraded",
        )
        assert told.serves
        assert told.words == (
            f"This machine's clock is 2 hours {'ahead of' if skew > 0 else 'behind'} "
            f"MongoDB's: {ADVICE}"
        )
        ids = courier.publish_many("acme", NAMES)
        run = courier.wait_state("acme", State.SUSPENDED)
        assert run.suspended_until is not None
        assert abs(run.suspended_until.timestamp() - true_time()) < HOURS / 2
        smtp_sink.wait_for(1)
        customer.start()
        for recording_id in ids:
            row = courier.wait_status(recording_id, "delivered")
            assert abs(row["delivered_at"].timestamp() - true_time()) < HOURS / 2
        courier.account_for("acme", customer.root)
